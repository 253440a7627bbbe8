//! The face of a program: small layouts from pools, the rest from an allocator of the user's choice.

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use crate::block_pool::BlockPool;
use crate::config::Config;
use crate::store::Shape;
use crate::system::SystemSource;

/// The longest block of these pools.
const LONGEST: usize = 1024;
/// Sizes are looked up in units of this.
const UNIT: usize = 8;
/// What the table says where no pool serves a size.
const NO_POOL: u8 = u8::MAX;

/// An allocator for `#[global_allocator]` of a few pools, for programs that ask for a few sizes over
/// and over. A layout that fits a block of one of `K` lengths is served from that pool, at no more
/// than 1024 bytes; every other one goes to `F`.
///
/// ```
/// use std::alloc::System;
/// use strata_pool::PoolAlloc;
///
/// #[global_allocator]
/// static ALLOC: PoolAlloc<System> = PoolAlloc::new(System);
///
/// fn main() {
///     let numbers: Vec<Box<u64>> = (0..1000).map(Box::new).collect();
///     assert!(ALLOC.pools()[0].stats().live >= numbers.len());
/// }
/// ```
///
/// Where a pool's source is exhausted the answer is null, not a block of the fallback: which of them
/// a block is from is known by its layout alone. Not for signal handlers, as every allocator that
/// locks.
#[derive(Debug)]
pub struct PoolAlloc<F, const K: usize = 8> {
    pools: [BlockPool; K],
    /// The pool for a size, in units of 8 bytes, rounded up.
    by_size: [u8; LONGEST / UNIT + 1],
    fallback: F,
}

impl<F> PoolAlloc<F> {
    strata_core::const_unless_loom! {
        /// Pools of blocks of 16, 32, 48, 64, 96, 128, 192 and 256 bytes, before `fallback`.
        pub fn new(fallback: F) -> Self {
            Self::with_sizes(fallback, [16, 32, 48, 64, 96, 128, 192, 256])
        }
    }
}

impl<F, const K: usize> PoolAlloc<F, K> {
    strata_core::const_unless_loom! {
        /// Pools of blocks of these lengths, before `fallback`. A block is aligned for the greatest
        /// power of two that divides its length.
        ///
        /// # Panics
        ///
        /// (In a constant: does not compile) where the lengths do not rise, are not multiples of 8,
        /// or are above 1024; and above 254 of them.
        pub fn with_sizes(fallback: F, sizes: [usize; K]) -> Self {
            assert!(K < NO_POOL as usize, "there are 254 pools at most");
            let mut pools = MaybeUninit::<[BlockPool; K]>::uninit();
            let first = pools.as_mut_ptr().cast::<BlockPool>();
            let mut by_size = [NO_POOL; LONGEST / UNIT + 1];
            let (mut pool, mut unit) = (0, 0);
            while pool < K {
                let len = sizes[pool];
                assert!(len > 0 && len <= LONGEST && len.is_multiple_of(UNIT), "blocks are 8, 16, ... 1024");
                assert!(pool == 0 || sizes[pool - 1] < len, "lengths rise");
                // SAFETY: a power of two, of which the length is a multiple.
                let layout =
                    unsafe { Layout::from_size_align_unchecked(len, 1 << len.trailing_zeros()) };
                let Ok(shape) = Shape::new(layout) else { panic!("a short block") };
                let made = BlockPool::of_shape(shape, SystemSource::new(), Config::new());
                // SAFETY: element `pool` of the array.
                unsafe { first.add(pool).write(made) };
                while unit <= len / UNIT {
                    by_size[unit] = pool as u8;
                    unit += 1;
                }
                pool += 1;
            }
            // SAFETY: all `K` are written.
            Self { pools: unsafe { pools.assume_init() }, by_size, fallback }
        }
    }

    /// The pools, shortest blocks first.
    pub fn pools(&self) -> &[BlockPool; K] {
        &self.pools
    }

    /// The allocator of everything else.
    pub fn fallback(&self) -> &F {
        &self.fallback
    }

    /// Gives everything back that the pools hold and no block is on: see
    /// [`BlockPool::trim`](crate::BlockPool::trim). Answers how many bytes went.
    pub fn trim(&self) -> usize {
        self.pools.iter().map(|pool| pool.trim(0)).sum()
    }

    /// The pool that serves a layout; the same at deallocation.
    #[inline]
    fn pool_of(&self, layout: Layout) -> Option<&BlockPool> {
        if layout.size() > LONGEST {
            return None;
        }
        let first = self.by_size[layout.size().div_ceil(UNIT)];
        if layout.align() <= UNIT {
            return self.pools.get(usize::from(first));
        }
        let rest = self.pools.get(usize::from(first)..)?;
        rest.iter().find(|pool| pool.shape.align >= layout.align())
    }
}

// SAFETY: a block holds its layout, is nobody else's until it is freed, and goes back to where it
// came from, which the layout tells; nothing unwinds.
unsafe impl<F: GlobalAlloc, const K: usize> GlobalAlloc for PoolAlloc<F, K> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.pool_of(layout) {
            Some(pool) => pool.allocate().map_or(ptr::null_mut(), NonNull::as_ptr),
            // SAFETY: the caller's obligations are the same ones.
            None => unsafe { self.fallback.alloc(layout) },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.pool_of(layout) {
            // SAFETY: 1. a live block, not null, of this layout, so of this pool.
            Some(pool) => unsafe { pool.deallocate(NonNull::new_unchecked(block)) },
            // SAFETY: the caller's obligations are the same ones.
            None => unsafe { self.fallback.dealloc(block, layout) },
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match self.pool_of(layout) {
            Some(pool) => {
                let block = pool.allocate().map_or(ptr::null_mut(), NonNull::as_ptr);
                if !block.is_null() {
                    // SAFETY: a block of this layout.
                    unsafe { block.write_bytes(0, layout.size()) };
                }
                block
            }
            // SAFETY: the caller's obligations are the same ones.
            None => unsafe { self.fallback.alloc_zeroed(layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's: not zero, and it does not overflow when it is rounded up.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (self.pool_of(layout), self.pool_of(new)) {
            // SAFETY: the caller's obligations are the same ones.
            (None, None) => unsafe { self.fallback.realloc(block, layout, new_size) },
            (Some(old), Some(pool)) if ptr::eq(old, pool) => block,
            _ => {
                // SAFETY: the new layout is not of no bytes; both blocks are as long as is copied,
                // and two; the old one is given back once.
                unsafe {
                    let copy = self.alloc(new);
                    if !copy.is_null() {
                        ptr::copy_nonoverlapping(block, copy, layout.size().min(new_size));
                        self.dealloc(block, layout);
                    }
                    copy
                }
            }
        }
    }
}
