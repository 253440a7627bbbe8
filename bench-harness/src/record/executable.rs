//! Finding a command's executable and telling, before it runs, whether it can be recorded.

use crate::error::{Context, Failure, Result};
use memmap2::Mmap;
use object::read::elf::ElfFile64;
use object::{Architecture, Endianness, Object, ObjectSymbol};
use std::collections::BTreeSet;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Entry points of allocators that programs link under names of their own, which no preload sees.
const PRIVATE_ENTRIES: &[&str] = &[
    "je_malloc",
    "je_mallocx",
    "_rjem_malloc",
    "_rjem_mallocx",
    "mi_malloc",
    "mi_malloc_aligned",
    "_mi_malloc_generic",
    "tc_malloc",
    "tc_new",
    "rpmalloc",
    "rpaligned_alloc",
    "sn_malloc",
    "sn_rust_alloc",
    "scalable_malloc",
    "nedmalloc",
    "dlmalloc",
    "ltmalloc",
];

/// How many interpreters of interpreters are followed.
const DEEPEST: u32 = 4;

/// Finds the executable of a command, and refuses what cannot be recorded.
pub(super) fn find(command: &[OsString]) -> Result<PathBuf> {
    let Some(name) = command.first() else {
        return Err(Failure::input("no command to record: add `-- COMMAND ARGUMENTS`"));
    };
    let path = look_up(name)?;
    check(&path, 0)?;
    Ok(path)
}

/// A command's file, looked for as a shell does.
fn look_up(name: &OsStr) -> Result<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file() && is_executable(file))
        .ok_or_else(|| {
            let name = name.display();
            Failure::input(format!("{name}: command not found; give its path, or correct PATH"))
        })
}

fn is_executable(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: a C string.
    unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 }
}

/// Refuses a file that cannot be recorded. Scripts are as good as what runs them.
fn check(path: &Path, depth: u32) -> Result<()> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).context(|| format!("cannot record {shown}"))?;
    if !metadata.is_file() {
        return Err(Failure::input(format!("cannot record {shown}: it is not a file")));
    }
    if !is_executable(path) {
        return Err(Failure::input(format!(
            "cannot record {shown}: it is not executable; try `chmod +x {shown}`"
        )));
    }
    let file = File::open(path).context(|| format!("cannot read {shown} to see what it is"))?;
    // SAFETY: read only; whoever changes an executable while it is being started has worse
    // problems, and `object` checks all that it reads.
    let bytes = unsafe { Mmap::map(&file) }.context(|| format!("cannot read {shown}"))?;
    if let Some(line) = bytes.strip_prefix(b"#!") {
        if depth == DEEPEST {
            return Err(Failure::input(format!("cannot record {shown}: too many interpreters")));
        }
        return check_interpreter(path, line, depth);
    }
    if metadata.mode() & 0o6000 != 0 || has_capabilities(path) {
        return Err(Failure::input(format!(
            "cannot record {shown}: it is setuid, setgid or has capabilities, so the loader \
             ignores preloads; record a copy of it without them"
        )));
    }
    check_elf(path, &bytes)
}

fn check_interpreter(script: &Path, line: &[u8], depth: u32) -> Result<()> {
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut words = line
        .split(|byte| byte.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
        .map(OsStr::from_bytes);
    let Some(interpreter) = words.next().map(Path::new) else {
        return Err(Failure::input(format!(
            "cannot record {}: its first line names no interpreter",
            script.display()
        )));
    };
    check(interpreter, depth + 1)?;
    if interpreter.file_name() == Some(OsStr::new("env")) {
        // `env [-S] [NAME=VALUE]… PROGRAM`.
        let program = words
            .find(|word| !word.as_bytes().starts_with(b"-") && !word.as_bytes().contains(&b'='));
        if let Some(program) = program {
            check(&look_up(program)?, depth + 1)?;
        }
    }
    Ok(())
}

fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let name = c"security.capability";
    // SAFETY: two C strings; a length of 0 only asks for the length.
    unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) > 0 }
}

fn check_elf(path: &Path, bytes: &[u8]) -> Result<()> {
    let refuse =
        |why: &str| Err(Failure::input(format!("cannot record {}: {why}", path.display())));
    if !bytes.starts_with(b"\x7fELF") {
        return refuse("it is neither an ELF executable nor a script with `#!`");
    }
    let Ok(elf) = ElfFile64::<Endianness>::parse(bytes) else {
        return refuse("it is not a 64-bit ELF executable; record a build for this machine");
    };
    if elf.architecture() != Architecture::X86_64 {
        return refuse("it is for another machine; record a build for this one");
    }
    match interpreter(&elf, bytes) {
        None => {
            return refuse(
                "it is linked statically, so nothing can be preloaded; link it dynamically, or, \
                 if it is a Rust program, build it for a glibc target",
            );
        }
        Some(loader) if !loader.windows(8).any(|part| part == b"ld-linux") => {
            return refuse("its C library is not glibc; record a build for glibc");
        }
        Some(_) => {}
    }
    match own_allocator(&elf) {
        Some(own) => refuse(&format!(
            "{own}; record a build that uses the C library's malloc, or, if it is a Rust program, \
             one with strata_bench::Recorder"
        )),
        None => Ok(()),
    }
}

/// What of an executable's own allocation no preload sees, in words; `None` where there is nothing,
/// or the executable cannot be read.
pub(super) fn own_allocator_of(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    // SAFETY: as in `check`.
    let bytes = unsafe { Mmap::map(&file) }.ok()?;
    own_allocator(&ElfFile64::<Endianness>::parse(&*bytes).ok()?)
}

fn own_allocator(elf: &ElfFile64<'_, Endianness>) -> Option<String> {
    // A program with the recording global allocator may have what allocator it likes.
    if elf.section_by_name(".strata_recorder").is_some() {
        return None;
    }
    let defines_malloc = elf
        .dynamic_symbols()
        .any(|symbol| !symbol.is_undefined() && symbol.name_bytes() == Ok(b"malloc"));
    if defines_malloc {
        return Some("it defines malloc itself, which comes before any preload".into());
    }
    // What it imports is in .dynsym; what it has linked in shows in .symtab, where there is one.
    let names: BTreeSet<&str> = elf
        .dynamic_symbols()
        .chain(elf.symbols().filter(|symbol| !symbol.is_undefined()))
        .filter_map(|symbol| symbol.name().ok())
        .collect();
    let entry = PRIVATE_ENTRIES.iter().find(|entry| names.contains(**entry))?;
    Some(format!("it has an allocator of its own ({entry}), which no preload sees"))
}

/// The loader that an executable asks for; `None` where it asks for none, being static.
fn interpreter<'a>(elf: &ElfFile64<'_, Endianness>, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let endian = elf.endian();
    elf.elf_program_headers().iter().find_map(|header| {
        (header.p_type.get(endian) == object::elf::PT_INTERP).then(|| {
            let start = header.p_offset.get(endian) as usize;
            let end = start.saturating_add(header.p_filesz.get(endian) as usize);
            bytes.get(start..end).unwrap_or_default()
        })
    })
}
