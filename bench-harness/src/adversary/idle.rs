//! What stays after a peak while nothing is asked for.

use super::Holder;
use super::held::Held;
use super::job::Job;
use crate::footprint::{Figure, Unit};
use crate::kernel::{Random, by_powers};
use crate::subject::Subject;
use std::io;
use std::time::Duration;

/// Mixed blocks until full, all but a random twentieth freed; resident at once, after a second, and after
/// as many as the job says.
pub(super) fn idle<S: Subject>(held: &mut Held<S>, job: &Job) -> io::Result<Vec<Figure>> {
    let mut random = Random::new(job.seed);
    held.take_until(job.live, || by_powers(random.next()))?;
    let peak = held.resident()? as f64 / held.live.max(1) as f64;
    held.shuffle(&mut random);
    held.keep(held.count() / 20);
    let live = held.live.max(1) as f64;
    let ratio = |name: &str, bytes: u64| {
        let value = bytes as f64 / live;
        // Less than every byte of live blocks that were written: memory from before.
        Figure::new(name, Unit::Ratio, Some(value).filter(|&value| value >= 1.0))
    };
    let mut figures = vec![
        Figure::new("at the peak", Unit::Ratio, Some(peak).filter(|&peak| peak >= 1.0)),
        ratio("at once", held.resident()?),
    ];
    let mut slept = 0.0;
    for seconds in [job.seconds / 10.0, job.seconds] {
        std::thread::sleep(Duration::from_secs_f64(seconds - slept));
        slept = seconds;
        figures.push(ratio(&format!("after {seconds} s"), held.resident()?));
    }
    figures.push(ratio("pages of blocks", held.pinned()));
    Ok(figures)
}
