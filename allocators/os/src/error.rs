//! What the system answered.

use core::fmt;

/// A system call failed: which one, and the `errno` it left.
///
/// ```
/// use strata_os::OsError;
/// let error = OsError { op: "mmap", errno: 12 };
/// assert_eq!(error.to_string(), "mmap failed with errno 12");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OsError {
    /// The system call.
    pub op: &'static str,
    /// Its error number; zero on a system that this crate does not know, where nothing is called.
    pub errno: i32,
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            0 => write!(f, "{} is not available on this system", self.op),
            errno => write!(f, "{} failed with errno {errno}", self.op),
        }
    }
}

impl core::error::Error for OsError {}
