//! Decisions read from bytes, so that proptest and a fuzzer can both make them.

/// What is left of the bytes of a program.
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl Bytes<'_> {
    /// The next byte; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<usize> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(usize::from(first))
    }

    /// A number below `2^16`, of two bytes.
    pub(crate) fn wide(&mut self) -> Option<usize> {
        Some(self.next()? << 8 | self.next()?)
    }

    /// A length from 1 on: small ones as often as large ones, up to about `most`.
    pub(crate) fn len(&mut self, most: usize) -> Option<usize> {
        let (scale, number) = (self.next()?, self.wide()?);
        Some(1 + number % (most >> (scale % 10)).max(1))
    }
}
