//! What a mapping is: the regions of an address space by their use.

use super::kernel::Kernel;
use super::mappings::Mapping;
use super::text::{hexadecimal, read_small};
use serde::Serialize;
use std::collections::HashSet;

/// The kinds of regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Instructions of the program, and such as it made itself.
    Code,
    /// The program's constants and variables, those without a first value too.
    Data,
    /// What `brk` grows, and anonymous memory that an allocator named.
    Heap,
    /// Files that other code came from, with their constants and variables.
    Libraries,
    /// The stack of the first thread, and those of others that could be found.
    Stack,
    /// Anonymous memory without a name: what most allocators take.
    Anonymous,
    /// Files.
    Files,
    /// Shared memory, and files that are written back.
    Shared,
    /// The kernel's own.
    Kernel,
}

impl Kind {
    /// All of them, by their numbers.
    pub const ALL: [Self; 9] = [
        Self::Code,
        Self::Data,
        Self::Heap,
        Self::Libraries,
        Self::Stack,
        Self::Anonymous,
        Self::Files,
        Self::Shared,
        Self::Kernel,
    ];

    /// For bars of characters.
    pub fn letter(self) -> char {
        match self {
            Self::Code => 'C',
            Self::Data => 'D',
            Self::Heap => 'H',
            Self::Libraries => 'L',
            Self::Stack => 'S',
            Self::Anonymous => 'a',
            Self::Files => 'f',
            Self::Shared => 's',
            Self::Kernel => 'k',
        }
    }

    /// For tables and legends.
    pub fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Data => "data",
            Self::Heap => "heap",
            Self::Libraries => "shared libraries",
            Self::Stack => "stack",
            Self::Anonymous => "mappings, anonymous",
            Self::Files => "mappings, files",
            Self::Shared => "mappings, shared",
            Self::Kernel => "the kernel's",
        }
    }
}

/// Beginnings of the names that allocators give their memory, in the brackets of `[anon:…]`.
const HEAPS: [&str; 7] =
    ["strata", "libc_malloc", "glibc: malloc", " glibc: malloc", "scudo", "jemalloc", "mimalloc"];

/// What else tells kinds apart.
#[derive(Debug, Default)]
pub(super) struct Sorter {
    /// The program's file.
    program: Option<String>,
    /// Where the stack pointers of its threads are, where that can be read.
    stacks: Vec<u64>,
}

/// Threads that are asked for their stack pointers.
const THREADS: usize = 4096;

impl Sorter {
    /// Of a process. What cannot be read is done without.
    pub(super) fn of(kernel: &Kernel, pid: u32) -> Self {
        let program = std::fs::read_link(kernel.of(pid, "exe")).ok();
        let mut stacks = Vec::new();
        if let Ok(threads) = std::fs::read_dir(kernel.of(pid, "task")) {
            for thread in threads.flatten().take(THREADS) {
                stacks.extend(stack_pointer(&thread.path().join("syscall")));
            }
        }
        stacks.sort_unstable();
        Self { program: program.map(|path| path.to_string_lossy().into_owned()), stacks }
    }

    /// Gives each mapping its kind.
    pub(super) fn sort(&self, mappings: &mut [Mapping]) {
        let libraries: HashSet<String> = mappings
            .iter()
            .filter(|mapping| executable(mapping) && mapping.name.starts_with('/'))
            .map(|mapping| mapping.name.clone())
            .collect();
        // The variables without a first value follow a file's last mapping without a gap.
        let mut before: Option<(u64, Kind)> = None;
        for mapping in mappings {
            mapping.kind = self.kind(mapping, &libraries, before);
            let of_file = matches!(mapping.kind, Kind::Data | Kind::Libraries | Kind::Code);
            before = (of_file && !mapping.name.is_empty()).then_some((mapping.end, mapping.kind));
        }
    }

