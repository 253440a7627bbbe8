//! heaptrack's raw files (`heaptrack --raw`): `+ bytes trace address` and `- address`, all hexadecimal.

use super::blocks::Blocks;
use super::{Parser, Wrong, hexadecimal, wrong};
use crate::error::Result;

#[derive(Debug, Default)]
pub(super) struct Heaptrack;

impl Parser for Heaptrack {
    fn line(&mut self, line: &str, blocks: &mut Blocks) -> Result<(), Wrong> {
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        let mut number = || match words.next().and_then(hexadecimal) {
            Some(number) => Ok(number),
            None => wrong("has no number where one belongs"),
        };
        match kind {
            "+" => {
                let (size, _trace) = (number()?, number()?);
                match number() {
                    Ok(block) => Ok(blocks.allocate(block, size, None, false)?),
                    // After its interpreter the file tells allocations by number, without addresses.
                    Err(_) => wrong("has no address: give the raw file of `heaptrack --raw`"),
                }
            }
            "-" => Ok(blocks.free(number()?)?),
            // Modules, instructions, times, resident memory, the command.
            _ => Ok(()),
        }
    }
}
