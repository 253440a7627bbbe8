//! The real system. What every source must do is tested in the workspace's `tests/`.

use core::ptr::NonNull;
use std::process::Command;
use std::string::String;
use std::sync::Arc;
use std::{env, fs, thread};

use strata_core::lock::RawLock;
use strata_core::source::Locked;
use strata_core::sync::UnsafeCell;
use strata_core::{Contents, Exhausted, Source};

use crate::memory::*;
use crate::{FutexLock, OsError, OsReserve, OsSource};

pub(crate) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}

pub(crate) fn set_errno(value: i32) {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() = value };
}

/// Whether every byte of a mapped range is `byte`.
unsafe fn all(at: NonNull<u8>, len: usize, byte: u8) -> bool {
    // SAFETY: the callers own the range, committed.
    unsafe { core::slice::from_raw_parts(at.as_ptr(), len) }.iter().all(|b| *b == byte)
}

/// What the system says under `field` of the mapping that has `at` in it. (Neighbours of the same
/// kind merge, so it may start lower.)
fn smaps(at: NonNull<u8>, field: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/self/smaps").ok()?;
    let range = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
    };
    let has_at = |line: &&str| range(line).is_some_and(|range| range.contains(&at.addr().get()));
    let mut of_mapping = text.lines().skip_while(|line| !has_at(line)).skip(1);
    Some(of_mapping.find(|line| line.starts_with(field))?.split(':').nth(1)?.trim().into())
}

/// Runs test `name` alone in a child where `STRATA_CHILD` is set, and asserts that it passes.
pub(crate) fn in_child(name: &str) {
    let out = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--test-threads=1", "--nocapture"])
        .env("STRATA_CHILD", name)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&out.stdout).contains("1 passed"), "no test named {name}");
}

#[test]
fn a_page_is_what_the_system_says() {
    let out = Command::new("getconf").arg("PAGESIZE").output();
    if let Ok(out) = out {
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), std::format!("{}", page_size()));
    }
    assert!(page_size().is_power_of_two());
}

#[test]
fn a_reserve_is_usable_where_it_is_committed_and_zero_after_a_decommit() {
    let page = page_size();
    let at = reserve(8 * page, 1).unwrap();
    // SAFETY: a range of the test's own.
    unsafe {
        commit(at.add(page), 2 * page).unwrap();
        at.add(page).write_bytes(9, 2 * page);
        decommit(at.add(page), page).unwrap();
        assert!(all(at.add(2 * page), page, 9), "the neighbour keeps its contents");
        commit(at.add(page), page).unwrap();
        assert!(all(at.add(page), page, 0));
        release(at, 8 * page).unwrap();
    }
}

#[test]
fn alignments_up_to_a_gibibyte_leave_nothing_else_mapped() {
    for shift in [12, 13, 16, 21, 25, 30] {
        let (len, align) = (3 * page_size(), 1usize << shift);
        let at = map(len, align).unwrap();
        assert_eq!(at.addr().get() % align, 0);
        // SAFETY: the test's own.
        unsafe {
            at.write_bytes(1, len);
            release(at, len).unwrap();
        }
    }
    assert_eq!(reserve(usize::MAX & !(page_size() - 1), 1 << 30).unwrap_err().op, "mmap");
    assert_eq!(map(0, 1).unwrap_err(), OsError { op: "mmap", errno: libc::EINVAL });
}

#[test]
fn a_purge_drops_exactly_its_pages() {
    let page = page_size();
    let at = map(3 * page, 1).unwrap();
    // SAFETY: the test's own.
    unsafe {
        at.write_bytes(5, 3 * page);
        purge(at.add(page), page).unwrap();
        assert!(all(at, page, 5) && all(at.add(page), page, 0) && all(at.add(2 * page), page, 5));
        purge_lazily(at, page).unwrap();
        let first = at.read();
        assert!(first == 5 || first == 0);
        release(at, 3 * page).unwrap();
    }
}

