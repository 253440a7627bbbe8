//! The process heap where the system gives less than usual: locked memory, little address space,
//! strict accounting, few system calls, another machine's translation. Each in a child process.
#![cfg(target_os = "linux")]

use std::alloc::{GlobalAlloc, Layout};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output};
use std::{env, fs, io, ptr, thread};

use strata_segregated::{GiveBack, SegregatedAlloc};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

const CHILD: &str = "STRATA_CHILD";

/// Whether this process is the child of a test here.
fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// The command that runs test `name` alone in a child; `tool` is what runs the executable, if any.
fn child(tool: &[&str], name: &str) -> Command {
    let exe = env::current_exe().expect("a path").into_os_string();
    let mut words = tool.iter().map(Into::into).chain([exe]);
    let mut command = Command::new(words.next().expect("an executable"));
    command.args(words).args([name, "--exact", "--test-threads=1", "--nocapture"]).env(CHILD, name);
    command
}

fn assert_passed(out: &Output) {
    let (stdout, stderr) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{}\n{stdout}\n{stderr}", out.status);
    for line in stdout.lines().filter(|line| line.starts_with("skipped")) {
        println!("{line}");
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("small")
}

/// About `bytes` bytes of mixed sizes, all zero when they come, and gone again. Needs no other
/// system calls than the heap does.
fn mixed(bytes: usize, purges: bool) {
    const MOST: usize = 4096;
    let mut blocks = [(ptr::null_mut::<u8>(), 0_usize); MOST];
    let (mut done, mut n) = (0, 0_usize);
    while done < bytes {
        n += 1;
        let size = match n % 211 {
            0 => 1_300_000 + n,
            k if k % 20 == 0 => 40_000 + 500 * k,
            k if k % 5 == 0 => 1100 + 137 * k,
            k => 1 + 5 * k,
        };
        let place = &mut blocks[n.wrapping_mul(7919) % MOST];
        // SAFETY: a live block with its size, if any; a block of this layout; no size is zero.
        unsafe {
            if !place.0.is_null() {
                ALLOC.dealloc(place.0, layout(place.1));
            }
            let at = ALLOC.alloc_zeroed(layout(size));
            assert!(!at.is_null(), "memory after {done} bytes");
            let bytes = std::slice::from_raw_parts(at, size);
            assert!(bytes[0] == 0 && bytes[1..] == bytes[..size - 1], "zeroed blocks are zero");
            at.write_bytes(0xa5, size);
            *place = (at, size);
        }
        done += size;
        if purges && n.is_multiple_of(1500) {
            ALLOC.purge();
        }
    }
    for (at, size) in blocks.into_iter().filter(|(at, _)| !at.is_null()) {
        // SAFETY: a live block with its size.
        unsafe { ALLOC.dealloc(at, layout(size)) };
    }
    if purges {
        ALLOC.purge();
    }
}

/// [`mixed`] here and on four threads at once, and all is as it was.
fn work(bytes: usize) {
    let before = ALLOC.stats().allocated.expect("counted").0;
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(move || mixed(bytes / 8, true))).collect();
    mixed(bytes / 2, true);
    threads.into_iter().for_each(|thread| thread.join().expect("memory"));
    ALLOC.purge();
    ALLOC.validate().expect("valid");
    let after = ALLOC.stats().allocated.expect("counted").0;
    assert!(after <= before + (64 << 10), "{before} bytes before, {after} after");
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn set_errno(value: i32) {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() = value };
}

#[test]
fn locked_memory_that_cannot_be_purged_is_not_taken_for_zero() {
    if is_child() {
        // SAFETY: a call without memory.
        if unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) } != 0 {
            println!("skipped: mlockall: {}", io::Error::last_os_error());
            return;
        }
        ALLOC.set_give_back(GiveBack::Eager);
        work(32 << 20);
        // A second time over memory that is dirty for certain.
        work(32 << 20);
        return;
    }
    let name = "locked_memory_that_cannot_be_purged_is_not_taken_for_zero";
    assert_passed(&child(&[], name).output().expect("a child"));
}

