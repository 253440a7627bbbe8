//! The file format of pprof: a message of Protocol Buffers, packed by gzip.
//!
//! The message is google/pprof's `profile.proto`. A field is a key, its number and how its value is written,
//! and the value; what is here needs numbers of variable length and bytes with their length before them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::string::String;
use std::vec::Vec;

use super::symbols::{self, Function, Known};
use super::taken::Profile;

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// A number, seven bits a byte, the lowest first.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A field with a number; nothing where that is zero, as is said of fields that are not there.
    fn number(&mut self, field: u64, number: u64) {
        if number != 0 {
            self.varint(field << 3);
            self.varint(number);
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn numbers(&mut self, field: u64, numbers: impl IntoIterator<Item = u64>) {
        self.message(field, |packed| numbers.into_iter().for_each(|number| packed.varint(number)));
    }
}

/// The strings of a message, which speaks of them by their numbers; the empty one is the first.
struct Strings {
    numbers: BTreeMap<String, u64>,
    all: Vec<String>,
}

impl Strings {
    fn new() -> Self {
        let mut strings = Self { numbers: BTreeMap::new(), all: Vec::new() };
        strings.number("");
        strings
    }

    fn number(&mut self, string: &str) -> u64 {
        if let Some(number) = self.numbers.get(string) {
            return *number;
        }
        let number = self.all.len() as u64;
        self.numbers.insert(string.into(), number);
        self.all.push(string.into());
        number
    }
}

/// An address in a stack.
struct Location {
    id: u64,
    known: Known,
}

/// Names that viewers leave out, with what they call.
const DROPPED: &str = "strata_segregated::.*|<strata_segregated::.*|__rust_.*|__rustc::.*";

impl Profile {
    /// Writes both views, in bytes and in requests, as `pprof` reads it: gzip'd Protocol Buffers. Addresses have the
    /// files that they are from, so that `pprof` finds names later; with the feature `symbols` names are
    /// in it. Memory for the file and for the names of all frames.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_pprof(&self, out: &mut dyn Write) -> io::Result<()> {
        write_gzip(&self.message(), out)
    }

    /// The message, not packed.
    fn message(&self) -> Vec<u8> {
        let (mut message, mut strings) = (Message::default(), Strings::new());
        for (kind, unit) in [
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ] {
            let (kind, unit) = (strings.number(kind), strings.number(unit));
            message.message(1, |value| {
                value.number(1, kind);
                value.number(2, unit);
            });
        }
        let mut locations = BTreeMap::<usize, Location>::new();
        for row in self.rows() {
            message.message(2, |sample| {
                let ids = row.frames.iter().filter_map(|address| {
                    let id = locations.len() as u64 + 1;
                    let new = || Location { id, known: symbols::of(*address) };
                    let location = locations.entry(*address).or_insert_with(new);
                    (!matches!(location.known, Known::Ours)).then_some(location.id)
                });
                sample.numbers(1, ids.collect::<Vec<_>>());
                let (all, live) = (row.allocated, row.live);
                sample.numbers(2, [all.objects, all.bytes, live.objects, live.bytes]);
            });
        }
        let functions = self.write_locations(&mut message, &mut strings, &locations);
        self.write_modules(&mut message, &mut strings, functions);
        message.number(7, strings.number(DROPPED));
        message.number(9, self.at);
        let (space, bytes) = (strings.number("space"), strings.number("bytes"));
        message.message(11, |period| {
            period.number(1, space);
            period.number(2, bytes);
        });
        message.number(12, self.rate() as u64);
        message.number(14, strings.number("inuse_space"));
        for string in &strings.all {
            message.bytes(6, string.as_bytes());
        }
        message.0
    }

    /// Writes where the stacks' addresses are. Answers whether functions are known.
    fn write_locations(
        &self,
        message: &mut Message,
        strings: &mut Strings,
        locations: &BTreeMap<usize, Location>,
    ) -> bool {
        let mut functions = BTreeMap::<(u64, u64), u64>::new();
        for (address, Location { id, known }) in locations {
            // The call, not what it returns to.
            let call = address - 1;
            let module = self.modules.iter().position(|module| module.range.contains(&call));
            let mut lines = Vec::new();
            let known = if let Known::Functions(known) = known { &known[..] } else { &[] };
            for Function { name, file, line } in known {
                let key = (strings.number(name), strings.number(file));
                let next = functions.len() as u64 + 1;
                lines.push((*functions.entry(key).or_insert(next), *line));
            }
            message.message(4, |location| {
                location.number(1, *id);
                location.number(2, module.map_or(0, |module| module as u64 + 1));
                location.number(3, call as u64);
                for (function, line) in lines {
                    location.message(4, |entry| {
                        entry.number(1, function);
                        entry.number(2, u64::from(line));
                    });
                }
            });
        }
        for ((name, file), id) in &functions {
            message.message(5, |function| {
                function.number(1, *id);
                function.number(2, *name);
                function.number(3, *name);
                function.number(4, *file);
            });
        }
        !functions.is_empty()
    }

    fn write_modules(&self, message: &mut Message, strings: &mut Strings, functions: bool) {
        for (number, module) in self.modules.iter().enumerate() {
            let path = strings.number(&module.path);
            message.message(3, |mapping| {
                mapping.number(1, number as u64 + 1);
                mapping.number(2, module.range.start as u64);
                mapping.number(3, module.range.end as u64);
                mapping.number(4, module.offset as u64);
                mapping.number(5, path);
                mapping.number(7, functions.into());
            });
        }
    }
}

