//! A string that moves: what it holds is a handle, and its text is wherever the table has it.

use strata_segment::Policy;
use strata_segment::table::{Fault, Handle, Permissions, Refused, SegmentTable};

/// Text in a segment of a table. It has no lifetime and no address, so it can be stored anywhere and
/// moves with the table's compaction; every use names the table.
#[derive(Debug)]
pub(crate) struct MovingString {
    /// None while it is empty: there is no segment of no bytes.
    text: Option<Handle>,
}

impl MovingString {
    /// No text, and no segment.
    pub(crate) const fn new() -> Self {
        Self { text: None }
    }

    /// Appends `more`. The segment grows, in place or not.
    pub(crate) fn push_str<P: Policy>(
        &mut self,
        table: &mut SegmentTable<'_, P>,
        more: &str,
    ) -> Result<(), Refused> {
        if more.is_empty() {
            return Ok(());
        }
        let Some(text) = self.text else {
            let text = table.create(more.len(), Permissions::READ_WRITE)?;
            table.store(text, 0, more.as_bytes())?;
            self.text = Some(text);
            return Ok(());
        };
        let len = table.limit(text)?;
        table.resize(text, len + more.len())?;
        table.store(text, len, more.as_bytes())?;
        Ok(())
    }

    /// Keeps the first `len` bytes. Panics where that is within a character.
    pub(crate) fn truncate<P: Policy>(
        &mut self,
        table: &mut SegmentTable<'_, P>,
        len: usize,
    ) -> Result<(), Refused> {
        let Some(text) = self.text else { return Ok(()) };
        assert!(self.as_str(table)?.is_char_boundary(len), "not within a character");
        if len == 0 {
            self.text = None;
            return Ok(table.free(text)?);
        }
        if len < table.limit(text)? {
            table.resize(text, len)?;
        }
        Ok(())
    }

    /// The text, for as long as the table stays as it is.
    pub(crate) fn as_str<'t, P: Policy>(
        &self,
        table: &'t SegmentTable<'_, P>,
    ) -> Result<&'t str, Fault> {
        let Some(text) = self.text else { return Ok("") };
        let bytes = table.read(text, 0, table.limit(text)?)?;
        Ok(core::str::from_utf8(bytes).expect("made of whole strings"))
    }

    /// Gives the text back.
    pub(crate) fn free<P: Policy>(self, table: &mut SegmentTable<'_, P>) -> Result<(), Fault> {
        self.text.map_or(Ok(()), |text| table.free(text))
    }
}
