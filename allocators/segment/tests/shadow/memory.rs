//! Memory by layout, beside a map of what is out and what every byte should hold.

use std::alloc::Layout;
use std::collections::BTreeMap;
use std::ptr::NonNull;

use strata_segment::{
    AllocError, FreeError, InBand, Policy, RegionError, RegionId, SegmentState, Segments,
};

use crate::bytes::Bytes;

/// Bytes of the buffer, and of the regions in it: one that grows and shrinks, and one above a gap.
const BUFFER: usize = 192 << 10;
const FIRST: usize = 64 << 10;
const MOST: usize = 96 << 10;
const SECOND: (usize, usize) = (128 << 10, 32 << 10);

struct Block {
    at: NonNull<u8>,
    layout: Layout,
    value: u8,
}

impl Block {
    fn bytes(&self) -> &[u8] {
        // SAFETY: a live block, which was filled.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.layout.size()) }
    }

    fn check(&self) {
        assert_eq!(self.at.addr().get() % self.layout.align(), 0, "{:?}", self.layout);
        assert!(self.bytes().iter().all(|&byte| byte == self.value), "a block was written to");
    }

    fn fill(&self) {
        // SAFETY: a live block of ours.
        unsafe { self.at.write_bytes(self.value, self.layout.size()) };
    }
}

struct Shadow<P: Policy> {
    segments: Segments<P, InBand>,
    buffer: NonNull<u8>,
    first: RegionId,
    first_len: usize,
    second: Option<RegionId>,
    live: Vec<Block>,
    ranges: BTreeMap<usize, usize>,
}

impl<P: Policy> Shadow<P> {
    fn enter(&mut self, block: Block) {
        let (start, end) = (block.at.addr().get(), block.at.addr().get() + block.layout.size());
        let below = self.ranges.range(..end).next_back();
        assert!(below.is_none_or(|(_, &before)| before <= start), "two blocks overlap");
        let base = self.buffer.addr().get();
        let inside = |from: usize, len: usize| start >= base + from && end <= base + from + len;
        assert!(inside(0, self.first_len) || inside(SECOND.0, SECOND.1), "beyond its region");
        self.ranges.insert(start, end);
        block.fill();
        self.live.push(block);
    }

    fn leave(&mut self, place: usize) -> Block {
        let block = self.live.swap_remove(place);
        block.check();
        self.ranges.remove(&block.at.addr().get());
        block
    }

    /// An error says the truth about what is free.
    fn refused(&self, layout: Layout, error: AllocError) {
        assert_eq!(error, AllocError::Exhausted, "{layout:?}");
        let room = self.segments.largest_free() as usize;
        let need = layout.size() + 8 + if layout.align() > 16 { layout.align() } else { 0 };
        // A buddy's length is a power of two.
        assert!(room < 4 * need.next_multiple_of(16), "{layout:?} refused with {room} free");
    }

