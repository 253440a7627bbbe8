//! The pool that stands in a `static`.

mod bits;

use core::fmt;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::ptr::NonNull;

use strata_core::misuse;
// The slots are plain memory in models too: who has a bit has the slot, and bits are explored.
use core::cell::UnsafeCell;

pub(crate) use bits::{BITS, Bits};

use crate::blocks::{Blocks, BlocksOf};
use crate::error::{Misuse, PoolFull};
use crate::pool_box::PoolBox;

/// `N` values in place, without any memory from elsewhere: for a `static`, for programs without
/// `std`, for interrupt and signal handlers.
///
/// Lock-free: a thread or handler that is interrupted anywhere in it keeps nobody from going on. A
/// taken slot is a bit in a word; taking one is a compare-and-exchange of one word, putting it back
/// one more, both of pointer width. Any number of instances, made in constants, without a macro.
///
/// `WORDS` words of bits are kept: 64, which serve up to 4096 values on a 64-bit target and 1024 on
/// a 32-bit one. `N.div_ceil(usize::BITS)` are enough; above 64 words each bit of the hint word
/// stands for several of them.
///
/// ```
/// use strata_pool::{PoolBox, StaticPool};
///
/// static PACKETS: StaticPool<[u8; 1500], 256, 4> = StaticPool::new();
///
/// let mut packet: PoolBox<'static, _, _> = PACKETS.alloc([0; 1500]).unwrap();
/// packet[0] = 0x45;
/// assert_eq!(PACKETS.live(), 1);
/// ```
///
/// Too few words do not compile:
///
/// ```compile_fail,E0080
/// use strata_pool::StaticPool;
/// static POOL: StaticPool<u64, 1000, 2> = StaticPool::new();
/// assert!(POOL.alloc(1).is_ok());
/// ```
///
/// Like every pool it does not let its boxes outlive it:
///
/// ```compile_fail,E0597
/// use strata_pool::StaticPool;
/// let outer;
/// {
///     let pool = StaticPool::<u64, 8, 1>::new();
///     outer = pool.alloc(1).unwrap();
/// }
/// assert_eq!(*outer, 1);
/// ```
///
/// # Invariants
///
/// 1. Slot `n` is reached by whoever set bit `n` alone.
pub struct StaticPool<T, const N: usize, const WORDS: usize = 64> {
    bits: Bits<WORDS>,
    slots: UnsafeCell<[MaybeUninit<T>; N]>,
}

// SAFETY: slots have one owner at a time (1.); values go from thread to thread in boxes, which ask
// for `Send` themselves.
unsafe impl<T, const N: usize, const WORDS: usize> Sync for StaticPool<T, N, WORDS> {}
// SAFETY: as above; a pool that is moved has no box, and so no value.
unsafe impl<T, const N: usize, const WORDS: usize> Send for StaticPool<T, N, WORDS> {}

impl<T, const N: usize, const WORDS: usize> StaticPool<T, N, WORDS> {
    strata_core::const_unless_loom! {
        /// A pool of `N` free slots; all of its bits are zero.
        ///
        /// # Panics
        ///
        /// (Does not compile) where `N` is zero, or `WORDS` words have less than `N` bits.
        pub fn new() -> Self {
            const {
                assert!(N > 0, "a pool has at least one slot");
                assert!(N <= WORDS * BITS, "WORDS must be at least N / usize::BITS, rounded up");
            }
            Self {
                bits: Bits::new(),
                slots: UnsafeCell::new([const { MaybeUninit::uninit() }; N]),
            }
        }
    }

