//! What is kept of the source's memory when little is live: the bounds that the crate promises.

use strata_pool::{BlockPool, LocalPool, Pool, PoolStats};

/// Values of a burst, and how many were there before it.
const BURST: usize = 100_000;
const OLDER: usize = BURST / 16;
const LEN: usize = 64;
/// The longest chunk of such blocks.
const CHUNK: usize = 512 * LEN;

type Value = [u64; LEN / 8];

fn committed(stats: &PoolStats) -> usize {
    stats.bytes.check_laws().unwrap();
    stats.bytes.committed.unwrap().0
}

/// A fixed order of numbers that looks like none.
fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..count).collect();
    let mut seed = 1_u64;
    for at in (1..count).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        order.swap(at, (seed >> 33) as usize % (at + 1));
    }
    order
}

macro_rules! burst {
    ($pool:expr, $idle:expr) => {{
        let pool = $pool;
        let older: Vec<_> = (0..OLDER).map(|n| pool.alloc([n as u64; 8]).unwrap()).collect();
        let mut burst: Vec<_> =
            (0..BURST).map(|n| Some(pool.alloc([n as u64; 8]).unwrap())).collect();
        let full = committed(&pool.stats());
        let wanted = (OLDER + BURST) * LEN;
        assert!(full * 1000 <= wanted * 1016, "{full} for {wanted} bytes of values");
        for at in shuffled(BURST) {
            burst[at] = None;
        }
        $idle(&pool);
        let kept = committed(&pool.stats());
        assert!(
            kept * 10 <= OLDER * LEN * 11 + CHUNK * 10,
            "{kept} for {} live: {:?}",
            OLDER * LEN,
            pool.stats()
        );
        drop(older);
        $idle(&pool);
        assert_eq!(pool.stats().capacity, 0);
    }};
}

#[test]
fn a_burst_goes_back_by_trim_and_by_decay() {
    burst!(LocalPool::<Value>::new().unwrap(), |pool: &LocalPool<Value>| {
        pool.trim(0);
    });
    burst!(Pool::<Value>::new().unwrap(), |pool: &Pool<Value>| {
        pool.trim(0);
    });
    burst!(Pool::<Value>::new().unwrap(), |pool: &Pool<Value>| {
        for _ in 0..3 {
            pool.decay();
        }
    });
}

#[test]
fn a_trim_purges_every_page_that_no_survivor_is_on() {
    let pool = Pool::<Value>::new().unwrap();
    let mut all: Vec<_> = (0..BURST).map(|n| Some(pool.alloc([n as u64; 8]).unwrap())).collect();
    for at in shuffled(BURST).into_iter().skip(BURST / 100) {
        all[at] = None;
    }
    let mut pages: Vec<_> =
        all.iter().flatten().map(|value| (&raw const **value).addr() / 4096).collect();
    pages.sort_unstable();
    pages.dedup();
    pool.trim(0);
    let bytes = pool.stats().bytes;
    let resident = bytes.active.unwrap().0 - bytes.purged.unwrap().0;
    assert_eq!(resident, pages.len() * 4096, "the survivors' pages and no other");
    assert_eq!(bytes.cached.unwrap().0, 0);
}

#[test]
fn memory_for_ten_layouts_is_the_blocks_and_little_else() {
    for len in [8, 16, 24, 40, 64, 96, 128, 256, 1024, 4096] {
        let pool = BlockPool::new(std::alloc::Layout::from_size_align(len, 8).unwrap()).unwrap();
        let count = (16 << 20) / len;
        let blocks: Vec<_> = (0..count).map(|_| pool.allocate().unwrap()).collect();
        let stats = pool.stats();
        let (all, wanted) = (committed(&stats), count * len);
        // A descriptor of 128 bytes for 512 blocks weighs the more the shorter they are, and half of
        // their table may not be in use yet.
        let most = match len {
            8 => 1075,
            16 => 1040,
            24 => 1027,
            _ => 1016,
        };
        assert!(all * 1000 <= wanted * most, "{all} for {count} blocks of {len}");
        for block in blocks {
            // SAFETY: 1. from this pool, used no more.
            unsafe { pool.deallocate(block) };
        }
    }
}

// With feature `checked` there are no magazines.
#[cfg(not(feature = "checked"))]
#[test]
fn blocks_that_go_back_and_forth_stay_in_magazines_until_they_do_not() {
    let pool = BlockPool::new(std::alloc::Layout::new::<Value>()).unwrap();
    let (taker, giver) =
        (strata_pool::ThreadCache::new(&pool), strata_pool::ThreadCache::new(&pool));
    let hand_over = || {
        let blocks: Vec<_> = (0..1000).map(|_| taker.allocate().unwrap()).collect();
        for block in blocks {
            // SAFETY: 1. of the pool, used no more.
            unsafe { giver.deallocate(block) };
        }
    };
    hand_over();
    let at_first = pool.stats().cached;
    assert!(at_first < 500, "{at_first} blocks of one burst");
    for _ in 0..4 {
        hand_over();
    }
    let cached = pool.stats().cached;
    assert!(cached > 900, "{cached} blocks where a thousand are handed over again and again");
    taker.flush();
    giver.flush();
    pool.decay();
    pool.decay();
    assert_eq!(pool.stats().cached, 0, "what nobody used since the last decay");
    pool.trim(0);
    assert_eq!(pool.stats().capacity, 0);
}
