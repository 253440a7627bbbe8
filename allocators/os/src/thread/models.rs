//! The making of the key, explored.

use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use strata_core::sync::{AtomicU32, Ordering, UnsafeCell, model, stopped_after, thread};

use super::LazyKey;

/// A key and the system's table that has it.
struct Shared {
    key: LazyKey,
    table: UnsafeCell<u32>,
    made: AtomicU32,
}

// SAFETY: the cell is written by who makes the key and read by who has it: that is what the models
// check.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self { key: LazyKey::new(), table: UnsafeCell::new(0), made: AtomicU32::new(0) })
    }

    /// Asks for the key, and looks it up in the table as the system would.
    fn ask(&self, answer: Option<u32>) -> Option<u32> {
        let key = self.key.get_or_create(|| {
            self.made.fetch_add(1, Ordering::Relaxed);
            // SAFETY: nobody has the key yet; loom reports it if somebody reads.
            self.table.with_mut(|entry| unsafe { *entry = 9 });
            answer
        });
        if key.is_some() {
            // SAFETY: nobody writes once there is a key; loom reports it if somebody does.
            self.table.with(|entry| assert_eq!(unsafe { *entry }, 9));
        }
        key
    }
}

#[test]
fn one_of_three_threads_makes_the_key_and_who_has_it_finds_it_made() {
    model(|| {
        let shared = Shared::new();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.ask(Some(0)))
            })
            .collect();
        let mut answers = vec![shared.ask(Some(0))];
        answers.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
        assert!(answers.contains(&Some(0)), "who made it has it");
        assert_eq!(shared.ask(Some(1)), Some(0), "it stays");
        assert_eq!(shared.key.get(), Some(0));
        assert_eq!(shared.made.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_failure_is_remembered_and_tried_once() {
    model(|| {
        let shared = Shared::new();
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || other.ask(None));
        assert_eq!(shared.ask(None), None);
        assert_eq!(thread.join().unwrap(), None);
        assert_eq!(shared.ask(Some(0)), None);
        assert_eq!(shared.made.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_thread_that_stops_while_it_makes_the_key_blocks_nobody() {
    for steps in 0..6 {
        model(move || {
            let shared = Shared::new();
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || stopped_after(steps, || other.ask(Some(0))));
            let mine = shared.ask(Some(0));
            let theirs = thread.join().unwrap();
            if let Some(theirs) = theirs {
                assert!(mine.or(theirs).is_some(), "nobody stopped");
            }
            assert!(shared.made.load(Ordering::Relaxed) <= 1);
        });
    }
}
