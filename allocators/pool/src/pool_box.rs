//! A value in a block, owned.

use core::borrow::{Borrow, BorrowMut};
use core::cmp::Ordering;
use core::future::Future;
use core::hash::{Hash, Hasher};
use core::iter::FusedIterator;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};
use core::{fmt, mem};

use crate::blocks::{Blocks, BlocksOf, KeepsPinned};

/// A value in a block of a pool, as `Box` has one on the heap. Dropping it drops the value and puts
/// the block back.
///
/// Two words: where the value is, and its pool. The value does not move while the box does, so a box
/// can be pinned ([`into_pin`](PoolBox::into_pin)). It borrows the pool: one that is still borrowed
/// cannot be dropped. The pool type is a parameter: that of boxes of a [`Pool`](crate::Pool) is
/// [`PoolBox<'_, T, Pool<T>>`](crate::Pool::alloc).
///
/// ```
/// use strata_pool::Pool;
/// let pool = Pool::<String>::new()?;
/// let mut name = pool.alloc("strata".to_owned()).unwrap();
/// name.push('!');
/// assert_eq!(*name, "strata!");
/// assert_eq!(name.into_inner(), "strata!");
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
///
/// ```compile_fail,E0505
/// # use strata_pool::LocalPool;
/// let pool = LocalPool::<u32>::new().unwrap();
/// let one = pool.alloc(1).unwrap();
/// drop(pool); // does not compile: `one` lives in it
/// assert_eq!(*one, 1);
/// ```
///
/// # Invariants
///
/// 1. `value` is a block of `pool` that is this box's alone, and holds a `T`.
pub struct PoolBox<'p, T, P: Blocks + ?Sized> {
    value: NonNull<T>,
    pool: &'p P,
}

// SAFETY: the box owns its value (1.), and gives the block back through a shared pool.
unsafe impl<T: Send, P: Blocks + Sync + ?Sized> Send for PoolBox<'_, T, P> {}
// SAFETY: a shared box gives a shared value, and nothing of the pool.
unsafe impl<T: Sync, P: Blocks + Sync + ?Sized> Sync for PoolBox<'_, T, P> {}

/// Puts the block back however the value's drop ends.
struct PutBack<'p, P: Blocks + ?Sized> {
    block: NonNull<u8>,
    pool: &'p P,
}

impl<P: Blocks + ?Sized> Drop for PutBack<'_, P> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: 1. a box's block, whose value is gone.
        unsafe { self.pool.put_block(self.block) }
    }
}

impl<'p, T, P: BlocksOf<T> + ?Sized> PoolBox<'p, T, P> {
    /// Puts `value` into a block of `pool`; gives it back where there is none.
    #[inline(always)]
    pub(crate) fn new_in(value: T, pool: &'p P) -> Result<Self, T> {
        match pool.take_block() {
            Some(block) => {
                let place = block.cast::<T>();
                debug_assert!(place.is_aligned());
                // SAFETY: a block for a `T`, nobody else's.
                unsafe { place.write(value) };
                Ok(Self { value: place, pool })
            }
            None => Err(value),
        }
    }

    /// Puts what `make` answers into a block of `pool`; `None` where there is none, and `make` is
    /// not called.
    #[inline(always)]
    pub(crate) fn new_with(make: impl FnOnce() -> T, pool: &'p P) -> Option<Self> {
        let block = pool.take_block()?;
        // Where `make` unwinds the block goes back.
        let guard = PutBack { block, pool };
        let place = block.cast::<T>();
        debug_assert!(place.is_aligned());
        // SAFETY: a block for a `T`, nobody else's.
        unsafe { place.write(make()) };
        mem::forget(guard);
        Some(Self { value: place, pool })
    }
}

impl<'p, T, P: Blocks + ?Sized> PoolBox<'p, T, P> {
    /// Takes the value out and puts the block back.
    #[inline]
    pub fn into_inner(self) -> T {
        let this = ManuallyDrop::new(self);
        // SAFETY: the box's own (1.), read once: the box is forgotten.
        let value = unsafe { this.value.read() };
        // SAFETY: 1. the box's, whose value is gone.
        unsafe { this.pool.put_block(this.value.cast()) };
        value
    }

