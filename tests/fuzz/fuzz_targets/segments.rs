//! Sequences of operations on segments of every policy, in band and out of band, beside the shadows that
//! the tests have.
//!
//! The first byte chooses the policy and where bookkeeping lives; the others are the program.
#![no_main]

#[path = "../../../allocators/segment/tests/shadow/bytes.rs"]
mod bytes;
#[path = "../../../allocators/segment/tests/shadow/memory.rs"]
mod memory;
#[path = "../../../allocators/segment/tests/shadow/offsets.rs"]
mod offsets;

use libfuzzer_sys::fuzz_target;
use strata_segment::{BestFit, Buddy, FirstFit, GoodFit, NextFit, Policy};

fn play<P: Policy>(out_of_band: bool, program: &[u8]) {
    if out_of_band { offsets::play::<P>(program) } else { memory::play::<P>(program) }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, program)) = bytes.split_first() else { return };
    let out_of_band = first & 128 != 0;
    match first % 6 {
        0 => play::<GoodFit>(out_of_band, program),
        1 => play::<GoodFit<0, 0>>(out_of_band, program),
        2 => play::<BestFit>(out_of_band, program),
        3 => play::<FirstFit>(out_of_band, program),
        4 => play::<NextFit>(out_of_band, program),
        _ => play::<Buddy>(out_of_band, program),
    }
});
