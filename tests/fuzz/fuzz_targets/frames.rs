//! Calls on a zone of page frames and its locals, beside the oracle that the tests have.
//!
//! The first byte chooses the zone, the others are the calls.
#![no_main]

#[path = "../../../allocators/page-frame/tests/common/mod.rs"]
mod common;
#[path = "../../../allocators/page-frame/tests/game/mod.rs"]
mod game;

use game::{calls_of, play};
use libfuzzer_sys::fuzz_target;
use strata_page_frame::Geometry;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, calls)) = bytes.split_first() else { return };
    // The last huge frame ends behind the zone, or does not.
    let more = u64::from(first >> 2) * 32;
    match (first % 4, Geometry::new(6, 4), Geometry::new(7, 8)) {
        (0, Ok(small), _) => play(1024 + more, small, &calls_of(calls, 8)),
        (1, _, Ok(middle)) => play(2048 + more, middle, &calls_of(calls, 9)),
        _ => play(4096 + more, Geometry::DEFAULT, &calls_of(calls, 11)),
    }
});
