//! What every subject promises, tried on each one that is linked.

use super::Subject;
use super::calibration::{Header64, NeverFrees, PowersOfTwo};
use super::system::System;
use std::alloc::Layout;
use std::sync::mpsc;

/// A live block and the byte that all its bytes have.
struct Block {
    ptr: *mut u8,
    layout: Layout,
    fill: u8,
}

// SAFETY: a block is owned by whoever holds this value, and subjects take frees from any thread.
unsafe impl Send for Block {}

impl Block {
    fn new<S: Subject>(subject: &S, layout: Layout, fill: u8) -> Self {
        // SAFETY: no layout of these tests has size 0.
        let ptr = unsafe { subject.alloc(layout) };
        let block = Self { ptr, layout, fill };
        block.adopt(subject);
        block
    }

    /// Checks a new address and writes all that is usable.
    fn adopt<S: Subject>(&self, subject: &S) {
        let name = subject.describe().name;
        let Self { ptr, layout, fill } = *self;
        assert!(!ptr.is_null(), "{name}: no memory for {layout:?}");
        assert!(ptr.addr().is_multiple_of(layout.align()), "{name}: {ptr:p} for {layout:?}");
        // SAFETY: the block is live.
        let usable = unsafe { subject.usable_size(ptr, layout) }.unwrap_or(layout.size());
        assert!(usable >= layout.size(), "{name}: {usable} usable of {layout:?}");
        // SAFETY: all usable bytes of a live block may be written.
        unsafe { ptr.write_bytes(fill, usable) };
    }

    fn holds(&self, bytes: usize) -> bool {
        // SAFETY: the block is live and was written as a whole.
        unsafe { std::slice::from_raw_parts(self.ptr, bytes) }.iter().all(|&b| b == self.fill)
    }

    fn free<S: Subject>(self, subject: &S) {
        assert!(self.holds(self.layout.size()), "{}: overwritten", subject.describe().name);
        // SAFETY: the block is live, and `self` is gone afterwards.
        unsafe { subject.dealloc(self.ptr, self.layout) };
    }

    fn resize<S: Subject>(self, subject: &S, size: usize, fill: u8) -> Self {
        let name = subject.describe().name;
        // SAFETY: the block is live and the size is not 0.
        let ptr = unsafe { subject.realloc(self.ptr, self.layout, size) };
        assert!(!ptr.is_null(), "{name}: no memory for {size}");
        let layout = Layout::from_size_align(size, self.layout.align()).unwrap();
        let kept = self.layout.size().min(size);
        let old = Self { ptr, layout, fill: self.fill };
        assert!(old.holds(kept), "{name}: {:?} to {size} lost its prefix", self.layout);
        let new = Self { ptr, layout, fill };
        new.adopt(subject);
        new
    }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Sizes around every boundary that allocators care about.
fn sizes() -> impl Iterator<Item = usize> {
    (1..=130).chain((8..=16).flat_map(|k| {
        let power = 1_usize << k;
        [power - 1, power, power + 1, power + power / 2]
    }))
}

fn sizes_and_alignments<S: Subject>(subject: &S) {
    let mut blocks = Vec::new();
    for align in (0..=12).map(|k| 1 << k) {
        for (i, size) in sizes().enumerate() {
            blocks.push(Block::new(subject, layout(size, align), i as u8));
        }
    }
    // Every third first, so that frees meet live neighbours on both sides.
    for step in 0..3 {
        let (now, later): (Vec<_>, Vec<_>) =
            blocks.into_iter().enumerate().partition(|(i, _)| i % (3 - step) == 0);
        now.into_iter().for_each(|(_, block)| block.free(subject));
        blocks = later.into_iter().map(|(_, block)| block).collect();
    }
    assert!(blocks.is_empty());
}

fn zeroed_is_zero<S: Subject>(subject: &S) {
    for size in sizes().chain([1 << 20, (1 << 20) + 1]) {
        for align in [1, 16, 64, 4096] {
            // A dirty block of the same layout is what a lazy zeroing would hand out again.
            Block::new(subject, layout(size, align), 0xDE).free(subject);
            // SAFETY: the size is not 0.
            let ptr = unsafe { subject.alloc_zeroed(layout(size, align)) };
            let block = Block { ptr, layout: layout(size, align), fill: 0 };
            assert!(!ptr.is_null() && block.holds(size), "{}", subject.describe().name);
            block.adopt(subject);
            block.free(subject);
        }
    }
}

fn realloc_keeps_the_prefix<S: Subject>(subject: &S) {
    for align in [1, 8, 16, 64, 4096] {
        let mut growing = Block::new(subject, layout(1, align), 1);
        let mut bystanders = Vec::new();
        let ladder = [2, 15, 16, 17, 100, 1000, 5000, 70_000, 300_000, 3 << 20];
        let shrinking = [200_000, 65_536, 3000, 40, 1];
        for (i, size) in ladder.into_iter().chain(shrinking).enumerate() {
            growing = growing.resize(subject, size, i as u8 + 2);
            bystanders.push(Block::new(subject, layout(size.min(4096), align), 0x55));
        }
        growing.free(subject);
        bystanders.into_iter().for_each(|block| block.free(subject));
    }
}

/// Each thread frees what its neighbour allocated, and threads end while their blocks live.
fn threads_free_one_anothers_blocks<S: Subject>(subject: &'static S) {
    const THREADS: usize = 4;
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..THREADS).map(|_| mpsc::channel::<Block>()).unzip();
    let leftovers = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (i, receiver) in receivers.into_iter().enumerate() {
            let next = senders[(i + 1) % THREADS].clone();
            let leftovers = &leftovers;
            scope.spawn(move || {
                let mut seed = 0x9E37_79B9_u32.wrapping_add(i as u32);
                for turn in 0..2000 {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let size = 1 + (seed >> 16) as usize % (1 << (4 + turn % 10));
                    let block = Block::new(subject, layout(size, 1 << (turn % 6)), i as u8);
                    // The neighbour may have ended already, and then the block outlives us both.
                    if let Err(kept) = next.send(block) {
                        leftovers.lock().unwrap().push(kept.0);
                    }
                    while let Ok(theirs) = receiver.try_recv() {
                        theirs.free(subject);
                    }
                }
                drop(next);
                leftovers.lock().unwrap().extend(receiver.try_iter());
            });
        }
        drop(senders);
    });
    leftovers.into_inner().unwrap().into_iter().for_each(|block| block.free(subject));
}

