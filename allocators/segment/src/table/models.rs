//! Loom explores pin words, as shipped: guards that go on one thread while the table's owner looks.

use std::sync::Arc;
use std::vec::Vec;

use strata_core::sync::{UnsafeCell, model, stopped_after, thread};

use super::PinWord;

/// A segment: its pin word, and its bytes, on which loom reports any race.
struct Segment {
    pin: PinWord,
    bytes: UnsafeCell<u32>,
}

// SAFETY: loom reports misuse of the cell by panicking, which ends the model.
unsafe impl Sync for Segment {}

impl Segment {
    fn new() -> Arc<Self> {
        Arc::new(Self { pin: PinWord::new(), bytes: UnsafeCell::new(1) })
    }

    fn read(&self) -> u32 {
        // SAFETY: as the pin word allows; else loom reports it.
        self.bytes.with(|bytes| unsafe { *bytes })
    }

    fn write(&self, to: u32) {
        // SAFETY: as above.
        self.bytes.with_mut(|bytes| unsafe { *bytes = to });
    }
}

/// A segment to which another thread writes through a pin for writing.
fn written_elsewhere() -> (Arc<Segment>, thread::JoinHandle<()>) {
    let segment = Segment::new();
    assert!(segment.pin.exclude());
    let there = Arc::clone(&segment);
    let other = thread::spawn(move || {
        there.write(2);
        there.pin.unexclude();
    });
    (segment, other)
}

#[test]
fn what_was_written_through_a_pin_is_there_when_the_table_moves_the_segment() {
    model(|| {
        let (segment, other) = written_elsewhere();
        if segment.pin.is_readable() {
            assert_eq!(segment.read(), 2);
        }
        if segment.pin.is_free() {
            segment.write(segment.read() + 1); // a move reads, and others come to lie there
        }
        other.join().unwrap();
        assert!(segment.pin.is_free());
    });
}

#[test]
fn what_was_written_through_a_pin_is_read_through_the_next() {
    model(|| {
        let (segment, other) = written_elsewhere();
        if segment.pin.share() {
            assert_eq!(segment.read(), 2);
            segment.pin.unshare();
        }
        if segment.pin.exclude() {
            segment.write(3);
            segment.pin.unexclude();
        }
        other.join().unwrap();
    });
}

#[test]
fn nothing_is_written_while_a_pin_for_reading_is_there() {
    model(|| {
        let segment = Segment::new();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                assert!(segment.pin.share());
                let segment = Arc::clone(&segment);
                thread::spawn(move || {
                    assert_eq!(segment.read(), 1);
                    segment.pin.unshare();
                })
            })
            .collect();
        if segment.pin.is_free() {
            segment.write(2);
        }
        if segment.pin.exclude() {
            segment.write(3);
            segment.pin.unexclude();
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert!(segment.pin.is_free());
    });
}

#[test]
fn pins_that_are_made_and_dropped_at_once_all_count() {
    model(|| {
        let segment = Segment::new();
        assert!(segment.pin.share());
        let other = {
            let segment = Arc::clone(&segment);
            thread::spawn(move || {
                assert!(segment.pin.share());
                assert!(!segment.pin.is_free());
            })
        };
        segment.pin.unshare();
        other.join().unwrap();
        assert!(!segment.pin.is_free() && segment.pin.is_readable());
        segment.pin.unshare();
        assert!(segment.pin.is_free());
    });
}

#[test]
fn a_thread_that_stops_for_ever_leaves_its_segment_pinned_or_free() {
    for steps in 0..3 {
        model(move || {
            let segment = Segment::new();
            assert!(segment.pin.exclude());
            let stopped = {
                let segment = Arc::clone(&segment);
                thread::spawn(move || {
                    segment.write(2);
                    stopped_after(steps, || segment.pin.unexclude()).is_some()
                })
            };
            if segment.pin.is_free() {
                segment.write(3);
            }
            let finished = stopped.join().unwrap();
            assert_eq!(segment.pin.is_free(), finished);
        });
    }
}
