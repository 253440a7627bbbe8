//! The kernel's text: files read whole, lines, and numbers in them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a file of /proc from its beginning to its end into `text`, whose room is used again.
pub(super) fn read(path: &Path, text: &mut Vec<u8>) -> io::Result<()> {
    text.clear();
    File::open(path)?.read_to_end(text)?;
    Ok(())
}

/// A small file as a word or lines, without the line feed at its end.
pub(super) fn read_small(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    read(path, &mut text)?;
    Ok(String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned())
}

/// The lines, without line feeds.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Lines of the form `Name:  value` as pairs.
pub(super) fn fields(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(text).filter_map(field)
}

/// One such line.
pub(super) fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// The decimal number that `text` begins with, after blanks.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let mut digits = 0;
    let mut value: u64 = 0;
    for byte in text.iter().take_while(|byte| byte.is_ascii_digit()) {
        value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
        digits += 1;
    }
    (digits > 0).then_some(value)
}

/// The hexadecimal number that is all of `text`.
pub(super) fn hexadecimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| {
        let digit = (*byte as char).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })
}

/// A field in KiB (`123 kB`), as bytes.
pub(super) fn kib(value: &[u8]) -> Option<u64> {
    number(value)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_names_and_values() {
        let text = b"MemTotal:       24684096 kB\nThreads:\t1\n\nno field\n";
        let found: Vec<_> = fields(text).collect();
        assert_eq!(found, [(&b"MemTotal"[..], &b"24684096 kB"[..]), (b"Threads", b"1")]);
        assert_eq!(kib(found[0].1), Some(24_684_096 * 1024));
    }

    #[test]
    fn what_is_no_number_is_none() {
        assert_eq!(number(b"  42 kB"), Some(42));
        for text in [&b""[..], b"max", b"-1", b"99999999999999999999"] {
            assert_eq!(number(text), None);
        }
        assert_eq!(hexadecimal(b"7ffe485b0000"), Some(0x7ffe_485b_0000));
        assert_eq!(hexadecimal(b"7g"), None);
        assert_eq!(hexadecimal(b""), None);
    }
}
