//! Every load against the contract of a trace.

use super::Load;
use crate::trace::{LiveSet, Op};

#[test]
fn every_load_keeps_the_contract_and_frees_all_that_it_allocates() {
    for load in Load::every() {
        let mut live = LiveSet::new();
        let events = load.events();
        for event in &events {
            live.apply(event).unwrap_or_else(|flaw| panic!("{}: {flaw}", load.name()));
        }
        let totals = live.totals();
        assert!(live.is_empty(), "{}: {} blocks left", load.name(), live.len());
        assert_eq!(totals.threads > 1, load.threaded(), "{}", load.name());
        // Long enough to say something, short enough for a suite.
        assert!((5_000..1_000_000).contains(&totals.events), "{}: {totals:?}", load.name());
        assert!(totals.peak_bytes < 64 << 20, "{}: {totals:?}", load.name());
    }
}

#[test]
fn names_are_different() {
    let mut names: Vec<_> = Load::every().map(Load::name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Load::every().count());
}

#[test]
fn who_hands_blocks_on_has_them_freed_by_others() {
    for load in [Load::Xmalloc, Load::Sh8, Load::Rptest, Load::Server, Load::Mstress] {
        let (mut frees, mut remote) = (0, 0);
        for event in load.events() {
            if let Op::Free { block } = event.op {
                frees += 1;
                remote += u64::from(block.thread != event.thread);
            }
        }
        assert!(remote * 50 > frees, "{}: {remote} of {frees}", load.name());
    }
}
