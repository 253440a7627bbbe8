//! Generated operations on segments, for every policy and both kinds of bookkeeping, beside a map of
//! what is out.

mod bytes;
mod memory;
mod offsets;

use proptest::collection::vec;
use proptest::prelude::*;
use strata_segment::{BestFit, Buddy, FirstFit, GoodFit, NextFit};

macro_rules! shadowed {
    ($($in_band:ident, $out_of_band:ident: $policy:ty;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $in_band(program in vec(any::<u8>(), 0..6000)) {
                    memory::play::<$policy>(&program);
                }

                #[test]
                fn $out_of_band(program in vec(any::<u8>(), 0..6000)) {
                    offsets::play::<$policy>(&program);
                }
            )*
        }
    };
}

shadowed! {
    good_fit_in_band, good_fit_out_of_band: GoodFit;
    good_fit_without_quick_lists_in_band, good_fit_without_quick_lists_out_of_band: GoodFit<0, 0>;
    best_fit_in_band, best_fit_out_of_band: BestFit;
    first_fit_in_band, first_fit_out_of_band: FirstFit;
    next_fit_in_band, next_fit_out_of_band: NextFit;
    buddy_in_band, buddy_out_of_band: Buddy;
}
