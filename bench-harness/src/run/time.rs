//! The timing pass and the latency pass.

use super::arm::Arm;
use super::process::{Job, Running, Stopped};
use crate::child::Touch;
use crate::child::control::{Pass, SAMPLES};
use crate::results::{LatencyBand, Threads};
use crate::script::{Script, kind};
use hdrhistogram::Histogram;
use std::sync::atomic::Ordering::Relaxed;

/// One timed repetition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Nanoseconds an operation: on the clock for kernels and serial replay; processor time of all threads
    /// less what they waited for each other's blocks for threaded replay.
    pub(crate) nanos: f64,
    /// Share of the threads' time on the clock spent waiting for other threads' blocks.
    pub(crate) stall_share: Option<f64>,
    /// Calls of the harness's own heap inside the window.
    pub(crate) heap_calls: u64,
    /// Share of a kernel's windows that stayed disturbed however often they were repeated.
    pub(crate) disturbed: Option<f64>,
    /// Bytes that the child had resident at its peak, where a kernel is about them.
    pub(crate) peak: Option<u64>,
}

/// The processor that serial children stay on: the last one, since the first serves interrupts.
pub(crate) fn quiet_processor(threads: Threads) -> i32 {
    match threads {
        Threads::Recorded => -1,
        Threads::Serial => {
            std::thread::available_parallelism().map_or(-1, |count| count.get() as i32 - 1)
        }
    }
}

/// Replays once under the clock.
pub(crate) fn sample(arm: &Arm, script: &Script, touch: Touch) -> Result<Sample, Stopped> {
    let job = Job {
        pass: Pass::Time,
        touch,
        repeat: 1,
        processor: quiet_processor(script.mode),
        asked: false,
    };
    let table = Running::start(arm, script, job)?.through()?;
    let control = table.control();
    let operations = control.operations.load(Relaxed).max(1);
    let (active, stalled) = (control.active.load(Relaxed), control.stalled.load(Relaxed));
    let walls = (control.stalled_wall.load(Relaxed), control.active_wall.load(Relaxed));
    let nanos = match script.mode {
        // Nobody waits for a recorded order in a kernel: all of its time is the subject's.
        _ if script.kernel.is_some() => control.nanos.load(Relaxed),
        Threads::Serial => control.nanos.load(Relaxed),
        Threads::Recorded => active.saturating_sub(stalled),
    };
    Ok(Sample {
        nanos: nanos as f64 / operations as f64,
        stall_share: (walls.1 > 0).then(|| walls.0 as f64 / walls.1 as f64),
        heap_calls: control.heap_calls.load(Relaxed),
        disturbed: None,
        peak: None,
    })
}

/// Bands of sizes: upper bounds in bytes, and names.
const BANDS: [(u32, &str); 5] = [
    (64, "≤ 64 B"),
    (1 << 10, "65 B – 1 KiB"),
    (32 << 10, "1 – 32 KiB"),
    (1 << 20, "32 KiB – 1 MiB"),
    (u32::MAX, "> 1 MiB"),
];

/// Replays once with sampled latencies; the bands and what reading the timer costs.
pub(crate) fn latency(
    arm: &Arm,
    script: &Script,
    touch: Touch,
) -> Result<(Vec<LatencyBand>, f64), Stopped> {
    let job = Job {
        pass: Pass::Latency,
        touch,
        repeat: 1,
        processor: quiet_processor(script.mode),
        asked: false,
    };
    let table = Running::start(arm, script, job)?.through()?;
    let control = table.control();
    let nanos_per_tick = control.picos_per_tick.load(Relaxed) as f64 / 1000.0;
    let count = (control.samples.load(Relaxed) as usize).min(SAMPLES);
    let kinds = [
        (kind::ALLOCATE, "allocate"),
        (kind::ZEROED, "zeroed"),
        (kind::REALLOCATE, "reallocate"),
        (kind::FREE, "free"),
    ];
    let mut bands = Vec::new();
    for (what, operation) in kinds {
        let mut histograms = BANDS.map(|_| Histogram::<u64>::new(3).ok());
        for sample in &table.samples()[..count] {
            let (ticks, packed) = (sample[0].load(Relaxed), sample[1].load(Relaxed));
            if packed >> 28 == u32::from(what) {
                let bytes = packed & ((1 << 28) - 1);
                let band = BANDS.iter().position(|(upto, _)| bytes <= *upto).unwrap_or(0);
                if let Some(histogram) = &mut histograms[band] {
                    histogram.saturating_record(u64::from(ticks));
                }
            }
        }
        for (histogram, (_, band)) in histograms.iter().flatten().zip(BANDS) {
            if histogram.is_empty() {
                continue;
            }
            let at = |quantile| histogram.value_at_quantile(quantile) as f64 * nanos_per_tick;
            bands.push(LatencyBand {
                operation: operation.into(),
                band: band.into(),
                samples: histogram.len(),
                p50: at(0.5),
                p99: at(0.99),
                p999: at(0.999),
                max: histogram.max() as f64 * nanos_per_tick,
            });
        }
    }
    Ok((bands, control.timer_ticks.load(Relaxed) as f64 * nanos_per_tick))
}
