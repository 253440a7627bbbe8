//! What a pool has of the system's memory: in a process of its own, whose private dirty bytes are
//! read. What the harness needs is touched before the first reading.

use super::job::{Figure, Job, Measured, Unit, pool as fresh};
use super::subject::{Held, Payload, PoolLocal, PoolSubject};
use crate::footprint::{gone, page_bytes, private_dirty, without};
use crate::kernel::Random;

/// One in so many blocks of a burst was there before it.
const OLDER: usize = 16;
/// One in so many blocks of the second burst stays.
const STAYING: usize = 100;

/// Blocks that are out, with the harness's own tables for them.
struct Out<'a, P: PoolSubject + 'a> {
    local: P::Local<'a>,
    held: Vec<Held<'a, P>>,
    random: Random,
}

/// An empty table whose memory is there already.
fn touched<T>(places: usize) -> Vec<T> {
    let mut table = Vec::<T>::with_capacity(places);
    // SAFETY: the capacity is the table's, and holds no value yet.
    unsafe { table.as_mut_ptr().write_bytes(0xA5, table.capacity()) };
    table
}

impl<'a, P: PoolSubject + 'a> Out<'a, P> {
    fn take(&mut self, blocks: usize) -> Result<(), String> {
        for word in 0..blocks {
            let held = self.local.take(word as u64);
            self.held.push(held.ok_or("no block although there must be one")?);
        }
        Ok(())
    }

    /// Puts the blocks after the first `kept` into a random order.
    fn shuffle(&mut self, kept: usize) {
        for index in (kept + 1..self.held.len()).rev() {
            let other = kept as u32 + self.random.between(0, (index - kept) as u32);
            self.held.swap(index, other as usize);
        }
    }

    /// Gives back all but the first `kept`, the last one first.
    fn give(&mut self, kept: usize) {
        while self.held.len() > kept {
            if let Some(held) = self.held.pop() {
                self.local.give(held);
            }
        }
    }

    /// The pages that the blocks from `first` on lie on, each once and in order, into `pages`.
    fn pages(&self, first: usize, pages: &mut Vec<u64>) {
        let page = page_bytes();
        for held in &self.held[first..] {
            let start = (&raw const *self.local.value(held)).addr();
            pages.extend([start / page, (start + Payload::BYTES - 1) / page].map(|n| n as u64));
        }
        pages.sort_unstable();
        pages.dedup();
    }
}

/// What is dirty now beyond `base`.
fn beyond(base: u64) -> Result<u64, String> {
    Ok(private_dirty().map_err(|error| error.to_string())?.saturating_sub(base))
}

fn bytes(name: &str, value: Option<u64>) -> Figure {
    Figure { name: name.into(), unit: Unit::Bytes, value: value.map(|bytes| bytes as f64) }
}

fn percent(name: &str, value: Option<f64>) -> Figure {
    Figure { name: name.into(), unit: Unit::Percent, value }
}

/// Names that gates look at.
pub(super) const LOW: &str = "low water";
pub(super) const TRIMMED: &str = "after trim";
pub(super) const CHUNK: &str = "chunk";
pub(super) const BACK: &str = "free pages back";
pub(super) const ON_TOP: &str = "on top";
pub(super) const NOT_REUSED: &str = "not reused";

/// Blocks that stay, a burst that goes; then a burst of which a random part stays.
pub(super) fn idle<P: PoolSubject>(job: &Job) -> Result<Measured, String> {
    // Declared first, so that it goes last.
    let pool: P;
    let older = job.burst / OLDER;
    let most = older + job.burst;
    let (held, mut burst, mut pinned) = (touched(most), touched(2 * most), touched(2 * most));
    let base = beyond(0)?;
    pool = fresh::<P>(most)?;
    let mut out = Out::<P> { local: pool.local(), held, random: Random::new(job.seed) };
    out.take(older)?;
    out.take(job.burst)?;
    let full = beyond(base)?;
    out.shuffle(older);
    out.give(older);
    let given = beyond(base)?;
    let trims = out.local.trim();
    let trimmed = beyond(base)?;
    let own = out.local.figures();
    out.give(0);
    out.take(job.burst)?;
    let mut back = None;
    if P::STAYS {
        out.pages(0, &mut burst);
        out.shuffle(0);
        let staying = job.burst / STAYING;
        out.give(staying);
        out.pages(0, &mut pinned);
        out.local.trim();
        let free = without(&mut burst, &pinned);
        let gone = gone(&burst[..free]).map_err(|error| error.to_string())?;
        back = (free > 0).then(|| gone as f64 * 100.0 / free as f64);
    }
    Ok(Measured::Memory {
        figures: vec![
            bytes(LOW, Some((older * Payload::BYTES) as u64)),
            bytes("full", Some(full)),
            bytes("given back", Some(given)),
            bytes(TRIMMED, trims.then_some(trimmed)),
            bytes("its own count", own.capacity),
            bytes(CHUNK, own.chunk),
            percent(BACK, back),
        ],
    })
}

/// What many blocks take beyond their bytes; and, of as many as a random half, which lie where no block
/// was before, although that half was given back.
pub(super) fn waste<P: PoolSubject>(job: &Job) -> Result<Measured, String> {
    let pool: P;
    let (held, mut before, mut after) =
        (touched(job.burst), touched(2 * job.burst), touched(2 * job.burst));
    let base = beyond(0)?;
    pool = fresh::<P>(job.burst)?;
    let mut out = Out::<P> { local: pool.local(), held, random: Random::new(job.seed) };
    out.take(job.burst)?;
    let wanted = (job.burst * Payload::BYTES) as f64;
    let top = beyond(base)? as f64 * 100.0 / wanted - 100.0;
    let mut again = None;
    if P::STAYS && P::FREES {
        out.pages(0, &mut before);
        out.shuffle(0);
        let half = job.burst / 2;
        out.give(half);
        out.take(job.burst - half)?;
        out.pages(half, &mut after);
        let pages = after.len().max(1);
        again = Some(without(&mut after, &before) as f64 * 100.0 / pages as f64);
    }
    Ok(Measured::Memory { figures: vec![percent(ON_TOP, Some(top)), percent(NOT_REUSED, again)] })
}
