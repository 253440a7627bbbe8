//! Values that are named by handles, which are checked.

mod hand;
mod name;

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;
use core::ptr::NonNull;

use strata_core::span::MAX_BLOCKS;
use strata_core::sync::unexplored::AtomicU32;
use strata_core::{ConfigError, Source};

use crate::config::Config;
use crate::error::PoolFull;
use crate::store::segments::Segments;
use crate::store::{Shape, Store};
use crate::system::SystemSource;

pub use name::{Handle, HandleError};

/// Slots in hand at most.
const HAND: usize = 64;
/// Of an index, the number in the chunk is in so many low bits.
const NUMBER_BITS: u32 = MAX_BLOCKS.trailing_zeros();
/// The greatest number of a chunk whose slots can be named.
const MOST_CHUNKS: u32 = u32::MAX >> NUMBER_BITS;

/// The number of the next pool; past the last one, pools share it.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Values of one type, owned by the pool and named by [`Handle`]s. For graphs, entities and tables,
/// where references would be in the way.
///
/// Values do not move while they are there, unlike those of a slot map over a `Vec`; empty chunks go
/// back to the source; a handle of another pool is told from a stale one. Inserting, looking up and
/// removing are O(1), and now and then O(64).
///
/// ```
/// use strata_pool::{HandleError, HandlePool};
///
/// let mut names = HandlePool::<String>::new()?;
/// let one = names.insert("one".to_owned()).unwrap();
/// assert_eq!(names.get(one).unwrap(), "one");
/// assert_eq!(names.remove(one).unwrap(), "one");
///
/// let two = names.insert("two".to_owned()).unwrap();
/// assert_eq!(names.get(one), Err(HandleError::Stale));
/// assert_eq!(names[two], "two");
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
///
/// # Invariants
///
/// 1. Slot `n` of chunk `c` holds a value while its generation, number `n` of row `c`, is odd; its
///    block is out then.
/// 2. Every chunk of which a block was ever out has a row. Rows are never given back before the pool
///    ends: a chunk that takes the number of one that retired goes on counting.
/// 3. The first `in_hand` of `hand` are indices of slots without a value, whose blocks are out.
pub struct HandlePool<T, S: Source<Address = NonNull<u8>> = SystemSource> {
    store: Store<S>,
    rows: Segments,
    /// Rows that there are.
    row_count: u32,
    hand: [u32; HAND],
    in_hand: usize,
    live: usize,
    /// Slots whose count of values is used up.
    retired: usize,
    failed: usize,
    /// Zero before the first value.
    number: u32,
    value: PhantomData<T>,
}

// SAFETY: the pool owns its values; its memory is the source's, which no thread owns.
unsafe impl<T: Send, S: Source<Address = NonNull<u8>> + Send> Send for HandlePool<T, S> {}
// SAFETY: `&HandlePool` gives `&T` and figures.
unsafe impl<T: Sync, S: Source<Address = NonNull<u8>> + Sync> Sync for HandlePool<T, S> {}

impl<T> HandlePool<T> {
    /// A pool with memory of the system. Gets none before the first value.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where a value is 2 GiB long or more.
    pub fn new() -> Result<Self, ConfigError> {
        Self::with_source(SystemSource::new(), Config::new())
    }
}

impl<T, S: Source<Address = NonNull<u8>>> HandlePool<T, S> {
    /// A pool with memory of `source`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where a value is 2 GiB long or more, or the capacity zero.
    pub fn with_source(source: S, config: Config) -> Result<Self, ConfigError> {
        let shape = Shape::of_pool(Layout::new::<T>(), &config)?;
        Ok(Self {
            store: Store::new(source, shape, config),
            rows: Segments::new(MAX_BLOCKS.min(shape.cut.blocks()) * size_of::<u32>()),
            row_count: 0,
            hand: [0; HAND],
            in_hand: 0,
            live: 0,
            retired: 0,
            failed: 0,
            number: 0,
            value: PhantomData,
        })
    }

    /// The generation of a slot.
    ///
    /// # Safety
    ///
    /// 1. The slot's chunk has a row, and the number is one of its.
    #[inline]
    unsafe fn generation(&self, index: u32) -> NonNull<u32> {
        let (chunk, number) = (index >> NUMBER_BITS, index as usize % MAX_BLOCKS);
        // SAFETY: 1. there is the row (1.), which has the number.
        unsafe { self.rows.get(chunk).cast::<u32>().add(number) }
    }

