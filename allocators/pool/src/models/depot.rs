//! The depot.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::vec::Vec;

use strata_core::sync::{UnsafeCell, stopped_after, thread};

use super::{Pages, explore};
use crate::depot::{Depot, MagazineId};

/// A depot with its magazines, and a cell for each that its owner alone may touch.
struct Shared {
    depot: Depot,
    cells: [UnsafeCell<u32>; 3],
}

// SAFETY: magazines and cells are touched by owners only: that is what the models check.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    /// Magazines 0 and 1 full, 2 empty.
    fn new() -> Arc<Self> {
        let depot = Depot::new(2);
        // SAFETY: 1. nobody else has the depot.
        let ids = unsafe { depot.magazines.grow(&Pages) }.unwrap();
        for id in ids.take(3) {
            // SAFETY: 1. fresh.
            unsafe { depot.make(id) };
        }
        let shared = Arc::new(Self { depot, cells: [0, 1, 2].map(|_| UnsafeCell::new(0)) });
        for id in 0..2 {
            shared.put_full(id);
        }
        shared.depot.put_empty(2);
        shared
    }

    fn touch(&self, id: MagazineId) {
        // SAFETY: the magazine is the caller's; loom reports it if it is somebody else's too.
        self.cells[id as usize].with_mut(|cell| unsafe { *cell += 1 });
    }

    fn put_full(&self, id: MagazineId) {
        self.touch(id);
        self.depot.set_len(id, 2);
        self.depot.put_full(id);
    }

    fn take_full(&self) -> Option<MagazineId> {
        let id = self.depot.take_full()?;
        self.touch(id);
        assert_eq!(self.depot.len(id), 2, "what its last owner wrote");
        Some(id)
    }

    /// Gives the tables back.
    fn end(self: Arc<Self>) {
        let mut shared = Arc::into_inner(self).expect("the other threads are done");
        // SAFETY: 1. and 2. the model ends.
        unsafe { shared.depot.magazines.release(&Pages) };
    }
}

#[test]
fn a_magazine_that_goes_out_and_comes_back_has_one_owner_at_a_time() {
    explore(|| {
        let shared = Shared::new();
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let taken = other.take_full();
            if let Some(id) = taken {
                other.put_full(id);
            }
            other.take_full()
        });
        let mine = shared.take_full();
        let theirs = thread.join().unwrap();
        let rest: Vec<_> = core::iter::from_fn(|| shared.take_full()).collect();
        let all: BTreeSet<_> = rest.into_iter().chain(mine).chain(theirs).collect();
        assert_eq!(all.len(), 2, "none lost, none twice");
        shared.end();
    });
}

#[test]
fn a_full_magazine_is_exchanged_for_an_empty_one_from_both_sides() {
    explore(|| {
        let shared = Shared::new();
        let other = Arc::clone(&shared);
        // A consumer fills the empty one; a producer empties a full one.
        let thread = thread::spawn(move || {
            if let Some(id) = other.depot.take_empty() {
                other.put_full(id);
            }
        });
        if let Some(id) = shared.take_full() {
            shared.touch(id);
            shared.depot.set_len(id, 0);
            shared.depot.put_empty(id);
        }
        thread.join().unwrap();
        let full = core::iter::from_fn(|| shared.take_full()).count();
        let empty = core::iter::from_fn(|| shared.depot.take_empty()).count();
        assert_eq!(full + empty, 3);
        assert_eq!(shared.depot.fulls(), 0);
        shared.end();
    });
}

#[test]
fn a_thread_that_stops_for_ever_in_the_depot_costs_one_magazine_at_most() {
    for steps in 0..12 {
        explore(move || {
            let shared = Shared::new();
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || {
                stopped_after(steps, || {
                    if let Some(id) = other.depot.take_full() {
                        other.depot.put_full(id);
                    }
                })
            });
            let mine = shared.take_full();
            let ended = thread.join().unwrap().is_some();
            let rest = core::iter::from_fn(|| shared.take_full()).count();
            let found = rest + usize::from(mine.is_some());
            assert!(found == 2 || !ended && found == 1, "{found}");
            shared.end();
        });
    }
}
