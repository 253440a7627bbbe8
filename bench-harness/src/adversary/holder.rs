//! What a program that looks at addresses plays with.

use std::collections::HashMap;

/// Blocks that are held, each in a place.
pub(crate) trait Holder {
    /// Takes a block and holds it in the last place; false where there is none to be had.
    fn take(&mut self, bytes: usize) -> bool;
    /// Gives back the block in a place; the last one takes the place.
    fn give(&mut self, place: usize);
    /// How many are held.
    fn count(&self) -> usize;
    /// Where the block in a place begins.
    fn start(&self, place: usize) -> usize;
    /// Bytes that it was asked for.
    fn bytes(&self, place: usize) -> usize;
}

/// Blocks that are enough to see how far neighbours lie apart.
const BLOCKS: usize = 1000;

/// The most frequent distance of neighbours of one size, where the holder's blocks are such; `None` of
/// fewer than two.
pub(crate) fn usual_distance(holder: &mut impl Holder, bytes: usize) -> Option<usize> {
    while holder.count() < BLOCKS && holder.take(bytes) {}
    let mut starts: Vec<usize> = (0..holder.count()).map(|place| holder.start(place)).collect();
    starts.sort_unstable();
    let mut distances = HashMap::new();
    for pair in starts.windows(2) {
        *distances.entry(pair[1] - pair[0]).or_insert(0) += 1;
    }
    let usual = distances.into_iter().max_by_key(|&(distance, count)| (count, distance));
    usual.map(|(distance, _)| distance)
}