#[test]
fn a_mapping_grows_only_into_free_addresses() {
    let page = page_size();
    let at = reserve(4 * page, 1).unwrap();
    // SAFETY: the test's own. Releasing the last page makes a hole that `grow` takes; another
    // thread's mapping may fall into it first, which is then found taken.
    unsafe {
        commit(at, page).unwrap();
        assert_eq!(grow(at, page, 2 * page).unwrap_err().op, "mremap", "taken by the reserve");
        release(at.add(page), 3 * page).unwrap();
        at.write(3);
        if grow(at, page, 2 * page).is_ok() {
            assert!(at.read() == 3 && all(at.add(page), page, 0));
            release(at.add(page), page).unwrap();
        }
        release(at, page).unwrap();
    }
}

#[test]
fn a_remap_keeps_contents_length_and_alignment() {
    let page = page_size();
    for align in [1, 1 << 21] {
        let at = map(2 * page, 1).unwrap();
        // SAFETY: the test's own.
        unsafe {
            at.write_bytes(7, 2 * page);
            let moved = remap(at, 2 * page, 64 * page, align).unwrap();
            assert_eq!(moved.addr().get() % align, 0);
            assert!(all(moved, 2 * page, 7) && all(moved.add(2 * page), 62 * page, 0));
            release(moved, 64 * page).unwrap();
        }
    }
}

#[test]
fn a_relocation_moves_contents_and_leaves_zeroes_and_no_hole() {
    let page = page_size();
    let at = map(8 * page, 1).unwrap();
    // SAFETY: the test's own.
    unsafe {
        let to = at.add(4 * page);
        at.write_bytes(4, 3 * page);
        to.write_bytes(6, 4 * page);
        relocate(at, to, 3 * page).unwrap();
        assert!(all(at, 3 * page, 0) && all(to, 3 * page, 4) && all(to.add(3 * page), page, 6));
        at.write_bytes(8, 3 * page); // still mapped
        release(at, 8 * page).unwrap();
    }
}

#[test]
fn advice_holds_for_its_range_only() {
    let page = page_size();
    let at = map(4 << 20, 2 << 20).unwrap();
    // SAFETY: the test's own.
    unsafe {
        if advise_huge(at, 2 << 20, HugePages::Avoid).is_ok() {
            // `nh` is the flag of NOHUGEPAGE; it splits the mapping at 2 MiB.
            let flags = |at| smaps(at, "VmFlags").unwrap_or_default();
            assert!(flags(at).contains("nh"), "{}", flags(at));
            assert!(!flags(at.add(2 << 20)).contains("nh"));
        }
        populate(at, 4 * page).unwrap_or_else(|error| assert_eq!(error.errno, libc::EINVAL));
        name(at, page, c"strata test").unwrap_or_else(|error| assert_eq!(error.op, "prctl"));
        release(at, 4 << 20).unwrap();
    }
}

#[test]
fn what_is_collapsed_keeps_its_contents() {
    let at = map(4 << 20, 2 << 20).unwrap();
    // SAFETY: the test's own.
    unsafe {
        at.write_bytes(7, 4 << 20);
        // Kernels before 6.1, and those without huge pages, refuse; others may have none free.
        let collapsed = collapse(at, 4 << 20).is_ok();
        assert!(all(at, 4 << 20, 7));
        let huge = smaps(at, "AnonHugePages").unwrap_or_default();
        assert!(!collapsed || huge != "0 kB", "{huge}");
        release(at, 4 << 20).unwrap();
    }
}

#[test]
fn a_reserve_is_not_dumped_before_it_is_committed() {
    let page = page_size();
    let at = reserve(4 * page, 1).unwrap();
    // SAFETY: the test's own.
    unsafe {
        if let Some(flags) = smaps(at, "VmFlags") {
            assert!(flags.contains("dd"), "{flags}");
            commit(at, page).unwrap();
            assert!(!smaps(at, "VmFlags").unwrap().contains("dd"));
        }
        release(at, 4 * page).unwrap();
    }
}

