//! What the profiler answers where it is used wrongly. A process of its own: there was no profile before.
#![cfg(target_os = "linux")]

use std::io::{self, Write};

use strata_segregated::SegregatedAlloc;
use strata_segregated::profile::{self, Options, ProfileError, Stacks, View};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// A disk that is full after some bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.0);
        self.0 -= len;
        if len == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(len) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn wrong_uses_are_named_and_nothing_changes() {
    assert_eq!(profile::take().unwrap_err(), ProfileError::NotStarted);
    assert!(!profile::stop() && !profile::is_running());
    let wrong = profile::start(Options::default().rate(0)).unwrap_err();
    assert_eq!(wrong, ProfileError::ZeroRate);
    assert_eq!(profile::take().unwrap_err(), ProfileError::NotStarted);

    profile::start(Options::default().rate(1)).unwrap();
    assert_eq!(profile::start(Options::default().rate(2)).unwrap_err(), ProfileError::Running);
    assert_eq!(profile::stacks(), Stacks::Auto, "a few stacks tell nothing yet");
    let kept = std::hint::black_box(Box::new([0_u8; 1000]));
    let taken = profile::take().unwrap();
    assert_eq!(taken.rate(), 1, "the first one goes on");
    assert!(taken.total(View::Live).bytes >= 1000 && taken.lost() == 0);
    assert!(profile::stop() && !profile::stop());

    // What was sampled stays, and follows frees.
    let before = profile::take().unwrap().total(View::Live).bytes;
    drop(kept);
    let after = profile::take().unwrap();
    assert!(after.total(View::Live).bytes + 1000 <= before);
    assert!(after.total(View::Allocated).bytes >= 1000);

    for room in [0, 5, 40, 200] {
        let wrong = taken.write_pprof(&mut Full(room)).unwrap_err();
        assert_eq!(wrong.kind(), io::ErrorKind::StorageFull);
        let wrong = taken.write_folded(View::Live, &mut Full(room.min(40))).unwrap_err();
        assert_eq!(wrong.kind(), io::ErrorKind::StorageFull);
    }

    profile::start(Options::default().rate(1).stacks(Stacks::FramePointers)).unwrap();
    assert_eq!(profile::stacks(), Stacks::FramePointers);
    drop(std::hint::black_box(Box::new([0_u8; 1000])));
    assert!(profile::take().unwrap().total(View::Allocated).bytes >= 1000);
    profile::stop();
    profile::start(Options::default().rate(1).stacks(Stacks::Unwinder)).unwrap();
    assert_eq!(profile::stacks(), Stacks::Unwinder);
    profile::stop();
    for error in [ProfileError::Running, ProfileError::NoMemory] {
        assert!(!error.to_string().is_empty());
    }
}
