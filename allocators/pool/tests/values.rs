//! Values in all pools, beside an oracle: who lives, who was dropped, and how often.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use proptest::prelude::*;
use strata_pool::{
    Config, Counted, Handle, HandleError, HandlePool, LocalPool, Pool, PoolArc, StaticPool,
};

/// Counts how many of its kind live.
#[derive(Debug)]
struct Live {
    count: Rc<Cell<isize>>,
    number: u32,
}

impl Live {
    fn new(count: &Rc<Cell<isize>>, number: u32) -> Self {
        count.set(count.get() + 1);
        Self { count: Rc::clone(count), number }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.count.set(self.count.get() - 1);
    }
}

/// Plays choices on a pool of boxes: `$pool.alloc`.
macro_rules! boxes {
    ($pool:expr, $most:expr, $choices:expr) => {{
        let (pool, count) = ($pool, Rc::new(Cell::new(0)));
        let mut boxes = Vec::new();
        for (number, choice) in (0_u32..).zip($choices) {
            if choice % 5 < 3 {
                match pool.alloc(Live::new(&count, number)) {
                    Ok(value) => boxes.push((number, value)),
                    Err(refused) => {
                        prop_assert_eq!(boxes.len(), $most, "full, and no sooner");
                        prop_assert_eq!(refused.into_value().number, number);
                    }
                }
            } else if !boxes.is_empty() {
                let (number, value) = boxes.swap_remove(choice % boxes.len());
                prop_assert_eq!(value.number, number);
                if choice % 2 == 0 {
                    prop_assert_eq!(value.into_inner().number, number);
                }
            }
            prop_assert_eq!(count.get(), boxes.len() as isize);
        }
        prop_assert!(boxes.iter().all(|(number, value)| value.number == *number));
        drop(boxes);
        prop_assert_eq!(count.get(), 0);
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_box_holds_its_value_and_drops_it_once(
        choices in prop::collection::vec(any::<usize>(), 0..600),
        most in 1_usize..200,
    ) {
        let config = Config::new().capacity(most);
        boxes!(LocalPool::<Live>::with_config(config).unwrap(), most, choices.clone());
        boxes!(Pool::<Live>::with_config(config).unwrap(), most, choices.clone());
        boxes!(LocalPool::<Live>::new().unwrap(), usize::MAX, choices.clone());
        boxes!(StaticPool::<Live, 70, 2>::new(), 70, choices.clone());
        boxes!(StaticPool::<Live, 1, 1>::new(), 1, choices);
    }

    #[test]
    fn a_handle_pool_behaves_like_a_map(
        choices in prop::collection::vec(any::<usize>(), 0..900),
        most in prop_oneof![Just(usize::MAX), 1_usize..300],
    ) {
        let count = Rc::new(Cell::new(0));
        let source = strata_pool::SystemSource::new();
        let config = Config::new().capacity(most).keep_empty(0);
        let mut pool = HandlePool::<Live>::with_source(source, config).unwrap();
        let mut other = HandlePool::<Live>::new().unwrap();
        let stranger = other.insert(Live::new(&Rc::default(), 0)).unwrap();
        let mut oracle: HashMap<Handle<Live>, u32> = HashMap::new();
        let mut keys = Vec::new();
        let mut stale = Vec::new();
        for (number, choice) in (0_u32..).zip(choices) {
            match choice % 8 {
                0..=3 => match pool.insert(Live::new(&count, number)) {
                    Ok(handle) => {
                        prop_assert!(oracle.insert(handle, number).is_none(), "given twice");
                        keys.push(handle);
                    }
                    Err(refused) => {
                        prop_assert_eq!(refused.into_value().number, number);
                        prop_assert!(keys.len() >= most);
                    }
                },
                4 | 5 if !keys.is_empty() => {
                    let handle = keys.swap_remove(choice / 8 % keys.len());
                    let value = pool.remove(handle);
                    prop_assert_eq!(value.map(|value| value.number).ok(), oracle.remove(&handle));
                    stale.push(handle);
                }
                6 if choice % 3 == 0 => drop(pool.trim(choice / 8 % 50)),
                7 if choice % 50 == 7 => {
                    pool.clear();
                    oracle.clear();
                    stale.append(&mut keys);
                }
                _ => {}
            }
            for &handle in stale.iter().rev().take(5) {
                prop_assert_eq!(pool.get(handle).err(), Some(HandleError::Stale));
                prop_assert_eq!(pool.remove(handle).err(), Some(HandleError::Stale));
            }
            prop_assert_eq!(pool.get(stranger).err(), Some(HandleError::WrongPool));
            prop_assert_eq!(pool.len(), oracle.len());
            prop_assert_eq!(count.get(), oracle.len() as isize);
        }
        pool.validate().unwrap();
        pool.stats().bytes.check_laws().unwrap();
        let found: HashMap<_, _> = pool.iter().map(|(handle, value)| (handle, value.number)).collect();
        prop_assert_eq!(found, oracle);
        drop(pool);
        prop_assert_eq!(count.get(), 0);
    }
}

#[test]
fn values_of_no_bytes_and_of_great_alignment_have_blocks_of_their_own() {
    #[derive(Debug)]
    struct Nothing;
    #[repr(align(8192))]
    struct Wide(u8);

    let (local, shared) = (LocalPool::<Nothing>::new().unwrap(), Pool::<Nothing>::new().unwrap());
    static STATIC: StaticPool<Nothing, 3, 1> = StaticPool::new();
    let all: Vec<_> = (0..1000).map(|_| (local.alloc(Nothing), shared.alloc(Nothing))).collect();
    assert_eq!((local.stats().live, shared.stats().live), (1000, 1000));
    drop(all);
    let three: Vec<_> = (0..3).map(|_| STATIC.alloc(Nothing).unwrap()).collect();
    assert!(STATIC.alloc(Nothing).is_err());
    drop(three);
    assert_eq!(STATIC.live(), 0);

    let pool = Pool::<Wide>::new().unwrap();
    let wide: Vec<_> = (0..40).map(|n| pool.alloc(Wide(n)).unwrap()).collect();
    for (n, value) in wide.iter().enumerate() {
        assert!((&raw const **value).addr().is_multiple_of(8192));
        assert_eq!(usize::from(value.0), n);
    }
}

#[test]
fn a_value_that_panics_while_it_is_made_or_dropped_gives_its_block_back() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let pool = LocalPool::<Loud>::new().unwrap();
    let quiet = std::panic::AssertUnwindSafe(&pool);
    assert!(std::panic::catch_unwind(|| drop(quiet.alloc_with(|| panic!("on purpose")))).is_err());
    assert_eq!(pool.stats().live, 0);
    let quiet = std::panic::AssertUnwindSafe(&pool);
    assert!(std::panic::catch_unwind(|| drop(quiet.alloc(Loud))).is_err());
    assert_eq!(pool.stats().live, 0);
    pool.validate().unwrap();
}

#[test]
fn the_last_owner_of_a_shared_value_drops_it() {
    let count = Rc::new(Cell::new(0));
    let pool = LocalPool::<Counted<Live>>::new().unwrap();
    let mut one = PoolArc::new(Live::new(&count, 1), &pool).unwrap();
    assert!(PoolArc::get_mut(&mut one).is_some());
    let two = one.clone();
    assert!(PoolArc::ptr_eq(&one, &two) && PoolArc::strong_count(&one) == 2);
    assert!(PoolArc::get_mut(&mut one).is_none());
    let one = PoolArc::try_unwrap(one).unwrap_err();
    drop(one);
    assert_eq!((count.get(), pool.stats().live), (1, 1));
    assert_eq!(PoolArc::try_unwrap(two).unwrap().number, 1);
    assert_eq!((count.get(), pool.stats().live), (0, 0));
    let last = PoolArc::new(Live::new(&count, 2), &pool).unwrap();
    drop(last);
    assert_eq!((count.get(), pool.stats().live), (0, 0));
}

#[test]
fn a_pinned_value_that_was_forgotten_stays_where_it_is() {
    let pool = LocalPool::<u64>::new().unwrap();
    let pinned = pool.alloc(7).unwrap().into_pin();
    let at: *const u64 = &raw const *pinned;
    std::mem::forget(pinned);
    drop(pool);
    // SAFETY: the pool was told that the value is pinned, and left its memory as it is.
    assert_eq!(unsafe { at.read() }, 7);
}

#[test]
fn a_pool_of_no_blocks_is_refused_and_a_fixed_one_is_all_there() {
    assert_eq!(
        Pool::<u64>::with_config(Config::new().capacity(0)).unwrap_err().argument(),
        "capacity"
    );
    assert!(LocalPool::<u64>::with_config(Config::new().capacity(0)).is_err());
    assert!(Pool::<[u8; 3 << 30]>::new().is_err());
    assert!(Pool::<[u64; 1 << 20]>::fixed(usize::MAX / 2).is_err(), "no memory, no overflow");

    let pool = Pool::<u64>::fixed(1000).unwrap();
    let all: Vec<_> = (0..1000).map(|n| pool.alloc(n).unwrap()).collect();
    assert_eq!(pool.alloc(1000).unwrap_err().into_value(), 1000);
    assert!(pool.reserve(1).is_err());
    assert_eq!(pool.stats().failed, 1);
    drop(all);
    assert_eq!((pool.trim(0), pool.stats().capacity), (0, 1000));
}
