//! Chunks against a naive oracle, and what goes back when.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use std::collections::BTreeSet;
use std::vec::Vec;

use proptest::prelude::*;
use strata_core::source::{Counted, FailWhen, Failing, Region};
use strata_core::span::Misuse;

use super::*;

fn store<S: Source<Address = NonNull<u8>>>(source: S, size: usize, config: Config) -> Store<S> {
    let layout = Layout::from_size_align(size, 8).unwrap();
    Store::new(source, Shape::new(layout).unwrap(), config)
}

/// Gives everything back, whatever is out.
fn end<S: Source<Address = NonNull<u8>>>(mut store: Store<S>) {
    // SAFETY: 1. the test's blocks are numbers only from here on.
    unsafe { store.release() };
}

/// What a program does to a store.
#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    Put(usize, usize),
    Wrong(usize),
    Trim(usize),
    Decay,
    Reserve(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_usize..80).prop_map(Step::Take),
        6 => (any::<usize>(), 1_usize..80).prop_map(|(from, count)| Step::Put(from, count)),
        1 => any::<usize>().prop_map(Step::Wrong),
        1 => (0_usize..300).prop_map(Step::Trim),
        1 => Just(Step::Decay),
        1 => (0_usize..600).prop_map(Step::Reserve),
    ];
    prop::collection::vec(step, 0..120)
}

