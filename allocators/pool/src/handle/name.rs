//! The names of values.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU32;

/// The name of a value in a [`HandlePool`](crate::HandlePool): which slot of which pool, and which of the values that
/// were there. `Copy`, 12 bytes, and so is an `Option` of one.
///
/// A handle of a value that was removed is stale for ever, whatever lies in the slot now: a slot
/// whose count of values has no more room is used no more.
pub struct Handle<T> {
    pub(super) index: u32,
    /// Odd.
    pub(super) generation: NonZeroU32,
    pub(super) pool: u32,
    pub(super) value: PhantomData<fn() -> T>,
}

/// Why a handle names no value of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleError {
    /// The value was removed.
    Stale,
    /// The handle is another pool's.
    WrongPool,
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "the value of this handle was removed",
            Self::WrongPool => "this handle is another pool's",
        })
    }
}

impl core::error::Error for HandleError {}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation, self.pool) == (other.index, other.generation, other.pool)
    }
}

impl<T> Eq for Handle<T> {}

impl<T> Hash for Handle<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.index, self.generation, self.pool).hash(state);
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({}:{}:{})", self.pool, self.index, self.generation)
    }
}

static_assertions::assert_eq_size!(Option<Handle<u64>>, [u32; 3]);
static_assertions::assert_impl_all!(Handle<*mut u8>: Send, Sync, Copy);
