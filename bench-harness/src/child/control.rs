//! The table that a child shares with its parent: the job, the live blocks, the window, the results.
//!
//! It lies in one memfd mapped by both. While a child runs only the child writes; the parent reads
//! and answers only while the child waits for it on the channel, whose system calls order the two.

use super::absorb::{Absorbed, SIZES};
use crate::script::Script;
use crate::shared::Mapping;
use crate::subject::OwnFigures;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Changes whenever the layout of this table, of scripts or of messages does, or what a kernel is.
pub(crate) const PROTOCOL: u32 = 8;

/// What a child does with its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Pass {
    /// Replay under the clock.
    Time = 1,
    /// Replay with checkpoints.
    Memory = 2,
    /// Replay under the judge.
    Check = 3,
    /// Replay with sampled latencies.
    Latency = 4,
    /// Find the stride of each layout.
    Stride = 5,
}

/// What is written into a block right after it was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Touch {
    /// Nothing.
    None = 0,
    /// The first 16 bytes.
    First = 1,
    /// The first 16 bytes and a byte of every page: the default.
    Pages = 2,
    /// Every byte.
    All = 3,
}

impl Touch {
    /// By its number.
    pub(crate) fn of(number: u32) -> Option<Self> {
        [Self::None, Self::First, Self::Pages, Self::All].into_iter().nth(number as usize)
    }
}

/// The fixed part of the table. Zero bytes are a valid value of it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Control {
    // The job, written by the parent before the child starts.
    pub(crate) protocol: u32,
    pub(crate) pass: u32,
    pub(crate) touch: u32,
    pub(crate) threaded: u32,
    pub(crate) repeat: u32,
    /// The processor to stay on, or -1.
    pub(crate) processor: i32,
    pub(crate) slots: u32,
    pub(crate) threads: u32,
    pub(crate) layouts: u32,
    pub(crate) script: i32,
    pub(crate) window_bytes: u64,
    pub(crate) pages: u64,
    /// The kernel to run in place of a script, counted from 1; 0 for none. Then its rounds.
    pub(crate) kernel: u64,
    pub(crate) rounds: u64,
    /// 1 where the parent asks for a kernel's windows one by one; the results are then the last
    /// one's.
    pub(crate) asked: u64,
    // The results, written by the child.
    /// Nanoseconds inside the window, summed over segments.
    pub(crate) nanos: AtomicU64,
    /// Operations done, of all repetitions, draining included when `repeat` is above 1.
    pub(crate) operations: AtomicU64,
    /// Nanoseconds that threads waited for each other's blocks, and in all (threaded replay): on the
    /// clock, then of processor time.
    pub(crate) stalled_wall: AtomicU64,
    pub(crate) active_wall: AtomicU64,
    pub(crate) stalled: AtomicU64,
    pub(crate) active: AtomicU64,
    /// Calls of the harness's own heap inside the window.
    pub(crate) heap_calls: AtomicU64,
    /// Nanoseconds of the reference beside a kernel's window, and how often the process lost its
    /// processor in it.
    pub(crate) reference: AtomicU64,
    pub(crate) switches: AtomicU64,
    /// The last record begun (memory and check passes), or of the segment (others).
    pub(crate) record: AtomicU64,
    /// Latency samples taken.
    pub(crate) samples: AtomicU64,
    /// Picoseconds a tick of the sample clock, and ticks that a reading itself costs.
    pub(crate) picos_per_tick: AtomicU64,
    pub(crate) timer_ticks: AtomicU64,
    /// 1 when the usable-size hook answers.
    pub(crate) has_usable: AtomicU32,
    /// 1 when the subject shows its free ranges; then the two sums of them.
    pub(crate) has_free_ranges: AtomicU32,
    pub(crate) free_bytes: AtomicU64,
    pub(crate) largest_free: AtomicU64,
    /// [`OwnFigures`], `u64::MAX` for an absent one.
    pub(crate) figures: [AtomicU64; 5],
    /// Bytes of violations as JSON in `text`.
    pub(crate) text_bytes: AtomicU64,
    /// Addresses of the replaying threads' stacks; both 0 in serial replay.
    pub(crate) stacks_start: AtomicU64,
    pub(crate) stacks_end: AtomicU64,
    /// L2 tables of the page history handed out, and of the map of resident pages.
    pub(crate) history_used: AtomicU32,
    pub(crate) resident_used: AtomicU32,
    /// Bytes of the subject's free ranges on resident pages, at a probe; `u64::MAX` where it shows none.
    pub(crate) free_resident: AtomicU64,
    /// What the free memory can serve, by size.
    pub(crate) absorbed: [Absorbed; SIZES],
}

