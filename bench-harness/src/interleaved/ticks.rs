//! Single calls.

use crate::results::LatencyBand;
use crate::results::statistics::median;
use hdrhistogram::Histogram;

/// Calls of one kind, in ticks of the sample clock: up to some seconds, to a thousandth.
#[derive(Clone, Debug)]
pub(crate) struct Ticks(Histogram<u64>);

impl Ticks {
    /// None so far.
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, 1 << 34, 3).expect("the bounds are constants that fit"))
    }

    /// One more call.
    #[inline]
    pub(crate) fn record(&mut self, ticks: u64) {
        self.0.saturating_record(ticks);
    }

    /// Another thread's calls too.
    pub(crate) fn add(&mut self, other: &Self) {
        // Made alike, so that every value of one fits in the other.
        let _ = self.0.add(&other.0);
    }

    /// In nanoseconds, less what reading the clock costs; `picos` and `empty` are what
    /// [`calibrate`](crate::child::clock::calibrate) said.
    pub(crate) fn band(
        &self,
        operation: &str,
        band: String,
        (picos, empty): (u64, u64),
    ) -> LatencyBand {
        let nanos = |ticks: u64| ticks.saturating_sub(empty) as f64 * picos as f64 / 1e3;
        LatencyBand {
            operation: operation.into(),
            band,
            samples: self.0.len(),
            p50: nanos(self.0.value_at_quantile(0.5)),
            p99: nanos(self.0.value_at_quantile(0.99)),
            p999: nanos(self.0.value_at_quantile(0.999)),
            max: nanos(self.0.max()),
        }
    }
}

/// The medians over runs of one kind of call; `None` of nothing.
pub(crate) fn median_band<'a>(
    runs: impl Iterator<Item = &'a LatencyBand> + Clone,
) -> Option<LatencyBand> {
    let of = |figure: fn(&LatencyBand) -> f64| median(runs.clone().map(figure).collect());
    let first = runs.clone().next()?;
    Some(LatencyBand {
        operation: first.operation.clone(),
        band: first.band.clone(),
        samples: runs.clone().map(|band| band.samples).sum(),
        p50: of(|band| band.p50)?,
        p99: of(|band| band.p99)?,
        p999: of(|band| band.p999)?,
        max: of(|band| band.max)?,
    })
}
