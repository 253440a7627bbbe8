//! Sequences of operations on a table of segments, with pins and compaction, beside the oracle that the
//! tests have.
//!
//! The first byte chooses the policy; the others are the program.
#![no_main]

#[path = "../../../allocators/segment/tests/table/bytes.rs"]
mod bytes;
#[path = "../../../allocators/segment/tests/table/runner.rs"]
mod runner;

use libfuzzer_sys::fuzz_target;
use runner::play;
use strata_segment::{BestFit, FirstFit, GoodFit, NextFit};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, program)) = bytes.split_first() else { return };
    match first % 4 {
        0 => play::<GoodFit<0, 0>>(program),
        1 => play::<BestFit>(program),
        2 => play::<FirstFit>(program),
        _ => play::<NextFit>(program),
    }
});