/// Latency samples that fit.
pub(crate) const SAMPLES: usize = 1 << 17;
/// Bytes of text that fit.
pub(crate) const TEXT: usize = 1 << 16;

/// One latency: ticks, and bytes of the block with the kind of operation in the top 4 bits.
pub(crate) type Sample = [AtomicU32; 2];

/// Where each variable part of the table begins; computed alike on both sides.
#[derive(Clone, Copy, Debug)]
struct Offsets {
    blocks: usize,
    sizes: usize,
    usable: usize,
    versions: usize,
    layouts: usize,
    samples: usize,
    text: usize,
    history: usize,
    resident: usize,
    window: usize,
    end: usize,
}

impl Offsets {
    fn new(slots: usize, layouts: usize, window: usize) -> Self {
        let mut at = 4096;
        let mut take = |bytes: usize| {
            let start = at;
            at += bytes.next_multiple_of(4096);
            start
        };
        Self {
            blocks: take(slots * 8),
            sizes: take(slots * 8),
            usable: take(slots * 8),
            versions: take(slots * 4),
            layouts: take(layouts * 32),
            samples: take(SAMPLES * 8),
            text: take(TEXT),
            history: take(super::history::BYTES),
            resident: take(super::history::BYTES),
            window: take(window),
            end: at,
        }
    }
}

/// The table as one side sees it.
#[derive(Debug)]
pub(crate) struct Table {
    mapping: Mapping,
    offsets: Offsets,
}

impl Table {
    /// Makes a table for a script, with the job's facts about it filled in.
    pub(crate) fn create(script: &Script) -> io::Result<(Self, OwnedFd)> {
        let offsets =
            Offsets::new(script.slots as usize, script.layouts.len(), script.window_bytes as usize);
        let fd = crate::shared::create(offsets.end, false)?;
        let mapping = Mapping::new(fd.as_raw_fd(), offsets.end)?;
        let mut table = Self { mapping, offsets };
        let job = table.job();
        job.protocol = PROTOCOL;
        job.slots = script.slots;
        job.threads = script.threads;
        job.layouts = script.layouts.len() as u32;
        job.window_bytes = script.window_bytes;
        if let Some(order) = script.kernel {
            job.kernel = order.kernel.index as u64 + 1;
            job.rounds = order.rounds;
        }
        for (index, &(bytes, align_log2)) in script.layouts.iter().enumerate() {
            use std::sync::atomic::Ordering::Relaxed;
            table.layouts()[index].bytes.store(bytes, Relaxed);
            table.layouts()[index].align_log2.store(u64::from(align_log2), Relaxed);
        }
        Ok((table, fd))
    }

    /// Maps the table that the parent made.
    pub(crate) fn open(fd: i32) -> io::Result<Self> {
        let (slots, layouts, window) = {
            let head = Mapping::new(fd, 4096)?;
            // SAFETY: the first page of the memfd holds a `Control`, which the parent finished
            // before it started this process.
            let control = unsafe { &*head.start().cast::<Control>() };
            if control.protocol != PROTOCOL {
                return Err(io::Error::other("the parent speaks another protocol"));
            }
            (control.slots as usize, control.layouts as usize, control.window_bytes as usize)
        };
        let offsets = Offsets::new(slots, layouts, window);
        Ok(Self { mapping: Mapping::new(fd, offsets.end)?, offsets })
    }

    /// The fixed part.
    pub(crate) fn control(&self) -> &Control {
        // SAFETY: the mapping's first page is a `Control`: aligned, all-zero or written as one. The
        // plain fields change only through `job`, before the other process exists.
        unsafe { &*self.mapping.start().cast() }
    }

