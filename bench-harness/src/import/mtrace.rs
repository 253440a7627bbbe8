//! glibc's mtrace: `@ caller + address bytes`, `- address`, and `<` with `>` for a realloc.

use super::blocks::Blocks;
use super::{Parser, Wrong, hexadecimal, wrong};
use crate::error::Result;

#[derive(Debug, Default)]
pub(super) struct Mtrace {
    /// The block that a realloc takes; its new place is in the next line.
    taken: Option<u64>,
}

impl Parser for Mtrace {
    fn line(&mut self, line: &str, blocks: &mut Blocks) -> Result<(), Wrong> {
        if line.is_empty() || line.starts_with("= ") {
            return Ok(());
        }
        // A caller's name may hold blanks; what follows it does not.
        let words: Vec<&str> = line.split_whitespace().collect();
        let sign = words.iter().rposition(|word| matches!(*word, "+" | "-" | "<" | ">" | "!"));
        let Some(sign) = sign else { return wrong("has none of + - < > !") };
        let number = |place: usize| match words.get(sign + place).and_then(|word| hexadecimal(word))
        {
            Some(number) => Ok(number),
            None => wrong("has no number where one belongs"),
        };
        match words[sign] {
            "+" if number(1)? == 0 => blocks.failed += 1,
            "+" => blocks.allocate(number(1)?, number(2)?, None, false)?,
            "-" => blocks.free(number(1)?)?,
            "<" => self.taken = Some(number(1)?),
            ">" => match self.taken.take() {
                Some(old) => blocks.reallocate(old, number(1)?, number(2)?)?,
                None => return wrong("ends a realloc that did not begin"),
            },
            // A realloc that failed leaves its block as it was.
            _ => {
                self.taken = None;
                blocks.failed += 1;
            }
        }
        Ok(())
    }
}