#[test]
fn little_address_space_ends_in_null_and_not_in_a_crash() {
    /// Takes blocks of `size` bytes, each linked to the one before, until there are none.
    fn drain(size: usize) -> usize {
        let (mut last, mut bytes) = (ptr::null_mut::<*mut u8>(), 0);
        set_errno(77);
        loop {
            // SAFETY: not a layout of no bytes; a block holds the link to the one before.
            unsafe {
                let at = ALLOC.alloc(layout(size)).cast::<*mut u8>();
                if at.is_null() {
                    break;
                }
                at.write(last.cast());
                last = at;
            }
            bytes += size;
        }
        while !last.is_null() {
            // SAFETY: linked above.
            unsafe {
                let before = last.read();
                ALLOC.dealloc(last.cast(), layout(size));
                last = before.cast();
            }
        }
        assert_eq!(errno(), 77, "errno stays as it was");
        bytes
    }
    if is_child() {
        work(64 << 20);
        // Chunks first: addresses that once served smaller blocks stay with those.
        for size in [5 << 20, 64, 3000, 100 << 10, 64, 500 << 10] {
            let bytes = drain(size);
            ALLOC.purge();
            ALLOC.validate().expect("valid");
            assert!(bytes > 96 << 20, "only {bytes} bytes in blocks of {size}");
            println!("{bytes} bytes in blocks of {size}");
        }
        return;
    }
    let mut command = child(&[], "little_address_space_ends_in_null_and_not_in_a_crash");
    // The C library's allocator would reserve 64 MiB for each thread that starts.
    command.env("MALLOC_ARENA_MAX", "1");
    // SAFETY: a system call between fork and exec, which allocates nothing.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: 256 << 20, rlim_max: 256 << 20 };
            match libc::setrlimit(libc::RLIMIT_AS, &raw const limit) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    assert_passed(&command.output().expect("a child"));
}

const OVERCOMMIT: &str = "/proc/sys/vm/overcommit_memory";

/// How the machine accounts for memory; what it was comes back at the end.
struct Accounting(String);

impl Accounting {
    /// Strict, or why not. The setting is the whole machine's, in every namespace alike, so that it
    /// is changed only where somebody said so, and where the others' memory leaves room.
    fn strict() -> Result<Self, String> {
        let was = fs::read_to_string(OVERCOMMIT).map_err(|error| error.to_string())?;
        if was.trim() == "2" {
            return Ok(Self(was));
        }
        let was_word = was.trim();
        if env::var_os("STRATA_MAY_SET_OVERCOMMIT").is_none() {
            return Err(format!(
                "vm.overcommit_memory is {was_word}, the whole machine's, and \
                 STRATA_MAY_SET_OVERCOMMIT is not set"
            ));
        }
        let facts = fs::read_to_string("/proc/meminfo").map_err(|error| error.to_string())?;
        let kib = |name: &str| {
            let line = facts.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let room = kib("CommitLimit:").zip(kib("Committed_AS:"));
        if room.is_none_or(|(limit, committed)| committed + (2 << 20) > limit) {
            return Err("what is committed already leaves no room".into());
        }
        fs::write(OVERCOMMIT, "2").map_err(|error| format!("{OVERCOMMIT}: {error}"))?;
        Ok(Self(was))
    }
}

impl Drop for Accounting {
    fn drop(&mut self) {
        let _ = fs::write(OVERCOMMIT, self.0.trim());
    }
}

#[test]
fn strict_accounting_is_no_obstacle() {
    if is_child() {
        let setting = fs::read_to_string(OVERCOMMIT).expect("readable");
        assert_eq!(setting.trim(), "2", "nobody changed it meanwhile");
        work(64 << 20);
        // What is reserved is not what is committed: this is far below what was reserved.
        let stats = ALLOC.stats();
        let committed = stats.committed.expect("counted").0;
        let reserved = stats.reserved.expect("counted").0;
        assert!(committed < 512 << 20 && reserved > 1 << 30, "{committed} of {reserved}");
        return;
    }
    match Accounting::strict() {
        Err(why) => println!("skipped: {why}"),
        Ok(accounting) => {
            let out = child(&[], "strict_accounting_is_no_obstacle").output();
            drop(accounting);
            assert_passed(&out.expect("a child"));
        }
    }
}

/// A filter that ends the process at every system call but a few.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn forbid_calls() -> io::Result<()> {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter, sock_fprog};

