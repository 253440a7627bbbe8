//! Which huge frames are partly used, by how little is free in them: a bit each in three planes.
//!
//! | plane | free frames |
//! |---|---|
//! | 0 | 1 to 8 |
//! | 1 | 9 to 64 |
//! | 2 | more, but not all |
//!
//! The three words of 64 huge frames lie side by side. A bit is brought up to date when a change of
//! the entry moves it to another plane; while a stock works at a huge frame its bits are left alone,
//! for nobody else looks there, and brought up to date when it leaves. A huge frame that becomes free
//! or is taken whole keeps its bit until a search comes by: it is soon used again, as a rule. This
//! is a hint: two changes at once, or a thread that stopped for ever, may leave a bit wrong until the
//! next change. Searches read the entry, and look at all entries before they give up.

use strata_core::sync::{AtomicU64, Ordering};

use crate::class::Fit;
use crate::entry::Entry;
use crate::search::Place;
use crate::tables::Tables;

/// How many planes there are.
pub(crate) const PLANES: usize = 3;
/// Huge frames of one word.
pub(crate) const GROUP: usize = 64;

/// Candidates that are compared before the fullest is taken.
const COMPARED: usize = 16;

/// How far a huge frame with so many free frames is from full: 0 full, 1 to 3 in planes 0 to 2, 4
/// all free. Changes within a stage concern nobody.
#[inline]
pub(crate) const fn stage(free: u64, capacity: u64) -> u8 {
    (free > 0) as u8
        + (free > 8 || free == capacity) as u8
        + (free > 64 || free == capacity) as u8
        + (free == capacity) as u8
}

/// The plane of a huge frame with so many free frames.
#[inline]
pub(crate) const fn plane(free: u64, capacity: u64) -> Option<usize> {
    match stage(free, capacity) {
        stage @ 1..=3 => Some(stage as usize - 1),
        _ => None,
    }
}

/// The first plane in which a block of `order` may be found.
const fn first_plane(order: u8) -> usize {
    match order {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    }
}

