//! A value in a block, shared and counted.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;

use strata_core::misuse;
use strata_core::sync::{AtomicUsize, Ordering, fence};

use crate::blocks::{Blocks, BlocksOf};
use crate::error::PoolFull;
use crate::pool_box::PoolBox;

/// A value and how many share it: what the blocks of a pool of [`PoolArc`]s are made for.
#[derive(Debug)]
#[repr(C)]
pub struct Counted<T> {
    count: AtomicUsize,
    value: T,
}

/// More clones than this are a leak that would wrap the count.
const MOST: usize = isize::MAX as usize;

/// A value in a block of a pool that several owners share, as `Arc` has one on the heap. The last
/// one drops it and puts the block back.
///
/// It borrows the pool, whose blocks are made for [`Counted`] values; there are no weak ones.
///
/// ```
/// use strata_pool::{Counted, Pool, PoolArc};
///
/// let pool = Pool::<Counted<String>>::new()?;
/// let name = PoolArc::new("strata".to_owned(), &pool).unwrap();
/// let other = PoolArc::clone(&name);
/// std::thread::scope(|scope| {
///     scope.spawn(move || assert_eq!(*other, "strata"));
/// });
/// assert_eq!(PoolArc::try_unwrap(name).unwrap(), "strata");
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
///
/// # Invariants
///
/// 1. `value` is a block of `pool` that belongs to `count` of these together, and holds a value.
pub struct PoolArc<'p, T, P: Blocks + ?Sized> {
    value: NonNull<Counted<T>>,
    pool: &'p P,
}

// SAFETY: the owners share the value, and any of them may drop it.
unsafe impl<T: Send + Sync, P: Blocks + Sync + ?Sized> Send for PoolArc<'_, T, P> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync, P: Blocks + Sync + ?Sized> Sync for PoolArc<'_, T, P> {}

impl<'p, T, P: BlocksOf<Counted<T>>> PoolArc<'p, T, P> {
    /// Puts a value into a block, with one owner.
    ///
    /// # Errors
    ///
    /// [`PoolFull`] with the value, where there is no block.
    #[inline]
    pub fn new(value: T, pool: &'p P) -> Result<Self, PoolFull<T>> {
        match PoolBox::new_in(Counted { count: AtomicUsize::new(1), value }, pool) {
            Ok(one) => Ok(Self { value: one.into_raw(), pool }),
            Err(counted) => Err(PoolFull(counted.value)),
        }
    }
}

impl<'p, T, P: Blocks + ?Sized> PoolArc<'p, T, P> {
    fn counted(&self) -> &Counted<T> {
        // SAFETY: an owner's (1.), which is shared only.
        unsafe { self.value.as_ref() }
    }

    /// The owners; of no certain moment while others go on.
    pub fn strong_count(this: &Self) -> usize {
        // Relaxed: a figure.
        this.counted().count.load(Ordering::Relaxed)
    }

    /// Whether both are of one value.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        this.value == other.value
    }

    /// The value, where there is no other owner.
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        // Acquire: its partners are the Release decrements of the owners that were.
        if this.counted().count.load(Ordering::Acquire) != 1 {
            return None;
        }
        // SAFETY: the one owner's (1.), and there are no weak ones.
        Some(unsafe { &mut this.value.as_mut().value })
    }

    /// Takes the value out and puts the block back, where there is no other owner.
    ///
    /// # Errors
    ///
    /// The same owner, where there is.
    pub fn try_unwrap(this: Self) -> Result<T, Self> {
        // Relaxed on success: the fence below orders. Relaxed on failure: nothing is read.
        let one = this.counted().count.compare_exchange(1, 0, Ordering::Relaxed, Ordering::Relaxed);
        if one.is_err() {
            return Err(this);
        }
        // Acquire: as in `drop`.
        fence(Ordering::Acquire);
        let this = ManuallyDrop::new(this);
        // SAFETY: 1. this pool's, and the last owner's. 2. nobody else has it: the count is zero.
        let last = unsafe { PoolBox::from_raw(this.value, this.pool) };
        Ok(last.into_inner().value)
    }
}

impl<T, P: Blocks + ?Sized> Clone for PoolArc<'_, T, P> {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: who has one may make another; who gets it, gets it by other means.
        let before = self.counted().count.fetch_add(1, Ordering::Relaxed);
        if before > MOST {
            misuse::stop("too many clones of a PoolArc were forgotten");
        }
        Self { value: self.value, pool: self.pool }
    }
}

impl<T, P: Blocks + ?Sized> Drop for PoolArc<'_, T, P> {
    #[inline]
    fn drop(&mut self) {
        // Release: its partner is the Acquire fence of the last owner.
        if self.counted().count.fetch_sub(1, Ordering::Release) == 1 {
            // Acquire: its partners are the Release decrements of all other owners.
            fence(Ordering::Acquire);
            // SAFETY: 1. this pool's. 2. the count is zero.
            drop(unsafe { PoolBox::from_raw(self.value, self.pool) });
        }
    }
}

impl<T, P: Blocks + ?Sized> Deref for PoolArc<'_, T, P> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T, P: Blocks + ?Sized> AsRef<T> for PoolArc<'_, T, P> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: fmt::Debug, P: Blocks + ?Sized> fmt::Debug for PoolArc<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display, P: Blocks + ?Sized> fmt::Display for PoolArc<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq, P: Blocks + ?Sized> PartialEq for PoolArc<'_, T, P> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq, P: Blocks + ?Sized> Eq for PoolArc<'_, T, P> {}

impl<T: Hash, P: Blocks + ?Sized> Hash for PoolArc<'_, T, P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}
