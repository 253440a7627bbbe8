//! State words: several fields packed into one atomic integer and changed by pure functions.
//!
//! A protocol is written as `fn(old) -> Option<new>` over a plain `Copy` struct, which tests call
//! without threads, and [`State::update`] applies it with one compare-and-exchange. The idea is
//! llfree's.
//!
//! ```
//! use strata_core::state::{Packed, State};
//!
//! /// How many readers there are; a writer closes the door for good.
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! struct Door { readers: u16, closed: bool }
//!
//! impl Packed for Door {
//!     type Word = u32;
//!     fn pack(self) -> u32 {
//!         u32::from(self.readers) << 1 | u32::from(self.closed)
//!     }
//!     fn unpack(word: u32) -> Self {
//!         Self { readers: (word >> 1) as u16, closed: word & 1 == 1 }
//!     }
//! }
//!
//! impl Door {
//!     fn enter(self) -> Option<Self> {
//!         (!self.closed).then(|| Self { readers: self.readers + 1, ..self })
//!     }
//!     fn close(self) -> Option<Self> {
//!         (self.readers == 0).then_some(Self { closed: true, ..self })
//!     }
//! }
//!
//! static DOOR: State<Door> = State::zero();
//! assert_eq!(DOOR.update(Door::enter), Ok(Door { readers: 0, closed: false }));
//! assert_eq!(DOOR.update(Door::close), Err(Door { readers: 1, closed: false }));
//! ```

use core::fmt;
use core::marker::PhantomData;

use crate::sync::Ordering;

/// An integer that an atomic can hold.
pub trait Word: Copy + Eq + fmt::Debug + sealed::Sealed {}

/// The atomic operations behind [`Word`]; nobody else implements them.
mod sealed {
    use crate::sync::Ordering;

    pub trait Sealed: Sized {
        type Atomic: Send + Sync;
        /// A constant where the build allows it: loom's atomics cannot be made in one.
        #[cfg(not(strata_loom))]
        const ZERO: Self::Atomic;
        #[cfg(strata_loom)]
        fn zero() -> Self::Atomic;
        fn atomic(self) -> Self::Atomic;
        fn load(atomic: &Self::Atomic, order: Ordering) -> Self;
        fn store(atomic: &Self::Atomic, word: Self, order: Ordering);
        fn swap(atomic: &Self::Atomic, word: Self, order: Ordering) -> Self;
        fn exchange(
            atomic: &Self::Atomic,
            old: Self,
            new: Self,
            done: Ordering,
            failed: Ordering,
        ) -> Result<Self, Self>;
    }
}

macro_rules! word {
    ($int:ty, $atomic:ident) => {
        impl Word for $int {}
        impl sealed::Sealed for $int {
            type Atomic = crate::sync::$atomic;
            #[cfg(not(strata_loom))]
            #[expect(clippy::declare_interior_mutable_const, reason = "a start value, not a place")]
            const ZERO: Self::Atomic = crate::sync::$atomic::new(0);
            #[cfg(strata_loom)]
            fn zero() -> Self::Atomic {
                crate::sync::$atomic::new(0)
            }
            #[inline]
            fn atomic(self) -> Self::Atomic {
                crate::sync::$atomic::new(self)
            }
            #[inline]
            fn load(atomic: &Self::Atomic, order: Ordering) -> Self {
                atomic.load(order)
            }
            #[inline]
            fn store(atomic: &Self::Atomic, word: Self, order: Ordering) {
                atomic.store(word, order)
            }
            #[inline]
            fn swap(atomic: &Self::Atomic, word: Self, order: Ordering) -> Self {
                atomic.swap(word, order)
            }
            #[inline]
            fn exchange(
                atomic: &Self::Atomic,
                old: Self,
                new: Self,
                done: Ordering,
                failed: Ordering,
            ) -> Result<Self, Self> {
                atomic.compare_exchange_weak(old, new, done, failed)
            }
        }
    };
}
word!(u16, AtomicU16);
word!(u32, AtomicU32);
#[cfg(target_has_atomic = "64")]
word!(u64, AtomicU64);
word!(usize, AtomicUsize);

/// A struct that fits in one word. `unpack(pack(x)) == x`.
pub trait Packed: Copy {
    /// The integer it is packed into.
    type Word: Word;
    /// The fields as one integer.
    fn pack(self) -> Self::Word;
    /// The fields of an integer. Must be total where the word may be corrupt or never written:
    /// [`State::zero`] makes it see zero.
    fn unpack(word: Self::Word) -> Self;
}

/// A [`Packed`] struct in an atomic word.
#[repr(transparent)]
pub struct State<T: Packed> {
    word: <T::Word as sealed::Sealed>::Atomic,
    fields: PhantomData<fn(T) -> T>,
}

impl<T: Packed> State<T> {
    /// A word that holds `fields`.
    pub fn new(fields: T) -> Self {
        Self { word: sealed::Sealed::atomic(fields.pack()), fields: PhantomData }
    }

    /// A word of zero, as fresh memory holds it.
    #[cfg(not(strata_loom))]
    pub const fn zero() -> Self {
        Self { word: <T::Word as sealed::Sealed>::ZERO, fields: PhantomData }
    }

    /// A word of zero, as fresh memory holds it.
    #[cfg(strata_loom)]
    pub fn zero() -> Self {
        Self { word: <T::Word as sealed::Sealed>::zero(), fields: PhantomData }
    }

    /// The fields, read with `order`.
    #[inline]
    pub fn load(&self, order: Ordering) -> T {
        T::unpack(sealed::Sealed::load(&self.word, order))
    }

    /// Replaces the fields, whatever they are, with `order`.
    #[inline]
    pub fn store(&self, fields: T, order: Ordering) {
        sealed::Sealed::store(&self.word, fields.pack(), order)
    }

    /// Replaces the fields, whatever they are, with `order`, and answers the old ones.
    #[inline]
    pub fn swap(&self, fields: T, order: Ordering) -> T {
        T::unpack(sealed::Sealed::swap(&self.word, fields.pack(), order))
    }

    /// Replaces the fields by what `change` makes of them, and answers the old ones.
    ///
    /// `change` may be called any number of times and must be pure. Reads with Acquire, writes
    /// with AcqRel: each change sees what the changes before it published.
    ///
    /// # Errors
    ///
    /// The fields as they are, when `change` answers `None` for them.
    #[inline]
    pub fn update(&self, change: impl FnMut(T) -> Option<T>) -> Result<T, T> {
        // The Release half of each success is partner to the Acquire of every later call.
        self.update_with(Ordering::AcqRel, Ordering::Acquire, change)
    }

    /// [`update`](Self::update) with orderings of the caller's: `done` for the change, `read` for
    /// everything before it.
    #[inline]
    pub fn update_with(
        &self,
        done: Ordering,
        read: Ordering,
        mut change: impl FnMut(T) -> Option<T>,
    ) -> Result<T, T> {
        let mut old: T::Word = sealed::Sealed::load(&self.word, read);
        loop {
            let fields = T::unpack(old);
            let Some(new) = change(fields) else { return Err(fields) };
            match sealed::Sealed::exchange(&self.word, old, new.pack(), done, read) {
                Ok(_) => return Ok(fields),
                Err(seen) => old = seen,
            }
        }
    }
}

impl<T: Packed> Default for State<T> {
    fn default() -> Self {
        Self::zero()
    }
}

impl<T: Packed + fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: for people.
        f.debug_tuple("State").field(&self.load(Ordering::Relaxed)).finish()
    }
}
