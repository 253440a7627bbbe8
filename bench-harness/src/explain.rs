//! A row in words: where the memory is, which blocks the holes lie beside, what the floor is.

use crate::adversary::robson;
use crate::results::figures::peak;
use crate::results::{Checkpoint, ClassShare, MemoryRow, Residue, Row, Threads, words};
use std::fmt::Write;

/// What a row says of memory, in sentences. `None` where it has no memory pass.
///
/// The figures are those of the waterfall (see the definitions in every report); nothing is
/// computed here that the row does not hold.
pub fn explain(row: &Row) -> Option<String> {
    let memory = row.memory.as_ref()?;
    let at = peak(memory)?;
    let mut text = String::new();
    let how = match row.workload.threads {
        Threads::Serial => "one thread in the recorded order",
        Threads::Recorded => "the recorded threads",
    };
    let _ = writeln!(
        text,
        "{} on {} ({how}), where most is live (record {} of {}):",
        row.subject.name, row.workload.name, at.record, row.workload.operations
    );
    let _ = writeln!(
        text,
        "  {} are resident for {} in {} blocks that the program asked for{}.",
        words::bytes(at.resident),
        words::bytes(at.live_bytes),
        words::count(at.live_blocks),
        match memory.peak_ratio {
            Some(ratio) => format!(": {} bytes a live byte", words::ratio(ratio)),
            None => ", too little for a ratio to mean anything".into(),
        }
    );
    terms(&mut text, memory, at);
    holes(&mut text, memory, at);
    floor(&mut text, at);
    ceiling(&mut text, memory, at);
    if let Some(left) = &memory.residue {
        residue(&mut text, left);
    }
    Some(text)
}

/// Where the resident bytes are, the greatest part first.
fn terms(text: &mut String, memory: &MemoryRow, at: &Checkpoint) {
    let w = &at.waterfall;
    let rounding = match w.headers {
        Some(_) => "rounding: the allocator's sizes are larger than what was asked for",
        None => "rounding and headers, which cannot be told apart without usable sizes",
    };
    let mut parts = vec![
        (w.live, "what the program asked for"),
        (w.rounding, rounding),
        (w.headers.unwrap_or(0), "headers of blocks"),
        (w.holes, "holes: free bytes on pages that a live block pins"),
        (w.kept, "pages that held blocks, hold none, and were not given back"),
        (w.metadata, "pages that never held a block: the allocator's own tables"),
    ];
    parts.sort_by_key(|part| std::cmp::Reverse(part.0));
    for (bytes, what) in parts.into_iter().filter(|part| part.0 > 0) {
        let share = words::percent(bytes as f64 / at.resident.max(1) as f64);
        let _ = writeln!(text, "  - {} ({share}%) {what}", words::bytes(bytes));
    }
    if at.live_untouched > 0 {
        let bytes = words::bytes(at.live_untouched);
        let _ = writeln!(
            text,
            "  Beside it {bytes} of live blocks were never touched, and take no memory."
        );
    }
    if at.lazy_free > 0 {
        let bytes = words::bytes(at.lazy_free);
        let _ = writeln!(
            text,
            "  {bytes} of it is given back lazily: the kernel may take it at any time."
        );
    }
    if let Some(share) = memory.internal {
        let found = if memory.internal_exact { "" } else { ", by the distance of neighbours" };
        let _ = writeln!(
            text,
            "  Of the bytes in blocks {}% are not asked for{found}.",
            words::percent(share)
        );
    }
}

