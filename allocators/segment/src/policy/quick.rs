//! Bounded lists of freed segments that keep their exact length.

use crate::metadata::Name;

/// Lengths up to so many units have short lists.
pub(super) const SHORT: usize = 64;
/// Longer lengths, up to so many units more, have long ones.
pub(super) const LONG: usize = 1024;

/// Up to `S` segments of each exact length up to [`SHORT`] units, and up to `L` of each length of
/// [`LONG`] more, last freed first taken.
///
/// A program that frees a length soon asks for it again: that costs neither a cut nor a join, and
/// touches no neighbour. A quick segment is not joined with its neighbours, which is why there are few
/// of them, and why the long ones together have a limit.
#[derive(Debug)]
pub(super) struct Quick<const S: usize, const L: usize> {
    counts: [u8; SHORT],
    names: [[u32; S]; SHORT],
    long_units: u32,
    long_names: [[u32; L]; LONG],
}

impl<const S: usize, const L: usize> Quick<S, L> {
    pub(super) const NEW: Self = {
        assert!(S <= 255, "quick lists are short");
        Self {
            counts: [0; SHORT],
            names: [[0; S]; SHORT],
            long_units: 0,
            long_names: [[0; L]; LONG],
        }
    };

    #[inline]
    pub(super) fn take(&mut self, len: u32) -> Option<Name> {
        let class = len as usize - 1;
        if S > 0 && class < SHORT {
            let count = self.counts[class];
            if count == 0 {
                return None;
            }
            self.counts[class] = count - 1;
            return Some(Name(self.names[class][count as usize - 1]));
        }
        if L > 0 { self.take_long(class.wrapping_sub(SHORT)) } else { None }
    }

    #[inline]
    fn take_long(&mut self, class: usize) -> Option<Name> {
        // Filled from the front: the last one that is there was freed last.
        let names = self.long_names.get_mut(class)?;
        let name = names.iter_mut().rev().find(|name| **name != 0)?;
        self.long_units -= (SHORT + class + 1) as u32;
        Some(Name(core::mem::take(name)))
    }

    #[inline]
    pub(super) fn keep(&mut self, segment: Name, len: u32, room: impl Fn() -> u64) -> bool {
        let class = len as usize - 1;
        if S > 0 && class < SHORT {
            let count = self.counts[class] as usize;
            if count == S {
                return false;
            }
            self.names[class][count] = segment.0;
            self.counts[class] = count as u8 + 1;
            return true;
        }
        L > 0 && self.keep_long(segment, class.wrapping_sub(SHORT), room)
    }

    #[inline]
    fn keep_long(&mut self, segment: Name, class: usize, room: impl Fn() -> u64) -> bool {
        let Some(names) = self.long_names.get_mut(class) else { return false };
        let Some(name) = names.iter_mut().find(|name| **name == 0) else { return false };
        let units = self.long_units + (SHORT + class + 1) as u32;
        if u64::from(units) > room() {
            return false;
        }
        self.long_units = units;
        *name = segment.0;
        true
    }

    pub(super) fn drain(&mut self) -> Option<Name> {
        if let Some(class) = self.counts.iter().position(|&count| count > 0) {
            return self.take(class as u32 + 1);
        }
        if self.long_units == 0 {
            return None;
        }
        (0..LONG).find_map(|class| self.take_long(class))
    }

    pub(super) fn units(&self) -> u64 {
        let short: u64 =
            self.counts.iter().zip(1..).map(|(&count, len)| u64::from(count) * len).sum();
        short + u64::from(self.long_units)
    }
}
