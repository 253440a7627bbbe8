//! Taking turns: as many children at once as there are processors.

use super::memory::Idle;
use std::sync::{Condvar, Mutex, PoisonError};

/// As many turns as there are processors; a child in its idle second gives its turn away.
pub(super) struct Turns {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A turn.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// All turns free.
    pub(super) fn new() -> Self {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    /// Waits for a turn, which ends when it is dropped.
    pub(super) fn take(&self) -> Turn<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

impl Idle for Turns {
    fn idle(&self, quietly: &mut dyn FnMut()) {
        // The caller holds a turn: hand it on, and take one again.
        drop(Turn(self));
        quietly();
        std::mem::forget(self.take());
    }
}
