//! What can go wrong with values in pools.

use core::fmt;

use strata_core::{ConfigError, Exhausted};

pub use strata_core::span::Misuse;

/// The pool has no block for this value, which comes back.
///
/// ```
/// use strata_pool::{LocalPool, Config};
/// let pool = LocalPool::<u64>::with_config(Config::new().capacity(1))?;
/// let one = pool.alloc(1).unwrap();
/// let refused = pool.alloc(2).unwrap_err();
/// assert_eq!(refused.into_value(), 2);
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PoolFull<T>(pub(crate) T);

impl<T> PoolFull<T> {
    /// The value that was refused.
    pub fn into_value(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for PoolFull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolFull(..)")
    }
}

impl<T> fmt::Display for PoolFull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool has no block for this value")
    }
}

impl<T> core::error::Error for PoolFull<T> {}

/// A pool of fixed capacity could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixedError {
    /// The arguments make no sense.
    Config(ConfigError),
    /// There is no memory for so many.
    Exhausted,
}

impl From<ConfigError> for FixedError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<Exhausted> for FixedError {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl fmt::Display for FixedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Exhausted => Exhausted.fmt(f),
        }
    }
}

impl core::error::Error for FixedError {}