    /// Gives the value to the pool's borrow, for as long as that lasts. It is not dropped, and its
    /// block not put back, unless by [`from_raw`](Self::from_raw).
    #[inline]
    pub fn leak(self) -> &'p mut T {
        // SAFETY: the box's own (1.), which is forgotten; the pool is borrowed for `'p`.
        unsafe { ManuallyDrop::new(self).value.as_mut() }
    }

    /// The value's place; whoever has it owns value and block.
    #[inline]
    pub fn into_raw(self) -> NonNull<T> {
        ManuallyDrop::new(self).value
    }

    /// The box of a value that [`into_raw`](Self::into_raw) or [`leak`](Self::leak) gave away.
    ///
    /// # Safety
    ///
    /// 1. `value` came from a box of this `pool`, and no other box was made of it since.
    /// 2. Nobody else uses the value.
    #[inline]
    pub unsafe fn from_raw(value: NonNull<T>, pool: &'p P) -> Self {
        Self { value, pool }
    }

    /// The pool that the value is in.
    #[inline]
    pub fn pool(&self) -> &'p P {
        self.pool
    }
}

impl<T, P: KeepsPinned + ?Sized> PoolBox<'_, T, P> {
    /// Pins the value: it does not move until it is dropped. O(1).
    ///
    /// A box that was pinned and then forgotten makes its pool leak its chunks when it ends, for
    /// the value must stay where it is.
    #[inline]
    pub fn into_pin(self) -> Pin<Self> {
        self.pool.note_pinned();
        // SAFETY: the value stays in its block until it is dropped there: the pool was told.
        unsafe { Pin::new_unchecked(self) }
    }
}

impl<T, P: Blocks + ?Sized> Drop for PoolBox<'_, T, P> {
    #[inline]
    fn drop(&mut self) {
        let guard = PutBack { block: self.value.cast(), pool: self.pool };
        // SAFETY: the box's own (1.), dropped once.
        unsafe { self.value.drop_in_place() };
        drop(guard);
    }
}

impl<T, P: Blocks + ?Sized> Deref for PoolBox<'_, T, P> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the box's own value (1.).
        unsafe { self.value.as_ref() }
    }
}

impl<T, P: Blocks + ?Sized> DerefMut for PoolBox<'_, T, P> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the box's own value (1.).
        unsafe { self.value.as_mut() }
    }
}

impl<T, P: Blocks + ?Sized> AsRef<T> for PoolBox<'_, T, P> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T, P: Blocks + ?Sized> AsMut<T> for PoolBox<'_, T, P> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

impl<T, P: Blocks + ?Sized> Borrow<T> for PoolBox<'_, T, P> {
    fn borrow(&self) -> &T {
        self
    }
}

impl<T, P: Blocks + ?Sized> BorrowMut<T> for PoolBox<'_, T, P> {
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: fmt::Debug, P: Blocks + ?Sized> fmt::Debug for PoolBox<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display, P: Blocks + ?Sized> fmt::Display for PoolBox<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T, P: Blocks + ?Sized> fmt::Pointer for PoolBox<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq, P: Blocks + ?Sized> PartialEq for PoolBox<'_, T, P> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq, P: Blocks + ?Sized> Eq for PoolBox<'_, T, P> {}

impl<T: PartialOrd, P: Blocks + ?Sized> PartialOrd for PoolBox<'_, T, P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: Ord, P: Blocks + ?Sized> Ord for PoolBox<'_, T, P> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: Hash, P: Blocks + ?Sized> Hash for PoolBox<'_, T, P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: Iterator, P: Blocks + ?Sized> Iterator for PoolBox<'_, T, P> {
    type Item = T::Item;
    fn next(&mut self) -> Option<T::Item> {
        (**self).next()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (**self).size_hint()
    }
}

impl<T: ExactSizeIterator, P: Blocks + ?Sized> ExactSizeIterator for PoolBox<'_, T, P> {}
impl<T: FusedIterator, P: Blocks + ?Sized> FusedIterator for PoolBox<'_, T, P> {}

impl<T: Future + Unpin, P: Blocks + ?Sized> Future for PoolBox<'_, T, P> {
    type Output = T::Output;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T::Output> {
        Pin::new(&mut **self).poll(context)
    }
}

impl<T: core::error::Error, P: Blocks + ?Sized> core::error::Error for PoolBox<'_, T, P> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        (**self).source()
    }
}
