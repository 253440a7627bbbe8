//! Tables of a kernel: memory that comes neither from the subject nor from the harness's heap.

use crate::shared::{Mapping, create};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};

/// A value whose bytes may all be zero.
///
/// # Safety
///
/// 1. All-zero bytes are a value of the type, and dropping one does nothing.
pub(crate) unsafe trait Zero {}
// SAFETY: 1: integers.
unsafe impl Zero for u32 {}
// SAFETY: 1: integers.
unsafe impl Zero for u64 {}
// SAFETY: 1: integers.
unsafe impl Zero for AtomicU32 {}
// SAFETY: 1: integers.
unsafe impl Zero for AtomicU64 {}
// SAFETY: 1: a pointer may be null.
unsafe impl<T> Zero for *mut T {}
// SAFETY: 1: a pointer may be null.
unsafe impl<T> Zero for AtomicPtr<T> {}
// SAFETY: 1: an array of such values.
unsafe impl<T: Zero, const N: usize> Zero for [T; N] {}

/// Alone on its cache line and the neighbour that comes with it.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Alone<T>(pub(crate) T);

// SAFETY: 1: the value's zeros.
unsafe impl<T: Zero> Zero for Alone<T> {}

/// A `T` in a mapping of its own, at first all zero bytes.
///
/// # Invariants
///
/// The mapping is at least as long as a `T`, aligned to a page, and holds a `T`.
pub(crate) struct Room<T> {
    mapping: Mapping,
    holds: PhantomData<T>,
}

impl<T: Zero> Room<T> {
    /// A new one; ends the process where the system has no memory for it.
    pub(crate) fn new() -> Self {
        const { assert!(align_of::<T>() <= 4096) };
        let bytes = size_of::<T>();
        let mapping = create(bytes, true).and_then(|fd| Mapping::new(fd.as_raw_fd(), bytes));
        let Ok(mapping) = mapping else { std::process::exit(crate::child::channel::UNUSABLE) };
        Self { mapping, holds: PhantomData }
    }
}

impl<T> Deref for Room<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: by the invariants; the mapping is this value's own.
        unsafe { &*self.mapping.start().cast() }
    }
}

impl<T> DerefMut for Room<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`, and `self` is borrowed mutably.
        unsafe { &mut *self.mapping.start().cast() }
    }
}
