//! The sampling profiler, told by the environment.
//!
//! | variable | value |
//! |---|---|
//! | `STRATA_PROFILE` | a path: profiles go to files that begin with it; without, there are none |
//! | `STRATA_PROFILE_RATE` | bytes a sample, on average; 524288 without |
//! | `STRATA_PROFILE_SIGNAL` | `usr1`, `usr2` or a number: a signal at which a profile is written |
//!
//! A profile is written when the process ends by `exit`, and soon after the signal: its handler sets a flag,
//! and the next thread that has requested what is between two samples does it. Files are named by process and
//! number, `PATH.PID.N.pb.gz` for `pprof` and `PATH.PID.N.folded` with the live bytes for flame graphs, so that children of
//! a `fork`, which go on with their own profiles, and programs that are run by others have theirs.
//!
//! What is wrong with a value, or a file, is said by a line on the standard error, and the program goes on: at
//! the usual rate where that was no number, without the signal where there is none of that name, or where the program was
//! started with another handler for it.

use core::ffi::{CStr, c_int};
use core::ptr;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process;

use strata_core::sync::unexplored::AtomicUsize;
use strata_core::sync::{AtomicPtr, Ordering};
use strata_segregated::profile::{self, Options, Profile, View};

use crate::settings::{say, variable};
use crate::thread::heap;

/// The path that files begin with: a C string of the environment's, copied; null without a profile.
static PATH: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// Files that were written.
static WRITTEN: AtomicUsize = AtomicUsize::new(0);

/// Begins a profile if the environment says so.
pub(crate) fn begin() {
    let Some(path) = variable(c"STRATA_PROFILE").filter(|path| !path.is_empty()) else { return };
    let mut options = Options::default();
    if let Some(rate) = variable(c"STRATA_PROFILE_RATE") {
        match rate_of(rate) {
            Some(rate) => options = options.rate(rate),
            None => {
                say("STRATA_PROFILE_RATE", &"not a number of bytes from 1 on; the usual rate it is")
            }
        }
    }
    // A copy: the program may change its environment.
    // SAFETY: a C string; the copy is kept for ever.
    let path = unsafe { libc::strdup(path.as_ptr()) };
    if path.is_null() {
        return;
    }
    // Release: its partner is the Acquire in `path`.
    PATH.store(path.cast(), Ordering::Release);
    if let Err(why) = profile::start(options) {
        say("STRATA_PROFILE", &why);
        return;
    }
    heap().flush();
    profile::on_wish(write);
    if let Some(name) = variable(c"STRATA_PROFILE_SIGNAL")
        && let Err(why) = watch(name)
    {
        say("STRATA_PROFILE_SIGNAL", &why);
    }
}

/// A rate in bytes.
fn rate_of(value: &CStr) -> Option<usize> {
    value.to_str().ok()?.trim().parse().ok().filter(|rate| *rate > 0)
}

/// Has a signal wish for a profile.
fn watch(name: &CStr) -> Result<(), &'static str> {
    let number = signal_of(name).ok_or("no signal that can be caught; none it is")?;
    // SAFETY: zeroes are a valid value: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    let mut before = action;
    // SAFETY: a place for the answer.
    if unsafe { libc::sigaction(number, ptr::null(), &mut before) } != 0 {
        return Err("no signal that can be caught; none it is");
    }
    if before.sa_sigaction != libc::SIG_DFL && before.sa_sigaction != libc::SIG_IGN {
        return Err("the signal has a handler already; none it is");
    }
    action.sa_sigaction = caught as extern "C" fn(c_int) as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: a handler that only sets a flag.
    match unsafe { libc::sigaction(number, &action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err("no signal that can be caught; none it is"),
    }
}

/// The number of a signal.
fn signal_of(name: &CStr) -> Option<c_int> {
    let name = name.to_str().ok()?.trim().to_ascii_lowercase();
    match name.strip_prefix("sig").unwrap_or(&name) {
        "usr1" => Some(libc::SIGUSR1),
        "usr2" => Some(libc::SIGUSR2),
        number => number.parse().ok().filter(|number| *number > 0),
    }
}

extern "C" fn caught(_number: c_int) {
    profile::wish();
}

/// Writes the profile as it is.
fn write() {
    // What this thread freed is in its stocks.
    heap().flush();
    match profile::take() {
        Ok(taken) => {
            // Relaxed: only that numbers differ matters.
            let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
            let [pprof, folded] = ["pb.gz", "folded"].map(|kind| file_name(number, kind));
            let done = write_to(&pprof, |file| taken.write_pprof(file))
                .and_then(|()| write_to(&folded, |file| folded_of(&taken, file)));
            if let Err(why) = done {
                say("a profile could not be written", &why);
            }
        }
        Err(why) => say("there is no profile to write", &why),
    }
}

fn folded_of(taken: &Profile, file: &mut dyn Write) -> io::Result<()> {
    taken.write_folded(View::Live, file)
}

/// The name of a file.
fn file_name(number: usize, kind: &str) -> OsString {
    // Acquire: its partner is the Release in `begin`.
    let path = PATH.load(Ordering::Acquire);
    // SAFETY: stored in `begin` only, and kept; a profile is written after that.
    let path = unsafe { CStr::from_ptr(path.cast()) };
    let mut name = OsString::from_vec(path.to_bytes().to_vec());
    name.push(format!(".{}.{number}.{kind}", process::id()));
    name
}

fn write_to(
    name: &OsString,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let named = |why: io::Error| {
        io::Error::new(why.kind(), format!("{}: {why}", name.as_bytes().escape_ascii()))
    };
    let mut file = BufWriter::new(File::create(name).map_err(named)?);
    write(&mut file).and_then(|()| file.flush()).map_err(named)
}

/// The end of a process that calls `exit`.
extern "C" fn end() {
    if profile::stop() {
        write();
    }
}

#[used]
#[cfg_attr(not(test), unsafe(link_section = ".fini_array"))]
static DESTRUCTOR: extern "C" fn() = end;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_signals_are_known_and_others_are_none() {
        assert_eq!(rate_of(c"4096"), Some(4096));
        for wrong in [c"0", c"-1", c"", c"512k", c"99999999999999999999999", c"\xff"] {
            assert_eq!(rate_of(wrong), None, "{wrong:?}");
        }
        assert_eq!(signal_of(c"SIGUSR2"), Some(libc::SIGUSR2));
        assert_eq!(signal_of(c"usr1"), Some(libc::SIGUSR1));
        assert_eq!(signal_of(c"34"), Some(34));
        assert!([c"", c"0", c"-3", c"hup?"].iter().all(|name| signal_of(name).is_none()));
        assert!(watch(c"9").is_err(), "a signal that cannot be caught");
        assert!(watch(c"999").is_err());
    }
}
