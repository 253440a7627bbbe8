//! Medians, geometric means and the order-statistic interval.

use super::Interval;

/// The geometric mean of positive values; `None` where there are none or one is not positive.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut logarithms = 0.0;
    let mut count = 0_u32;
    for value in values {
        if !(value > 0.0 && value.is_finite()) {
            return None;
        }
        logarithms += value.ln();
        count += 1;
    }
    (count > 0).then(|| (logarithms / f64::from(count)).exp())
}

/// The arithmetic mean; `None` of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_u32;
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// The median; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[half]),
        _ => Some(f64::midpoint(values[half - 1], values[half])),
    }
}

impl Interval {
    /// The median of `values` with the narrowest symmetric pair of order statistics that covers
    /// the true median with at least 95%: no assumption on the distribution but independence.
    /// Fewer than 6 values have no such pair.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let pairs = values.len();
        let median = median(values.clone())?;
        // P(fewer than k of n fair coins are heads), summed until it would pass 2.5%: the k-th
        // smallest and k-th largest value then miss the median in at most 5%.
        let mut term = 0.5_f64.powi(i32::try_from(pairs).ok()?);
        let mut below = 0.0;
        let mut k = 0;
        while below + term <= 0.025 {
            below += term;
            term *= (pairs - k) as f64 / (k + 1) as f64;
            k += 1;
        }
        let (low, high) = match k {
            0 => (None, None),
            k => (Some(values[k - 1]), Some(values[pairs - k])),
        };
        Some(Self { median, low, high, pairs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_pairs_are_the_fewest_with_an_interval() {
        let of = |n: i32| Interval::of((1..=n).map(f64::from).collect()).unwrap();
        assert_eq!((of(5).low, of(5).high), (None, None));
        assert_eq!((of(6).low, of(6).high), (Some(1.0), Some(6.0)));
        // From tables of the sign test: 9 pairs give the 2nd, 20 pairs the 6th.
        assert_eq!((of(9).low, of(9).high), (Some(2.0), Some(8.0)));
        assert_eq!((of(20).low, of(20).high), (Some(6.0), Some(15.0)));
        assert_eq!(of(6).median, 3.5);
        assert_eq!(Interval::of(vec![]), None);
    }

    #[test]
    fn means_refuse_what_has_none() {
        assert_eq!(geometric_mean([1.0, 0.0]), None);
        assert_eq!(geometric_mean([]), None);
        assert!((geometric_mean([2.0, 8.0]).unwrap() - 4.0).abs() < 1e-12);
        assert_eq!(mean([]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    }
}