    fn kind(&self, of: &Mapping, libraries: &HashSet<String>, before: Option<(u64, Kind)>) -> Kind {
        let name = of.name.as_str();
        if name == "[heap]" {
            return Kind::Heap;
        }
        if name.starts_with("[stack") {
            return Kind::Stack;
        }
        if let Some(given) = name.strip_prefix("[anon:") {
            return match given {
                _ if HEAPS.iter().any(|heap| given.starts_with(heap)) => Kind::Heap,
                _ => self.anonymous(of),
            };
        }
        if name.starts_with("[anon_shmem:") {
            return Kind::Shared;
        }
        if name.starts_with('[') {
            return Kind::Kernel;
        }
        if self.program.as_deref() == Some(name) {
            return if executable(of) { Kind::Code } else { Kind::Data };
        }
        if of.mode.ends_with('s') {
            return if of.mode.starts_with("r-") { Kind::Files } else { Kind::Shared };
        }
        if name.is_empty() {
            return match before {
                Some((end, kind)) if end == of.start && of.mode.starts_with("rw-") => match kind {
                    Kind::Libraries => Kind::Libraries,
                    _ => Kind::Data,
                },
                _ => self.anonymous(of),
            };
        }
        if libraries.contains(name) { Kind::Libraries } else { Kind::Files }
    }

    fn anonymous(&self, of: &Mapping) -> Kind {
        if executable(of) {
            return Kind::Code;
        }
        let first = self.stacks.partition_point(|pointer| *pointer < of.start);
        let stack = self.stacks.get(first).is_some_and(|pointer| *pointer < of.end);
        if stack { Kind::Stack } else { Kind::Anonymous }
    }
}

fn executable(mapping: &Mapping) -> bool {
    mapping.mode.as_bytes().get(2) == Some(&b'x')
}

/// The stack pointer of a thread that is in a call of the system: the word before the last.
fn stack_pointer(path: &std::path::Path) -> Option<u64> {
    let text = read_small(path).ok()?;
    let word = text.split_whitespace().rev().nth(1)?;
    hexadecimal(word.strip_prefix("0x")?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::mappings::parse;

    #[test]
    fn regions_are_told_by_name_rights_and_neighbours() {
        let lines = [
            ("1000-2000 r--p", "/bin/a", Kind::Data),
            ("2000-3000 r-xp", "/bin/a", Kind::Code),
            ("3000-4000 rw-p", "/bin/a", Kind::Data),
            ("4000-5000 rw-p", "", Kind::Data),
            ("6000-7000 rw-p", "[heap]", Kind::Heap),
            ("7000-8000 rw-p", "", Kind::Anonymous),
            ("8000-9000 r-xp", "", Kind::Code),
            ("9000-a000 r-xp", "/lib/libc.so.6", Kind::Libraries),
            ("a000-b000 rw-p", "/lib/libc.so.6", Kind::Libraries),
            ("b000-c000 rw-p", "", Kind::Libraries),
            ("c000-d000 rw-p", "", Kind::Anonymous),
            ("d000-e000 r--p", "/usr/lib/locale", Kind::Files),
            ("e000-f000 rw-s", "/dev/shm/x", Kind::Shared),
            ("f000-10000 r--s", "/usr/lib/cache", Kind::Files),
            ("10000-20000 rw-p", "", Kind::Stack),
            ("20000-30000 rw-p", "[anon:strata span]", Kind::Heap),
            ("30000-31000 rw-p", "[stack]", Kind::Stack),
            ("31000-32000 r-xp", "[vdso]", Kind::Kernel),
        ];
        let text: String = lines
            .iter()
            .map(|(head, name, _)| format!("{head} 00000000 00:00 0      {name}\n"))
            .collect();
        let mut found = parse(text.as_bytes()).unwrap();
        let sorter = Sorter { program: Some("/bin/a".into()), stacks: vec![0x1_8000, 0x3_0800] };
        sorter.sort(&mut found);
        for (mapping, (_, name, kind)) in found.iter().zip(lines) {
            assert_eq!(mapping.kind, kind, "{:x} {name}", mapping.start);
        }
    }

    #[test]
    fn every_kind_is_at_its_number() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
