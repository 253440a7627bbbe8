//! Atomics, cells and hints: the only place that names `core::sync::atomic` or `loom`.
//!
//! Every other file of the suite imports from here. Ordinary builds get core's types, unwrapped;
//! under `--cfg strata_loom` they get twins that loom explores. The cfg has a name of its own so
//! that the plain `loom` cfg of other crates in a build stays asleep.
//!
//! The twins differ from core's types in one way a caller sees: loom's constructors are not
//! `const`. Functions that build on them are declared through
//! [`const_unless_loom!`](crate::const_unless_loom).
//!
//! # Modelling a thread that stops for ever
//!
//! `fork` and crashes leave other threads' operations half done. Under `strata_loom` this module
//! also offers `stopped_after(steps, f)`, which runs `f` and abandons it before its atomic
//! operation number `steps + 1`. A model calls it for every `steps` up to the length of the
//! operation, and so explores an abandonment at each step of the shipped code.
//!
//! ```
//! use strata_core::sync::{AtomicUsize, Ordering, UnsafeCell};
//!
//! static LIVE: AtomicUsize = AtomicUsize::new(0);
//! LIVE.fetch_add(1, Ordering::Relaxed);
//! assert_eq!(LIVE.load(Ordering::Relaxed), 1);
//!
//! let cell = UnsafeCell::new(1);
//! // SAFETY: the only access to `cell` at this time.
//! cell.with_mut(|value| unsafe { *value += 1 });
//! assert_eq!(cell.into_inner(), 2);
//! ```

#[cfg(not(strata_loom))]
mod real;
#[cfg(not(strata_loom))]
pub use real::*;

#[cfg(strata_loom)]
mod twins;
#[cfg(strata_loom)]
pub use twins::*;

/// Core's own atomics in every build: words that loom does not explore.
///
/// For what is no part of a protocol: counters that are only summed up, and words in memory that
/// comes zeroed from the system, where a twin cannot be made.
pub mod unexplored {
    pub use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
}

/// Declares a function `const` in ordinary builds and plain under `--cfg strata_loom`, where
/// atomics have no `const` constructors.
///
/// ```
/// use strata_core::{const_unless_loom, sync::AtomicU32};
///
/// pub struct Gate(AtomicU32);
/// impl Gate {
///     const_unless_loom! {
///         /// A closed gate.
///         pub fn closed() -> Self {
///             Self(AtomicU32::new(0))
///         }
///     }
/// }
/// static GATE: Gate = Gate::closed();
/// ```
#[macro_export]
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        #[cfg(not(strata_loom))]
        $(#[$meta])*
        $vis const fn $($rest)*
        #[cfg(strata_loom)]
        $(#[$meta])*
        $vis fn $($rest)*
    };
}
