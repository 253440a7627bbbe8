//! Runs in lots, spans in zones, over buffers that lie badly and sources that fail: the layers below must
//! say what the ground says.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use std::vec::Vec;

use strata_core::lock::SpinLock;
use strata_core::source::{FailWhen, Failing, Locked, Region};
use strata_core::{ByteCount, Exhausted, Source};

use super::Land;
use crate::class::FRAME;
use crate::{GiveBack, Heap};

type Block = (NonNull<u8>, Layout);

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("small")
}

fn sound<S: Source<Address = NonNull<u8>>>(heap: &Heap<S>) {
    heap.validate().expect("the ground and the layers below agree");
}

/// Used segments and lots of all territories.
fn in_lots<S: Source<Address = NonNull<u8>>>(heap: &Heap<S>) -> (usize, usize) {
    heap.central.ground.with(|ground| {
        ground.states.iter().flatten().fold((0, 0), |(used, lots), state| {
            // SAFETY: 1. founded. 2. under the ground's lock.
            let land = unsafe { Land::of(&state.parts.placing) };
            let (more_used, more_lots) = land.counts();
            (used + more_used, lots + more_lots)
        })
    })
}

fn territories<S: Source<Address = NonNull<u8>>>(heap: &Heap<S>) -> usize {
    heap.central.territories.count()
}

/// Takes, resizes and frees blocks of all kinds, and looks after every `look` steps. Answers how often the
/// source had nothing.
fn program<S: Source<Address = NonNull<u8>>>(heap: &Heap<S>, steps: usize, look: usize) -> usize {
    let mut number = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        (number >> 20) as usize % below
    };
    let (mut live, mut failed): (Vec<Block>, _) = (Vec::new(), 0);
    for step in 0..steps {
        match next(8) {
            0..4 => {
                let size = match next(3) {
                    0 => 1 + next(3000),
                    1 => 1 + next(60 << 10),
                    _ => 1 + next(500 << 10),
                };
                let layout = layout(size, 1 << next(18));
                match heap.allocate(layout) {
                    Ok(block) => {
                        assert!(block.addr().get().is_multiple_of(layout.align()));
                        // SAFETY: a block of that many bytes.
                        unsafe { block.write_bytes(0x5a, layout.size()) };
                        live.push((block, layout));
                    }
                    Err(Exhausted) => failed += 1,
                }
            }
            4..6 if !live.is_empty() => {
                let (block, layout) = live.swap_remove(next(live.len()));
                // SAFETY: 1. a live block, with its layout.
                unsafe { heap.deallocate(block, layout) };
            }
            6 if !live.is_empty() => {
                let which = next(live.len());
                let (block, old) = live[which];
                let size = (old.size() * (1 + next(4)) / 2).max(1);
                // SAFETY: 1. a live block, with its layout.
                match unsafe { heap.reallocate(block, old, size) } {
                    Ok(block) => live[which] = (block, layout(size, old.align())),
                    Err(Exhausted) => failed += 1,
                }
            }
            _ if step % 5 == 0 => drop(heap.purge()),
            _ => {}
        }
        if step % look == 0 {
            sound(heap);
        }
    }
    for (block, layout) in live {
        // SAFETY: 1. a live block, with its layout.
        unsafe { heap.deallocate(block, layout) };
    }
    heap.purge();
    sound(heap);
    assert_eq!(heap.stats().allocated, Some(ByteCount(0)));
    let (runs, lots) = in_lots(heap);
    assert!(runs == 0 && lots <= territories(heap), "lots go with their last run, all but a spare");
    failed
}

#[test]
fn a_buffer_that_begins_anywhere() {
    let mut buffer = std::vec![MaybeUninit::<u8>::uninit(); 24 << 20];
    for skipped in [0, FRAME, 77 * FRAME, (511 * FRAME) + 64] {
        for len in [700 << 10, 5 << 20, 20 << 20] {
            let region = Region::new(&mut buffer[skipped..skipped + len]);
            program(&Heap::<_>::new(Locked::new(region)), 300, 5);
        }
    }
}

#[test]
fn a_source_that_fails_from_its_nth_call_on_or_at_it() {
    let mut buffer = std::vec![MaybeUninit::<u8>::uninit(); 6 << 20];
    let mut failing = 0;
    for nth in 0..24 {
        for rule in [FailWhen::AfterCalls(nth), FailWhen::Every(nth + 1)] {
            let source = Failing::new(Locked::new(Region::new(&mut buffer)), rule);
            failing += usize::from(program(&Heap::<_>::new(source), 60, 1) != 0);
        }
    }
    assert!(failing != 0, "some of them are seen");
}

/// Reserved memory that is committed in pieces, so that tables and frames are committed as they are needed.
#[cfg(all(feature = "std", target_os = "linux"))]
#[test]
fn a_source_that_commits_and_fails_at_its_nth_call() {
    for nth in 0..10 {
        for rule in [FailWhen::AfterCalls(nth), FailWhen::Every(nth + 2)] {
            let heap: Heap<_> = Heap::new(Failing::new(strata_os::OsReserve, rule));
            heap.set_give_back(GiveBack::Eager);
            // A zone of many gigabytes takes a while to be looked at.
            program(&heap, 60, 30);
        }
    }
}

/// A heap over a buffer, with frames of 4 KiB to see.
fn heap(buffer: &mut [MaybeUninit<u8>]) -> Heap<Locked<Region<'_>, SpinLock>> {
    Heap::new(Locked::new(Region::new(buffer)))
}

#[test]
fn runs_share_a_lot_and_grow_into_what_is_free_behind_them() {
    let mut buffer = std::vec![MaybeUninit::<u8>::uninit(); 16 << 20];
    let heap = heap(&mut buffer);
    let fill: Vec<_> =
        (0..9).map(|_| heap.allocate(layout(1 << 20, 8)).expect("there is room")).collect();
    let (first, second) = (layout(100 << 10, 8), layout(200 << 10, 8));
    let low = heap.allocate(first).expect("there is room");
    let high = heap.allocate(second).expect("there is room");
    let (used, lots) = in_lots(&heap);
    assert_eq!(used, 11);
    // SAFETY: 1. live blocks, with their layouts.
    unsafe {
        heap.deallocate(high, second);
        let longer = heap.reallocate(low, first, 150 << 10).expect("there is room");
        assert_eq!(longer, low, "into the free frames behind it");
        sound(&heap);
        let shorter = heap.reallocate(low, layout(150 << 10, 8), 40 << 10).expect("shorter");
        assert_eq!(shorter, low);
        sound(&heap);
        assert_eq!(in_lots(&heap), (10, lots));
        heap.deallocate(low, layout(40 << 10, 8));
        for block in fill {
            heap.deallocate(block, layout(1 << 20, 8));
        }
    }
    let (runs, lots) = in_lots(&heap);
    assert!(runs == 0 && lots <= territories(&heap), "a spare each is kept");
    sound(&heap);
}
