//! Little-endian numbers, variable-length numbers, and a reader of them that cannot overrun.

/// Appends `value` in 7-bit groups, the lowest first, the top bit of a byte saying that more follow.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed difference: 0, −1, 1, −2, … become 0, 1, 2, 3, …
pub(crate) fn put_difference(out: &mut Vec<u8>, from: u64, to: u64) {
    let difference = to.wrapping_sub(from) as i64;
    put_varint(out, ((difference << 1) ^ (difference >> 63)) as u64);
}

/// What is wrong with some bytes, in a few words that follow "the chunk at offset n: ".
pub(crate) type Flaw = String;

/// A slice being read from its front. Every method answers a [`Flaw`] where the bytes do not suffice.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn empty() -> Self {
        Self { rest: &[] }
    }

    pub(crate) fn take(&mut self, len: u64) -> Result<&'a [u8], Flaw> {
        if len > self.rest.len() as u64 {
            return Err(format!("it declares {len} bytes where only {} are left", self.rest.len()));
        }
        let (head, tail) = self.rest.split_at(len as usize);
        self.rest = tail;
        Ok(head)
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Flaw> {
        match self.rest {
            [first, rest @ ..] => {
                self.rest = rest;
                Ok(*first)
            }
            [] => Err("it ends within a record".into()),
        }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Flaw> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes")))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Flaw> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Flaw> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        self.varint_slow(u64::from(first & 0x7f))
    }

    #[cold]
    fn varint_slow(&mut self, mut value: u64) -> Result<u64, Flaw> {
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            let group = u64::from(byte & 0x7f);
            if shift == 63 && group > 1 {
                break;
            }
            value |= group << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("it has a number of more than 64 bits".into())
    }

    /// A varint that has to fit 32 bits.
    pub(crate) fn varint_u32(&mut self) -> Result<u32, Flaw> {
        u32::try_from(self.varint()?).map_err(|_| "it has a number of more than 32 bits".into())
    }

    /// The counterpart of [`put_difference`].
    #[inline]
    pub(crate) fn difference(&mut self, from: u64) -> Result<u64, Flaw> {
        let coded = self.varint()?;
        Ok(from.wrapping_add((coded >> 1) ^ (coded & 1).wrapping_neg()))
    }

    /// UTF-8 text headed by its length in a u32.
    pub(crate) fn text(&mut self) -> Result<String, Flaw> {
        let len = u64::from(self.u32()?);
        let bytes = self.take(len)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "it has a text that is not UTF-8".into())
    }

    /// That everything was read.
    pub(crate) fn end(&self) -> Result<(), Flaw> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(format!("it has {left} bytes too many")),
        }
    }
}