#[test]
fn errno_stays_as_the_caller_left_it() {
    let page = page_size();
    set_errno(77);
    assert!(map(usize::MAX & !(page - 1), 1).is_err());
    assert_eq!(errno(), 77);
    let at = map(page, 1).unwrap();
    // SAFETY: the test's own; a length that is not whole pages is an error of the call's.
    unsafe {
        assert!(advise_huge(at.add(1), page, HugePages::Avoid).is_err());
        assert!(relocate(at, at, page).is_err());
        release(at, page).unwrap();
    }
    assert_eq!(errno(), 77);
    let lock = FutexLock::new();
    lock.lock();
    assert_eq!(errno(), 77);
}

#[test]
fn a_limit_on_address_space_is_exhaustion_and_not_the_end() {
    if env::var_os("STRATA_CHILD").is_none() {
        return in_child("tests::a_limit_on_address_space_is_exhaustion_and_not_the_end");
    }
    let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
    // SAFETY: a valid struct; the limit holds for this child only.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    assert_eq!(reserve(2 << 30, 1), Err(OsError { op: "mmap", errno: libc::ENOMEM }));
    assert_eq!(OsSource::new().acquire(2 << 30, 1).unwrap_err(), Exhausted);
    let os = OsSource::new();
    let chunk = os.acquire(1 << 20, 1).unwrap();
    // SAFETY: 1. and 2. of each: from `os`, used by nobody else.
    unsafe {
        let mut chunk = os.remap(chunk, 2 << 30, 1).unwrap_err();
        assert_eq!(os.grow(&mut chunk, 2 << 30), Err(Exhausted));
        chunk.base().write(1);
        os.release(chunk);
    }
}

#[test]
fn the_source_answers_what_the_system_did() {
    let (os, page) = (OsSource::with_huge_pages(HugePages::Avoid), page_size());
    let chunk = os.acquire(page + 1, 1).unwrap();
    assert_eq!(chunk.len(), 2 * page);
    let (low, high) = chunk.split_at(page).unwrap();
    // SAFETY: pieces of a chunk of `os`, the test's own.
    unsafe {
        high.base().write(1);
        os.release(low);
        assert_eq!(high.base().read(), 1);
        assert_eq!(os.purge(high.base(), page), Contents::Zero);
        assert_eq!(high.base().read(), 0);
        os.release(high);
    }
    let chunk = OsReserve.acquire(1 << 40, 1).or_else(|_| OsReserve.acquire(1 << 30, 1)).unwrap();
    // SAFETY: as above.
    unsafe {
        OsReserve.commit(chunk.base(), page).unwrap();
        chunk.base().write(1);
        OsReserve.release(chunk);
    }
}

#[test]
fn sleeping_waiters_wake_up_one_by_one() {
    struct Shared(FutexLock, UnsafeCell<u64>);
    // SAFETY: the cell is touched under the lock only.
    unsafe impl Sync for Shared {}
    let shared = Arc::new(Shared(FutexLock::new(), UnsafeCell::new(0)));
    let threads: std::vec::Vec<_> = (0..4)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for turn in 0..2_000 {
                    shared.0.lock();
                    // SAFETY: the lock is held.
                    shared.1.with_mut(|n| unsafe { *n += 1 });
                    if turn % 100 == 0 {
                        thread::yield_now(); // makes the others sleep
                    }
                    // SAFETY: 1. taken above.
                    unsafe { shared.0.unlock() };
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // SAFETY: all threads have ended.
    shared.1.with(|n| assert_eq!(unsafe { *n }, 8_000));
    // The lock fits the decorator.
    assert!(Locked::with_lock(OsSource::new(), FutexLock::new()).acquire(0, 1).is_err());
}