    const ARCH: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
    const ALLOWED: [libc::c_long; 11] = [
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_mremap,
        libc::SYS_futex,
        libc::SYS_write,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigreturn,
    ];
    let step = |code: u32, k: u32, jt: u8, jf: u8| sock_filter { code: code as u16, jt, jf, k };
    let load = |offset| step(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
    // `seccomp_data` begins with the call's number and then the architecture.
    let mut program = vec![load(4), step(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0)];
    program.push(step(BPF_RET | BPF_K, libc::SECCOMP_RET_KILL_PROCESS, 0, 0));
    program.push(load(0));
    for (n, call) in ALLOWED.iter().enumerate() {
        let to_allow = (ALLOWED.len() - n) as u8;
        program.push(step(BPF_JMP | BPF_JEQ | BPF_K, *call as u32, to_allow, 0));
    }
    program.push(step(BPF_RET | BPF_K, libc::SECCOMP_RET_KILL_PROCESS, 0, 0));
    program.push(step(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0));
    let filter = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the kernel copies the program during the call.
    let status = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter)
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn six_system_calls_are_enough() {
    if is_child() {
        if env::var_os("STRATA_WARM").is_some() {
            mixed(1 << 20, true);
        }
        if let Err(error) = forbid_calls() {
            println!("skipped: seccomp: {error}");
            return;
        }
        mixed(64 << 20, true);
        for mode in [
            GiveBack::AfterPeaks,
            GiveBack::Eager,
            GiveBack::Lazy,
            GiveBack::Never,
            GiveBack::Budget,
        ] {
            ALLOC.set_give_back(mode);
            mixed(8 << 20, true);
        }
        let large = layout(20 << 20);
        // SAFETY: not a layout of no bytes; the block that was resized.
        unsafe {
            let at = ALLOC.alloc(large);
            let at = ALLOC.realloc(at, large, 50 << 20);
            let at = ALLOC.realloc(at, layout(50 << 20), 5 << 20);
            ALLOC.dealloc(at, layout(5 << 20));
            // Often enough to be thought of huge pages.
            for _ in 0..600 {
                let at = ALLOC.alloc(layout(5 << 20));
                at.write_bytes(1, 5 << 20);
                ALLOC.dealloc(at, layout(5 << 20));
            }
            ALLOC.validate().expect("valid");
            // What the harness does at the end is not allowed here.
            libc::_exit(0);
        }
    }
    let name = "six_system_calls_are_enough";
    for warm in [false, true] {
        let mut command = child(&[], name);
        if warm {
            command.env("STRATA_WARM", "1");
        }
        let out = command.output().expect("a child");
        assert_ne!(out.status.signal(), Some(libc::SIGSYS), "another system call was made");
        assert_passed(&out);
    }
}

#[test]
fn valgrind_finds_nothing() {
    if is_child() {
        // Memcheck does not know that MADV_DONTNEED leaves zeroes: what a page held of somebody's
        // padding stays undefined for it. So nothing is purged here.
        ALLOC.set_give_back(GiveBack::Never);
        mixed(1 << 20, false);
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(|| mixed(1 << 20, false))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("memory"));
        ALLOC.validate().expect("valid");
        return;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed");
        return;
    }
    let tool = ["valgrind", "--quiet", "--error-exitcode=9"];
    assert_passed(&child(&tool, "valgrind_finds_nothing").output().expect("a child"));
}
