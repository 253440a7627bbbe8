//! Bounded lists of freed segments that keep their exact length.

use crate::metadata::Name;

/// Lengths from one unit up to so many have lists.
const CLASSES: usize = 64;

/// Up to `N` segments of each exact length up to 64 units, last freed first taken.
///
/// A program that frees a length soon asks for it again: that costs neither a cut nor a join. A quick
/// segment is not joined with its neighbours, which is why there are few of them.
#[derive(Debug)]
pub(super) struct Quick<const N: usize> {
    counts: [u8; CLASSES],
    names: [[u32; N]; CLASSES],
}

impl<const N: usize> Quick<N> {
    pub(super) const NEW: Self = {
        assert!(N <= 255, "quick lists are short");
        Self { counts: [0; CLASSES], names: [[0; N]; CLASSES] }
    };

    #[inline]
    pub(super) fn take(&mut self, len: u32) -> Option<Name> {
        let class = len as usize - 1;
        let count = self.counts.get_mut(class)?;
        if N == 0 || *count == 0 {
            return None;
        }
        *count -= 1;
        Some(Name(self.names[class][*count as usize]))
    }

    #[inline]
    pub(super) fn keep(&mut self, segment: Name, len: u32) -> bool {
        let class = len as usize - 1;
        let Some(count) = self.counts.get_mut(class) else { return false };
        let Some(place) = self.names[class].get_mut(*count as usize) else { return false };
        *place = segment.0;
        *count += 1;
        true
    }

    pub(super) fn drain(&mut self) -> Option<Name> {
        let class = self.counts.iter().position(|&count| count > 0)?;
        self.take(class as u32 + 1)
    }

    pub(super) fn units(&self) -> u64 {
        self.counts.iter().zip(1..).map(|(&count, len)| u64::from(count) * len).sum()
    }
}
