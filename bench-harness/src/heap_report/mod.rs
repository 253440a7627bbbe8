//! The heap of a program as a picture and a page, from the report that the program wrote:
//! `strata-bench heap`, and a library call.
//!
//! The report is the JSON of strata-segregated's `report().json()`, of the process heap or of any other; nothing
//! here needs that crate. [`HeapReport::read`] takes nothing that contradicts itself, so what is drawn adds up.

mod page;
mod picture;
mod read;

pub use page::html;
pub use picture::svg;
pub use read::{Class, GivenBack, HeapReport, Large};

/// A part of what the heap has of the system.
struct Part {
    name: &'static str,
    /// Of the picture's style.
    class: &'static str,
    bytes: u64,
}

/// From what the program asked for to what the heap keeps for itself. They come to what is committed, and to as
/// much more as live blocks were never touched.
fn parts(report: &HeapReport) -> Vec<Part> {
    let live = report.live_bytes();
    let requested = report.stats.requested.map(|bytes| bytes.min(live));
    let rounding = requested.map_or(0, |bytes| live - bytes);
    let kept = report.kept();
    let all = [
        (if requested.is_some() { "asked for" } else { "live" }, "live", live - rounding),
        ("rounding", "rounding", rounding),
        ("stocks", "stocks", report.stocked_bytes()),
        ("holes", "holes", report.holes()),
        ("kept", "kept", kept),
        ("metadata", "metadata", report.stats.metadata.unwrap_or(0)),
    ];
    let told = all.into_iter().filter(|(_, class, bytes)| *bytes > 0 || *class != "rounding");
    told.map(|(name, class, bytes)| Part { name, class, bytes }).collect()
}
