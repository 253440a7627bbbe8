//! What went wrong, in one line for a person and one exit code for a program.

use std::fmt;
use std::process::ExitCode;

/// The kinds of failure, each with its documented exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A comparison found a figure worse than its limit: exit code 1.
    Regression,
    /// The words of the command or a file it names are unusable: exit code 2.
    Input,
    /// A subject crashed or corrupted memory: exit code 3.
    Subject,
}

/// A failure: its kind and one line that names the thing and says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which exit code it ends in.
    pub kind: Kind,
    /// One line, without a final full stop or line feed.
    pub message: String,
}

/// The result of everything in this crate that a user's input can make fail.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Unusable input: a damaged file, an unknown name, a missing permission.
    pub fn input(message: impl Into<String>) -> Self {
        Self { kind: Kind::Input, message: message.into() }
    }

    /// A subject crashed or corrupted memory.
    pub fn subject(message: impl Into<String>) -> Self {
        Self { kind: Kind::Subject, message: message.into() }
    }

    /// A figure got worse than its limit.
    pub fn regression(message: impl Into<String>) -> Self {
        Self { kind: Kind::Regression, message: message.into() }
    }

    /// The exit code that the command ends with.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::Regression => 1,
            Kind::Input => 2,
            Kind::Subject => 3,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Adds what was being done, and to which file, to an error of the system.
pub trait Context<T> {
    /// Turns an error into [`Failure::input`] headed by `what`, for example `cannot open foo.trace`.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure::input(format!("{}: {error}", what())))
    }
}