/// Which blocks the holes lie beside.
fn holes(text: &mut String, memory: &MemoryRow, at: &Checkpoint) {
    let mut found: Vec<&ClassShare> = memory.classes.iter().filter(|of| of.holes > 0).collect();
    found.sort_by_key(|of| std::cmp::Reverse(of.holes));
    let all: u64 = found.iter().map(|of| of.holes).sum();
    if at.waterfall.holes == 0 || all == 0 {
        return;
    }
    text.push_str("  The holes lie\n");
    for of in found.iter().take(4) {
        let share = words::percent(of.holes as f64 / all as f64);
        let used = 1.0 - of.holes as f64 / (of.pages * memory.page_bytes).max(1) as f64;
        let _ = writeln!(
            text,
            "  - {} ({share}%) beside blocks of {}: {} blocks, {} pages that are {}% full",
            words::bytes(of.holes),
            band(of.upto),
            words::count(of.blocks),
            words::count(of.pages),
            words::percent(used)
        );
    }
    if let Some(gaps) = &memory.gaps
        && gaps.total > 0
    {
        let _ = writeln!(
            text,
            "  The largest gap between two neighbours is {}, of {} in all gaps.",
            words::bytes(gaps.largest),
            words::bytes(gaps.total)
        );
    }
}

/// Sizes of a band.
fn band(upto: u64) -> String {
    match upto {
        0..=8 => format!("up to {upto} B"),
        _ => format!("{} to {}", words::bytes(upto / 2 + 1), words::bytes(upto)),
    }
}

/// What could be given back at all.
fn floor(text: &mut String, at: &Checkpoint) {
    let over = at.resident.saturating_sub(at.pinned_bytes);
    let share = words::percent(over as f64 / at.resident.max(1) as f64);
    let _ = writeln!(
        text,
        "  The floor is {}: what lies on pages with a live block, which nobody who leaves blocks where they \
         are can give back. {} ({share}%) lie above it{}.",
        words::bytes(at.pinned_bytes),
        words::bytes(over),
        if over == 0 { "" } else { ": empty pages and tables" }
    );
    let between = at.pinned_bytes.saturating_sub(at.waterfall.live);
    let _ = writeln!(
        text,
        "  From there to what was asked for it is {} more, for other sizes, other places, or moving \
         blocks. With huge pages of 2 MiB the floor would be {}.",
        words::bytes(between),
        words::bytes(at.pinned_huge_bytes)
    );
}

/// How much worse the program could have been, and what the free memory can serve.
fn ceiling(text: &mut String, memory: &MemoryRow, at: &Checkpoint) {
    if let Some(largest) = memory.classes.last().map(|of| of.upto) {
        let bytes = words::bytes(robson::ceiling(at.live_bytes, largest));
        let largest = words::bytes(largest);
        let _ = writeln!(
            text,
            "  The ceiling is {bytes}: what Robson's program, with as much live in blocks up to {largest}, \
             makes every allocator need that leaves blocks where they are."
        );
    }
    let Some(found) = memory.absorption.as_ref().filter(|found| found.free > 0) else { return };
    let served = |size| found.points.iter().find(|point| point.size == size)?.served;
    let told = [64, 4 << 10, 256 << 10].into_iter().filter_map(|size| {
        let share = words::percent(served(size)? as f64 / found.free as f64);
        Some(format!("{share}% to blocks of {}", words::bytes(size)))
    });
    let told: Vec<String> = told.collect();
    if !told.is_empty() {
        let free = words::bytes(found.free);
        let told = told.join(", ");
        let _ =
            writeln!(text, "  Of {free} that are free it serves, without fresh memory, {told}.");
    }
}

fn residue(text: &mut String, left: &Residue) {
    let _ = write!(text, "  When all is freed, {} stay at once", words::bytes(left.at_once));
    for (bytes, when) in [
        (left.after_idle, "after a second"),
        (left.after_ten, "after ten seconds"),
        (left.after_pairs, "after 1000 more pairs"),
        (left.after_purge, "after a purge"),
    ] {
        if let Some(bytes) = bytes {
            let _ = write!(text, ", {} {when}", words::bytes(bytes));
        }
    }
    text.push_str(".\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_words() {
        assert_eq!(band(8), "up to 8 B");
        assert_eq!(band(64), "33 B to 64 B");
        assert_eq!(band(2048), "1.00 KiB to 2.00 KiB");
    }
}
