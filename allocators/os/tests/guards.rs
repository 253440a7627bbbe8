//! Guards by both ways: in page tables, and by protection, as kernels before 6.13 have it alone. A filter of system
//! calls makes this kernel such a one for a child process.
#![cfg(target_os = "linux")]

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::ptr::NonNull;
use std::{env, fs};

use strata_os::memory;

const CHILD: &str = "STRATA_CHILD";

/// Has the calling process's kernel know no guards from now on. `false` where it has no filters.
fn refuse_guards() -> bool {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const THIRD: u32 = if cfg!(target_endian = "little") { 32 } else { 36 };
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 0, 4, libc::SYS_madvise as u32),
        step(LOAD, 0, 0, THIRD),
        step(EQUAL, 1, 0, 102),
        step(EQUAL, 0, 1, 103),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program lives for the call, and its jumps end at its last step, at most.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    }
}

/// Whether the mapping that has `at` in it cannot be touched.
fn is_closed(at: NonNull<u8>) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let number = |text| usize::from_str_radix(text, 16).unwrap();
    let mut lines = maps.lines().map(|line| line.split_once(' ').unwrap());
    let (_, rights) = lines
        .find(|(range, _)| {
            let (from, to) = range.split_once('-').unwrap();
            (number(from)..number(to)).contains(&at.addr().get())
        })
        .unwrap();
    rights.starts_with("---")
}

/// Two pages with a third one between, which is guarded.
fn guarded() -> (NonNull<u8>, NonNull<u8>) {
    let page = memory::page_size();
    let at = memory::map(3 * page, 1).unwrap();
    // SAFETY: 1. to 3. the test's own pages.
    unsafe {
        at.write_bytes(7, 3 * page);
        memory::guard(at.add(page), page).unwrap();
        (at, at.add(page))
    }
}

/// Runs a test's other part in a child process.
fn child(test: &str, way: &str) -> std::process::Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--test-threads=1", "--nocapture"]).env(CHILD, way);
    command.output().unwrap()
}

/// The child's part: whether the way that was asked for is there, and is taken from here on.
fn take(way: &str) -> bool {
    way == "tables" || refuse_guards()
}

#[test]
fn a_guard_comes_and_goes_and_leaves_its_neighbours() {
    let Ok(way) = env::var(CHILD) else {
        for way in ["tables", "protection"] {
            let out = child("a_guard_comes_and_goes_and_leaves_its_neighbours", way);
            assert!(out.status.success(), "{way}: {}", String::from_utf8_lossy(&out.stderr));
        }
        return;
    };
    if !take(&way) {
        return println!("no filters of system calls here");
    }
    let (at, guard) = guarded();
    let page = memory::page_size();
    assert!(is_closed(guard) || way == "tables");
    assert!(!is_closed(at));
    // SAFETY: 1. to 3. the test's own pages; the guard is taken away, once with what lies around it.
    unsafe {
        memory::unguard(guard, page).unwrap();
        guard.write_bytes(1, page);
        memory::guard(guard, page).unwrap();
        memory::unguard(at, 3 * page).unwrap();
        guard.write_bytes(2, page);
        assert_eq!((at.read(), at.add(2 * page).read()), (7, 7));
        memory::release(at, 3 * page).unwrap();
    }
}

#[test]
fn a_touch_of_a_guard_ends_the_process() {
    let Ok(way) = env::var(CHILD) else {
        for way in ["tables", "protection"] {
            let out = child("a_touch_of_a_guard_ends_the_process", way);
            let said = String::from_utf8_lossy(&out.stdout);
            let skipped = said.contains("no filters");
            assert!(out.status.signal() == Some(libc::SIGSEGV) || skipped, "{way}: {said}");
        }
        return;
    };
    if !take(&way) {
        return println!("no filters of system calls here");
    }
    let (_, guard) = guarded();
    // SAFETY: none, on purpose, in a child that ends.
    unsafe { guard.read_volatile() };
}
