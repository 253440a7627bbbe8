//! What the kernel says of this process, read without touching a heap.

use std::ffi::CStr;
use std::io;

/// Private dirty bytes of this process.
pub(crate) fn private_dirty() -> io::Result<u64> {
    rollup(b"Private_Dirty:")
}

/// Resident anonymous bytes of this process, shared with others or not.
pub(crate) fn anonymous() -> io::Result<u64> {
    rollup(b"Anonymous:")
}

fn rollup(name: &[u8]) -> io::Result<u64> {
    let mut text = [0_u8; 2048];
    let length = read(c"/proc/self/smaps_rollup", &mut text)?;
    of_rollup(&text[..length], name)
        .ok_or_else(|| io::Error::other("/proc/self/smaps_rollup lacks a sum"))
}

fn of_rollup(text: &[u8], name: &[u8]) -> Option<u64> {
    let start = text.windows(name.len()).position(|window| window == name)? + name.len();
    let digits = text[start..].iter().skip_while(|byte| **byte == b' ');
    let kib = digits
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(kib * 1024)
}

/// Reads the beginning of a file; how much of `into` it filled.
fn read(path: &CStr, into: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the path is a C string.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut length = 0;
    let outcome = loop {
        let rest = &mut into[length..];
        // SAFETY: the pointer and length are those of a slice.
        let got = unsafe { libc::read(file, rest.as_mut_ptr().cast(), rest.len()) };
        match usize::try_from(got) {
            Ok(0) => break Ok(length),
            Ok(more) => length += more,
            Err(_) => break Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: the descriptor is ours and nobody uses it afterwards.
    unsafe { libc::close(file) };
    outcome
}

/// Minor faults of this process so far.
pub(super) fn minor_faults() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is writable for the structure, of which zeros are a valid value.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    u64::try_from(usage.ru_minflt).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_figure_is_found_and_grows_with_what_is_written() {
        let text =
            b"Rss:  12 kB\nPrivate_Clean:   8 kB\nPrivate_Dirty:        1234 kB\nSwap: 0 kB\n";
        assert_eq!(super::of_rollup(text, b"Private_Dirty:"), Some(1234 << 10));
        assert_eq!(super::of_rollup(b"Rss: 12 kB\n", b"Anonymous:"), None);
        let before = super::private_dirty().unwrap();
        let ballast = vec![1_u8; 64 << 20];
        let after = super::private_dirty().unwrap();
        assert!(after >= before + (32 << 20), "{before} and {after}");
        drop(std::hint::black_box(ballast));
    }
}
