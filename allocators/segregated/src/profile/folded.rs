//! Folded stacks, a line each, as flame graphs are drawn from: names from the outermost call to the request,
//! with semicolons between, and a number.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::string::String;
use std::vec::Vec;

use super::symbols::{self, Known};
use super::taken::{Profile, View};

impl Profile {
    /// Writes the bytes of each stack, as flame-graph programs read it (`inferno-flamegraph`, `flamegraph.pl`,
    /// speedscope). With the feature `symbols` frames have names, where the program has them; others are files with offsets
    /// in them. Memory for the names of all frames.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_folded(&self, view: View, out: &mut dyn Write) -> io::Result<()> {
        let mut names = BTreeMap::<usize, Vec<String>>::new();
        let mut lines = BTreeMap::<String, u64>::new();
        for row in self.rows() {
            let bytes = row.total(view).bytes;
            if bytes == 0 {
                continue;
            }
            for address in row.frames {
                names.entry(*address).or_insert_with(|| self.names(*address));
            }
            let stack = row.frames.iter().filter_map(|address| names.get(address)).flatten();
            let stack: Vec<_> = stack.collect();
            let mut line = String::new();
            for name in stack.iter().rev() {
                if !line.is_empty() {
                    line.push(';');
                }
                line.push_str(name);
            }
            if line.is_empty() {
                line.push_str("[unknown]");
            }
            *lines.entry(line).or_default() += bytes;
        }
        for (stack, bytes) in lines {
            writeln!(out, "{stack} {bytes}")?;
        }
        Ok(())
    }

    /// What an address is called, the innermost function first; nothing where it is this crate's.
    fn names(&self, address: usize) -> Vec<String> {
        let clean = |name: &str| name.replace(';', ":").replace(['\n', '\r'], " ");
        match symbols::of(address) {
            Known::Functions(known) => {
                return known.iter().map(|known| clean(&known.name)).collect();
            }
            Known::Ours => return Vec::new(),
            Known::Nothing => {}
        }
        // The call, not what comes after it.
        let place = self.place(address - 1);
        let file = place.file.map(|file| file.rsplit('/').next().unwrap_or(file));
        std::vec![clean(&std::format!("{}+{:#x}", file.unwrap_or("[unknown]"), place.offset))]
    }
}