/// Writes `data` as a file of gzip's (RFC 1952), in blocks that are stored as they are (RFC 1951): what packs
/// better needs more stack than a thread may have that a profile is written on.
fn write_gzip(data: &[u8], out: &mut dyn Write) -> io::Result<()> {
    // By the method that has such blocks, no name, no time, a system that is not said.
    out.write_all(&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF])?;
    let mut rest = data;
    loop {
        let (block, others) = rest.split_at(rest.len().min(u16::MAX.into()));
        let len = block.len() as u16;
        out.write_all(&[others.is_empty().into()])?;
        out.write_all(&len.to_le_bytes())?;
        out.write_all(&(!len).to_le_bytes())?;
        out.write_all(block)?;
        if others.is_empty() {
            break;
        }
        rest = others;
    }
    out.write_all(&crc32(data).to_le_bytes())?;
    // Modulo 2^32, says the format.
    out.write_all(&(data.len() as u32).to_le_bytes())
}

/// The checksum of gzip's.
fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_fields_are_written_as_protocol_buffers_have_them() {
        let mut message = Message::default();
        message.number(1, 150);
        message.number(2, 0);
        message.bytes(2, b"testing");
        message.numbers(4, [3, 270, 86942]);
        // The examples of the encoding's own description.
        let expected =
            [&[8, 0x96, 1, 0x12, 7][..], b"testing", &[0x22, 6, 3, 0x8E, 2, 0x9E, 0xA7, 5]];
        assert_eq!(message.0, expected.concat());
    }

    #[test]
    fn files_are_of_gzip() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        for len in [0, 10_000, 65_535, 65_536, 200_000_u32] {
            let data: Vec<_> = (0..len).map(|n| (n % 97) as u8).collect();
            let mut file = Vec::new();
            write_gzip(&data, &mut file).unwrap();
            let (mut blocks, trailer) = file[10..].split_at(file.len() - 18);
            let mut unpacked = Vec::new();
            while let [last, low, high, no_low, no_high, rest @ ..] = blocks {
                let len = u16::from_le_bytes([*low, *high]);
                assert_eq!(len, !u16::from_le_bytes([*no_low, *no_high]));
                unpacked.extend_from_slice(&rest[..len.into()]);
                blocks = &rest[len.into()..];
                assert_eq!(*last == 1, blocks.is_empty(), "the last block says so");
            }
            assert_eq!(unpacked, data);
            assert_eq!(trailer, [crc32(&data).to_le_bytes(), len.to_le_bytes()].concat());
        }
    }
}
