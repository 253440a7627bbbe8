//! The law of the samples: every byte is one with the same probability.
//!
//! With a rate of `R` each requested byte is sampled with probability `1/R`, whatever was sampled before, and
//! a request is a sample where one of its bytes is. So the bytes between two samples are geometrically
//! distributed; what was left of a gap when a sample ended means nothing for the next. A request of `n` bytes
//! is one with probability `p = 1 - (1 - 1/R)^n`, and counts as `1/p` requests: the sums are right on average
//! for every size and every order of requests, as in TCMalloc and Go.

/// A number from the generator by Steele, Lea and Flood that Java calls SplitMix.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The logarithm of the probability that a byte is not sampled.
fn log_miss(rate: usize) -> f64 {
    (-1.0 / rate as f64).ln_1p()
}

/// Bytes before the next sampled one.
pub(crate) fn draw(state: &mut u64, rate: usize) -> isize {
    // Above zero, up to one.
    let uniform = ((next(state) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let gap = uniform.ln() / log_miss(rate);
    // The conversion saturates; the half leaves room for what is subtracted.
    (gap as isize).clamp(0, isize::MAX / 2)
}

/// How many requests of `bytes` a sampled one stands for.
pub(crate) fn weight(bytes: usize, rate: usize) -> f64 {
    let sampled = -(bytes as f64 * log_miss(rate)).exp_m1();
    1.0 / sampled
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: usize = 1000;

    /// The mean, the spread and the tail of a geometric distribution.
    #[test]
    fn gaps_are_geometric() {
        let (mut state, count) = (1, 200_000);
        let gaps: std::vec::Vec<_> = (0..count).map(|_| draw(&mut state, RATE) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / f64::from(count);
        let spread = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / f64::from(count);
        let rate = RATE as f64;
        // Five deviations of the mean are 1.1 %.
        assert!((mean / (rate - 1.0) - 1.0).abs() < 0.012, "{mean}");
        assert!((spread.sqrt() / rate - 1.0).abs() < 0.03, "{spread}");
        let long = gaps.iter().filter(|gap| **gap >= 3.0 * rate).count() as f64;
        let expected = f64::from(count) * (1.0 - 1.0 / rate).powi(3 * RATE as i32);
        assert!((long / expected - 1.0).abs() < 0.06, "{long} {expected}");
    }

    /// Whatever is requested in whatever order: the weights of the samples sum up to the requests.
    #[test]
    fn sums_are_right_on_average_for_every_size() {
        let sizes = [8, 64, 100, 1000, 5000, 100_000];
        let (mut state, mut dice) = (7, 3);
        let mut left = draw(&mut state, RATE);
        let (mut requests, mut estimates) = ([0_u32; 6], [0.0; 6]);
        for _ in 0..3_000_000 {
            // Small sizes are asked for more often.
            let which = (next(&mut dice).trailing_zeros() as usize).min(5);
            let bytes = sizes[5 - which.min(5)];
            let which = 5 - which.min(5);
            requests[which] += 1;
            left -= bytes as isize;
            if left < 0 {
                estimates[which] += weight(bytes, RATE);
                left = draw(&mut state, RATE);
            }
        }
        for (which, bytes) in sizes.into_iter().enumerate() {
            let (exact, weight) = (f64::from(requests[which]), weight(bytes, RATE));
            // The estimate's variance is `exact * (weight - 1)`.
            let deviation = (exact * (weight - 1.0)).sqrt() + 1e-9;
            let off = (estimates[which] - exact).abs();
            assert!(off < 5.0 * deviation, "{bytes} B: {} of {exact}", estimates[which]);
        }
    }

    #[test]
    fn a_rate_of_one_samples_everything_and_counts_it_once() {
        let mut state = 5;
        assert!((0..1000).all(|_| draw(&mut state, 1) == 0));
        assert!([1, 8, 1 << 20].iter().all(|bytes| weight(*bytes, 1) == 1.0));
        assert!(weight(1 << 30, 1 << 10) == 1.0, "long requests are always samples");
        let rare = (0..1000).map(|_| draw(&mut state, usize::MAX >> 1)).min().unwrap();
        assert!(rare > 1 << 40 && rare <= isize::MAX / 2);
    }
}
