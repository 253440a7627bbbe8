//! Generated operations against a naive oracle: a set of taken frames.

mod common;
mod game;

use common::Random;
use game::{Call, calls_of, play};
use proptest::prelude::*;
use strata_page_frame::Geometry;

fn call(orders: u8) -> impl Strategy<Value = Call> {
    let n = 0..=orders;
    prop_oneof![
        8 => (n.clone(), 0..3usize).prop_map(|(order, local)| Call::Alloc { order, local }),
        1 => (0..6000u64, 1..1500u64).prop_map(|(start, frames)| Call::AllocAt { start, frames }),
        1 => (1..1500u64, 0..8u8).prop_map(|(frames, align)| Call::AllocRun { frames, align }),
        1 => (0..3u8, 1..200usize).prop_map(|(order, count)| Call::AllocBulk { order, count }),
        8 => (any::<usize>(), 0..3usize).prop_map(|(which, local)| Call::Free { which, local }),
        2 => (0..6000u64, n, 0..3usize)
            .prop_map(|(frame, order, local)| Call::FreeAny { frame, order, local }),
        1 => (any::<usize>(), 0..9u8).prop_map(|(which, into)| Call::Split { which, into }),
        1 => (0..16u64).prop_map(|huge| Call::Merge { huge }),
        1 => (0..2usize).prop_map(|local| Call::Drain { local }),
        1 => Just(Call::DrainAll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_call_does_what_the_oracle_says(calls in prop::collection::vec(call(12), 1..120)) {
        play(5000, Geometry::DEFAULT, &calls);
    }

    #[test]
    fn and_so_it_does_with_small_huge_frames(calls in prop::collection::vec(call(9), 1..120)) {
        play(1000, Geometry::new(6, 4).unwrap(), &calls);
    }
}

/// The programs of the fuzzer, out of bytes by chance.
#[test]
fn so_does_what_bytes_say() {
    let mut random = Random(7);
    for _ in 0..60 {
        let bytes: Vec<u8> = (0..1000).map(|_| random.below(256) as u8).collect();
        play(4096 + random.below(2000), Geometry::DEFAULT, &calls_of(&bytes, 11));
        play(1024, Geometry::new(6, 4).unwrap(), &calls_of(&bytes, 8));
    }
}
