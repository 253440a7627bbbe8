//! The mappings of a process, one by one: `/proc/PID/smaps`.

use super::kernel::{Kernel, strange};
use super::kind::{Kind, Sorter};
use super::process::Rollup;
use super::text::{field, hexadecimal, kib, number};
use crate::error::Result;
use serde::Serialize;

/// One mapping; lengths in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The address behind its last.
    pub end: u64,
    /// Rights and sharing as the kernel writes them, for example `rw-p`.
    pub mode: String,
    /// The file, or the kernel's word in brackets, or nothing.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What of it is resident, changed, and so on.
    #[serde(flatten)]
    pub of: Rollup,
}

impl Mapping {
    /// Bytes of address space.
    pub fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// The last part of its name, as `pmap` shows it.
    pub fn short_name(&self) -> &str {
        match self.name.as_str() {
            "" => "[anon]",
            name if name.starts_with('[') => name,
            name => name.rsplit('/').next().unwrap_or(name),
        }
    }

    /// Rights as `pmap` shows them: five places, the fourth for sharing.
    pub fn pmap_mode(&self) -> String {
        let mode = self.mode.as_bytes();
        let at = |place: usize| char::from(mode.get(place).copied().unwrap_or(b'-'));
        let shared = if at(3) == 's' { 's' } else { '-' };
        [at(0), at(1), at(2), shared, '-'].iter().collect()
    }
}

/// Reads all mappings of a process, by address.
///
/// The time grows with their number and with what is resident: the kernel looks at every page.
///
/// # Errors
///
/// [`Failure::input`](crate::error::Failure::input) where the process is gone, belongs to another user,
/// or the text is not what the kernel writes.
///
/// ```
/// use strata_bench::mem::{Kernel, mappings};
///
/// let own = mappings(&Kernel::here(), std::process::id())?;
/// assert!(own.iter().any(|mapping| mapping.name == "[stack]"));
/// # Ok::<(), strata_bench::error::Failure>(())
/// ```
pub fn mappings(kernel: &Kernel, pid: u32) -> Result<Vec<Mapping>> {
    let mut text = Vec::with_capacity(TEXT);
    kernel.process(pid, "smaps", &mut text)?;
    let mut found = parse(&text).ok_or_else(|| strange(pid, "smaps"))?;
    let sorter = Sorter::of(kernel, pid);
    sorter.sort(&mut found);
    Ok(found)
}

/// Bytes of what the kernel writes of some thousand mappings.
const TEXT: usize = 1 << 20;

/// Bytes of a line with a field of at most eight digits, which the kernel pads. No other line has
/// its end there: flags are followed by a longer line of addresses.
const PADDED: usize = 28;

/// Mappings as smaps lists them, of no kind yet.
pub(super) fn parse(text: &[u8]) -> Option<Vec<Mapping>> {
    let mut found: Vec<Mapping> = Vec::with_capacity(text.len() / 700 + 1);
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let line = match rest.get(..PADDED) {
            Some(padded) if first.is_ascii_uppercase() && padded.ends_with(b" kB\n") => {
                &padded[..PADDED - 1]
            }
            _ => rest.split(|byte| *byte == b'\n').next()?,
        };
        rest = rest.get(line.len() + 1..).unwrap_or_default();
        if line.is_empty() {
            continue;
        }
        // Fields begin with a capital, addresses with a digit or a small letter.
        if !first.is_ascii_uppercase() {
            found.push(head(line)?);
            continue;
        }
        let (name, value) = field(line)?;
        let of = &mut found.last_mut()?.of;
        if let Some(place) = of.place(name) {
            *place = kib(value)?;
        }
    }
    Some(found)
}

/// `start-end mode offset device inode   name`.
fn head(line: &[u8]) -> Option<Mapping> {
    let mut words = line.splitn(6, |byte| *byte == b' ');
    let mut addresses = words.next()?.splitn(2, |byte| *byte == b'-');
    let start = hexadecimal(addresses.next()?)?;
    let end = hexadecimal(addresses.next()?)?;
    let mode = words.next()?;
    let (_offset, _device) = (hexadecimal(words.next()?)?, words.next()?);
    let rest = words.next()?;
    number(rest)?;
    let name = words.next().unwrap_or_default().trim_ascii();
    if mode.len() != 4 || end <= start {
        return None;
    }
    Some(Mapping {
        start,
        end,
        mode: String::from_utf8_lossy(mode).into_owned(),
        name: String::from_utf8_lossy(name).into_owned(),
        kind: Kind::Anonymous,
        of: Rollup::default(),
    })
}

/// What all mappings of one kind are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfKind {
    /// Which.
    pub kind: Kind,
    /// How many mappings.
    pub count: u64,
    /// Bytes of address space.
    pub bytes: u64,
    /// What of it is resident, changed, and so on.
    #[serde(flatten)]
    pub of: Rollup,
}

/// Sums by kind, in the order of [`Kind::ALL`]; kinds without a mapping are left out.
pub fn by_kind(mappings: &[Mapping]) -> Vec<OfKind> {
    let mut sums = Kind::ALL.map(|kind| OfKind { kind, count: 0, bytes: 0, of: Rollup::default() });
    for mapping in mappings {
        let sum = &mut sums[mapping.kind as usize];
        sum.count += 1;
        sum.bytes += mapping.bytes();
        sum.of.add(&mapping.of);
    }
    sums.into_iter().filter(|sum| sum.count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
5561b2c89000-5561b2cb8000 r--p 00000000 fe:00 247003                     /usr/bin/a program
Size:                188 kB
Rss:                  12 kB
Pss:                   6 kB
Shared_Clean:          8 kB
Shared_Dirty:          1 kB
Private_Clean:         0 kB
Private_Dirty:         3 kB
Anonymous:             4 kB
THPeligible:           0
VmFlags: rd mr mw me
7f6f3aa32000-7f6f3aa39000 r--s 00000000 fe:00 1 \n7f6f3aa40000-7f6f3aa42000 rw-p 00000000 00:00 0\n";

    #[test]
    fn a_mapping_is_its_head_and_its_fields() {
        let found = parse(TEXT).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].start, found[0].bytes()), (0x5561_b2c8_9000, 188 << 10));
        assert_eq!((&*found[0].name, found[0].short_name()), ("/usr/bin/a program", "a program"));
        assert_eq!((found[0].of.rss, found[0].of.dirty()), (12 << 10, 4 << 10));
        assert_eq!((found[0].pmap_mode(), found[1].pmap_mode()), ("r----".into(), "r--s-".into()));
        assert_eq!((&*found[2].name, found[2].short_name()), ("", "[anon]"));
    }

    #[test]
    fn what_the_kernel_does_not_write_is_refused() {
        assert_eq!(parse(b"").unwrap().len(), 0);
        for text in [
            &b"Rss: 4 kB\n"[..],
            b"5561b2c89000 r--p 00000000 fe:00 1\n",
            b"5561b2c89000-5561b2c89000 r--p 00000000 fe:00 1\n",
            b"5561b2c89000-5561b2c90000 r--p 00000000\n",
            b"5561b2c89000-5561b2c90000 r--p 00000000 fe:00 1\nRss: many kB\n",
        ] {
            assert_eq!(parse(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}
