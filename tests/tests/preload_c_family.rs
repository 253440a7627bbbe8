//! The C family of `libstrata.so`, in child processes that have it preloaded: what C23, POSIX and the
//! manuals of glibc promise at the edges, and what is done about misuse.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use core::ffi::{CStr, c_int, c_void};
use core::{mem, ptr, slice};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output};
use std::{env, thread};

use strata_tests::preload::library;

const CHILD: &str = "STRATA_CHILD";

/// The command that runs a test alone, with the library preloaded.
fn command(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([name, "--exact", "--test-threads=1", "--nocapture"])
        .env(CHILD, name)
        .env("LD_PRELOAD", library(env!("CARGO_TARGET_TMPDIR")));
    command
}

fn run(name: &str, settings: &[(&str, &str)]) -> Output {
    command(name).envs(settings.iter().copied()).output().unwrap()
}

fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// A test whose body runs in a child with the library preloaded.
macro_rules! preloaded {
    ($($(#[$meta:meta])* fn $name:ident() $body:block)*) => {$(
        $(#[$meta])*
        #[test]
        fn $name() {
            if is_child() {
                assert!(is_preloaded());
                return $body;
            }
            let out = run(stringify!($name), &[]);
            let (said, printed) =
                (String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout));
            assert!(out.status.success(), "{}\n{printed}\n{said}", out.status);
        }
    )*};
}

/// A test whose body, in such a child, must end by a message with these words.
macro_rules! stopped {
    ($(fn $name:ident() says $words:literal $body:block)*) => {$(
        #[test]
        fn $name() {
            if is_child() {
                assert!(is_preloaded());
                $body;
                println!("the wrong call returned");
                return;
            }
            let out = run(stringify!($name), &[]);
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.signal(), Some(libc::SIGABRT), "{}\n{said}", out.status);
            assert!(said.contains($words), "{said}");
        }
    )*};
}

/// Whether `malloc` is the library's.
fn is_preloaded() -> bool {
    // SAFETY: a C string; a name in a loaded object, or none.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        let found = libc::dlsym(libc::RTLD_DEFAULT, c"malloc".as_ptr());
        libc::dladdr(found, &mut info) != 0
            && CStr::from_ptr(info.dli_fname).to_bytes().ends_with(b"libstrata.so")
    }
}

/// A function of the library that the `libc` crate does not declare.
///
/// # Safety
///
/// 1. `F` is the type of the function of that name.
unsafe fn function<F: Copy>(name: &CStr) -> F {
    // SAFETY: a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?} is there");
    assert_eq!(size_of::<F>(), size_of::<*mut c_void>());
    // SAFETY: 1. the caller's.
    unsafe { mem::transmute_copy(&found) }
}

type Sized = unsafe extern "C" fn(*mut c_void, usize);
type AlignedSized = unsafe extern "C" fn(*mut c_void, usize, usize);

fn errno() -> c_int {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() }
}

fn set_errno(to: c_int) {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() = to };
}

/// Asserts that a call answered null and `why`.
#[track_caller]
fn refused(why: c_int, call: impl FnOnce() -> *mut c_void) {
    set_errno(0);
    let block = call();
    assert!(block.is_null() && errno() == why, "{block:?}, errno {}", errno());
}

/// Fills a block, so that one that is too short or lies in another is seen.
///
/// # Safety
///
/// 1. `block` has `len` bytes.
unsafe fn fill(block: *mut c_void, len: usize, byte: u8) {
    // SAFETY: 1. the caller's.
    unsafe { block.cast::<u8>().write_bytes(byte, len) };
}

/// # Safety
///
/// 1. `block` has `len` bytes, all written.
unsafe fn is_all(block: *mut c_void, len: usize, byte: u8) -> bool {
    // SAFETY: 1. the caller's.
    unsafe { slice::from_raw_parts(block.cast::<u8>(), len) }.iter().all(|&found| found == byte)
}

/// Longer than any block may be, each in its way.
const ABSURD: [usize; 5] =
    [isize::MAX as usize, isize::MAX as usize + 1, usize::MAX, usize::MAX - 15, usize::MAX - 4095];

