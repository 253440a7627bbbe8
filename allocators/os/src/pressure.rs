//! Waking where tasks wait for memory: a trigger of the system's pressure stall information.
//!
//! Who opens a file of that kind and writes `some 40000 2000000` into it is woken once where tasks lost 40 ms within
//! two seconds to waiting, and not again in the same two seconds (Linux 4.20; for control groups of version 2, each
//! has a file `memory.pressure`).

use std::fs::{File, OpenOptions};
use std::io::{self, Error, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use crate::memory::sys::keep_errno;

/// Somebody is woken where tasks waited for 40 ms within two seconds; shorter windows need privileges.
const WISH: &[u8] = b"some 40000 2000000\0";

/// A trigger that was set.
///
/// ```
/// use std::path::Path;
/// use std::time::Duration;
///
/// // Not every system has the file, nor lets everybody set a trigger.
/// if let Ok(pressure) = strata_os::Pressure::watch(Path::new("/proc/pressure/memory")) {
///     let waited = pressure.wait(Duration::from_millis(1))?;
///     println!("tasks waited for memory: {waited}");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Pressure(File);

impl Pressure {
    /// Sets a trigger on a file of pressure stall information.
    ///
    /// # Errors
    ///
    /// There is no such file, it knows no triggers, or the process may not set one.
    pub fn watch(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        file.write_all(WISH)?;
        Ok(Self(file))
    }

    /// Sleeps until tasks waited for memory, `most` at the most. Answers whether they did.
    ///
    /// # Errors
    ///
    /// What was watched is gone: the control group, say. It does not sleep then.
    pub fn wait(&self, most: Duration) -> io::Result<bool> {
        let most = most.as_millis().try_into().unwrap_or(i32::MAX);
        let mut asked = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLPRI, revents: 0 };
        keep_errno(|| {
            // SAFETY: one place, which the call alone writes while it lasts.
            match unsafe { libc::poll(&raw mut asked, 1, most) } {
                -1 if Error::last_os_error().kind() != io::ErrorKind::Interrupted => {
                    Err(Error::last_os_error())
                }
                -1 | 0 => Ok(false),
                _ if asked.revents & libc::POLLPRI != 0 => Ok(true),
                _ => Err(Error::other("what was watched for pressure is gone")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::OwnedFd;
    use std::time::Instant;
    use std::{env, format, fs, process};

    use super::*;

    /// Urgent bytes of a connection wake as pressure does.
    #[test]
    fn who_waits_is_woken_and_told_what_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        let pressure = Pressure(File::from(OwnedFd::from(near)));
        let before = Instant::now();
        assert!(!pressure.wait(Duration::from_millis(20)).unwrap());
        assert!(before.elapsed() >= Duration::from_millis(20));
        // SAFETY: one byte is there.
        let sent = unsafe { libc::send(far.as_raw_fd(), c"!".as_ptr().cast(), 1, libc::MSG_OOB) };
        assert_eq!(sent, 1);
        assert!(pressure.wait(Duration::from_secs(60)).unwrap());
        let (read, write) = io::pipe().unwrap();
        drop(write);
        let gone = Pressure(File::from(OwnedFd::from(read)));
        assert!(gone.wait(Duration::from_secs(60)).is_err());
    }

    #[test]
    fn a_file_takes_a_wish_and_none_is_named() {
        let path = env::temp_dir().join(format!("strata-pressure-{}", process::id()));
        assert_eq!(Pressure::watch(&path).unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&path, "some avg10=0.00 avg60=0.00 avg300=0.00 total=0, and more that stays\n")
            .unwrap();
        Pressure::watch(&path).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with("some 40000 2000000\0"));
        fs::remove_file(&path).unwrap();
        // The system's own, where it may be.
        if let Ok(pressure) = Pressure::watch(Path::new("/proc/pressure/memory")) {
            pressure.wait(Duration::from_millis(1)).unwrap();
        }
    }
}