    fn step(&mut self, bytes: &mut Bytes<'_>, number: usize) -> Option<()> {
        let value = number as u8;
        let choice = bytes.next()?;
        match choice % 16 {
            0..=4 => {
                let align = if choice < 128 { 1 << (choice % 4) } else { 1 << (choice % 13) };
                let layout = Layout::from_size_align(bytes.len(20_000)?, align).unwrap();
                match self.segments.allocate(layout) {
                    Ok(at) => self.enter(Block { at, layout, value }),
                    Err(error) => self.refused(layout, error),
                }
            }
            5..=8 if !self.live.is_empty() => {
                let block = self.leave(bytes.wide()? % self.live.len());
                // SAFETY: 1. a live block of its layout. 2. not used any more; then, once more, on
                // purpose: the header is in a region of ours.
                unsafe {
                    self.segments.deallocate(block.at, block.layout);
                    let again = self.segments.try_deallocate(block.at, block.layout);
                    assert!(
                        matches!(again, Err(FreeError::DoubleFree | FreeError::NotASegment)),
                        "{again:?}"
                    );
                }
            }
            9 | 10 if !self.live.is_empty() => {
                let (place, size) = (bytes.wide()?, bytes.len(24_000)?);
                let mut block = self.leave(place % self.live.len());
                let new = Layout::from_size_align(size, block.layout.align()).unwrap();
                // SAFETY: 1. a live block of its layout. 2. used by the new pointer only.
                match unsafe { self.segments.reallocate(block.at, block.layout, new) } {
                    Ok(at) => {
                        let kept = size.min(block.layout.size());
                        // SAFETY: a live block, whose first bytes were kept.
                        let bytes = unsafe { std::slice::from_raw_parts(at.as_ptr(), kept) };
                        assert!(bytes.iter().all(|&byte| byte == block.value), "not moved whole");
                        block = Block { at, layout: new, value };
                    }
                    Err(error) => self.refused(new, error),
                }
                self.enter(block);
            }
            11 if !self.live.is_empty() => {
                let (place, size) = (bytes.wide()?, bytes.len(24_000)?);
                let mut block = self.leave(place % self.live.len());
                let new = Layout::from_size_align(size, block.layout.align()).unwrap();
                // SAFETY: 1. a live block of its layout. 2. the test's own bytes.
                if unsafe { self.segments.resize_in_place(block.at, block.layout, new) }.is_ok() {
                    block.layout = new;
                    block.value = value;
                }
                self.enter(block);
            }
            12 => {
                let address = self.buffer.addr().get() + 16 * (bytes.wide()? % (BUFFER / 16));
                let size = bytes.len(4000)?;
                if let Ok(at) = self.segments.allocate_at(address, size) {
                    assert_eq!(at.addr().get(), address);
                    let layout = Layout::from_size_align(size, 1).unwrap();
                    self.enter(Block { at, layout, value });
                }
            }
            13 => {
                let len = bytes.wide()? % MOST;
                if len > self.first_len {
                    // SAFETY: 1. and 2. of the buffer, which is nobody else's.
                    let extended = unsafe { self.segments.extend(self.first, len) };
                    assert!(len - self.first_len < 16 || extended.is_ok(), "{extended:?}");
                } else if len > 16 {
                    let now = self.segments.truncate(self.first, len).unwrap();
                    assert!(now >= len && now <= self.first_len);
                }
                self.first_len = self.segments.region(self.first).unwrap().1;
            }
            14 => match self.second {
                None => {
                    // SAFETY: inside the buffer. 1. to 3. the buffer is nobody else's.
                    let added =
                        unsafe { self.segments.add_region(self.buffer.add(SECOND.0), SECOND.1) };
                    self.second = Some(added.unwrap());
                }
                Some(region) => match self.segments.remove_region(region) {
                    Ok(()) => self.second = None,
                    Err(error) => assert_eq!(error, RegionError::InUse),
                },
            },
            _ => drop(self.segments.flush_quick()),
        }
        Some(())
    }
}

/// Plays a program on segments in band.
pub(crate) fn play<P: Policy>(program: &[u8]) {
    // Of words of 16 bytes, so that the first region begins where the buffer does.
    let mut buffer = vec![0_u128; BUFFER / 16];
    let start = NonNull::from(buffer.as_mut_slice()).cast::<u8>();
    let mut segments: Segments<P, InBand> = Segments::new();
    // SAFETY: 1. to 3. the buffer is nobody else's, and lives longer.
    let first = unsafe { segments.add_region(start, FIRST) }.unwrap();
    let mut shadow = Shadow {
        segments,
        buffer: start,
        first,
        first_len: FIRST,
        second: None,
        live: Vec::new(),
        ranges: BTreeMap::new(),
    };
    let mut bytes = Bytes(program);
    let mut number = 0;
    while shadow.step(&mut bytes, number).is_some() {
        number += 1;
        if number % 8 == 0 {
            shadow.segments.validate().unwrap_or_else(|broken| panic!("step {number}: {broken}"));
        }
    }
    let stats = shadow.segments.stats();
    assert_eq!(stats.used_segments as usize, shadow.live.len());
    assert_eq!(stats.free, shadow.segments.total_free());
    assert_eq!(shadow.segments.shared_stats().check_laws(), Ok(()));
    while !shadow.live.is_empty() {
        let block = shadow.leave(0);
        // SAFETY: 1. a live block of its layout. 2. not used any more.
        unsafe { shadow.segments.deallocate(block.at, block.layout) };
    }
    shadow.segments.flush_quick();
    shadow.segments.validate().unwrap_or_else(|broken| panic!("at the end: {broken}"));
    let stats = shadow.segments.stats();
    assert_eq!((stats.used, stats.free), (0, stats.total), "every byte came back");
    assert!(shadow.segments.walk().all(|seen| seen.state == SegmentState::Free));
    if let Some(second) = shadow.second {
        shadow.segments.remove_region(second).unwrap();
    }
    shadow.segments.remove_region(first).unwrap();
    assert_eq!(shadow.segments.total_free(), 0);
}
