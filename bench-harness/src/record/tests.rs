//! What the embedded recorder shows to the programs that it is loaded into, and how they are named.

use super::RECORDER;
use super::capture::quoted;
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol};
use std::collections::BTreeSet;

#[test]
fn the_recorder_defines_what_it_stands_before_and_nothing_else() {
    if RECORDER.is_empty() {
        return;
    }
    let elf = ElfFile64::<Endianness>::parse(RECORDER).unwrap();
    let symbols = |undefined: bool| -> BTreeSet<&str> {
        elf.dynamic_symbols()
            .filter(|symbol| symbol.is_undefined() == undefined)
            .map(|symbol| symbol.name().unwrap())
            .filter(|name| !name.is_empty())
            .collect()
    };
    let defined = [
        "aligned_alloc",
        "calloc",
        "free",
        "free_aligned_sized",
        "free_sized",
        "malloc",
        "malloc_usable_size",
        "memalign",
        "posix_memalign",
        "pthread_clockjoin_np",
        "pthread_create",
        "pthread_join",
        "pthread_timedjoin_np",
        "pthread_tryjoin_np",
        "pvalloc",
        "realloc",
        "reallocarray",
        "strata_recorder_hooks",
        "valloc",
    ];
    assert_eq!(symbols(false), BTreeSet::from(defined));
    // The loader's general way to thread-local bytes may allocate.
    assert!(!symbols(true).contains("__tls_get_addr"));
}

#[test]
fn a_command_line_can_be_given_to_a_shell_again() {
    let words = ["git", "--depth=3", "", "a b", "[1]|add", "it's"].map(quoted);
    assert_eq!(words, ["git", "--depth=3", "''", "'a b'", "'[1]|add'", r"'it'\''s'"]);
}
