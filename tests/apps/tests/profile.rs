//! Every program under the profiler: it computes what it always does, and the profile tells of it.

use strata_apps::Scale;
use strata_apps::apps::ALL;
use strata_segregated::SegregatedAlloc;
use strata_segregated::profile::{self, Options, View};

/// This process runs on it: the programs, and what runs them.
#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

#[test]
fn programs_compute_the_same_under_the_profiler() {
    let scale = Scale::new(0.02).expect("it is in range");
    for (name, app) in ALL {
        let without = app(scale);
        // From every request to few of them.
        for rate in [1, 200, 16 << 10] {
            profile::start(Options::default().rate(rate)).expect("none is running");
            assert_eq!(app(scale), without, "{name} at {rate}");
            let taken = profile::take().expect("it was begun");
            assert!(profile::stop());
            let (all, live) = (taken.total(View::Allocated), taken.total(View::Live));
            assert!(all.samples > 0 && all.bytes >= live.bytes, "{name}: {all:?} {live:?}");
            assert!(taken.rows().all(|row| !row.frames.is_empty()), "{name} has stacks");
            let (mut pprof, mut folded) = (Vec::new(), Vec::new());
            taken.write_pprof(&mut pprof).expect("there is memory");
            taken.write_folded(View::Allocated, &mut folded).expect("there is memory");
            assert!(!pprof.is_empty() && folded.ends_with(b"\n"), "{name}");
        }
        ALLOC.validate().unwrap_or_else(|broken| panic!("after {name}: {broken}"));
        ALLOC.stats().check_laws().unwrap_or_else(|broken| panic!("after {name}: {broken}"));
    }
}
