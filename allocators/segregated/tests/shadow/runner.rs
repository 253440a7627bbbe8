//! A heap and its shadow: a program read from bytes is played on both, and they must agree.
//!
//! Any bytes are a program, so that a fuzzer can drive it: `play(&heap, bytes)` is a whole target.

use core::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;

use crate::{laws, poison};
use strata_core::Stats;
use strata_segregated::{Broken, Checked, Report};

/// What the runner needs of a heap besides blocks.
pub(crate) trait Subject: GlobalAlloc {
    fn purge(&self) -> usize;
    fn flush_thread_cache(&self) {}
    fn good_size(&self, layout: Layout) -> usize;
    fn validate(&self) -> Result<Checked, Broken>;
    fn stats(&self) -> Stats;
    fn report(&self) -> Report;
    /// Whether nobody else uses the heap, so that its figures are exact.
    const ALONE: bool = true;
}

/// Live bytes that a program may have, and the most of one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) live: usize,
    pub(crate) block: usize,
    pub(crate) align: usize,
    pub(crate) regime: Regime,
}

/// Which sizes a program asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Regime {
    /// Any, small ones mostly.
    Any,
    /// Large ones mostly.
    Large,
}

/// A block that is out.
#[derive(Debug)]
struct Block {
    layout: Layout,
    /// What all its bytes are.
    byte: u8,
    /// Bytes that the heap says it has.
    len: usize,
}

/// The next byte of a program, zero behind its end.
struct Bytes<'b>(&'b [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    /// A size of any regime, each as likely as the others.
    fn size(&mut self, limits: Limits) -> usize {
        let (regime, fine) = (self.next(), self.next() << 8 | self.next());
        if limits.regime == Regime::Large {
            let (from, to) = match regime % 16 {
                0 => (1, (32 << 10) + 2),
                1..=4 => ((32 << 10) - 2, 256 << 10),
                5..=7 => (256 << 10, (1 << 20) + 2),
                8..=11 => ((1 << 20) - 1, 4 << 20),
                _ => (4 << 20, limits.block),
            };
            return from + (to - from) * fine / (1 << 16);
        }
        let (from, to) = match regime % 16 {
            0 => (0, 2),
            1..=5 => (1, 129),
            6..=9 => (129, 1025),
            10..=12 => (1025, (32 << 10) + 2),
            13 => ((32 << 10) - 2, 256 << 10),
            14 => (256 << 10, (1 << 20) + 2),
            _ => ((1 << 20) - 1, 8 << 20),
        };
        (from + (to - from) * fine / (1 << 16)).min(limits.block)
    }

    fn layout(&mut self, limits: Limits) -> Layout {
        let size = self.size(limits);
        let align = match self.next() {
            low @ 0..=159 => 1 << (low % 5),
            middle @ 160..=239 => 1 << (middle % 17),
            high => 1 << (17 + high % 14),
        };
        Layout::from_size_align(size, align.min(limits.align)).expect("small")
    }
}

/// Whether all bytes of a range are `byte`.
///
/// # Safety
///
/// 1. The range is initialised and nobody writes it.
unsafe fn is_all(at: *const u8, len: usize, byte: u8) -> bool {
    // SAFETY: 1. the caller's.
    let bytes = unsafe { core::slice::from_raw_parts(at, len) };
    // A comparison of the range with itself, one byte on, is one call of memcmp.
    bytes.first().is_none_or(|first| *first == byte && bytes[1..] == bytes[..len - 1])
}

struct Player<'h, H> {
    heap: &'h H,
    limits: Limits,
    blocks: BTreeMap<usize, Block>,
    live: usize,
    refused: usize,
    byte: u8,
}

/// Plays a program on `heap`, then frees all and answers how often the heap had no block. Panics
/// where the heap breaks a promise.
pub(crate) fn play<H: Subject>(heap: &H, limits: Limits, program: &[u8]) -> usize {
    let blocks = BTreeMap::new();
    let mut player = Player { heap, limits, blocks, live: 0, refused: 0, byte: 0 };
    let mut bytes = Bytes(program);
    let mut steps = 0_usize;
    while !bytes.0.is_empty() {
        player.step(&mut bytes);
        player.check_figures();
        steps += 1;
        if steps.is_multiple_of(32) {
            player.check();
        }
    }
    player.check();
    while let Some(first) = player.blocks.keys().next().copied() {
        player.free(first);
        player.check_figures();
    }
    player.check();
    player.refused
}

