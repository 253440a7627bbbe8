//! The program's code as the system has it mapped.

use core::ops::Range;
use std::string::String;
use std::vec::Vec;

/// A file's code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) range: Range<usize>,
    /// Where in the file the range begins.
    pub(super) offset: usize,
    pub(super) path: String,
}

/// All code of files that is mapped now; nothing where the system does not tell.
pub(super) fn read() -> Vec<Module> {
    std::fs::read("/proc/self/maps")
        .map_or(Vec::new(), |maps| parse(&String::from_utf8_lossy(&maps)))
}

/// Reads lines like `55d0c000-55d0f000 r-xp 00002000 08:01 1234   /usr/bin/true`.
fn parse(maps: &str) -> Vec<Module> {
    let module = |line: &str| {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let executable = words.next()?.contains('x');
        let offset = usize::from_str_radix(words.next()?, 16).ok()?;
        let path = words.nth(2)?.trim_start();
        let number = |digits| usize::from_str_radix(digits, 16).ok();
        let range = number(start)?..number(end)?;
        (executable && !path.is_empty()).then(|| Module { range, offset, path: path.into() })
    };
    maps.lines().filter_map(module).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_files_is_found_and_nothing_else() {
        let maps = "\
55d0c000-55d0f000 r-xp 00002000 08:01 1234                       /usr/bin/a program
55d0f000-55d10000 r--p 00005000 08:01 1234                       /usr/bin/a program
7f00000000-7f00001000 rwxp 00000000 00:00 0 \n\
7ffd0000-7ffd1000 r-xp 00000000 00:00 0                          [vdso]
not a line
";
        let found = parse(maps);
        assert_eq!(found.len(), 2);
        let path = String::from("/usr/bin/a program");
        assert_eq!(found[0], Module { range: 0x55d0_c000..0x55d0_f000, offset: 0x2000, path });
        assert_eq!(found[1].path, "[vdso]");
        let here = code_of_files_is_found_and_nothing_else as fn() as usize;
        assert!(read().iter().any(|module| module.range.contains(&here)));
    }
}