// SAFETY, all of the blocks below: the arguments are what the functions ask for, blocks are freed once
// and not used afterwards, but where the name of a test says what is done wrong.
preloaded! {
    fn no_bytes_are_a_block_of_their_own() {
        // SAFETY: see above.
        unsafe {
            let mut place = ptr::null_mut();
            assert_eq!(libc::posix_memalign(&mut place, 64, 0), 0);
            let blocks = [
                libc::malloc(0), libc::malloc(0), libc::calloc(0, 8), libc::calloc(8, 0),
                libc::realloc(ptr::null_mut(), 0), libc::aligned_alloc(128, 0),
                libc::memalign(32, 0), libc::reallocarray(ptr::null_mut(), 0, 3), place,
            ];
            for (number, block) in blocks.iter().enumerate() {
                assert!(!block.is_null() && !blocks[..number].contains(block));
            }
            blocks.into_iter().for_each(|block| libc::free(block));
            libc::free(ptr::null_mut());
        }
    }

    fn what_is_too_long_is_refused_with_enomem() {
        // SAFETY: see above.
        unsafe {
            let block = libc::malloc(1000);
            fill(block, 1000, 7);
            for size in ABSURD {
                refused(libc::ENOMEM, || libc::malloc(size));
                refused(libc::ENOMEM, || libc::calloc(1, size));
                refused(libc::ENOMEM, || libc::calloc(size, 1));
                refused(libc::ENOMEM, || libc::realloc(block, size));
                refused(libc::ENOMEM, || libc::realloc(ptr::null_mut(), size));
                refused(libc::ENOMEM, || libc::reallocarray(block, size, 1));
                refused(libc::ENOMEM, || libc::aligned_alloc(16, size));
                refused(libc::ENOMEM, || libc::aligned_alloc(1 << 30, size));
                refused(libc::ENOMEM, || libc::memalign(4096, size));
                refused(libc::ENOMEM, || function::<unsafe extern "C" fn(usize) -> *mut c_void>(c"valloc")(size));
                refused(libc::ENOMEM, || function::<unsafe extern "C" fn(usize) -> *mut c_void>(c"pvalloc")(size));
                let mut place = block;
                set_errno(77);
                assert_eq!(libc::posix_memalign(&mut place, 64, size), libc::ENOMEM);
                assert!(place == block && errno() == 77, "posix_memalign changes neither");
            }
            // Products that do not fit.
            for (count, size) in [(usize::MAX, 2), (1 << 32, 1 << 32), (3, usize::MAX / 2)] {
                refused(libc::ENOMEM, || libc::calloc(count, size));
                refused(libc::ENOMEM, || libc::reallocarray(block, count, size));
                refused(libc::ENOMEM, || libc::reallocarray(ptr::null_mut(), count, size));
            }
            refused(libc::ENOMEM, || libc::aligned_alloc(1 << 62, 1 << 62));
            assert!(is_all(block, 1000, 7), "a refused realloc leaves the block");
            libc::free(block);
        }
    }

    fn alignments_are_kept_or_refused() {
        // SAFETY: see above.
        unsafe {
            for size in (0..300).chain([1000, 4097, 40_000, 1 << 20, 3 << 20]) {
                let plain = libc::malloc(size);
                assert!(plain.addr().is_multiple_of(if size > 8 { 16 } else { 8 }), "malloc({size})");
                libc::free(plain);
                for align in (0..23).map(|log| 1_usize << log) {
                    let block = libc::aligned_alloc(align, size);
                    assert!(!block.is_null() && block.addr().is_multiple_of(align), "{align}, {size}");
                    fill(block, size, 1);
                    assert!(libc::malloc_usable_size(block) >= size);
                    libc::free(block);
                    let block = libc::memalign(align, size);
                    assert!(!block.is_null() && block.addr().is_multiple_of(align));
                    libc::free(block);
                    let mut place = ptr::null_mut();
                    let status = libc::posix_memalign(&mut place, align, size);
                    assert_eq!(status, if align < 8 { libc::EINVAL } else { 0 });
                    assert!(place.addr().is_multiple_of(align));
                    libc::free(place);
                }
            }
            for align in [0, 3, 24, 1000, usize::MAX] {
                refused(libc::EINVAL, || libc::aligned_alloc(align, 64));
                let mut place = ptr::without_provenance_mut(0x1234);
                set_errno(77);
                assert_eq!(libc::posix_memalign(&mut place, align, 64), libc::EINVAL);
                assert!(place.addr() == 0x1234 && errno() == 77);
            }
            // glibc's memalign takes the next power of two.
            let block = libc::memalign(24, 64);
            assert!(block.addr().is_multiple_of(32) && !block.is_null());
            libc::free(block);
            refused(libc::EINVAL, || libc::memalign(usize::MAX, 64));
            let valloc: unsafe extern "C" fn(usize) -> *mut c_void = function(c"valloc");
            let pvalloc: unsafe extern "C" fn(usize) -> *mut c_void = function(c"pvalloc");
            for size in [0, 1, 4096, 4097] {
                for block in [valloc(size), pvalloc(size)] {
                    assert!(!block.is_null() && block.addr().is_multiple_of(4096));
                    libc::free(block);
                }
            }
            let block = pvalloc(1);
            assert!(libc::malloc_usable_size(block) >= 4096);
            libc::free(block);
        }
    }

    fn realloc_keeps_what_both_hold() {
        // SAFETY: see above.
        unsafe {
            let sizes = [1, 8, 9, 16, 100, 1024, 1025, 4000, 32 << 10, (32 << 10) + 1, 200_000,
                (1 << 20) - 1, (1 << 20) + 1, 5 << 20];
            for from in sizes {
                for to in sizes {
                    let block = libc::malloc(from);
                    fill(block, from, 9);
                    let block = libc::realloc(block, to);
                    assert!(!block.is_null() && is_all(block, from.min(to), 9), "{from} to {to}");
                    assert!(block.addr().is_multiple_of(if to > 8 { 16 } else { 8 }));
                    fill(block, to, 3);
                    libc::free(block);
                }
                let block = libc::aligned_alloc(1 << 21, from);
                fill(block, from, 5);
                let block = libc::realloc(block, from + 1);
                assert!(is_all(block, from, 5));
                libc::free(block);
            }
        }
    }

    fn realloc_to_nothing_frees_and_answers_null() {
        // SAFETY: see above.
        unsafe {
            for size in [1, 100, 100_000, 3 << 20] {
                let block = libc::malloc(size);
                set_errno(77);
                assert!(libc::realloc(block, 0).is_null() && errno() == 77);
                let block = libc::malloc(size);
                assert!(libc::reallocarray(block, 0, 4).is_null() && errno() == 77);
            }
        }
    }

    fn usable_bytes_may_be_used() {
        // SAFETY: see above.
        unsafe {
            assert_eq!(libc::malloc_usable_size(ptr::null_mut()), 0);
            let mut blocks = Vec::new();
            for size in (0..200).chain([1000, 5000, 33_000, 900_000, 2_000_000]) {
                let block = libc::malloc(size);
                let usable = libc::malloc_usable_size(block);
                assert!(usable >= size.max(1));
                fill(block, usable, size as u8);
                blocks.push((block, usable, size as u8));
            }
            for (block, usable, byte) in blocks {
                assert!(is_all(block, usable, byte));
                libc::free(block);
            }
        }
    }

    fn calloc_is_zero_where_others_wrote() {
        // SAFETY: see above.
        unsafe {
            for round in 0..20 {
                for size in [1, 8, 24, 100, 1000, 5000, 40_000, 300_000, 1 << 20, 3 << 20] {
                    let block = libc::calloc(1 + round % 3, size);
                    assert!(is_all(block, (1 + round % 3) * size, 0), "{size}, round {round}");
                    fill(block, (1 + round % 3) * size, 0xEE);
                    libc::free(block);
                }
            }
        }
    }

    fn errno_is_left_alone_where_nothing_fails() {
        // SAFETY: see above.
        unsafe {
            let mut blocks: Vec<*mut c_void> = Vec::with_capacity(2000);
            set_errno(77);
            for round in 0..20_000_usize {
                let size = (round * 7919) % if round % 50 == 0 { 3_000_000 } else { 3000 };
                let block = match round % 4 {
                    0 => libc::malloc(size),
                    1 => libc::calloc(size, 1),
                    2 => libc::aligned_alloc(64, size),
                    _ => match blocks.pop() {
                        Some(block) => libc::realloc(block, size + 1),
                        None => libc::malloc(size),
                    },
                };
                assert!(!block.is_null());
                if blocks.len() == 1000 {
                    blocks.drain(..700).for_each(|block| libc::free(block));
                }
                blocks.push(block);
            }
            blocks.drain(..).for_each(|block| libc::free(block));
            libc::malloc_trim(0);
            assert_eq!(errno(), 77);
        }
    }

    fn sized_frees_take_what_was_requested() {
        // SAFETY: see above.
        unsafe {
            let free_sized: Sized = function(c"free_sized");
            let free_aligned_sized: AlignedSized = function(c"free_aligned_sized");
            for size in (0..2000).chain([33_000, 900_000, (1 << 20) + 1, 3 << 20]) {
                free_sized(libc::malloc(size), size);
                free_sized(libc::calloc(1, size), size);
                free_sized(libc::realloc(libc::malloc(50), size.max(1)), size.max(1));
                for align in [1, 8, 16, 64, 4096, 1 << 16, 1 << 21] {
                    free_aligned_sized(libc::aligned_alloc(align, size), align, size);
                }
            }
            free_sized(ptr::null_mut(), 9);
            free_aligned_sized(ptr::null_mut(), 9, 9);
        }
    }

    fn every_form_of_new_has_its_delete() {
        // SAFETY: see above.
        unsafe {
            type New = unsafe extern "C" fn(usize) -> *mut c_void;
            type NewAligned = unsafe extern "C" fn(usize, usize) -> *mut c_void;
            type NewNothrow = unsafe extern "C" fn(usize, *const c_void) -> *mut c_void;
            type NewBoth = unsafe extern "C" fn(usize, usize, *const c_void) -> *mut c_void;
            type Delete = unsafe extern "C" fn(*mut c_void);
            type DeleteNothrow = unsafe extern "C" fn(*mut c_void, *const c_void);
            type DeleteBoth = unsafe extern "C" fn(*mut c_void, usize, *const c_void);
            let tag = CHILD.as_ptr().cast();
            for size in [0, 1, 16, 100, 2000, 70_000, 2 << 20] {
                for (new, delete, sized) in
                    [(c"_Znwm", c"_ZdlPv", c"_ZdlPvm"), (c"_Znam", c"_ZdaPv", c"_ZdaPvm")]
                {
                    let new: New = function(new);
                    function::<Delete>(delete)(new(size));
                    function::<Sized>(sized)(new(size), size);
                    function::<Delete>(delete)(ptr::null_mut());
                }
                for (new, delete) in [
                    (c"_ZnwmRKSt9nothrow_t", c"_ZdlPvRKSt9nothrow_t"),
                    (c"_ZnamRKSt9nothrow_t", c"_ZdaPvRKSt9nothrow_t"),
                ] {
                    let block = function::<NewNothrow>(new)(size, tag);
                    assert!(!block.is_null());
                    function::<DeleteNothrow>(delete)(block, tag);
                }
                for align in [16, 64, 4096] {
                    for (new, delete, sized) in [
                        (c"_ZnwmSt11align_val_t", c"_ZdlPvSt11align_val_t", c"_ZdlPvmSt11align_val_t"),
                        (c"_ZnamSt11align_val_t", c"_ZdaPvSt11align_val_t", c"_ZdaPvmSt11align_val_t"),
                    ] {
                        let new: NewAligned = function(new);
                        let block = new(size, align);
                        assert!(block.addr().is_multiple_of(align));
                        function::<Sized>(delete)(block, align);
                        function::<AlignedSized>(sized)(new(size, align), size, align);
                    }
                    for (new, delete) in [
                        (c"_ZnwmSt11align_val_tRKSt9nothrow_t", c"_ZdlPvSt11align_val_tRKSt9nothrow_t"),
                        (c"_ZnamSt11align_val_tRKSt9nothrow_t", c"_ZdaPvSt11align_val_tRKSt9nothrow_t"),
                    ] {
                        let block = function::<NewBoth>(new)(size, align, tag);
                        function::<DeleteBoth>(delete)(block, align, tag);
                    }
                }
            }
            // No C++ runtime is here: nothing is thrown, nothing is called.
            assert!(function::<NewNothrow>(c"_ZnwmRKSt9nothrow_t")(usize::MAX, tag).is_null());
            assert!(function::<NewBoth>(c"_ZnamSt11align_val_tRKSt9nothrow_t")(usize::MAX, 64, tag).is_null());
        }
    }

    fn figures_and_trimming() {
        // SAFETY: see above.
        unsafe {
            let before = libc::mallinfo2();
            let blocks: Vec<_> = (0..1000).map(|_| libc::malloc(4000)).collect();
            blocks.iter().for_each(|block| fill(*block, 4000, 1));
            let during = libc::mallinfo2();
            assert!(during.uordblks >= before.uordblks + 4_000_000);
            blocks.into_iter().for_each(|block| libc::free(block));
            libc::malloc_trim(0);
            assert_eq!(libc::malloc_trim(0), 0, "nothing is left to give");
            assert!(libc::mallinfo2().uordblks + 3_900_000 < during.uordblks);
            assert!(libc::mallinfo().arena > 0);
        }
    }

    fn threads_free_what_others_allocated() {
        let rounds: Vec<_> = (0..8_usize)
            .map(|seed| thread::spawn(move || {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                for n in 0..4000_usize {
                    kept.push(vec![seed as u8; 1 + (n * 31 + seed * 7) % 5000]);
                    if kept.len() > 100 {
                        kept.swap_remove(n % 100);
                    }
                }
                kept
            }))
            .collect();
        for (seed, round) in rounds.into_iter().enumerate() {
            for block in round.join().unwrap() {
                assert!(block.iter().all(|byte| usize::from(*byte) == seed));
            }
        }
    }

    fn a_forked_child_allocates() {
        // SAFETY: see above. The child of a process that has one thread may do everything.
        unsafe {
            let inherited = libc::malloc(100);
            for _ in 0..50 {
                let child = libc::fork();
                assert!(child >= 0);
                if child == 0 {
                    libc::free(inherited);
                    let blocks: [_; 200] = core::array::from_fn(|n| libc::malloc(n * 50));
                    blocks.into_iter().for_each(|block| libc::free(block));
                    libc::_exit(0);
                }
                let mut status = 1;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                assert_eq!(status, 0);
            }
            libc::free(inherited);
        }
    }

    fn libraries_come_and_go() {
        // SAFETY: libraries of the system without a say in what is allocated here.
        unsafe {
            for _ in 0..20 {
                for name in [c"libm.so.6", c"libutil.so.1", c"libresolv.so.2", c"libanl.so.1"] {
                    let handle = libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
                    if !handle.is_null() {
                        assert_eq!(libc::dlclose(handle), 0);
                    }
                }
                assert!(libc::dlopen(c"no such library.so".as_ptr(), libc::RTLD_NOW).is_null());
                assert!(!libc::dlerror().is_null());
            }
            // Nor does the library itself go.
            let handle = libc::dlopen(c"libstrata.so".as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD);
            if !handle.is_null() {
                libc::dlclose(handle);
                libc::dlclose(handle);
            }
            libc::free(libc::malloc(100));
        }
    }
}