impl Tables<'_> {
    #[inline]
    fn plane_of(&self, entry: Entry) -> Option<usize> {
        // One that is whole or BUSY has all frames used, a stale one none: they are in no plane.
        plane(self.capacity() - entry.used(), self.capacity())
    }

    fn planes(&self, huge: usize) -> &[AtomicU64] {
        let first = huge / GROUP * PLANES;
        &self.planes[first..first + PLANES]
    }

    /// Whether a huge frame in parts is among those with the least room once `frames` more are free, and no
    /// stock works there.
    pub(crate) fn is_nearly_full(&self, huge: usize, frames: u32) -> bool {
        let entry = self.entry(huge);
        let free = self.capacity() - entry.used() + u64::from(frames);
        !entry.is_taboo() && !entry.is_closed() && plane(free, self.capacity()) == Some(0)
    }

    /// Brings the bits of a huge frame up to date.
    ///
    /// Whoever finds that the entry has moved on since he read it begins anew, so that the last one to
    /// write has seen the last entry, if his processor orders his accesses so: no ordering that costs
    /// anything is asked for.
    pub(crate) fn index(&self, huge: usize) {
        self.index_as(huge, self.entry(huge));
    }

    /// As [`index`](Self::index), by whoever knows what the entry was a moment ago.
    pub(crate) fn index_as(&self, huge: usize, mut entry: Entry) {
        let bit = 1 << (huge % GROUP);
        loop {
            if entry.used() == 0 {
                return;
            }
            let wanted = self.plane_of(entry);
            for (i, plane) in self.planes(huge).iter().enumerate() {
                // Relaxed: a look; AcqRel: no partner is relied on, see above.
                let is = plane.load(Ordering::Relaxed) & bit != 0;
                match wanted == Some(i) {
                    true if !is => drop(plane.fetch_or(bit, Ordering::AcqRel)),
                    false if is => drop(plane.fetch_and(!bit, Ordering::AcqRel)),
                    _ => {}
                }
            }
            entry = self.entry(huge);
            if self.plane_of(entry) == wanted {
                return;
            }
        }
    }

    /// Clears the bits of huge frames that are free or full from a plane of a group.
    #[cold]
    fn clean(&self, group: usize, plane: usize) {
        let word = &self.planes[group * PLANES + plane];
        let each = |mut bits: u64| {
            core::iter::from_fn(move || {
                let bit = bits & bits.wrapping_neg();
                bits ^= bit;
                (bit != 0).then(|| (bit, group * GROUP + bit.trailing_zeros() as usize))
            })
        };
        // Relaxed: a look.
        let set = each(word.load(Ordering::Relaxed));
        let idle = |huge| self.plane_of(self.entry(huge)).is_none();
        let left = set.filter(|(_, huge)| idle(*huge)).fold(0, |left, (bit, _)| left | bit);
        // AcqRel: as in `index`, which sees to those that are used again meanwhile.
        word.fetch_and(!left, Ordering::AcqRel);
        each(left).filter(|(_, huge)| !idle(*huge)).for_each(|(_, huge)| self.index(huge));
    }

    /// Whether the bits of a huge frame are what its entry says, if it is partly used. Nobody is at work.
    pub(crate) fn is_indexed(&self, huge: usize) -> bool {
        let wanted = self.plane_of(self.entry(huge));
        let is = |plane: &AtomicU64| plane.load(Ordering::Relaxed) >> (huge % GROUP) & 1 == 1;
        let right = |(i, plane)| is(plane) == (wanted == Some(i));
        wanted.is_none() || self.planes(huge).iter().enumerate().all(right)
    }

    /// Which planes have a huge frame from `from` to `end`, that a block of `order` may lie in: a bit
    /// each.
    #[inline]
    pub(crate) fn planes_in_use(&self, order: u8, from: usize, end: usize) -> u8 {
        let mut any = [0; PLANES];
        let groups = from / GROUP * PLANES..end.div_ceil(GROUP) * PLANES;
        for planes in self.planes[groups].chunks_exact(PLANES) {
            for (any, plane) in any.iter_mut().zip(planes) {
                // Relaxed: a hint.
                *any |= plane.load(Ordering::Relaxed);
            }
        }
        let in_use = |plane: usize| u8::from(any[plane] != 0) << plane;
        (first_plane(order)..PLANES).map(in_use).sum()
    }

    /// The fullest of the first partly used huge frames, from the plane of `planes` with the least room
    /// on, in trees that fit so, with room for a block of `order`; `scouts` looks in vain end the search
    /// in a plane. From `from` to `end`, in huge frames,
    /// the former a multiple of [`GROUP`], first from `middle` on.
    pub(crate) fn pick_partial(
        &self,
        (order, scouts): (u8, usize),
        planes: u8,
        fit: Fit,
        place: &Place<'_>,
        (from, middle, end): (usize, usize, usize),
    ) -> Option<usize> {
        let (from, middle, end) = (from / GROUP, middle / GROUP, end.div_ceil(GROUP));
        for plane in (0..PLANES).filter(|plane| planes >> plane & 1 == 1) {
            let (mut best, mut most, mut compared, mut vain) = (None, 0, 0, 0);
            'all: for group in (middle..end).chain(from..middle) {
                // Relaxed: what is chosen is decided by a charge.
                let mut bits = self.planes[group * PLANES + plane].load(Ordering::Relaxed);
                let mut left = false;
                while bits != 0 {
                    let huge = group * GROUP + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let entry = self.entry(huge);
                    left |= self.plane_of(entry).is_none();
                    let Some(used) = self.suits(huge, entry, order, fit, place) else { continue };
                    if used > most {
                        // A look at its rows only where it would be the fullest.
                        if order != 0 && self.scout(huge, order, 0).is_none() {
                            vain += 1;
                            if vain == scouts {
                                break 'all;
                            }
                            continue;
                        }
                        (best, most) = (Some(huge), used);
                    }
                    compared += 1;
                    // None is fuller, or it is good enough.
                    if most + (1 << order) == self.capacity() || compared == COMPARED {
                        break 'all;
                    }
                }
                if left {
                    self.clean(group, plane);
                }
            }
            if best.is_some() {
                return best;
            }
        }
        None
    }

    /// The used frames of a huge frame that has as many free ones as a block of `order`.
    #[inline]
    fn suits(
        &self,
        huge: usize,
        entry: Entry,
        order: u8,
        fit: Fit,
        place: &Place<'_>,
    ) -> Option<u64> {
        let used = entry.used();
        if used == 0 || used + (1 << order) > self.capacity() || entry.is_taboo() {
            return None;
        }
        let class = self.class(self.geometry.tree_of(huge));
        (place.fit(class) == fit).then_some(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_part_what_is_partly_used() {
        let of = |free| plane(free, 512);
        assert_eq!([of(0), of(512)], [None, None]);
        assert_eq!(
            [of(1), of(8), of(9), of(64), of(65), of(511)].map(Option::unwrap),
            [0, 0, 1, 1, 2, 2]
        );
        assert_eq!([plane(63, 64), plane(64, 64)], [Some(1), None]);
    }
}
