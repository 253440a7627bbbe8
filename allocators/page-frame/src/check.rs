//! A walk over a zone, and the validation of all its words against one another.

use core::fmt;

use strata_core::FrameId;
use strata_core::sync::Ordering;

use crate::entry::Entry;
use crate::frames::PageFrames;
use crate::geometry::{ROW, frame_at};
use crate::slot::{PARTS, Slot};
use crate::tables::Tables;

/// What a walk says of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameState {
    /// Anyone may take them.
    Free,
    /// Handed out in blocks below a huge frame or parts of a run, in a stock, or out of use.
    Taken,
    /// Huge frames that are handed out whole.
    Whole,
}

/// What a validation found to be in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Frames that are free.
    pub free: u64,
    /// Frames in stocks.
    pub stocked: u64,
    /// Frames that are handed out or out of use.
    pub taken: u64,
    /// Huge frames and trees that searches take for fuller or emptier than they are, hints that two
    /// changes at once may leave wrong until the next one. None where one thread was at work.
    pub misplaced: u64,
}

/// What a validation found not to be in order, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The entry of the huge frame that begins here does not count its rows' bits.
    Used(FrameId),
    /// The huge frame that begins here is taken whole or by quarters, and not all its rows are full.
    Rows(FrameId),
    /// Somebody is at work on the huge frame that begins here, or stopped there.
    Unfinished(FrameId),
    /// This frame lies in a stock, and is free too, or lies in another stock.
    Stock(FrameId),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (frame, what) = match self {
            Self::Used(frame) => (frame, "its huge frame does not count its bits"),
            Self::Rows(frame) => (frame, "its huge frame is whole and has clear bits"),
            Self::Unfinished(frame) => (frame, "work on its huge frame was not finished"),
            Self::Stock(frame) => (frame, "it is in a stock and elsewhere"),
        };
        write!(f, "frame {}: {what}", frame.0)
    }
}

impl core::error::Error for Broken {}

impl PageFrames<'_> {
    /// Calls `visit` with the first frame, the number and the state of each longest run of frames
    /// in one state, in ascending order.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use strata_core::FrameId;
    /// # use strata_page_frame::{Geometry, PageFrames};
    /// use strata_page_frame::FrameState::{Free, Taken};
    /// # let layout = PageFrames::metadata_layout(1024, 0, Geometry::DEFAULT)?;
    /// # let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
    /// # let frames = PageFrames::new(1024, 0, Geometry::DEFAULT, &mut metadata)?;
    /// frames.alloc_at(FrameId(100), 3)?;
    /// let mut runs = vec![];
    /// frames.walk(|start, frames, state| runs.push((start.0, frames, state)));
    /// assert_eq!(runs, [(0, 100, Free), (100, 3, Taken), (103, 921, Free)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn walk(&self, mut visit: impl FnMut(FrameId, u64, FrameState)) {
        let tables = &self.tables;
        let mut run = (0, FrameState::Free);
        let mut reach = |at: u64, state: FrameState| {
            if run.1 != state {
                if at > run.0 {
                    visit(FrameId(run.0), at - run.0, run.1);
                }
                run = (at, state);
            }
        };
        for huge in 0..tables.huge {
            let first = tables.geometry.first_frame(huge);
            let entry = tables.entry(huge);
            if entry.is_whole() {
                reach(first, FrameState::Whole);
            } else if entry.used() == 0 {
                reach(first, FrameState::Free);
            } else if entry.is_quartered() {
                let quarter = tables.geometry.quarter();
                for at in (first..first + tables.capacity()).step_by(quarter as usize) {
                    let taken = tables.has_quarter(entry, at);
                    reach(at, if taken { FrameState::Taken } else { FrameState::Free });
                }
            } else {
                for (row, at) in tables.rows_of(huge).iter().zip((first..).step_by(ROW as usize)) {
                    // Relaxed: a reading.
                    walk_row(row.load(Ordering::Relaxed), at, tables.frames, &mut reach);
                }
            }
        }
        let (start, state) = run;
        if start < self.frames() {
            visit(FrameId(start), self.frames() - start, state);
        }
    }

    /// Compares all words with one another. Nobody may be at work.
    ///
    /// # Errors
    ///
    /// The first thing that is not in order.
    pub fn validate(&self) -> Result<Checked, Broken> {
        let tables = &self.tables;
        let mut used = 0;
        for huge in 0..tables.huge {
            used += tables.validate_huge(huge)?.used();
        }
        let stocked = tables.validate_stocks()?;
        let beyond = tables.huge as u64 * tables.capacity() - tables.frames;
        let taken = used - beyond - stocked;
        let misplaced = |huge: &usize| !tables.entry(*huge).is_held() && !tables.is_indexed(*huge);
        let misplaced = (0..tables.huge).filter(misplaced).count()
            + (0..tables.trees).filter(|tree| !tables.is_summed_up(*tree)).count();
        let misplaced = misplaced as u64;
        Ok(Checked { free: tables.frames - taken - stocked, stocked, taken, misplaced })
    }

    /// Frames in the stocks of all locals.
    pub(crate) fn stocked_frames(&self) -> u64 {
        let mut sum = 0;
        self.tables.each_stock(|_, bits| sum += u64::from(bits.count_ones()));
        sum
    }

    pub(crate) fn late_double_frees(&self) -> u64 {
        // Relaxed: a reading.
        self.shared.late.load(Ordering::Relaxed)
    }
}