/// The hooks answer, and blocks are where the subject says that its blocks are.
fn hooks_agree<S: Subject>(subject: &S) {
    let block = Block::new(subject, layout(1000, 8), 7);
    if let Some(regions) = subject.regions() {
        let start = block.ptr.addr();
        let inside = regions.iter().any(|r| r.start <= start && start + 1000 <= r.end);
        assert!(inside, "{}: {start:x} outside {regions:x?}", subject.describe().name);
    }
    let before = subject.figures();
    if let Some(allocated) = before.allocated {
        assert!(allocated >= 1000);
    }
    subject.purge();
    subject.for_each_free_range(&mut |range| {
        let (start, end) = (block.ptr.addr(), block.ptr.addr() + 1000);
        assert!(range.end <= start || end <= range.start, "a live block in a free range");
    });
    block.free(subject);
    let description = subject.describe();
    assert_eq!(description.name, description.name.to_lowercase());
    assert!(!description.version.is_empty(), "{}", description.name);
    assert!(!description.purge_settings.is_empty(), "{}", description.name);
}

/// Everything above, on one subject.
pub(super) fn conforms<S: Subject>(subject: &'static S) {
    hooks_agree(subject);
    sizes_and_alignments(subject);
    zeroed_is_zero(subject);
    realloc_keeps_the_prefix(subject);
    threads_free_one_anothers_blocks(subject);
    hooks_agree(subject);
}

/// A test for each subject: `name: type = value;`.
macro_rules! each {
    ($($(#[$when:meta])* $name:ident: $type:ty = $value:expr;)+) => {$(
        $(#[$when])*
        #[test]
        fn $name() {
            static SUBJECT: $type = $value;
            $crate::subject::conformance::conforms(&SUBJECT);
        }
    )+};
}
pub(super) use each;

each! {
    system_conforms: System = System::new();
    never_frees_conforms: NeverFrees = NeverFrees::new();
    powers_of_two_conforms: PowersOfTwo = PowersOfTwo::new();
    header_64_conforms: Header64 = Header64::new();
}

#[test]
fn linked_subjects_have_names_of_their_own_in_a_fixed_order() {
    let names =
        || -> Vec<String> { super::linked().iter().map(|entry| (entry.describe)().name).collect() };
    let first = names();
    assert_eq!(first, names());
    let mut unique = first.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), first.len(), "{first:?}");
    #[cfg(not(feature = "global"))]
    assert_eq!(first[..5], ["system", "noop", "never-frees", "powers-of-two", "header-64"]);
}