/// Plays steps on a store and on a set of addresses.
fn play<S: Source<Address = NonNull<u8>>>(
    store: &mut Store<S>,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut out = BTreeSet::new();
    let mut order: Vec<*mut u8> = Vec::new();
    for step in steps {
        match step {
            Step::Take(count) => {
                let mut blocks = std::vec![core::ptr::null_mut(); count];
                let got = store.take(&mut blocks, true);
                for &block in &blocks[..got] {
                    prop_assert!(block.addr().is_multiple_of(8));
                    prop_assert!(out.insert(block.addr()), "handed out twice");
                    // SAFETY: a block of this length, ours.
                    unsafe { block.write_bytes(0xa5, store.shape.len()) };
                    order.push(block);
                }
            }
            Step::Put(from, count) if !order.is_empty() => {
                let from = from % order.len();
                let end = (from + count).min(order.len());
                let blocks: Vec<_> = order.drain(from..end).collect();
                for block in &blocks {
                    out.remove(&block.addr());
                    for at in [0, store.shape.len() - 1] {
                        // SAFETY: written when it was taken.
                        prop_assert_eq!(unsafe { block.add(at).read() }, 0xa5, "a live block");
                    }
                }
                prop_assert_eq!(store.try_put(&blocks), Ok(()));
                prop_assert!(store.try_put(&blocks[..1]).is_err(), "put back twice");
            }
            Step::Wrong(at) => {
                let address = order.get(at % order.len().max(1)).map_or(64, |b| b.addr() + 1);
                let wrong = core::ptr::without_provenance_mut(address);
                prop_assert!(matches!(
                    store.try_put(&[wrong]),
                    Err(Misuse::NotABlock | Misuse::Foreign)
                ));
            }
            Step::Trim(keep) => {
                store.trim(keep);
                if keep == 0 {
                    prop_assert_eq!(store.figures().empty, 0);
                }
            }
            Step::Decay => drop(store.decay()),
            Step::Reserve(count) => {
                if store.reserve(count).is_ok() {
                    prop_assert!(store.capacity() - out.len() >= count);
                }
            }
            Step::Put(..) => {}
        }
        prop_assert_eq!(store.figures().live, out.len());
        prop_assert!(store.capacity() <= store.config.capacity);
        prop_assert_eq!(store.validate(), Ok(()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_store_behaves_like_a_set_of_blocks(
        size in prop_oneof![1_usize..200, 200_usize..9000],
        capacity in prop_oneof![Just(usize::MAX), 1_usize..2000],
        keep in 0_usize..4,
        steps in steps(),
    ) {
        let config = Config::new().capacity(capacity).keep_empty(keep);
        let source = Counted::new(strata_os::OsSource::new());
        let mut store = store(&source, size, config);
        play(&mut store, steps)?;
        end(store);
        prop_assert_eq!(source.counts().held.0, 0, "every byte went back");
    }

    #[test]
    fn a_store_over_a_small_buffer_that_fails_now_and_then_stays_whole(
        size in 1_usize..400,
        every in 2_usize..9,
        steps in steps(),
    ) {
        let mut buffer = std::vec![MaybeUninit::<u8>::uninit(); 40 << 10];
        let region = Failing::new(Region::new(&mut buffer), FailWhen::Every(every));
        let mut store = store(&region, size, Config::new());
        play(&mut store, steps)?;
        end(store);
    }
}

#[test]
fn the_fullest_chunk_is_taken_from_and_the_others_drain() {
    let mut store = store(strata_os::OsSource::new(), 64, Config::new().keep_empty(0));
    let mut blocks = std::vec![core::ptr::null_mut(); 4096];
    assert_eq!(store.take(&mut blocks, true), 256);
    let mut all = 256;
    while all < 4096 {
        all += store.take(&mut blocks[all..], true);
    }
    let chunks = store.chunks();
    // All but a few blocks of each chunk go back, from the last chunk nine in ten.
    let (stay, go): (Vec<_>, Vec<_>) = blocks.iter().enumerate().partition(|(n, _)| n % 100 == 0);
    let go: Vec<_> = go.into_iter().map(|(_, block)| *block).collect();
    store.put(&go);
    assert_eq!(store.chunks(), chunks, "each is pinned by a block");
    let mut again = std::vec![core::ptr::null_mut(); 100];
    assert_eq!(store.take(&mut again, false), 100);
    assert_eq!(store.chunks(), chunks);
    let stay: Vec<_> = stay.into_iter().map(|(_, block)| *block).chain(again).collect();
    store.put(&stay);
    assert_eq!((store.chunks(), store.capacity()), (0, 0), "all empty, all gone");
    end(store);
}

#[test]
fn a_trim_purges_every_page_without_a_block_and_a_decay_what_was_idle_between_two() {
    let mut store = store(strata_os::OsSource::new(), 64, Config::new());
    let mut blocks = std::vec![core::ptr::null_mut(); 2000];
    let mut all = 0;
    while all < 2000 {
        all += store.take(&mut blocks[all..], true);
    }
    // A block of every eighth page stays.
    let stays = |block: &*mut u8| block.addr() >> 12 & 7 == 0 && block.addr() & 4095 == 0;
    let (stay, go): (Vec<_>, Vec<_>) = blocks.into_iter().partition(stays);
    store.put(&go);
    let idle = store.figures().idle;
    assert!(idle > 10, "{idle}");
    assert_eq!(store.decay(), 0, "they were in use a moment ago");
    assert!(store.decay() >= idle << 12);
    assert_eq!(store.figures().idle, 0);
    // SAFETY: blocks of ours, untouched since.
    stay.iter().for_each(|block| unsafe { block.write(1) });
    store.put(&stay);
    store.trim(0);
    assert_eq!(store.capacity(), 0);
    end(store);
}

#[test]
fn a_sealed_store_calls_nobody() {
    let source = Counted::new(strata_os::OsSource::new());
    let mut store = store(&source, 48, Config::new().capacity(100));
    store.prefill(100).unwrap();
    store.sealed = true;
    let before = source.counts();
    let mut blocks = [core::ptr::null_mut(); 101];
    assert_eq!(store.take(&mut blocks, true), 100);
    store.put(&blocks[..100]);
    assert_eq!((store.trim(0), store.decay(), store.capacity()), (0, 0, 100));
    assert_eq!(source.counts(), before);
    end(store);
}
