//! Programs on page tables that share frames, beside tables that are vectors.
//!
//! The first byte says how much memory there is for nodes, the others are the program.
#![no_main]

#[path = "../../../allocators/page-frame/src/paging/shadow.rs"]
mod shadow;

use libfuzzer_sys::fuzz_target;
use shadow::{ops_of, run};
use strata_page_frame::paging::{PageSpace, PageTable, TableError, TakeFrames, Write};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, program)) = bytes.split_first() else { return };
    run(
        &ops_of(program),
        if first % 2 == 0 { 1 << 20 } else { (12 << 10) + (usize::from(first) << 6) },
    );
});
