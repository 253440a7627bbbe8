//! The regions of a range: rings of entries, each with an end.

use super::{Entry, OutOfBand, STATE_BITS, State};
use crate::metadata::{Bookkeeping, Name, Piece};

impl<S: AsRef<[Entry]> + AsMut<[Entry]>> OutOfBand<S> {
    /// Lists a region of `len` units at `place`; its one segment, marked used. Two entries, which there
    /// are.
    pub(crate) fn add_region(&mut self, place: u32, len: u32) -> (Name, Piece) {
        let (end, segment) = (self.take_entry(), self.take_entry());
        let (mut before, mut after) = (0, self.first);
        while after != 0 && self.at(Name(after)).place < place {
            (before, after) = (after, self.at(Name(after)).links[0]);
        }
        *self.at_mut(end) = Entry {
            place,
            len: State::Other as u32,
            low: segment.0,
            high: segment.0,
            links: [after, len],
        };
        if before == 0 {
            self.first = end.0;
        } else {
            self.at_mut(Name(before)).links[0] = end.0;
        }
        *self.at_mut(segment) = Entry {
            place,
            len: len << STATE_BITS | State::Used as u32,
            low: end.0,
            high: end.0,
            links: [0; 2],
        };
        (end, Piece { name: segment, len })
    }

    /// Drops a region that is one segment.
    pub(crate) fn remove_region(&mut self, region: Name) {
        let (next, only) = (self.at(region).links[0], Name(self.at(region).high));
        if self.first == region.0 {
            self.first = next;
        } else {
            let mut before = Name(self.first);
            while self.at(before).links[0] != region.0 {
                before = Name(self.at(before).links[0]);
            }
            self.at_mut(before).links[0] = next;
        }
        self.drop_entry(only);
        self.drop_entry(region);
    }

    /// Makes a region longer: a segment at its old end, marked used. One entry, which there is.
    pub(crate) fn raise_end(&mut self, region: Name, len: u32) -> Piece {
        let (place, old) = self.bounds(region);
        let (last, added) = (Name(self.at(region).low), self.take_entry());
        *self.at_mut(added) = Entry {
            place: place + old,
            len: (len - old) << STATE_BITS | State::Used as u32,
            low: last.0,
            high: region.0,
            links: [0; 2],
        };
        self.at_mut(last).high = added.0;
        self.at_mut(region).low = added.0;
        self.at_mut(region).links[1] = len;
        Piece { name: added, len: len - old }
    }

    /// Makes a region shorter by its highest segment, which is not its only one.
    pub(crate) fn lower_end(&mut self, region: Name) {
        let last = Name(self.at(region).low);
        let (low, cut) = (self.at(last).low, self.at(last).len >> STATE_BITS);
        self.at_mut(Name(low)).high = region.0;
        self.at_mut(region).low = low;
        self.at_mut(region).links[1] -= cut;
        self.drop_entry(last);
    }
}
