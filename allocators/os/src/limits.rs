//! What the system lets this process have.

use crate::process;

/// Bytes of address space that this process may map in all (`RLIMIT_AS`, the soft limit); `None`
/// where it is not limited, or where the system does not tell.
///
/// Asked on every call, because the limit may change. It is a system call that a strict sandbox may
/// not expect of an allocator. Who wants to stay below one n-th of the limit needs no call for it:
/// [reserve](crate::memory::reserve) n times the length, and [release](crate::memory::release)
/// what is not wanted. Where the limit is too low, that reservation fails.
///
/// ```
/// use strata_os::limits;
///
/// // An eighth of the limit, but 32 GiB at most.
/// let most = limits::address_space().map_or(32 << 30, |limit| (32 << 30).min(limit / 8));
/// assert!(most <= 32 << 30);
/// ```
pub fn address_space() -> Option<usize> {
    process::keep_errno(process::address_space)
}

/// How many mappings this process may have (`vm.max_map_count`); `None` where the system does not tell.
///
/// A range of one kind counts as one, however long. Asked on every call: it may change.
///
/// ```
/// use strata_os::limits;
/// assert!(limits::mappings().is_none_or(|most| most > 1000));
/// ```
#[cfg(feature = "std")]
pub fn mappings() -> Option<usize> {
    let mut text = [0; 32];
    read("/proc/sys/vm/max_map_count", &mut text)?.parse().ok()
}

/// Whether programs that [ask](crate::memory::HugePages::Prefer) for huge pages get some: whoever runs the
/// system did not turn them off. `false` where it does not tell.
///
/// ```
/// use strata_os::limits;
/// println!("huge pages for those who ask: {}", limits::huge_pages());
/// ```
#[cfg(feature = "std")]
pub fn huge_pages() -> bool {
    let mut text = [0; 64];
    let modes = read("/sys/kernel/mm/transparent_hugepage/enabled", &mut text);
    modes.is_some_and(|modes| !modes.contains("[never]"))
}

/// What a short file says, without a call of the heap.
#[cfg(feature = "std")]
fn read<'a>(path: &str, text: &'a mut [u8]) -> Option<&'a str> {
    use std::io::Read;
    process::keep_errno(|| {
        let len = std::fs::File::open(path).ok()?.read(text).ok()?;
        core::str::from_utf8(&text[..len]).ok().map(str::trim)
    })
}

#[cfg(all(test, target_os = "linux", not(strata_loom)))]
mod tests {
    use super::*;
    use crate::tests::in_child;
    use std::env;

    #[test]
    fn the_limit_is_the_soft_one() {
        if env::var_os("STRATA_CHILD").is_none() {
            return in_child("limits::tests::the_limit_is_the_soft_one");
        }
        let limit = |soft, hard| {
            let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
            // SAFETY: a valid struct; the limit holds for this child only.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
        };
        let hard = 1 << 34;
        limit(hard, hard);
        assert_eq!(address_space(), Some(1 << 34));
        limit(1 << 33, hard);
        assert_eq!(address_space(), Some(1 << 33));
    }
}
