//! Whether what was given back serves other sizes.

use super::held::Held;
use super::job::Job;
use super::{Holder, robson};
use crate::footprint::{Figure, Limit, Unit};
use crate::kernel::Random;
use crate::subject::Subject;
use std::io;

/// Memory beyond what the full heap had, by bytes asked for: who gave back what was freed may take it
/// again.
fn fresh(name: &str, before: u64, after: u64, asked: usize) -> Figure {
    let grown = after.saturating_sub(before) as f64;
    Figure::new(name, Unit::Ratio, Some(grown / asked.max(1) as f64))
}

/// Small blocks, a share of them freed by chance, then as many bytes in larger ones.
pub(super) fn phase<S: Subject>(held: &mut Held<S>, job: &Job) -> io::Result<Vec<Figure>> {
    let mut random = Random::new(job.seed);
    held.take_until(job.live, || random.between(16, 256) as usize)?;
    held.shuffle(&mut random);
    let (full, before) = (held.live, held.resident()?);
    held.keep(held.count() * (100 - job.part as usize) / 100);
    let asked = held.take_until(full - held.live, || random.between(1024, 4096) as usize)?;
    Ok(vec![fresh(&format!("{}% freed", job.part), before, held.resident()?, asked)])
}

/// Every second block in the order of addresses is freed, then as many bytes of the same size are asked
/// for, given back, and asked for in blocks of twice the size.
pub(super) fn checkerboard<S: Subject>(held: &mut Held<S>, job: &Job) -> io::Result<Vec<Figure>> {
    const BYTES: usize = 1024;
    held.take_until(job.live, || BYTES)?;
    held.sort();
    let (full, mut most) = (held.live, held.resident()?);
    // From the end, so that the one that takes a place was looked at before.
    for place in (0..held.count()).rev().filter(|place| place % 2 == 1) {
        held.give(place);
    }
    let (freed, kept) = (full - held.live, held.count());
    let mut figures = Vec::new();
    for (name, bytes) in [("the same size", BYTES), ("twice the size", 2 * BYTES)] {
        let asked = held.take_until(freed, || bytes)?;
        let now = held.resident()?;
        figures.push(fresh(name, most, now, asked));
        most = most.max(now);
        held.keep(kept);
    }
    Ok(figures)
}

/// Bytes of a word of Robson's game.
const WORD: usize = 256;

/// Robson's game against a heap that grows.
pub(super) fn robson<S: Subject>(held: &mut Held<S>, job: &Job) -> io::Result<Vec<Figure>> {
    let live = (job.live / WORD).max(1 << job.part);
    let game = robson::Game { word: WORD, live, steps: job.part };
    let header = game.header(|bytes| {
        let found = super::usual_distance(held, bytes);
        held.keep(0);
        Ok(found)
    });
    let header = header.map_err(io::Error::other)?;
    let before = held.ever();
    let (mut most, mut failed) = (0, None);
    let ended = game.play(held, header, |held| match held.resident() {
        Ok(bytes) => most = most.max(bytes),
        Err(error) => failed = Some(error),
    });
    if let Some(error) = failed {
        return Err(error);
    }
    if !ended {
        return Err(io::Error::other("an allocation was refused"));
    }
    let over = |bytes: u64| Some(bytes as f64 / game.bytes() as f64);
    let words = 1_u64 << job.part;
    // The pages of the trial blocks are among them, unless they were not used again.
    let ever = held.ever().max(before);
    Ok(vec![
        Figure::new(&format!("pages, n = {words}"), Unit::Ratio, over(ever))
            .limited(Limit::AtLeast(game.bound())),
        Figure::new(&format!("resident, n = {words}"), Unit::Ratio, over(most)),
    ])
}