    /// The fixed part, for filling in the job before the child starts.
    pub(crate) fn job(&mut self) -> &mut Control {
        // SAFETY: as for `control`, and no child maps the table yet.
        unsafe { &mut *self.mapping.start().cast() }
    }

    fn part<T>(&self, offset: usize, count: usize) -> &[T] {
        // SAFETY: `Offsets` reserved `count` elements of `T` at this offset, page-aligned; the
        // callers below name atomics only, for which any bytes are valid and writes are shared.
        unsafe { std::slice::from_raw_parts(self.mapping.start().add(offset).cast(), count) }
    }

    /// By slot: the address of the block, 0 for none (kept in memory and check passes; stale
    /// otherwise).
    pub(crate) fn blocks(&self) -> &[AtomicU64] {
        self.part(self.offsets.blocks, self.control().slots as usize)
    }

    /// By slot: bytes asked for, with log2 of the alignment in the top 8 bits.
    pub(crate) fn sizes(&self) -> &[AtomicU64] {
        self.part(self.offsets.sizes, self.control().slots as usize)
    }

    /// By slot: usable bytes at the last checkpoint.
    pub(crate) fn usable(&self) -> &[AtomicU64] {
        self.part(self.offsets.usable, self.control().slots as usize)
    }

    /// By slot: operations done, modulo 2^16 (threaded replay).
    pub(crate) fn versions(&self) -> &[AtomicU32] {
        self.part(self.offsets.versions, self.control().slots as usize)
    }

    /// The layouts to find strides of, and the answers.
    pub(crate) fn layouts(&self) -> &[LayoutFact] {
        self.part(self.offsets.layouts, self.control().layouts as usize)
    }

    /// Latency samples.
    pub(crate) fn samples(&self) -> &[Sample] {
        self.part(self.offsets.samples, SAMPLES)
    }

    /// Room for text.
    pub(crate) fn text(&self) -> &[std::sync::atomic::AtomicU8] {
        self.part(self.offsets.text, TEXT)
    }

    /// Which pages ever held a block.
    pub(crate) fn history(&self) -> super::history::History<'_> {
        super::history::History::new(
            self.part(self.offsets.history, super::history::BYTES / 8),
            &self.control().history_used,
        )
    }

    /// The pages that the parent found resident at the stop where it asks for a probe.
    pub(crate) fn resident(&self) -> super::history::History<'_> {
        super::history::History::new(
            self.part(self.offsets.resident, super::history::BYTES / 8),
            &self.control().resident_used,
        )
    }

    /// The window that segments are read into.
    pub(crate) fn window(&self) -> (*mut u8, usize) {
        // SAFETY: the offset lies inside the mapping.
        let start = unsafe { self.mapping.start().add(self.offsets.window) };
        (start, self.control().window_bytes as usize)
    }
}

/// A layout and what the subject makes of it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct LayoutFact {
    pub(crate) bytes: AtomicU64,
    pub(crate) align_log2: AtomicU64,
    /// Modal distance of neighbours; 0 for unknown.
    pub(crate) stride: AtomicU64,
    /// Usable bytes; 0 for unknown.
    pub(crate) usable: AtomicU64,
}

/// Encodes figures for the table.
pub(crate) fn put_figures(control: &Control, figures: &OwnFigures) {
    let all =
        [figures.allocated, figures.active, figures.resident, figures.metadata, figures.mapped];
    for (cell, figure) in control.figures.iter().zip(all) {
        cell.store(figure.unwrap_or(u64::MAX), std::sync::atomic::Ordering::Relaxed);
    }
}

/// Decodes what [`put_figures`] wrote.
pub(crate) fn take_figures(control: &Control) -> OwnFigures {
    let figure = |index: usize| {
        let value = control.figures[index].load(std::sync::atomic::Ordering::Relaxed);
        (value != u64::MAX).then_some(value)
    };
    OwnFigures {
        allocated: figure(0),
        active: figure(1),
        resident: figure(2),
        metadata: figure(3),
        mapped: figure(4),
    }
}
