//! The general heap on each ground that the suite offers: what blocks are, and that all of the ground
//! comes back.

use std::alloc::{GlobalAlloc, Layout};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::thread;

use proptest::prelude::*;
use strata_core::source::{Locked, Region};
use strata_core::{ByteCount, Source};
use strata_os::{FutexLock, OsSource};
use strata_page_frame::FrameSource;
use strata_pool::{AllocatorSource, BlockPool};
use strata_segment::{SegmentAlloc, Shared};
use strata_segregated::Heap;

/// What a heap asks its ground to align for.
const PAGE: usize = 4096;

#[derive(Clone, Debug)]
enum Step {
    /// Bytes, alignment, and whether they come zeroed.
    Take(usize, usize, bool),
    /// Which of the live blocks.
    Free(usize),
    /// Which of them, and how long it is then.
    Resize(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size =
        || prop_oneof![6 => 0..600_usize, 3 => 600..20_000_usize, 1 => 20_000..300_000_usize];
    let step = prop_oneof![
        5 => (size(), 0..13_u32, any::<bool>()).prop_map(|(len, align, zero)| Step::Take(len, 1 << align, zero)),
        3 => any::<usize>().prop_map(Step::Free),
        2 => (any::<usize>(), size()).prop_map(|(which, len)| Step::Resize(which, len)),
    ];
    prop::collection::vec(step, 1..120)
}

/// A live block, full of its mark.
struct Live {
    at: NonNull<u8>,
    layout: Layout,
    mark: u8,
}

impl Live {
    /// Sees that the first `len` bytes are the mark, and fills all of the block with it.
    fn check(&self, len: usize) {
        // SAFETY: a live block of that layout, filled before up to `len` bytes.
        unsafe {
            let bytes = std::slice::from_raw_parts(self.at.as_ptr(), len.min(self.layout.size()));
            assert!(
                bytes.iter().all(|byte| *byte == self.mark),
                "another block's, or moved wrongly"
            );
            self.at.write_bytes(self.mark, self.layout.size());
        }
    }
}

/// Plays `steps`; what the ground has no room for is passed over.
fn play(heap: &impl GlobalAlloc, steps: &[Step], seed: u8) {
    let mut live: Vec<Live> = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let mark = (n as u8).wrapping_mul(31) ^ seed;
        match *step {
            Step::Take(size, align, zero) => {
                let layout = Layout::from_size_align(size.max(1), align).expect("small");
                // SAFETY: not of no bytes.
                let at =
                    unsafe { if zero { heap.alloc_zeroed(layout) } else { heap.alloc(layout) } };
                let Some(at) = NonNull::new(at) else { continue };
                assert_eq!(at.addr().get() % align, 0);
                if zero {
                    Live { at, layout, mark: 0 }.check(layout.size());
                }
                let block = Live { at, layout, mark };
                block.check(0);
                live.push(block);
            }
            Step::Free(which) if !live.is_empty() => {
                let block = live.swap_remove(which % live.len());
                block.check(usize::MAX);
                // SAFETY: a live block, with its layout.
                unsafe { heap.dealloc(block.at.as_ptr(), block.layout) };
            }
            Step::Resize(which, len) if !live.is_empty() => {
                let which = which % live.len();
                let Live { at, layout, mark } = live[which];
                let new = Layout::from_size_align(len.max(1), layout.align()).expect("small");
                // SAFETY: a live block, with its layout.
                let moved = unsafe { heap.realloc(at.as_ptr(), layout, new.size()) };
                if let Some(at) = NonNull::new(moved) {
                    live[which] = Live { at, layout: new, mark };
                    live[which].check(layout.size());
                }
            }
            _ => {}
        }
    }
    for block in live {
        block.check(usize::MAX);
        // SAFETY: a live block, with its layout.
        unsafe { heap.dealloc(block.at.as_ptr(), block.layout) };
    }
}

/// A heap on `ground`, used by one thread and then by four.
fn stands_on<S: Source<Address = NonNull<u8>> + Sync>(ground: S, steps: &[Step]) {
    let heap: Heap<S> = Heap::new(ground);
    for size in [1, 100, 5000, 100_000] {
        let layout = Layout::from_size_align(size, 64).expect("small");
        // SAFETY: not of no bytes; freed with its layout.
        unsafe {
            let block = heap.alloc(layout);
            assert!(!block.is_null(), "the ground has room for {size} bytes");
            heap.dealloc(block, layout);
        }
    }
    play(&heap, steps, 1);
    thread::scope(|scope| {
        for number in 2..6 {
            let heap = &heap;
            scope.spawn(move || play(heap, steps, number));
        }
    });
    assert_eq!(heap.stats().allocated, Some(ByteCount(0)));
    heap.stats().check_laws().expect("figures that agree");
    let checked = heap.validate().expect("tables that agree");
    assert_eq!((checked.blocks, checked.large), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_static_buffer(steps in steps()) {
        let mut buffer = vec![MaybeUninit::<u8>::uninit(); 3 << 20];
        let mut ground = Locked::with_lock(Region::new(&mut buffer), FutexLock::new());
        let free = ground.get_mut().largest_free();
        stands_on(&ground, &steps);
        prop_assert_eq!(ground.get_mut().largest_free(), free);
    }

    #[test]
    fn page_frames(steps in steps()) {
        let ground = FrameSource::new(OsSource::new(), 1 << 12, PAGE).unwrap();
        stands_on(&ground, &steps);
        prop_assert_eq!(ground.frames().free_frames(), 1 << 12);
    }

    #[test]
    fn segments(steps in steps()) {
        let segments = SegmentAlloc::over(Shared::<_, FutexLock>::new(OsSource::new()));
        stands_on(AllocatorSource::<_, PAGE>::new(&segments), &steps);
    }

    #[test]
    fn chunks_of_a_pool(steps in steps()) {
        let layout = Layout::from_size_align(1 << 20, PAGE).expect("small");
        let pool = BlockPool::new(layout).unwrap();
        stands_on(AllocatorSource::<_, PAGE>::new(&pool), &steps);
        prop_assert_eq!(pool.stats().live, 0);
    }
}