impl<H: Subject> Player<'_, H> {
    fn step(&mut self, bytes: &mut Bytes) {
        match bytes.next() {
            0..=89 => {
                let layout = bytes.layout(self.limits);
                self.allocate(layout, false);
            }
            90..=114 => {
                let layout = bytes.layout(self.limits);
                self.allocate(layout, true);
            }
            115..=159 => {
                let which = bytes.next() << 8 | bytes.next();
                let size = bytes.size(self.limits);
                self.resize(which, size);
            }
            160..=239 => {
                let which = bytes.next() << 8 | bytes.next();
                if let Some(at) = self.pick(which) {
                    self.free(at);
                }
            }
            240..=247 => {
                self.heap.purge();
            }
            248..=251 => self.heap.flush_thread_cache(),
            _ => {
                // Many go at once, so that spans and regions empty.
                let odd = bytes.next() % 4;
                let gone = self.blocks.keys().enumerate().filter(|(n, _)| n % 4 != odd);
                for at in gone.map(|(_, at)| *at).collect::<Vec<_>>() {
                    self.free(at);
                }
            }
        }
    }

    fn pick(&self, which: usize) -> Option<usize> {
        let which = which.checked_rem(self.blocks.len())?;
        self.blocks.keys().nth(which).copied()
    }

    fn fits(&self, more: usize) -> bool {
        self.live + more <= self.limits.live
    }

    fn allocate(&mut self, layout: Layout, zeroed: bool) {
        if !self.fits(layout.size()) {
            return;
        }
        // SAFETY: layouts of no bytes are served too.
        let block = unsafe {
            if zeroed { self.heap.alloc_zeroed(layout) } else { self.heap.alloc(layout) }
        };
        if block.is_null() {
            self.refused += 1;
            return;
        }
        poison::out(block, layout.size());
        // SAFETY: 1. zeroed, says the heap.
        if zeroed && !unsafe { is_all(block, layout.size(), 0) } {
            panic!("a zeroed block of {layout:?} is not zero");
        }
        self.enter(block, layout);
    }

    /// Notes a new block and fills it.
    fn enter(&mut self, block: *mut u8, layout: Layout) {
        let (at, len) = (block.addr(), self.heap.good_size(layout));
        assert!(len >= layout.size(), "{layout:?} gets {len}");
        assert!(at.is_multiple_of(layout.align()), "{at:#x} for {layout:?}");
        if let Some((below, other)) = self.blocks.range(..=at).next_back() {
            assert!(below + other.len.max(1) <= at, "{at:#x} lies in {below:#x}, {other:?}");
        }
        if let Some((above, other)) = self.blocks.range(at..).next() {
            assert!(at + len <= *above, "{at:#x}, {layout:?}, reaches into {above:#x}, {other:?}");
        }
        self.byte = self.byte % 255 + 1;
        // SAFETY: a block of this layout.
        unsafe { block.write_bytes(self.byte, layout.size()) };
        self.live += layout.size();
        self.blocks.insert(at, Block { layout, byte: self.byte, len });
    }

    /// Takes a block out of the books once its contents are seen to be right.
    fn leave(&mut self, at: usize) -> (*mut u8, Block) {
        let block = self.blocks.remove(&at).expect("a block that is out");
        self.live -= block.layout.size();
        let memory = core::ptr::with_exposed_provenance_mut::<u8>(at);
        // SAFETY: 1. written when it was entered.
        if !unsafe { is_all(memory, block.layout.size(), block.byte) } {
            panic!("{at:#x}, {block:?}, was written to by somebody else");
        }
        (memory, block)
    }

    fn free(&mut self, at: usize) {
        let (memory, block) = self.leave(at);
        poison::back(memory, block.layout.size());
        // SAFETY: out until now, with this layout.
        unsafe { self.heap.dealloc(memory, block.layout) };
    }

    fn resize(&mut self, which: usize, size: usize) {
        let Some(at) = self.pick(which) else { return };
        // The contract of `realloc` excludes new sizes of zero.
        let size = size.max(1);
        if self.blocks[&at].layout.size() == 0 || !self.fits(size) {
            return;
        }
        let (memory, block) = self.leave(at);
        let new = Layout::from_size_align(size, block.layout.align()).expect("small");
        // Before the call: where the block was may be another heap's a moment later.
        poison::back(memory, block.layout.size());
        // SAFETY: out until now, with this layout; the new size is not zero.
        let moved = unsafe { self.heap.realloc(memory, block.layout, size) };
        if moved.is_null() {
            self.refused += 1;
            poison::out(memory, block.layout.size());
            self.enter(memory, block.layout);
            return;
        }
        poison::out(moved, size);
        let kept = size.min(block.layout.size());
        // SAFETY: 1. moved from a block that was written.
        if !unsafe { is_all(moved, kept, block.byte) } {
            panic!("{block:?} lost its contents when it was resized to {size}");
        }
        self.enter(moved, new);
    }

    /// Compares the heap's figures with each other and with the books.
    fn check_figures(&self) {
        let stats = self.heap.stats();
        laws::hold_of(&stats);
        if !H::ALONE {
            return;
        }
        laws::hold_of_report(&self.heap.report(), &stats);
        let owned: usize = self.blocks.values().map(|block| block.len).sum();
        assert_eq!(stats.allocated.map(|bytes| bytes.0), Some(owned), "what is out");
        if let Some(requested) = stats.requested {
            assert_eq!(requested.0, self.live, "what was asked for");
        }
    }

    /// Compares the heap's tables with each other, too.
    fn check(&self) {
        if let Err(broken) = self.heap.validate() {
            panic!("{broken}");
        }
        self.check_figures();
    }
}
