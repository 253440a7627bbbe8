//! Running the command under the recorder, and waiting until it and all that it started are done.

use super::RECORDER;
use super::format::DIRECTORY_VARIABLE;
use crate::error::{Context, Failure, Result};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::ptr::null_mut;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI32};

/// How the command ended.
pub(super) struct Ended {
    /// Its process.
    pub(super) pid: u32,
    /// Its status, unless somebody else waited for it.
    pub(super) status: Option<ExitStatus>,
}

/// Runs `command`, whose executable is `program`, and waits for it and its descendants. Signals
/// are passed on while the caller has a [`Signals`].
pub(super) fn run(program: &Path, command: &[OsString], raw: &Path) -> Result<Ended> {
    let raw = raw.canonicalize().context(|| format!("cannot use {}", raw.display()))?;
    // The recorder keeps the path in a buffer of fixed length.
    if raw.as_os_str().len() > 900 {
        return Err(Failure::input(format!(
            "cannot record into {}: too long a path",
            raw.display()
        )));
    }
    let library = Library::write()?;
    let _reaper = Reaper::begin()?;
    let child = Command::new(program)
        .arg0(&command[0])
        .args(&command[1..])
        .env("LD_PRELOAD", library.preloads(std::env::var_os("LD_PRELOAD")))
        .env(DIRECTORY_VARIABLE, &raw)
        .spawn()
        .context(|| format!("cannot run {}", program.display()))?;
    CHILD.store(child.id() as i32, Relaxed);
    let status = wait_for_all(child.id());
    CHILD.store(0, Relaxed);
    SIGNALLED.store(false, Relaxed);
    Ok(Ended { pid: child.id(), status })
}

/// Waits until there are no more children, which the descendants become when their parents end.
/// Once the command has ended, a signal ends the waiting.
fn wait_for_all(command: u32) -> Option<ExitStatus> {
    let mut ended = None;
    loop {
        let mut status = 0;
        // SAFETY: `status` is writable.
        match unsafe { libc::waitpid(-1, &mut status, 0) } {
            -1 => {
                let interrupted = io::Error::last_os_error().raw_os_error() == Some(libc::EINTR);
                if !interrupted || (ended.is_some() && SIGNALLED.load(Relaxed)) {
                    return ended;
                }
            }
            pid if pid as u32 == command => {
                ended = Some(ExitStatus::from_raw(status));
                // Its number may become another's.
                CHILD.store(0, Relaxed);
                SIGNALLED.store(false, Relaxed);
            }
            _ => {}
        }
    }
}

/// The recorder as a file that the loader can load.
struct Library(tempfile::TempDir);

impl Library {
    fn write() -> Result<Self> {
        // The loader takes spaces and colons for separators.
        let mut folder = std::env::temp_dir();
        if folder.to_string_lossy().contains([' ', ':']) || !folder.is_absolute() {
            folder = PathBuf::from("/tmp");
        }
        let cannot = || format!("cannot write into {} (set TMPDIR to a folder)", folder.display());
        let library = tempfile::Builder::new()
            .prefix("strata-recorder-")
            .tempdir_in(&folder)
            .map(Self)
            .context(cannot)?;
        std::fs::write(library.path(), RECORDER).context(cannot)?;
        Ok(library)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("strata_recorder.so")
    }

    /// The value of `LD_PRELOAD`: the recorder stands before whatever was to be preloaded, so that
    /// it sees the calls and a preloaded allocator serves them.
    fn preloads(&self, others: Option<OsString>) -> OsString {
        let mut all = self.path().into_os_string();
        if let Some(others) = others.filter(|others| !others.is_empty()) {
            all.push(OsStr::new(":"));
            all.push(others);
        }
        all
    }
}

/// While it lives, orphans of this process's descendants become its children.
struct Reaper;

impl Reaper {
    fn begin() -> Result<Self> {
        // SAFETY: changes only whose child an orphan becomes.
        match unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) } {
            0 => Ok(Self),
            _ => Err(io::Error::last_os_error()).context(|| "cannot wait for descendants".into()),
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) };
    }
}

/// The command's process while it runs, else 0.
static CHILD: AtomicI32 = AtomicI32::new(0);
/// Whether a signal came since the command ended, and then since all its descendants have.
static SIGNALLED: AtomicBool = AtomicBool::new(false);

// Relaxed throughout: each is a lone flag between a thread and its own signal handler.

const PASSED_ON: [libc::c_int; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP];

/// While it lives, signals that would end this process go to the command instead, so that the
/// trace is written all the same; without a command they are only [noticed](interrupted).
pub(super) struct Signals([MaybeUninit<libc::sigaction>; PASSED_ON.len()]);

unsafe extern "C" fn pass_on(
    signal: libc::c_int,
    about: *mut libc::siginfo_t,
    _: *mut libc::c_void,
) {
    SIGNALLED.store(true, Relaxed);
    let child = CHILD.load(Relaxed);
    // The terminal sends its signals to the command, too; anyone else sent it to this process.
    // SAFETY: the kernel hands the handler a valid siginfo; kill is allowed in a handler, and
    // errno is put back.
    unsafe {
        if child > 0 && (*about).si_code != libc::SI_KERNEL {
            let errno = *libc::__errno_location();
            libc::kill(child, signal);
            *libc::__errno_location() = errno;
        }
    }
}

/// Whether a signal has come since all that was run has ended.
pub(super) fn interrupted() -> bool {
    SIGNALLED.load(Relaxed)
}

impl Signals {
    pub(super) fn pass_on() -> Result<Self> {
        SIGNALLED.store(false, Relaxed);
        let mut before = [const { MaybeUninit::uninit() }; PASSED_ON.len()];
        for (signal, before) in PASSED_ON.iter().zip(&mut before) {
            // SAFETY: all zero is a valid sigaction; the handler only does what a handler may.
            // Without SA_RESTART, so that waiting ends.
            unsafe {
                let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
                let handler: unsafe extern "C" fn(_, _, _) = pass_on;
                action.sa_sigaction = handler as usize;
                action.sa_flags = libc::SA_SIGINFO;
                if libc::sigaction(*signal, &action, before.as_mut_ptr()) != 0 {
                    return Err(io::Error::last_os_error())
                        .context(|| "cannot set signal handlers".into());
                }
            }
        }
        Ok(Self(before))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, before) in PASSED_ON.iter().zip(&self.0) {
            // SAFETY: written by the call in `pass_on`, which all have succeeded.
            unsafe { libc::sigaction(*signal, before.as_ptr(), null_mut()) };
        }
    }
}