    /// The slot of an index.
    ///
    /// # Safety
    ///
    /// 1. The slot's block is out.
    #[inline]
    unsafe fn slot(&self, index: u32) -> NonNull<T> {
        let (chunk, number) = (index >> NUMBER_BITS, index as usize % MAX_BLOCKS);
        // SAFETY: 1. a block that is out is in a chunk.
        unsafe { self.store.block_at(chunk, number) }.cast()
    }

    /// Puts a value in.
    ///
    /// # Errors
    ///
    /// [`PoolFull`] with the value, where the source has no more or the pool is full.
    #[inline]
    pub fn insert(&mut self, value: T) -> Result<Handle<T>, PoolFull<T>> {
        if self.in_hand == 0 && self.fill().is_err() {
            self.failed += 1;
            return Err(PoolFull(value));
        }
        self.in_hand -= 1;
        let index = self.hand[self.in_hand];
        // SAFETY: 1. slots in hand have rows, and their blocks are out (3.).
        unsafe {
            let mut place = self.generation(index);
            let generation = place.as_mut();
            debug_assert!(generation.is_multiple_of(2));
            self.slot(index).write(value);
            *generation += 1;
            self.live += 1;
            let generation = NonZeroU32::new_unchecked(*generation);
            Ok(Handle { index, generation, pool: self.number, value: PhantomData })
        }
    }

    /// The slot that a handle names.
    #[inline]
    fn find(&self, handle: Handle<T>) -> Result<NonNull<T>, HandleError> {
        if handle.pool != self.number {
            return Err(HandleError::WrongPool);
        }
        debug_assert!(handle.index >> NUMBER_BITS < self.row_count);
        // SAFETY: 1. the handle was given by this pool (which has a number, then), for a slot that
        // has a row.
        if unsafe { *self.generation(handle.index).as_ptr() } != handle.generation.get() {
            return Err(HandleError::Stale);
        }
        // SAFETY: 1. the generation is odd, so there is a value (1.).
        Ok(unsafe { self.slot(handle.index) })
    }

    /// The value of a handle.
    ///
    /// # Errors
    ///
    /// [`HandleError`].
    #[inline]
    pub fn get(&self, handle: Handle<T>) -> Result<&T, HandleError> {
        // SAFETY: a value that is there (1.), shared as long as the pool is.
        self.find(handle).map(|slot| unsafe { slot.as_ref() })
    }

    /// The value of a handle, to be changed.
    ///
    /// # Errors
    ///
    /// [`HandleError`].
    #[inline]
    pub fn get_mut(&mut self, handle: Handle<T>) -> Result<&mut T, HandleError> {
        // SAFETY: a value that is there (1.), borrowed as long as the pool is.
        self.find(handle).map(|mut slot| unsafe { slot.as_mut() })
    }

    /// Whether a handle names a value of this pool.
    pub fn contains(&self, handle: Handle<T>) -> bool {
        self.find(handle).is_ok()
    }

    /// Takes the value of a handle out.
    ///
    /// # Errors
    ///
    /// [`HandleError`], and nothing changed.
    #[inline]
    pub fn remove(&mut self, handle: Handle<T>) -> Result<T, HandleError> {
        let slot = self.find(handle)?;
        // SAFETY: a value that is there (1.), read once: its generation goes on.
        let value = unsafe { slot.read() };
        self.leave(handle.index);
        Ok(value)
    }

    /// Values.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The next slot with a value, from a chunk's place in the order of addresses and a number in it.
    fn next_from(&self, chunk: &mut usize, number: &mut usize) -> Option<u32> {
        loop {
            let (id, total) = self.store.chunk_at(*chunk)?;
            while id < self.row_count && *number < total {
                let index = id << NUMBER_BITS | *number as u32;
                *number += 1;
                // SAFETY: 1. the chunk has a row, which has the number.
                if unsafe { *self.generation(index).as_ptr() } % 2 == 1 {
                    return Some(index);
                }
            }
            (*chunk, *number) = (*chunk + 1, 0);
        }
    }

    /// All values with their handles, by address. A step is O(1) where the pool is full.
    pub fn iter(&self) -> impl Iterator<Item = (Handle<T>, &T)> {
        let (mut chunk, mut number) = (0, 0);
        core::iter::from_fn(move || {
            let index = self.next_from(&mut chunk, &mut number)?;
            // SAFETY: 1. there is a value, so a row, and the block is out.
            unsafe {
                let generation = NonZeroU32::new(*self.generation(index).as_ptr())?;
                let handle = Handle { index, generation, pool: self.number, value: PhantomData };
                Some((handle, self.slot(index).as_ref()))
            }
        })
    }

