//! What can go wrong in every layer. No text is built here: errors are made on allocation paths.

use core::fmt;

/// There is no memory for this request, and nothing changed.
///
/// A smaller request, or the same one after a release, may succeed.
///
/// ```
/// use strata_core::Exhausted;
/// assert_eq!(Exhausted.to_string(), "no memory for this request; nothing changed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no memory for this request; nothing changed")
    }
}

impl core::error::Error for Exhausted {}

/// An argument of a constructor makes no sense.
///
/// ```
/// use strata_core::ConfigError;
/// let error = ConfigError::new("align", 24, "must be a power of two");
/// assert_eq!(error.to_string(), "align is 24: it must be a power of two");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    argument: &'static str,
    given: usize,
    rule: &'static str,
}

impl ConfigError {
    /// An error about `argument`, which was `given` and breaks `rule` ("must be ...").
    pub const fn new(argument: &'static str, given: usize, rule: &'static str) -> Self {
        Self { argument, given, rule }
    }

    /// The name of the argument.
    pub const fn argument(&self) -> &'static str {
        self.argument
    }

    /// What was given for it.
    pub const fn given(&self) -> usize {
        self.given
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: it {}", self.argument, self.given, self.rule)
    }
}

impl core::error::Error for ConfigError {}