/// Tells `reach` where the state changes in a row.
fn walk_row(row: u64, at: u64, end: u64, reach: &mut impl FnMut(u64, FrameState)) {
    let mut bit = 0;
    while bit < 64 && at + u64::from(bit) < end {
        let taken = row >> bit & 1 == 1;
        reach(at + u64::from(bit), if taken { FrameState::Taken } else { FrameState::Free });
        let rest = if taken { !(row >> bit) } else { row >> bit };
        bit += rest.trailing_zeros().max(1).min(64 - bit);
    }
}

impl Tables<'_> {
    fn validate_huge(&self, huge: usize) -> Result<Entry, Broken> {
        let frame = FrameId(self.geometry.first_frame(huge));
        let entry = self.entry(huge);
        if entry.in_flight() {
            return Err(Broken::Unfinished(frame));
        }
        let set = self.bits_of(huge);
        if entry.is_closed() && set != self.capacity() {
            return Err(Broken::Rows(frame));
        }
        let counts = entry.used() == set || entry.is_closed();
        if counts { Ok(entry) } else { Err(Broken::Used(frame)) }
    }

    fn validate_stocks(&self) -> Result<u64, Broken> {
        let mut broken = None;
        let mut sum = 0;
        self.each_stock(|row, bits| {
            sum += u64::from(bits.count_ones());
            let taken = self.rows.get(row).map_or(0, |row| row.load(Ordering::Relaxed));
            let mut times = 0;
            let mut twice = 0;
            self.each_stock(|other, more| {
                if other == row && more & bits != 0 {
                    times += 1;
                    twice = more & bits;
                }
            });
            let wrong = if times > 1 { twice } else { bits & !taken };
            if wrong != 0 {
                broken = broken.or(Some(frame_at(row, wrong.trailing_zeros())));
            }
        });
        broken.map_or(Ok(sum), |frame| Err(Broken::Stock(frame)))
    }

    /// Calls `visit` with the row and the bits of everything that lies in a stock.
    pub(crate) fn each_stock(&self, mut visit: impl FnMut(usize, u64)) {
        let locals = self.slots.len() / crate::geometry::SLOT_WORDS;
        for slot in (0..locals).filter_map(|index| Slot::of(self.slots, index)) {
            let (hand, (row, bits)) = (slot.hand(), slot.frees());
            let parts = (0..PARTS).map(|index| slot.peek(index)).map(|p| (p.row(), p.bits()));
            for (row, bits) in [(hand.row(), hand.bits()), (row, bits)].into_iter().chain(parts) {
                if bits != 0 {
                    visit(row, bits);
                }
            }
        }
    }

    /// Whether a frame lies in the stock of a local.
    #[cfg(feature = "checked")]
    pub(crate) fn in_stock(&self, frame: u64) -> bool {
        let mut found = false;
        self.each_stock(|row, bits| {
            found |= row as u64 == frame / ROW && bits >> (frame % ROW) & 1 == 1;
        });
        found
    }
}
