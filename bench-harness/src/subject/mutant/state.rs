//! A base with a fault: where each fault is committed, and how the mutant stays sound after it.

use super::base::{Base, Given, class_bytes, map_memory};
use super::fault::Fault;
use std::alloc::Layout;
use std::ops::Range;
use std::ptr::null_mut;

/// Sound calls before a fault, so that reports name a record that had to be counted.
const WARM_UP: u64 = 100;
const CLASSES: usize = usize::BITS as usize;

/// The one block that is not what the base believes, so that the mutant stays sound afterwards.
#[derive(Clone, Copy, Debug)]
struct Odd {
    /// What the program has.
    handed: *mut u8,
    /// What the base gave, with its layout; `None` where it is never given back.
    given: Option<(*mut u8, Layout)>,
}

/// A block of a class that could be given to a second thread.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    ptr: *mut u8,
    thread: usize,
    /// Whether the thread has made another call: then it has done with this one, and told whoever
    /// checks.
    settled: bool,
}

/// A base, its fault's progress and the block that the fault left behind.
#[derive(Debug)]
pub(super) struct State {
    pub(super) base: Base,
    calls: u64,
    pub(super) fired_at: Option<u64>,
    odd: Option<Odd>,
    candidates: [Option<Candidate>; CLASSES],
}

// SAFETY: the pointers name memory of the base, which belongs to the value and not to a thread.
unsafe impl Send for State {}

/// A number for the calling thread.
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

impl State {
    pub(super) const fn new() -> Self {
        Self { base: Base::new(), calls: 0, fired_at: None, odd: None, candidates: [None; CLASSES] }
    }

    pub(super) fn alloc(&mut self, fault: Option<Fault>, layout: Layout, zeroed: bool) -> *mut u8 {
        self.calls += 1;
        if let Some(fault) = self.due(fault)
            && let Some(ptr) = self.faulty_alloc(fault, layout, zeroed)
        {
            self.fired_at = Some(self.calls - 1);
            return ptr;
        }
        let ptr = self.sound_alloc(layout, zeroed);
        if fault == Some(Fault::SameBlockTwice) {
            self.offer(ptr, layout);
        }
        ptr
    }

    /// # Safety
    ///
    /// As for `GlobalAlloc::dealloc`.
    pub(super) unsafe fn dealloc(&mut self, fault: Option<Fault>, ptr: *mut u8, layout: Layout) {
        self.calls += 1;
        self.withdraw(ptr, layout);
        let due = self.due(fault);
        if due == Some(Fault::NeighbourWritten)
            && let Some(behind) = self.live_behind(ptr, layout)
        {
            // SAFETY: a live block of the base has at least one byte. Writing it is the fault.
            unsafe { behind.write(!behind.read()) };
            self.fired_at = Some(self.calls - 1);
        }
        // SAFETY: the caller's obligations.
        unsafe { self.sound_dealloc(ptr, layout) }
    }

