//! The split of a stopped child's resident bytes.
//!
//! Every resident anonymous page falls in one of three classes, by address and never by kernel
//! mapping: *pinned*, when a live block (with what belongs to it: usable tail and header) has a byte in it;
//! *kept*, when a block once had; the *rest*.
//! The stacks of replaying threads are left out, by address. What the no-op subject's child has at
//! the same checkpoint (its main stack, static data of the harness, what the C library keeps) is
//! taken from the rest; what remains of it is metadata. Pinned pages
//! are split again: asked-for bytes, rounding up to the usable size, headers, and holes. Blocks
//! that are not resident do not count (they are shown beside).

use super::pages::{PAGE, Pages};
use super::scan::{Rollup, Scanner};
use super::strides::Strides;
use crate::child::control::{Table, take_figures};
use crate::results::{Checkpoint, Waterfall};
use std::collections::HashSet;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

/// A live block as the child's table has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) start: u64,
    pub(crate) asked: u64,
    pub(crate) usable: u64,
    pub(crate) header: u64,
}

/// All that was read of a child at one stop.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) pages: Pages,
    pub(crate) blocks: Vec<Block>,
    /// Live bytes by index of [`Pages`].
    pub(crate) live: Vec<u16>,
    /// The kernel's sums, before the no-op child's are taken off: the reading as a baseline for others.
    pub(crate) total: Baseline,
}

/// The no-op child's reading at the same checkpoint: all of it is the harness's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Baseline {
    pub(crate) scanned: u64,
    pub(crate) kernel: u64,
    pub(crate) proportional: u64,
    pub(crate) page_tables: u64,
}

impl Baseline {
    /// What the process has now.
    pub(crate) fn now(scanner: &mut Scanner) -> io::Result<Self> {
        let (rollup, runs) = scanner.heap()?;
        let scanned = runs.iter().map(|run| run.end - run.start).sum();
        Self::of(scanner, &rollup, scanned)
    }

    /// What a reading says, and the process's page tables.
    pub(crate) fn of(scanner: &Scanner, rollup: &Rollup, scanned: u64) -> io::Result<Self> {
        Ok(Self {
            scanned,
            kernel: rollup.anonymous,
            proportional: rollup.proportional,
            page_tables: scanner.page_tables()?,
        })
    }
}

