//! A kernel that has no guards in page tables, as before Linux 6.13: a filter refuses the calls.

use std::env;
use std::process::Command;

/// Where this is set, a child has its kernel be such a one.
pub(crate) const WISH: &str = "STRATA_OLD_KERNEL";

/// What a child prints where it cannot.
const CANNOT: &str = "no filters of system calls";

/// Has the calling process's kernel refuse guards from now on. `false` where it has no filters.
fn refuse_guards() -> bool {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    /// Where the half of the third argument is that says something.
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

/// In a child: as it is wished, before anything was guarded.
pub(crate) fn be_if_wished() {
    if env::var(WISH).is_ok() && !refuse_guards() {
        println!("{CANNOT}");
    }
}

/// Whether children can.
pub(crate) fn can_be() -> bool {
    let child = Command::new(env::current_exe().expect("a path"))
        .args(["old_kernel::a_child_may_refuse_guards", "--exact", "--nocapture"])
        .env(WISH, "1")
        .output();
    let said = child.expect("a child").stdout;
    !String::from_utf8_lossy(&said).contains(CANNOT)
}

#[test]
fn a_child_may_refuse_guards() {
    // In a thread of its own: the filter is that thread's alone.
    be_if_wished();
}
