//! Programs are bytes, so that a fuzzer can write them.

/// The next byte of a program, zero behind its end.
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl Bytes<'_> {
    pub(crate) fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    pub(crate) fn wide(&mut self) -> usize {
        self.next() << 8 | self.next()
    }

    /// A length: mostly of a few hundred bytes, at times none or more than there is.
    pub(crate) fn len(&mut self) -> usize {
        match self.next() % 16 {
            0 => self.next() % 3,
            1..=9 => 1 + self.wide() % 700,
            10..=14 => 1 + self.wide() % 4000,
            _ => self.wide(),
        }
    }
}
