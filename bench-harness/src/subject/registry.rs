//! The subjects that this executable links.

use super::calibration::Noop;
use super::{Description, Subject};

/// A subject that the executable links, erased to the two things that happen outside any window:
/// asking for its description, and entering a child that is compiled for it alone.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Name, version and settings, from the linked library.
    pub describe: fn() -> Description,
    /// Runs a child's job on it: [`crate::child::enter`] for its type.
    pub enter: fn() -> i32,
}

/// The subjects of this executable in a fixed order: the system's allocator, the calibration
/// subjects, the linked peers.
#[cfg(not(feature = "global"))]
pub fn linked() -> Vec<Entry> {
    use super::calibration::{Header64, NeverFrees, PowersOfTwo};
    let mut entries = vec![
        crate::subject!(super::System, super::System::new()),
        crate::subject!(Noop, Noop::new()),
        crate::subject!(NeverFrees, NeverFrees::new()),
        crate::subject!(PowersOfTwo, PowersOfTwo::new()),
        crate::subject!(Header64, Header64::new()),
    ];
    entries.extend(super::peers::linked());
    entries
}

/// The subjects of this executable: its global allocator, and the no-op as the null row beside it.
#[cfg(feature = "global")]
pub fn linked() -> Vec<Entry> {
    vec![
        crate::subject!(super::GlobalSubject, super::GlobalSubject),
        crate::subject!(Noop, Noop::new()),
    ]
}

/// Makes the [`Entry`] of a subject that lives in a static.
///
/// The argument is a constant expression of a type that implements [`Subject`].
#[macro_export]
macro_rules! subject {
    ($type:ty, $value:expr) => {{
        static SUBJECT: $type = $value;
        $crate::subject::Entry {
            describe: || $crate::subject::Subject::describe(&SUBJECT),
            enter: || $crate::child::enter(&SUBJECT),
        }
    }};
}

// The trait's bounds are what the macro relies on.
const _: fn() = || {
    fn needs<S: Subject>() {}
    let _ = needs::<super::System>;
};
