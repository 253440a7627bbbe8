//! The command in a process that holds much memory of its own: its children must not show it.
//!
//! The variable `BALLAST_MIB` says how much is allocated and written before anything else.

use std::process::ExitCode;
use strata_bench::results::Mode;

#[global_allocator]
static HARNESS_HEAP: strata_bench::heap::HarnessHeap = strata_bench::heap::HarnessHeap::new();

fn main() -> ExitCode {
    // Children are started without the variable.
    let mebibytes = std::env::var("BALLAST_MIB").ok().and_then(|text| text.parse().ok());
    let bytes = mebibytes.unwrap_or(0_usize) << 20;
    let ballast = std::hint::black_box(vec![1_u8; bytes]);
    let status = strata_bench::command(&strata_bench::subject::linked(), Mode::Explicit);
    assert_eq!(ballast.iter().map(|&byte| usize::from(byte)).sum::<usize>(), bytes);
    status
}
