//! CS:APP's malloc lab: four lines of numbers, then `a id bytes`, `r id bytes`, `f id`.

use super::blocks::Blocks;
use super::{Parser, Wrong, wrong};
use crate::error::Result;

/// Numbers at the head: bytes of heap, blocks, operations, weight.
const HEAD: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Rep {
    head: Vec<u64>,
    operations: u64,
}

impl Parser for Rep {
    fn line(&mut self, line: &str, blocks: &mut Blocks) -> Result<(), Wrong> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            return Ok(());
        }
        if self.head.len() < HEAD {
            return match words[..] {
                [word] => match word.parse() {
                    Ok(number) => {
                        self.head.push(number);
                        Ok(())
                    }
                    Err(_) => wrong("is none of the four numbers at the head"),
                },
                _ => wrong("is none of the four numbers at the head"),
            };
        }
        let number = |place: usize| match words.get(place).map(|word| word.parse::<u64>()) {
            Some(Ok(number)) => Ok(number),
            _ => wrong("has no number where one belongs"),
        };
        let id = number(1)?;
        self.operations += 1;
        match words[0] {
            "a" if blocks.is_live(id) => wrong(format!("allocates block {id}, which is live")),
            "a" => Ok(blocks.allocate(id, number(2)?, None, false)?),
            // The lab's drivers start a block with a realloc too.
            "r" if !blocks.is_live(id) => Ok(blocks.allocate(id, number(2)?, None, false)?),
            "r" => Ok(blocks.reallocate(id, id, number(2)?)?),
            "f" if !blocks.is_live(id) => wrong(format!("frees block {id}, which is not live")),
            "f" => Ok(blocks.free(id)?),
            other => wrong(format!("begins with {other:?} and not with a, r or f")),
        }
    }

    fn end(&mut self) -> Result<(), Wrong> {
        match self.head.get(2) {
            Some(&told) if told != self.operations => wrong(format!(
                "is the end after {} operations; the head says {told}",
                self.operations
            )),
            Some(_) => Ok(()),
            None => wrong("is the end, and the head has four numbers"),
        }
    }
}
