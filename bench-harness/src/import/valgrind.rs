//! `valgrind --trace-malloc=yes`: `--PID-- malloc(472) = 0x4B07040`, between lines of all kinds.

use super::blocks::Blocks;
use super::{Parser, Wrong, hexadecimal, wrong};
use crate::error::Result;

#[derive(Debug, Default)]
pub(super) struct Valgrind {
    /// The process; lines of its children are left out.
    process: Option<String>,
}

/// `--PID-- ` and what follows it.
pub(super) fn prefixed(line: &str) -> Option<(&str, &str)> {
    let (pid, rest) = line.strip_prefix("--")?.split_once("-- ")?;
    let digits = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some((pid, rest))
}

/// `name(words)` and what follows it.
pub(super) fn call(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('(')?;
    let (words, rest) = rest.split_once(')')?;
    let named =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    named.then_some((name, words, rest))
}

impl Parser for Valgrind {
    fn line(&mut self, line: &str, blocks: &mut Blocks) -> Result<(), Wrong> {
        let Some((pid, text)) = prefixed(line) else { return Ok(()) };
        let Some(mut found) = call(text) else { return Ok(()) };
        if self.process.get_or_insert_with(|| pid.to_owned()) != pid {
            return Ok(());
        }
        // A realloc of nothing, or to nothing, names the call that it became.
        if let Some(inner) = call(found.2) {
            found = inner;
        }
        let (name, words, rest) = found;
        let answer = || match rest.trim().strip_prefix("= ").map(str::trim) {
            Some(word) => {
                hexadecimal(word).map_or_else(|| wrong("has no address as its answer"), Ok)
            }
            None => wrong("has no answer"),
        };
        let words: Vec<&str> = words.split(',').map(str::trim).collect();
        let number = |place: usize| match words.get(place).map(|word| word.parse::<u64>()) {
            Some(Ok(number)) => Ok(number),
            _ => wrong("has no number where one belongs"),
        };
        let address = |place: usize| match words.get(place).and_then(|word| hexadecimal(word)) {
            Some(address) => Ok(address),
            None => wrong("has no address where one belongs"),
        };
        // Aligned forms name their words: `al 64, size 100` in any order.
        let named = |name: &str| {
            words.iter().find_map(|word| word.strip_prefix(name)?.trim().parse::<u64>().ok())
        };
        let (size, align, zeroed) = match name {
            name if matches!(name, "free" | "cfree") || name.starts_with("_Zd") => {
                return match address(0)? {
                    0 => Ok(()),
                    block => Ok(blocks.free(block)?),
                };
            }
            "realloc" => {
                return match (address(0)?, answer()?) {
                    (_, 0) => {
                        blocks.failed += 1;
                        Ok(())
                    }
                    (old, new) => Ok(blocks.reallocate(old, new, number(1)?)?),
                };
            }
            // One whose product overflows fails.
            "calloc" => (number(0)?.checked_mul(number(1)?).unwrap_or(0), None, true),
            "malloc" | "valloc" | "pvalloc" => (number(0)?, None, false),
            "memalign" | "posix_memalign" | "aligned_alloc" => match (named("size "), named("al "))
            {
                (Some(size), align) => (size, align, false),
                _ => return wrong("has no size"),
            },
            name if name.starts_with("_Zn") => match named("size ") {
                Some(size) => (size, named("al "), false),
                None => (number(0)?, None, false),
            },
            // malloc_usable_size and other tools' lines.
            _ => return Ok(()),
        };
        if align.is_some_and(|align| !align.is_power_of_two()) {
            return wrong("has an alignment that is no power of two");
        }
        match answer()? {
            0 => blocks.failed += 1,
            block => blocks.allocate(block, size, align, zeroed)?,
        }
        Ok(())
    }
}
