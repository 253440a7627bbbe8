//! Sequences of operations on pools of every kind, beside sets of what is out.
//!
//! The first bytes choose block, bounds and when the source fails; the others are the program.
#![no_main]

use core::alloc::Layout;
use core::ptr::NonNull;
use libfuzzer_sys::fuzz_target;
use strata_core::lock::SpinLock;
use strata_core::source::{Counted, FailWhen, Failing};
use strata_os::OsSource;
use strata_pool::{BlockPool, Config, HandleError, HandlePool, ThreadCache};

/// Takes, puts, trims and decays as the bytes say.
fn blocks(len: usize, config: Config, rule: FailWhen, program: &[u8]) {
    let source = Counted::new(Failing::new(OsSource::new(), rule));
    let layout = Layout::from_size_align(len, 8).expect("short");
    let mut pool: BlockPool<_, SpinLock> =
        BlockPool::with_source(layout, &source, config).expect("a capacity above zero");
    {
        let cache = ThreadCache::new(&pool);
        let mut out: Vec<(NonNull<u8>, u8)> = Vec::new();
        for step in program.chunks_exact(2) {
            let (what, much) = (step[0], usize::from(step[1]));
            match what % 8 {
                0..=2 => {
                    for _ in 0..=much {
                        let by_hand = what & 8 == 0;
                        let got = if by_hand { cache.allocate() } else { pool.allocate() };
                        let Ok(block) = got else { break };
                        // SAFETY: a block of that length.
                        unsafe { block.write_bytes(what, len) };
                        out.push((block, what));
                    }
                }
                3..=5 => {
                    for _ in 0..=much {
                        if out.is_empty() {
                            break;
                        }
                        let (block, mark) = out.swap_remove((much * 7 + 1) % out.len());
                        // SAFETY: written when it was taken; from this pool, used no more.
                        unsafe {
                            assert_eq!(block.add(len - 1).read(), mark);
                            if what & 8 == 0 {
                                cache.deallocate(block)
                            } else {
                                pool.deallocate(block)
                            }
                        }
                    }
                }
                6 => drop(pool.trim(much)),
                _ => drop(pool.decay()),
            }
            pool.validate().expect("all tables agree");
        }
        let stats = pool.stats();
        assert_eq!(stats.live, out.len());
        stats.bytes.check_laws().expect("the laws hold");
        for (block, _) in out {
            // SAFETY: from this pool, used no more.
            unsafe { cache.deallocate(block) };
        }
    }
    pool.validate_all().expect("all tables agree");
    drop(pool);
    assert_eq!(source.counts().held.0, 0, "every byte went back");
}

/// Inserts and removes as the bytes say; stale handles stay stale.
fn handles(config: Config, rule: FailWhen, program: &[u8]) {
    let source = Failing::new(OsSource::new(), rule);
    let mut pool = HandlePool::<u64, _>::with_source(source, config).expect("a capacity");
    let (mut live, mut stale) = (Vec::new(), Vec::new());
    for (n, step) in (0_u64..).zip(program) {
        if step % 3 < 2 {
            if let Ok(handle) = pool.insert(n) {
                live.push((handle, n));
            }
        } else if !live.is_empty() {
            let (handle, word) = live.swap_remove(usize::from(*step) % live.len());
            assert_eq!(pool.remove(handle), Ok(word));
            stale.push(handle);
        }
        if *step == 255 {
            pool.trim(0);
        }
        if let Some(&handle) = stale.get(usize::from(*step)) {
            assert_eq!(pool.get(handle), Err(HandleError::Stale));
        }
    }
    assert!(live.iter().all(|(handle, word)| pool.get(*handle) == Ok(word)));
    pool.validate().expect("all tables agree");
}

fuzz_target!(|bytes: &[u8]| {
    let &[first, second, third, ref program @ ..] = bytes else { return };
    let capacity = if first & 1 == 0 { usize::MAX } else { 1 + 10 * usize::from(second) };
    let hoard = if first & 2 == 0 { usize::MAX } else { usize::from(third) };
    let config = Config::new()
        .capacity(capacity)
        .hoard(hoard)
        .magazine(1 + usize::from(second % 40))
        .keep_empty(usize::from(first >> 2 & 3));
    let rule =
        if first & 16 == 0 { FailWhen::Never } else { FailWhen::Every(2 + usize::from(third)) };
    match first >> 5 {
        0 => handles(config, rule, program),
        kind => blocks(
            [8, 24, 64, 200, 1000, 5000, 40_000][usize::from(kind) - 1],
            config,
            rule,
            program,
        ),
    }
});
