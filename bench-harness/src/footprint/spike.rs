//! Scenarios that allocate much and free it: all at once, or a random part.

use super::blocks::{Block, Law, Random, table};
use super::pages;
use super::stage::Stage;
use crate::subject::Subject;
use std::io;
use std::time::Instant;

/// The bytes of a spike.
const SPIKE: usize = 300 << 20;
/// Samples of a curve in each direction.
const PARTS: usize = 48;

/// The mixed blocks, freed in the order of their allocation.
pub(super) fn mixed_in_order<S: Subject>(stage: &mut Stage<S>) -> io::Result<()> {
    all(stage, Law::Mixed, false)
}

/// The mixed blocks, freed in shuffled order.
pub(super) fn mixed_shuffled<S: Subject>(stage: &mut Stage<S>) -> io::Result<()> {
    all(stage, Law::Mixed, true)
}

/// Equal blocks, freed in shuffled order.
pub(super) fn equal<S: Subject>(stage: &mut Stage<S>) -> io::Result<()> {
    all(stage, Law::Fixed(64), true)
}

fn all<S: Subject>(stage: &mut Stage<S>, law: Law, shuffled: bool) -> io::Result<()> {
    let blocks = room(stage, law)?;
    if !stage.begin()? {
        return Ok(());
    }
    let live = fill(stage, law, blocks)?;
    stage.point("full")?;
    if shuffled {
        Random::new(2).shuffle(blocks);
    }
    // SAFETY: 1. `fill` allocated them, and nobody freed any.
    unsafe { empty(stage, blocks, live)? };
    stage.point("freed")
}

/// The mixed blocks, of which a random 90% are freed in shuffled order.
pub(super) fn random<S: Subject>(stage: &mut Stage<S>) -> io::Result<()> {
    let blocks = room(stage, Law::Mixed)?;
    // No block is longer than a page, hence on more than two.
    let touched = table::<u64>(blocks.len() * 2)?;
    let pinned = table::<u64>(blocks.len() * 2)?;
    if !stage.begin()? {
        return Ok(());
    }
    let live = fill(stage, Law::Mixed, blocks)?;
    stage.point("full")?;
    let count = pages::under(blocks, touched);
    let touched = &mut touched[..count];
    Random::new(2).shuffle(blocks);
    let (freed, kept) = blocks.split_at_mut(blocks.len() / 10 * 9);
    // SAFETY: 1. `fill` allocated them, and nobody freed any.
    unsafe { empty(stage, freed, live)? };
    stage.point("freed")?;
    stage.value("live", kept.iter().map(|block| block.bytes()).sum::<usize>() as f64);
    let count = pages::under(kept, pinned);
    let count = pages::without(touched, &pinned[..count]);
    let free = &touched[..count];
    stage.value("free pages", (free.len() * pages::page_bytes()) as f64);
    stage.value("back", (pages::gone(free)? * pages::page_bytes()) as f64);
    Ok(())
}

/// A table for a spike's blocks.
fn room<S>(stage: &Stage<S>, law: Law) -> io::Result<&'static mut [Block]> {
    let total = stage.job.scaled(SPIKE, 1 << 16);
    table(law.count(Random::new(1), total))
}

/// Allocates every block; their bytes.
fn fill<S: Subject>(stage: &mut Stage<S>, law: Law, blocks: &mut [Block]) -> io::Result<u64> {
    let subject = stage.subject;
    let mut random = Random::new(1);
    let (mut live, mut calls, mut nanos) = (0, 0, 0);
    let count = blocks.len();
    for part in blocks.chunks_mut(count.div_ceil(PARTS)) {
        let start = Instant::now();
        for block in &mut *part {
            let bytes = law.bytes(&mut random);
            *block = Block::allocate(subject, bytes, 1);
            live += bytes as u64;
        }
        nanos += start.elapsed().as_nanos();
        calls += part.len();
        stage.glance(calls as f64, live)?;
    }
    stage.value("requested", live as f64);
    stage.value("allocate", nanos as f64 / count as f64);
    Ok(live)
}

/// Frees every block, of which with others `live` bytes are live.
///
/// # Safety
///
/// 1. The blocks are live and the stage's subject allocated them.
unsafe fn empty<S: Subject>(
    stage: &mut Stage<S>,
    blocks: &[Block],
    mut live: u64,
) -> io::Result<()> {
    let subject = stage.subject;
    let (mut calls, mut nanos) = (blocks.len(), 0);
    for part in blocks.chunks(blocks.len().div_ceil(PARTS).max(1)) {
        let start = Instant::now();
        for block in part {
            // SAFETY: 1. by the same obligation, each once.
            unsafe { block.free(subject) };
        }
        nanos += start.elapsed().as_nanos();
        live -= part.iter().map(|block| block.bytes() as u64).sum::<u64>();
        calls += part.len();
        stage.glance(calls as f64, live)?;
    }
    stage.value("free", nanos as f64 / blocks.len().max(1) as f64);
    Ok(())
}
