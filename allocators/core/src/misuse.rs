//! The end of a program that was caught misusing memory.

/// Stops the process with `message`, which names the misuse ("block freed twice"). Never returns,
/// never unwinds, never allocates.
///
/// Call it where going on would corrupt memory: a double, foreign or wrong-layout free that was
/// detected. With feature `std` the message goes to the standard error as one line and the process
/// aborts (SIGABRT on Unix). Without it, the message goes to the panic handler of the program,
/// which must not return, and does not get to unwind.
///
/// ```no_run
/// strata_core::misuse::stop("block freed twice");
/// ```
#[cold]
#[inline(never)]
pub fn stop(message: &'static str) -> ! {
    #[cfg(feature = "std")]
    {
        use std::io::Write;
        // Nothing is left to do about a standard error that is closed.
        let mut out = std::io::stderr().lock();
        for part in ["strata: ", message, "\n"] {
            let _ = out.write_all(part.as_bytes());
        }
        std::process::abort()
    }
    #[cfg(not(feature = "std"))]
    stop_by_panic(message)
}

/// A panic cannot leave a function of the C ABI: the language turns it into an abort. That is the
/// one stable abort that core has.
#[cfg(not(feature = "std"))]
#[allow(improper_ctypes_definitions, reason = "called from Rust only; the ABI is for its abort")]
extern "C" fn stop_by_panic(message: &'static str) -> ! {
    panic!("strata: {message}")
}

#[cfg(all(test, unix, not(strata_loom)))]
mod tests {
    use std::env;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;
    use std::string::String;

    /// Both ways of stopping: `ci/features` runs this without feature `std` too.
    #[test]
    fn misuse_is_named_and_aborts_without_unwinding() {
        const NAME: &str = "misuse::tests::misuse_is_named_and_aborts_without_unwinding";
        if env::var_os("STRATA_CHILD").is_some() {
            struct Unwound;
            impl Drop for Unwound {
                fn drop(&mut self) {
                    std::process::exit(0);
                }
            }
            let _unwound = Unwound;
            super::stop("block freed twice");
        }
        let out = Command::new(env::current_exe().unwrap())
            .args([NAME, "--exact", "--test-threads=1", "--nocapture"])
            .env("STRATA_CHILD", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(text.lines().any(|line| line == "strata: block freed twice"), "{text}");
        assert_eq!(out.status.signal(), Some(6), "SIGABRT, and nothing was dropped before it");
    }
}
