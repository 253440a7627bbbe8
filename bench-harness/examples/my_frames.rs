//! The whole `strata-bench` command with a frame allocator of your own among those of `frames`.
//!
//! ```sh
//! cargo run --release --example my_frames -- frames --alloc my-frames,locked-bitmap --orders 0
//! ```

use std::sync::{Mutex, PoisonError};
use strata_bench::frames::FrameSubject;
use strata_bench::subject::Description;

/// Your allocator: here single frames from a list.
struct MyFrames(Mutex<Vec<usize>>);

impl FrameSubject for MyFrames {
    type Local<'a> = ();

    fn describe() -> Description {
        Description { name: "my-frames".into(), ..Description::default() }
    }

    fn new(frames: usize, _locals: usize) -> Option<Self> {
        Some(Self(Mutex::new((0..frames).rev().collect())))
    }

    fn max_order(&self) -> u8 {
        0
    }

    fn local(&self, _index: usize) {}

    fn get(&self, (): &mut (), _order: u8) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put(&self, (): &mut (), frame: usize, _order: u8) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
        true
    }
}

strata_bench::main!(frames MyFrames);