    /// Drops all values; their handles are stale.
    pub fn clear(&mut self) {
        // Emptied chunks may go back in between, which moves those behind them up: from the start
        // each time, and no further than the first value.
        let (mut chunk, mut number) = (0, 0);
        while self.live > 0 {
            match self.next_from(&mut chunk, &mut number) {
                Some(index) => {
                    // SAFETY: 1. there is a value.
                    let slot = unsafe { self.slot(index) };
                    self.leave(index);
                    // SAFETY: nobody has the slot any more; it is still out: in hand, or retired.
                    unsafe { slot.drop_in_place() };
                }
                None => (chunk, number) = (0, 0),
            }
        }
    }

    /// Keeps `keep` free slots ready and gives everything else back that holds no value. Answers
    /// how many bytes went. O(chunks).
    pub fn trim(&mut self, keep: usize) -> usize {
        self.put_oldest(HAND);
        self.store.trim(keep)
    }

    /// Gives back what was not needed since the last call.
    pub fn decay(&mut self) -> usize {
        self.put_oldest(HAND);
        self.store.decay()
    }

    /// The pool's figures; slots that are used up count as cached.
    pub fn stats(&self) -> crate::PoolStats {
        let own = self.rows.bytes(self.store.source.granule());
        self.store.stats(self.in_hand + self.retired, self.failed, own, 0)
    }

    /// Walks all tables and checks them against each other. O(slots).
    ///
    /// # Errors
    ///
    /// The law that is broken first.
    pub fn validate(&self) -> Result<(), crate::Broken> {
        self.store.validate().map_err(crate::Broken)?;
        if self.iter().count() != self.live {
            return Err(crate::Broken("slots with an odd generation hold a value each"));
        }
        if self.store.figures().live != self.live + self.in_hand + self.retired {
            return Err(crate::Broken("blocks that are out hold a value, are in hand, or used up"));
        }
        Ok(())
    }

    /// Makes a slot without a value count as used often, for tests of what follows.
    #[cfg(all(test, feature = "std", not(strata_loom)))]
    pub(crate) fn age(&mut self, handle: Handle<T>, generation: u32) {
        // SAFETY: 1. a slot that had a value has a row.
        unsafe { *self.generation(handle.index).as_ptr() = generation };
    }
}

impl<T, S: Source<Address = NonNull<u8>>> Drop for HandlePool<T, S> {
    fn drop(&mut self) {
        if core::mem::needs_drop::<T>() {
            self.clear();
        }
        // SAFETY: 1. values are dropped, and nobody borrows them. 2. all from its source.
        unsafe {
            self.rows.release(&*self.store.source);
            self.store.release();
        }
    }
}

impl<T, S: Source<Address = NonNull<u8>>> core::ops::Index<Handle<T>> for HandlePool<T, S> {
    type Output = T;

    /// # Panics
    ///
    /// Where the handle names no value of this pool; ask [`get`](HandlePool::get) otherwise.
    fn index(&self, handle: Handle<T>) -> &T {
        self.get(handle).expect("a handle that is indexed with names a value")
    }
}

impl<T, S: Source<Address = NonNull<u8>>> core::ops::IndexMut<Handle<T>> for HandlePool<T, S> {
    fn index_mut(&mut self, handle: Handle<T>) -> &mut T {
        self.get_mut(handle).expect("a handle that is indexed with names a value")
    }
}

impl<T, S: Source<Address = NonNull<u8>>> fmt::Debug for HandlePool<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlePool").field("len", &self.live).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "std", not(strata_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slot_whose_count_of_values_is_used_up_is_used_no_more() {
        let mut pool = HandlePool::<u32>::new().unwrap();
        let first = pool.insert(1).unwrap();
        pool.age(first, u32::MAX);
        let last = Handle { generation: NonZeroU32::MAX, ..first };
        assert_eq!(pool.get(last), Ok(&1));
        assert_eq!(pool.remove(last), Ok(1));
        for n in 0..1000 {
            let handle = pool.insert(n).unwrap();
            assert_ne!(handle.index, first.index);
        }
        assert_eq!(pool.get(first), Err(HandleError::Stale));
        assert_eq!(pool.get(last), Err(HandleError::Stale));
        pool.validate().unwrap();
    }
}
