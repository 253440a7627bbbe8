//! Robson's adversary (J. M. Robson, "Bounds for some functions concerning dynamic storage
//! allocation", Journal of the ACM 21, 1974), in the form of Cohen and Petrank, "Limitations of
//! partial compaction" (PLDI 2013): a program that never has more than M words live, in blocks of
//! powers of two up to n, and makes any allocator that does not move blocks need about
//! M (log₂ n / 2 + 1) words.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::Heap;
use super::job::{Figure, Measured};
use super::overhead::usual_distance;

/// A word, large enough for a header of some bytes not to count much.
const WORD: usize = 256;
/// M, in words.
const LIVE: usize = 4096;
/// log₂ n.
const STEPS: u32 = 8;
/// The longest region tried: much more than an allocator needs that does not lose blocks.
pub(super) const MOST: usize = 32 * LIVE * WORD;
/// The lengths tried are multiples of this.
const STEP: usize = LIVE * WORD / 64;

/// The bound: no allocator that does not move blocks does with less, × M.
pub(super) const BOUND: f64 = {
    let (live, largest) = (LIVE as f64, (1 << STEPS) as f64);
    (live * (STEPS as f64 / 2.0 + 1.0) - largest + 1.0) / live
};

/// The least region in which the adversary ends, found by halving.
pub(super) fn run<R: RegionSubject>(ground: &Ground) -> Result<Measured, String> {
    let (mut fails, mut ends) = (0, MOST / STEP);
    let header = header::<R>(ground)?;
    if !survives::<R>(ground, MOST, header)? {
        return Err(format!("it needs more than {} times what is live", MOST / (LIVE * WORD)));
    }
    while fails + 1 < ends {
        let middle = usize::midpoint(fails, ends);
        if survives::<R>(ground, middle * STEP, header).unwrap_or(false) {
            ends = middle;
        } else {
            fails = middle;
        }
    }
    let needed = (ends * STEP) as f64 / (LIVE * WORD) as f64;
    let figures =
        vec![Figure::new("needed ÷ live", needed), Figure::new("bound without moving", BOUND)];
    Ok(Measured::Space { figures, maps: Vec::new() })
}

/// By how much requests are shortened, so that the program's words are whole with a block's header: its
/// argument is about where blocks lie, header or not.
fn header<R: RegionSubject>(ground: &Ground) -> Result<usize, String> {
    for header in (0..WORD).step_by(8) {
        let mut heap = Heap::<R>::new(ground, MOST)?;
        if usual_distance(&mut heap, WORD - header).is_some_and(|distance| distance <= WORD) {
            return Ok(header);
        }
    }
    Err(format!("no block of it fits into {WORD} bytes"))
}

/// Plays the program in a region of so many bytes; whether every block was served.
fn survives<R: RegionSubject>(
    ground: &Ground,
    region: usize,
    header: usize,
) -> Result<bool, String> {
    let mut heap = Heap::<R>::new(ground, region)?;
    for _ in 0..LIVE {
        if !heap.take(WORD - header) {
            return Ok(false);
        }
    }
    let words =
        |heap: &Heap<'_, R>, place: usize| (heap.held[place].bytes as usize + header) / WORD;
    let mut offset = 0;
    for step in 1..=STEPS {
        let modulus = 1_usize << step;
        // A block occupies an offset when one of its words has an address that is congruent to it.
        let occupies = |heap: &Heap<'_, R>, place: usize, offset: usize| {
            let start = heap.subject.start(heap.held[place].block) / WORD;
            (offset + modulus - start % modulus) % modulus < words(heap, place)
        };
        // What the blocks that stay keep from being used, beyond their own words.
        let waste = |offset: usize| -> usize {
            let staying = (0..heap.held.len()).filter(|&place| occupies(&heap, place, offset));
            staying.map(|place| modulus - words(&heap, place)).sum()
        };
        let other = offset + modulus / 2;
        if waste(other) > waste(offset) {
            offset = other;
        }
        for place in (0..heap.held.len()).rev() {
            if !occupies(&heap, place, offset) {
                heap.give(place);
            }
        }
        let live: usize = (0..heap.held.len()).map(|place| words(&heap, place)).sum();
        for _ in 0..(LIVE - live) / modulus {
            if !heap.take(modulus * WORD - header) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