    /// # Safety
    ///
    /// As for `GlobalAlloc::realloc`.
    pub(super) unsafe fn realloc(
        &mut self,
        fault: Option<Fault>,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> *mut u8 {
        self.calls += 1;
        self.withdraw(ptr, layout);
        let Ok(new) = Layout::from_size_align(new_size, layout.align()) else { return null_mut() };
        let moves = self.is_odd(ptr) || class_bytes(layout) != class_bytes(new);
        match self.due(fault) {
            Some(Fault::ReallocOverlap)
                if class_bytes(new) > class_bytes(layout)
                    && self.live_behind(ptr, layout).is_some() =>
            {
                self.fired_at = Some(self.calls - 1);
                self.odd = Some(Odd { handed: ptr, given: Some((ptr, layout)) });
                return ptr;
            }
            Some(Fault::ReallocTail) if moves && new_size > layout.size() && layout.size() > 8 => {
                // SAFETY: the caller's obligations; fewer bytes than the old block has.
                let moved = unsafe { self.shift(ptr, layout, new, 0..layout.size() - 8) };
                self.fired_at = Some(self.calls - 1);
                return moved;
            }
            Some(Fault::ReallocPrefix) if new_size < layout.size() && new_size > 8 => {
                let end = layout.size().min(new_size + 8);
                // SAFETY: the caller's obligations; no byte beyond the old block's.
                let moved = unsafe { self.shift(ptr, layout, new, 8..end) };
                self.fired_at = Some(self.calls - 1);
                return moved;
            }
            _ => {}
        }
        if !moves {
            return ptr;
        }
        // SAFETY: the caller's obligations; what both blocks have.
        unsafe { self.shift(ptr, layout, new, 0..layout.size().min(new_size)) }
    }

    pub(super) fn usable_size(
        &mut self,
        fault: Option<Fault>,
        ptr: *mut u8,
        layout: Layout,
    ) -> usize {
        if self.is_odd(ptr) {
            return layout.size();
        }
        let usable = class_bytes(layout);
        let wrong = match self.due(fault) {
            Some(Fault::UsableSmall) if layout.size() > 1 => layout.size() - 1,
            Some(Fault::UsableOverlap) if self.live_behind(ptr, layout).is_some() => usable + 8,
            _ => return usable,
        };
        // The call that this answer belongs to is the one before.
        self.fired_at = Some(self.calls.saturating_sub(1));
        wrong
    }

    /// The fault, where it may be committed now.
    fn due(&self, fault: Option<Fault>) -> Option<Fault> {
        let warm = self.calls > WARM_UP || fault == Some(Fault::Misaligned4096);
        fault.filter(|_| warm && self.fired_at.is_none())
    }

    fn is_odd(&self, ptr: *mut u8) -> bool {
        self.odd.is_some_and(|odd| odd.handed == ptr)
    }

    /// The block right behind `ptr`'s, where both are live and as the base gave them.
    fn live_behind(&self, ptr: *mut u8, layout: Layout) -> Option<*mut u8> {
        let behind = ptr.wrapping_add(class_bytes(layout));
        (!self.is_odd(ptr) && self.base.is_live(behind)).then_some(behind)
    }

    fn sound_alloc(&mut self, layout: Layout, zeroed: bool) -> *mut u8 {
        let Some(Given { ptr, reused }) = self.base.allocate(layout) else { return null_mut() };
        if zeroed && reused {
            // SAFETY: the block is new and has at least the layout's bytes.
            unsafe { ptr.write_bytes(0, layout.size()) };
        }
        ptr
    }

    /// # Safety
    ///
    /// As for `GlobalAlloc::dealloc`.
    unsafe fn sound_dealloc(&mut self, ptr: *mut u8, layout: Layout) {
        let given = match self.odd {
            Some(odd) if odd.handed == ptr => {
                let Some(given) = odd.given else { return };
                self.odd = None;
                given
            }
            _ => (ptr, layout),
        };
        // SAFETY: the caller gives up the block, and the pair is what the base gave for it: `odd`
        // holds it where that differs from what the program has.
        unsafe { self.base.deallocate(given.0, given.1) }
    }

    /// Moves a block to a new one for `new`, of which it sets the first bytes to the old `part`.
    ///
    /// # Safety
    ///
    /// 1. As for `GlobalAlloc::dealloc`.
    /// 2. `part` is within the old block and no longer than the new one.
    unsafe fn shift(
        &mut self,
        ptr: *mut u8,
        layout: Layout,
        new: Layout,
        part: Range<usize>,
    ) -> *mut u8 {
        let moved = self.sound_alloc(new, false);
        if !moved.is_null() {
            // SAFETY: obligation 2. The two are apart, unless the old block is one that was grown
            // into others, where a copy may meet its source.
            unsafe { moved.copy_from(ptr.add(part.start), part.len()) };
            // SAFETY: obligation 1.
            unsafe { self.sound_dealloc(ptr, layout) };
        }
        moved
    }

    /// Commits a fault of allocation; `None` where this call does not allow it.
    fn faulty_alloc(&mut self, fault: Fault, layout: Layout, zeroed: bool) -> Option<*mut u8> {
        match fault {
            Fault::Overlap => self.overlapping(layout, zeroed),
            Fault::SameBlockTwice => self.second_hand(layout),
            Fault::Misaligned16 if (16..4096).contains(&layout.align()) => {
                self.displaced(layout, 8, zeroed)
            }
            Fault::Misaligned4096 if layout.align() >= 4096 => self.displaced(layout, 2048, zeroed),
            Fault::DirtyZeroed if zeroed => self.dirty(layout),
            Fault::OutsideRegion if layout.size() <= 1 << 20 && layout.align() <= 4096 => {
                let handed = map_memory(layout.size());
                self.odd = Some(Odd { handed, given: None });
                Some(handed).filter(|ptr| !ptr.is_null())
            }
            _ => None,
        }
    }

    /// A block whose last byte is the first one of the live block behind:
    ///
    /// ```text
    /// |····· its place, of a power of two ·····| live ···
    ///         |········ handed: size bytes ·····|
    /// ```
    fn overlapping(&mut self, layout: Layout, zeroed: bool) -> Option<*mut u8> {
        let inside = layout.size().checked_sub(1).filter(|&bytes| bytes > 0)?;
        if !inside.is_multiple_of(layout.align()) || class_bytes(layout) == inside {
            return None;
        }
        let ptr = self.base.allocate(layout)?.ptr;
        if self.live_behind(ptr, layout).is_none() {
            // SAFETY: the base just gave it for this layout, and nobody has it.
            unsafe { self.base.deallocate(ptr, layout) };
            return None;
        }
        // SAFETY: `inside` is less than the class, so this stays in the block.
        let handed = unsafe { ptr.add(class_bytes(layout) - inside) };
        if zeroed {
            // SAFETY: these bytes are the new block's own; the shared one is left as it is.
            unsafe { handed.write_bytes(0, inside) };
        }
        self.odd = Some(Odd { handed, given: Some((ptr, layout)) });
        Some(handed)
    }

    /// The live block of another thread.
    fn second_hand(&mut self, layout: Layout) -> Option<*mut u8> {
        let thread = this_thread();
        for candidate in self.candidates.iter_mut().flatten() {
            candidate.settled |= candidate.thread == thread;
        }
        let class = class_bytes(layout).trailing_zeros() as usize;
        match self.candidates[class] {
            Some(Candidate { ptr, thread: other, settled: true }) if other != thread => {
                self.odd = Some(Odd { handed: ptr, given: None });
                Some(ptr)
            }
            _ => None,
        }
    }

    /// Remembers a sound block for [`State::second_hand`], where none of its class is.
    fn offer(&mut self, ptr: *mut u8, layout: Layout) {
        let class = class_bytes(layout).trailing_zeros() as usize;
        if !ptr.is_null() && self.candidates[class].is_none() {
            let candidate = Candidate { ptr, thread: this_thread(), settled: false };
            self.candidates[class] = Some(candidate);
        }
    }

    /// Forgets a block that was freed or reallocated.
    fn withdraw(&mut self, ptr: *mut u8, layout: Layout) {
        let class = class_bytes(layout).trailing_zeros() as usize;
        self.candidates[class].take_if(|candidate| candidate.ptr == ptr);
    }

    /// A block that starts `offset` bytes too late.
    fn displaced(&mut self, layout: Layout, offset: usize, zeroed: bool) -> Option<*mut u8> {
        let larger =
            Layout::from_size_align(layout.size().checked_add(offset)?, layout.align()).ok()?;
        let ptr = self.sound_alloc(larger, zeroed);
        if ptr.is_null() {
            return None;
        }
        // SAFETY: the block has `offset` bytes and the layout's.
        let handed = unsafe { ptr.add(offset) };
        self.odd = Some(Odd { handed, given: Some((ptr, larger)) });
        Some(handed)
    }

    /// A block that was in use before and shows it.
    fn dirty(&mut self, layout: Layout) -> Option<*mut u8> {
        let Given { ptr, reused } = self.base.allocate(layout)?;
        // SAFETY: the block is ours, and memory of a mapping is initialised.
        let bytes = unsafe { std::slice::from_raw_parts(ptr, layout.size()) };
        if reused && bytes.iter().any(|&byte| byte != 0) {
            return Some(ptr);
        }
        // SAFETY: the base just gave it for this layout, and nobody has it.
        unsafe { self.base.deallocate(ptr, layout) };
        None
    }
}
