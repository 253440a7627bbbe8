//! What was done, counted exactly.

use std::fmt;

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Calls of the allocator that were checked, and what went on beside.
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct Tally {
            $($(#[$doc])* pub(crate) $name: u64,)*
        }

        impl Tally {
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }

        /// The fields of an object of JSON.
        impl fmt::Display for Tally {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(write!(f, "\"{}\":{},", stringify!($name), self.$name)?;)*
                write!(f, "\"operations\":{}", self.operations())
            }
        }
    };
}

tally! {
    allocated,
    zeroed,
    grown,
    shrunk,
    freed,
    /// In children of the process, of any kind.
    in_children,
    /// Blocks that another thread got, which are no operations.
    passed,
    threads,
    forks,
    flushes,
    purges,
    modes,
    /// Looks at all tables while threads go on.
    validations,
    /// Looks at all tables and figures while none does.
    standstills,
}

impl Tally {
    /// Blocks allocated, resized or freed.
    pub(crate) fn operations(&self) -> u64 {
        let Self { allocated, zeroed, grown, shrunk, freed, in_children, .. } = *self;
        allocated + zeroed + grown + shrunk + freed + in_children
    }
}
