//! What every figure of the report means.

use maud::{Markup, html};

const DEFINITIONS: [(&str, &str); 30] = [
    (
        "live",
        "Bytes that the program asked for and has not freed; in the waterfall, those of them on resident pages.",
    ),
    (
        "rounding",
        "Usable minus asked bytes of live blocks. Without a usable-size hook it is inferred from strides and then contains headers.",
    ),
    (
        "headers",
        "Stride minus usable bytes of live blocks, where the stride is the usual distance of neighbours of equal size. n/a where no usable size tells it from rounding.",
    ),
    ("holes", "Free bytes in pages that a live block pins. No purge can give them back."),
    (
        "kept",
        "Resident pages that held blocks once and hold none now: what a purge could give back.",
    ),
    (
        "metadata",
        "Resident pages that never held a block, and the subject's static data: a lower bound of its bookkeeping.",
    ),
    (
        "resident",
        "Bytes of resident pages of the heap by a scan of the page tables, without zero pages. The six terms sum to it.",
    ),
    (
        "pinned",
        "Bytes of pages that a live block lies in, with its usable tail and its header: live + rounding + headers + holes. The least that any allocator which never moves blocks could reach with these addresses: the floor. With 2 MiB pages it is the huge-page floor.",
    ),
    ("peak", "The record of greatest live bytes: the same moment for every subject."),
    ("peak R/L", "Resident by live bytes at the peak (Johnstone and Wilson's second measure)."),
    (
        "mean R/L",
        "Mean resident by mean live bytes over the checkpoints. Johnstone and Wilson's first measure, the mean of the quotients, is decided by the moments at which almost nothing is live.",
    ),
    (
        "internal %",
        "1 − asked / usable bytes at the peak. A “~” marks figures inferred from strides.",
    ),
    (
        "gaps",
        "Free or foreign bytes between neighbouring live blocks of one contiguous resident range: external fragmentation as seen from outside. Heaps that separate sizes show more of them than a program can feel.",
    ),
    (
        "1 − largest/total",
        "Of the gaps at the peak: near 1 means that free memory is in small pieces.",
    ),
    (
        "external, exact",
        "1 − largest free / total free range, for subjects that show their free ranges.",
    ),
    (
        "after drain",
        "Resident bytes after every block is freed: at once, after one second without a call, after 1000 more pairs of small blocks, after the purge hook. In tables as share of the bytes resident at the peak.",
    ),
    (
        "lazily freed",
        "Bytes given back by MADV_FREE that the kernel still counts until memory is short; part of resident.",
    ),
    ("occupancy", "Pinned pages by tenths of live bytes in the page."),
    (
        "#1 to #4",
        "Johnstone and Wilson's measures of fragmentation, resident by live: the mean over the checkpoints (of those with 256 KiB live), where most is live, where most is resident, and greatest by greatest.",
    ),
    (
        "entropy",
        "Mean over the pinned pages of the binary entropy of the share that is live, in bits: 0 where pages are full or empty, 1 where all are half full.",
    ),
    (
        "on huge pages",
        "Share of the resident bytes (and of the live ones) that transparent huge pages back.",
    ),
    ("page tables", "Bytes of the process's page tables beyond the no-op child's."),
    (
        "what free memory can serve",
        "A child forked at the peak asks for blocks of one size until the allocator refuses or takes more than 64 KiB (or one block) of fresh memory. What it was served from pages that were resident before, as share of the free bytes on them: small shares for sizes that fit often mean fragmentation as a program feels it.",
    ),
    (
        "ns/op",
        "Median over the repetitions of the time of the replay by its operations. Pauses for reading segments are not contained, the null row's cost is.",
    ),
    (
        "to system (95%)",
        "Median of the ratios to System's time in the same repetition, with the order-statistic 95% interval of that median; n/a below six pairs. Over all workloads: the same of the geometric means of each repetition.",
    ),
    (
        "× best",
        "Time by that of the fastest allocator on the same workload; over all workloads the geometric mean.",
    ),
    ("instr/op", "Instructions an operation by callgrind, (I(2n) − I(n)) / n."),
    ("A/A arm", "A subject measured against itself: differences of this order are noise."),
    (
        "null row",
        "The no-op subject, which does nothing but move a pointer: what the harness itself costs. It is never subtracted.",
    ),
    (
        "mode",
        "explicit: called by the harness; global: the executable's #[global_allocator]; preload: preloaded as the C library's malloc; computed: not run. ∥ marks workloads replayed on their recorded threads.",
    ),
];

/// A collapsible list.
pub(super) fn section() -> Markup {
    html! {
        details id="definitions" {
            summary { b { "Definitions" } span { "what every figure means" } }
            div { dl { @for (name, meaning) in DEFINITIONS { dt { (name) } dd { (meaning) } } } }
        }
    }
}
