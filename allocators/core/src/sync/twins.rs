//! The types of model builds: loom's, with a countdown before every atomic operation.

use std::boxed::Box;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::sync::atomic as twin;

pub use loom::cell::UnsafeCell;
pub use loom::sync::atomic::Ordering;
pub use loom::{model, thread};

loom::thread_local! {
    /// Atomic operations that this model thread may still start; `None` is no limit.
    static STEPS: Cell<Option<usize>> = Cell::new(None);
}

/// The payload of the unwinding that abandons an operation.
struct Stopped;

/// Counts one atomic operation, and abandons the running one when none is left.
fn step() {
    let stop = STEPS.with(|steps| match steps.get() {
        None => false,
        Some(0) => true,
        Some(left) => {
            steps.set(Some(left - 1));
            false
        }
    });
    if stop {
        // Not `panic!`: no hook, no message, nothing but leaving.
        resume_unwind(Box::new(Stopped));
    }
}

/// Runs `f` and abandons it before its atomic operation number `steps + 1`, as a crash or a fork
/// of another thread would; `None` then. What `f` owns must not repair anything when dropped.
pub fn stopped_after<R>(steps: usize, f: impl FnOnce() -> R) -> Option<R> {
    STEPS.with(|left| left.set(Some(steps)));
    let outcome = catch_unwind(AssertUnwindSafe(f));
    STEPS.with(|left| left.set(None));
    match outcome {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Stopped>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// See `core::sync::atomic::fence`.
pub fn fence(order: Ordering) {
    step();
    twin::fence(order);
}

/// Loom schedules another thread: a spinning thread alone would never end.
pub fn spin_hint() {
    loom::thread::yield_now();
}

/// Loom schedules another thread.
pub fn yield_now() {
    loom::thread::yield_now();
}

/// Stands beside each twin, so that loom tries both orders of any two operations on it.
///
/// Of the loads since the last store, loom remembers only the newest when it looks for operations
/// whose order matters. A thread's own load before its compare-and-exchange thus hides the load of
/// another thread, and whole schedules go unexplored. A relaxed read-modify-write before every
/// operation makes the chain complete. It orders nothing: each `turn` is read by nobody else.
#[derive(Debug)]
struct Turn(twin::AtomicUsize);

impl Turn {
    fn new() -> Self {
        Self(twin::AtomicUsize::new(0))
    }

    /// Counts one atomic operation, as [`step`] does.
    fn step(&self) {
        step();
        // Relaxed: no partner on purpose.
        self.0.fetch_add(0, Ordering::Relaxed);
    }
}

macro_rules! atomic {
    ($name:ident $(<$t:ident>)?, $value:ty) => {
        #[doc = concat!("Loom's twin of `core::sync::atomic::", stringify!($name), "`.")]
        #[derive(Debug)]
        pub struct $name $(<$t>)? {
            word: twin::$name $(<$t>)?,
            turn: Turn,
        }

        #[allow(missing_docs, reason = "the twin has the interface of core's type")]
        impl $(<$t>)? $name $(<$t>)? {
            pub fn new(value: $value) -> Self {
                Self { word: twin::$name::new(value), turn: Turn::new() }
            }

            pub fn load(&self, order: Ordering) -> $value {
                self.turn.step();
                self.word.load(order)
            }

            pub fn store(&self, value: $value, order: Ordering) {
                self.turn.step();
                self.word.store(value, order)
            }

            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.turn.step();
                self.word.swap(value, order)
            }

            pub fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                done: Ordering,
                failed: Ordering,
            ) -> Result<$value, $value> {
                self.turn.step();
                self.word.compare_exchange(old, new, done, failed)
            }

            pub fn compare_exchange_weak(
                &self,
                old: $value,
                new: $value,
                done: Ordering,
                failed: Ordering,
            ) -> Result<$value, $value> {
                self.turn.step();
                self.word.compare_exchange_weak(old, new, done, failed)
            }

            pub fn fetch_update(
                &self,
                done: Ordering,
                failed: Ordering,
                mut f: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut old = self.load(failed);
                while let Some(new) = f(old) {
                    match self.compare_exchange_weak(old, new, done, failed) {
                        Ok(old) => return Ok(old),
                        Err(seen) => old = seen,
                    }
                }
                Err(old)
            }
        }
    };
}

macro_rules! arithmetic {
    ($name:ident, $value:ty, $($method:ident),*) => {
        #[allow(missing_docs, reason = "the twin has the interface of core's type")]
        impl $name {
            $(pub fn $method(&self, value: $value, order: Ordering) -> $value {
                self.turn.step();
                self.word.$method(value, order)
            })*
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(Default::default())
            }
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicU8, u8);
atomic!(AtomicU16, u16);
atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
atomic!(AtomicUsize, usize);
atomic!(AtomicPtr<T>, *mut T);
arithmetic!(AtomicBool, bool, fetch_and, fetch_or, fetch_xor);
arithmetic!(AtomicU8, u8, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor, fetch_max);
arithmetic!(AtomicU16, u16, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor, fetch_max);
arithmetic!(AtomicU32, u32, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor, fetch_max);
arithmetic!(AtomicU64, u64, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor, fetch_max);
arithmetic!(AtomicUsize, usize, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor, fetch_max);
