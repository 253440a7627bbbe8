//! Classes of allocations, kept in trees of their own, and who may go where.

/// How many classes there are.
pub(crate) const CLASSES: usize = 8;

/// What is known of an allocation beforehand: whether its owner can move it, and the like. Trees
/// belong to the class of what lies in them, so that what never moves does not spread.
///
/// At most eight; four have names, the others are the caller's.
///
/// ```
/// use strata_page_frame::Class;
/// assert_ne!(Class::MOVABLE, Class::IMMOVABLE);
/// assert_eq!(Class::new(8), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(u8);

impl Class {
    /// Frames that their owner can move; what a request without a class is.
    pub const MOVABLE: Self = Self(0);
    /// Frames that stay where they are.
    pub const IMMOVABLE: Self = Self(1);
    /// Huge frames and longer.
    pub const HUGE: Self = Self(2);
    /// Frames that are known to be zero.
    pub const ZEROED: Self = Self(3);

    /// Class `n`, or `None` from 8 on.
    pub const fn new(n: u8) -> Option<Self> {
        if (n as usize) < CLASSES { Some(Self(n)) } else { None }
    }

    /// Its number.
    pub const fn get(self) -> u8 {
        self.0
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0 as u64
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self((bits & 7) as u8)
    }
}

/// What a [`Policy`] says of a tree for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Not in this tree, also when nothing else is left.
    Never,
    /// When nothing else is left; the tree keeps its class.
    Borrow,
    /// When no tree of the class has room: the tree becomes one of the request's class.
    Convert,
    /// Here first.
    Match,
}

/// Says whether a request of a class may be served from a tree of a class that is in use. It is
/// not asked about its own class, which is a match, nor about trees without a taken frame, which take
/// the class of whoever comes first.
pub type Policy = fn(request: Class, tree: Class) -> Fit;

/// Each class in its own trees; when those are full, in any other's.
///
/// ```
/// use strata_page_frame::{Class, Fit, separate};
/// assert_eq!(separate(Class::HUGE, Class::HUGE), Fit::Match);
/// assert_eq!(separate(Class::HUGE, Class::MOVABLE), Fit::Borrow);
/// ```
pub fn separate(request: Class, tree: Class) -> Fit {
    if request == tree { Fit::Match } else { Fit::Borrow }
}

/// One kind of tree for all: classes are not looked at.
///
/// ```
/// use strata_page_frame::{Class, Fit, together};
/// assert_eq!(together(Class::HUGE, Class::MOVABLE), Fit::Match);
/// ```
pub fn together(_request: Class, _tree: Class) -> Fit {
    Fit::Match
}
