//! The shipped traces have between them what allocators find hard.

use strata_bench::trace::{Info, every_shipped, info, shipped, shipped_more};

fn info_of(name: &str) -> Info {
    let trace = every_shipped().find(|trace| trace.name == name);
    info(trace.expect("it is shipped").open().expect("a trace")).expect("a good trace")
}

fn cross_thread_share(info: &Info) -> f64 {
    info.cross_frees as f64 / info.counts.free as f64
}

#[test]
fn some_free_much_on_another_thread() {
    for name in ["kv-service", "log-pipeline"] {
        let info = info_of(name);
        assert!(info.threads > 4 && cross_thread_share(&info) >= 0.1, "{name}");
    }
}

#[test]
fn some_start_and_end_many_threads() {
    for name in ["tiles", "wiki-threads"] {
        let counts = info_of(name).counts;
        assert!(counts.spawn >= 50 && counts.start >= 50 && counts.exit >= 50, "{name}");
    }
}

#[test]
fn some_ask_for_whole_pages_and_for_zeros() {
    let info = info_of("search");
    let pages = info.alignments.iter().find(|share| share.align_log2 == Some(12));
    assert!(pages.is_some_and(|share| share.count > 0) && info.counts.zeroed > 0);
}

#[test]
fn there_are_two_groups_and_the_first_stays_as_it_is() {
    // Means over "the 14 traces" are compared over time.
    assert_eq!(shipped().len(), 14);
    assert!(shipped_more().len() >= 7);
    assert!(shipped_more().iter().all(|trace| trace.bytes.len() <= 250_000));
    let mut names: Vec<_> = every_shipped().map(|trace| trace.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), every_shipped().count());
    let threaded = |trace: &strata_bench::trace::Shipped| trace.open().unwrap().threads() > 1;
    assert!(shipped_more().iter().filter(|trace| threaded(trace)).count() >= 2);
}

#[test]
fn the_quick_suite_stays_quick() {
    let events = |trace: &strata_bench::trace::Shipped| {
        trace.open().expect("a trace").totals().expect("finished").events
    };
    assert!(shipped().iter().map(events).sum::<u64>() <= 4_500_000);
}

#[test]
fn the_readme_names_every_trace() {
    let readme = include_str!("../traces/README.md");
    for trace in every_shipped() {
        assert!(readme.contains(&format!("| {} |", trace.name)), "{}", trace.name);
    }
}