/// Reads the stopped child and splits its resident bytes.
pub(crate) fn read(
    scanner: &mut Scanner,
    table: &Table,
    strides: &Strides,
    baseline: Baseline,
) -> io::Result<Reading> {
    let (rollup, runs) = scanner.heap()?;
    let pages = Pages::new(&runs);
    let control = table.control();
    let exact = control.has_usable.load(Relaxed) == 1;
    let blocks = live_blocks(table, strides, exact);

    let mut live = vec![0_u16; pages.len()];
    let mut pinned = vec![false; pages.len()];
    let (mut asked, mut usable, mut headers) = (0, 0, 0);
    for block in &blocks {
        let end = block.start + block.asked;
        for_pages(&pages, block.start, end, |index, bytes| {
            live[index] = live[index].saturating_add(bytes as u16);
            pinned[index] = true;
            asked += bytes;
        });
        for_pages(&pages, end, block.start + block.usable.max(block.asked), |index, bytes| {
            pinned[index] = true;
            usable += bytes;
        });
        for_pages(&pages, block.start - block.header, block.start, |index, bytes| {
            pinned[index] = true;
            headers += bytes;
        });
    }
    let history = table.history();
    let (mut kept, mut rest, mut pinned_pages) = (0, 0, 0_u64);
    let mut occupancy = [0; 10];
    let mut huge_pinned = HashSet::new();
    let (mut huge_live, mut entropy) = (0, 0.0);
    for index in 0..pages.len() {
        if pinned[index] {
            pinned_pages += 1;
            let tenth = u64::from(live[index]) * 10 / PAGE;
            occupancy[(tenth as usize).min(9)] += 1;
            huge_pinned.insert(pages.number(index) / 512);
            entropy += binary_entropy(f64::from(live[index]) / PAGE as f64);
            huge_live += if pages.is_huge(index) { u64::from(live[index]) } else { 0 };
        } else if history.held(pages.number(index) as usize)
            || (pages.is_huge(index) && near_block(&pages, index, &history))
        {
            kept += PAGE;
        } else {
            rest += PAGE;
        }
    }
    let pinned_bytes = pinned_pages * PAGE;
    // A faulty subject's blocks may overlap; the terms still sum to what is resident.
    let asked = asked.min(pinned_bytes);
    let rounding = usable.min(pinned_bytes - asked);
    let headers = headers.min(pinned_bytes - asked - rounding);
    let waterfall = Waterfall {
        live: asked,
        rounding,
        headers: exact.then_some(headers),
        holes: pinned_bytes - asked - rounding - if exact { headers } else { 0 },
        kept,
        metadata: rest.saturating_sub(baseline.scanned),
    };
    let live_bytes: u64 = blocks.iter().map(|block| block.asked).sum();
    let total = Baseline::of(scanner, &rollup, pages.len() as u64 * PAGE)?;
    let checkpoint = Checkpoint {
        live_bytes,
        live_blocks: blocks.len() as u64,
        live_untouched: live_bytes.saturating_sub(asked),
        usable_bytes: exact.then(|| blocks.iter().map(|block| block.usable).sum()),
        header_bytes: exact.then(|| blocks.iter().map(|block| block.header).sum()),
        pinned_bytes,
        pinned_huge_bytes: huge_pinned.len() as u64 * 512 * PAGE,
        resident: sum(&waterfall),
        kernel: rollup.anonymous as i64 - baseline.kernel as i64,
        lazy_free: rollup.lazy_free,
        huge: rollup.huge,
        huge_live,
        proportional: total.proportional.saturating_sub(baseline.proportional),
        page_tables: total.page_tables.saturating_sub(baseline.page_tables),
        entropy: (pinned_pages > 0).then(|| entropy / pinned_pages as f64),
        waterfall,
        occupancy,
        own: take_figures(control),
        ..Checkpoint::default()
    };
    Ok(Reading { checkpoint, pages, blocks, live, total })
}

/// Bits that it takes to say of a byte whether it is live, where a share `o` of them is: 0 for full
/// and for empty, 1 for half full.
fn binary_entropy(o: f64) -> f64 {
    let of = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    let o = o.clamp(0.0, 1.0);
    of(o) + of(1.0 - o)
}

/// Sum of a waterfall's terms.
pub(crate) fn sum(w: &Waterfall) -> u64 {
    w.live + w.rounding + w.headers.unwrap_or(0) + w.holes + w.kept + w.metadata
}

fn live_blocks(table: &Table, strides: &Strides, exact: bool) -> Vec<Block> {
    let cells = table.blocks().iter().zip(table.sizes()).zip(table.usable());
    cells
        .filter_map(|((start, packed), usable)| {
            let start = start.load(Relaxed);
            let packed = packed.load(Relaxed);
            let (asked, align_log2) = (packed & ((1 << 56) - 1), (packed >> 56) as u8);
            let usable =
                if exact { usable.load(Relaxed) } else { strides.inferred(asked, align_log2) };
            let header = if exact { strides.header(asked, align_log2) } else { 0 };
            (start != 0).then_some(Block { start, asked, usable, header })
        })
        .collect()
}

/// Calls back with each resident page of `start..end` and how many of its bytes are in it.
#[inline]
pub(super) fn for_pages(pages: &Pages, start: u64, end: u64, mut each: impl FnMut(usize, u64)) {
    let mut at = start;
    while at < end {
        let next = ((at | (PAGE - 1)) + 1).min(end);
        if let Some(index) = pages.index(at / PAGE) {
            each(index, next - at);
        }
        at = next;
    }
}

/// Whether a page of the same huge page ever held a block: the kernel made the whole resident.
fn near_block(pages: &Pages, index: usize, history: &crate::child::history::History<'_>) -> bool {
    let first = pages.number(index) & !511;
    (first..first + 512).any(|page| history.held(page as usize))
}