    /// Puts a value into a slot. Lock-free; O(1) while there is a free slot, O(`WORDS`) before it
    /// fails.
    ///
    /// # Errors
    ///
    /// [`PoolFull`] with the value, after every word was looked at twice and none had a free slot at those
    /// moments.
    #[inline]
    pub fn alloc(&self, value: T) -> Result<PoolBox<'_, T, Self>, PoolFull<T>> {
        PoolBox::new_in(value, self).map_err(PoolFull)
    }

    /// Puts a value into a slot and pins it there.
    ///
    /// # Errors
    ///
    /// As for [`alloc`](Self::alloc).
    pub fn alloc_pin(
        &'static self,
        value: T,
    ) -> Result<Pin<PoolBox<'static, T, Self>>, PoolFull<T>> {
        // SAFETY: the pool is there for ever, and the value in its slot until it is dropped.
        self.alloc(value).map(|value| unsafe { Pin::new_unchecked(value) })
    }

    /// Slots.
    pub const fn capacity(&self) -> usize {
        N
    }

    /// Slots with a value; of no certain moment while others go on. O(`WORDS`).
    pub fn live(&self) -> usize {
        self.bits.taken()
    }

    /// The number of the slot at an address.
    fn number_of(&self, block: *const u8) -> Result<usize, Misuse> {
        let from = block.addr().wrapping_sub(self.slots.get().addr());
        if size_of::<T>() == 0 {
            // All slots are at one address.
            return if from == 0 { Ok(0) } else { Err(Misuse::Foreign) };
        }
        if from >= N * size_of::<T>() {
            return Err(Misuse::Foreign);
        }
        let number = from / size_of::<T>();
        if number * size_of::<T>() == from { Ok(number) } else { Err(Misuse::NotABlock) }
    }

    /// Whether a value is in this pool.
    ///
    /// # Errors
    ///
    /// What the address is instead.
    pub fn look_up(&self, value: *const T) -> Result<(), Misuse> {
        let number = self.number_of(value.cast())?;
        let taken = if size_of::<T>() == 0 { self.live() > 0 } else { self.bits.is_taken(number) };
        if taken { Ok(()) } else { Err(Misuse::DoubleFree) }
    }
}

impl<T, const N: usize, const WORDS: usize> Default for StaticPool<T, N, WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a thread begins to look, of `words` words: at one that most others do not, so that threads
/// seldom write to one line. There is no thread's number without `std`, nor in a signal handler, but
/// each has a stack of its own: its address says who looks. Any answer is right.
#[inline]
fn start(words: usize) -> usize {
    if words == 1 {
        return 0;
    }
    let here = 0_u8;
    // Calls of one thread within so many bytes of stack begin at the same word.
    let stack = (&raw const here).addr() >> STACK_LOG2;
    // Neighbouring stacks come far apart (Knuth's multiplicative hash).
    let mixed = (stack as u32).wrapping_mul(0x9E37_79B1);
    ((u64::from(mixed) * words as u64) >> 32) as usize
}

/// Bytes of stack, as a power of two, that one call tree seldom leaves and two threads do not share.
const STACK_LOG2: u32 = 16;

// SAFETY: 1. the slot of a bit that was just set, which nobody else has (1. of the type); a pool
// with boxes is borrowed and does not move. 2. bits are atomics.
unsafe impl<T, const N: usize, const WORDS: usize> Blocks for StaticPool<T, N, WORDS> {
    #[inline]
    fn take_block(&self) -> Option<NonNull<u8>> {
        let slot = self.bits.take(N, start(Bits::<WORDS>::starts(N)))?;
        let base = self.slots.get().cast::<T>();
        // SAFETY: in the array.
        Some(unsafe { NonNull::new_unchecked(base.add(slot)) }.cast())
    }

    #[inline]
    unsafe fn put_block(&self, block: NonNull<u8>) {
        let put = if size_of::<T>() == 0 {
            // Any slot will do: they hold nothing and are at one address.
            (0..N)
                .find(|slot| self.bits.is_taken(*slot) && self.bits.put(*slot, N).is_ok())
                .is_some()
        } else {
            self.number_of(block.as_ptr()).is_ok_and(|slot| self.bits.put(slot, N).is_ok())
        };
        if !put {
            misuse::stop("a value was put back that is not in its static pool");
        }
    }
}

// SAFETY: slots are made for `T`.
unsafe impl<T, const N: usize, const WORDS: usize> BlocksOf<T> for StaticPool<T, N, WORDS> {}

impl<T, const N: usize, const WORDS: usize> fmt::Debug for StaticPool<T, N, WORDS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticPool").field("live", &self.live()).field("of", &N).finish()
    }
}

static_assertions::assert_impl_all!(StaticPool<u64, 64>: Send, Sync);