stopped! {
    fn a_double_free_is_stopped() says "a block was freed twice" {
        // SAFETY: none, on purpose, in a child that ends.
        unsafe {
            let block = libc::malloc(100);
            libc::free(block);
            libc::free(block);
        }
    }

    fn a_large_double_free_is_stopped() says "strata: " {
        // SAFETY: as above.
        unsafe {
            let block = libc::malloc(500_000);
            libc::free(block);
            libc::free(block);
        }
    }

    fn a_free_of_foreign_memory_is_stopped() says "not of this heap" {
        let mut foreign = [0_u64; 8];
        // SAFETY: as above.
        unsafe { libc::free(foreign.as_mut_ptr().cast()) };
    }

    fn a_realloc_of_foreign_memory_is_stopped() says "not of this heap" {
        let mut foreign = [0_u64; 8];
        // SAFETY: as above.
        unsafe { libc::realloc(foreign.as_mut_ptr().cast(), 100) };
    }

    fn a_realloc_of_freed_memory_is_stopped() says "resized that had been freed" {
        // SAFETY: as above.
        unsafe {
            let block = libc::malloc(100);
            libc::free(block);
            libc::realloc(block, 50);
        }
    }

    fn a_realloc_of_a_freed_large_block_is_stopped() says "strata: " {
        // SAFETY: as above.
        unsafe {
            let block = libc::malloc(5 << 20);
            libc::free(block);
            libc::realloc(block, 50);
        }
    }

    fn a_realloc_inside_a_block_is_stopped() says "where a block begins" {
        // SAFETY: as above.
        unsafe { libc::realloc(libc::malloc(100).wrapping_byte_add(16), 50) };
    }

    fn a_realloc_inside_a_large_block_is_stopped() says "no block's" {
        // SAFETY: as above.
        unsafe { libc::realloc(libc::malloc(500_000).wrapping_byte_add(8192), 50) };
    }

    fn a_wrong_size_is_stopped() says "another size" {
        // SAFETY: as above.
        unsafe { function::<Sized>(c"free_sized")(libc::malloc(100), 200) };
    }

    fn a_wrong_size_of_delete_is_stopped() says "another size" {
        // SAFETY: as above.
        unsafe { function::<Sized>(c"_ZdlPvm")(libc::malloc(100), 2000) };
    }

    fn new_without_memory_or_a_runtime_is_stopped() says "operator new" {
        // SAFETY: as above.
        unsafe { function::<unsafe extern "C" fn(usize) -> *mut c_void>(c"_Znwm")(usize::MAX) };
    }
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// What the environment chooses is chosen.
#[test]
fn the_environment_is_read() {
    const NAME: &str = "the_environment_is_read";
    if is_child() {
        // SAFETY: blocks of these lengths, freed once.
        unsafe {
            let blocks: Vec<_> = (0..10_000).map(|_| libc::malloc(4000)).collect();
            blocks.iter().for_each(|block| fill(*block, 4000, 1));
            blocks.into_iter().for_each(|block| libc::free(block));
        }
        println!("\nresident {}", resident());
        return;
    }
    let left = |settings: &[(&str, &str)]| {
        let out = run(NAME, settings);
        let printed = String::from_utf8_lossy(&out.stdout).into_owned();
        let line = printed.lines().find_map(|line| line.strip_prefix("resident "));
        line.unwrap_or_else(|| panic!("{printed}")).parse::<usize>().unwrap()
    };
    let kept = left(&[("STRATA_GIVE_BACK", "never")]);
    for other in [&[][..], &[("STRATA_GIVE_BACK", "eager")], &[("STRATA_GIVE_BACK", "nonsense")]] {
        assert!(left(other) + (20 << 20) < kept, "{other:?}");
    }
}

/// In little address space from the start on: the heap's first reservation is short too.
#[test]
fn exhausted_address_space_is_enomem_and_the_process_lives() {
    const NAME: &str = "exhausted_address_space_is_enomem_and_the_process_lives";
    if !is_child() {
        let mut child = command(NAME);
        // SAFETY: one system call, of which a forked child may make any.
        unsafe {
            child.pre_exec(|| {
                let limit = libc::rlimit { rlim_cur: 400 << 20, rlim_max: 400 << 20 };
                match libc::setrlimit(libc::RLIMIT_AS, &limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let out = child.output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{}\n{said}", out.status);
        return;
    }
    assert!(is_preloaded());
    // SAFETY: see `preloaded`.
    unsafe {
        // The longest first: what smaller blocks reserved stays theirs.
        for size in [4 << 20, 100_000, 5000, 100] {
            let mut first: *mut *mut c_void = ptr::null_mut();
            let mut count = 0_usize;
            let refusal = loop {
                set_errno(0);
                let block = libc::malloc(size).cast::<*mut c_void>();
                if block.is_null() {
                    break errno();
                }
                *block = first.cast();
                first = block;
                count += 1;
                assert!(count * size < 1 << 30, "the limit holds");
            };
            assert_eq!(refusal, libc::ENOMEM, "after {count} of {size}");
            refused(libc::ENOMEM, || libc::calloc(size, 1));
            refused(libc::ENOMEM, || libc::realloc(ptr::null_mut(), size));
            while !first.is_null() {
                let next = *first;
                libc::free(first.cast());
                first = next.cast();
            }
            let again = libc::malloc(size);
            assert!(!again.is_null(), "{size} bytes again");
            libc::free(again);
        }
    }
}
