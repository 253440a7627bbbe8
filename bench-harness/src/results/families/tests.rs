//! Planted samples and what must come of them.

use super::*;
use crate::results::{Threads, TimeRow, Workload};
use crate::subject::Description;

const ROUNDS: usize = 8;

/// A row whose times are `nanos` times what the round makes of everything.
fn row(kernel: &str, family: &str, subject: &str, nanos: f64) -> Row {
    let noise = |round: usize| 1.0 + round as f64;
    let samples: Vec<f64> = (0..ROUNDS).map(|round| nanos * noise(round)).collect();
    Row {
        subject: Description {
            name: subject.into(),
            calibration: subject == "noop",
            ..Description::default()
        },
        mode: Mode::Explicit,
        profile: "fat".into(),
        workload: Workload {
            name: kernel.into(),
            threads: Threads::Serial,
            operations: 1,
            recorded_threads: 1,
            family: Some(family.into()),
        },
        a_a: false,
        outcome: Outcome::Ok,
        time: Some(TimeRow {
            median: crate::results::statistics::median(samples.clone()).unwrap(),
            samples,
            to_system: None,
            stall_share: None,
            void: false,
            disturbed: None,
            peak: None,
        }),
        memory: None,
        latency: Vec::new(),
        timer_ns: None,
        instructions: None,
        instructions_missing: None,
        harness_calls: None,
    }
}

fn again(kernel: &str, family: &str, low: f64, high: f64) -> Row {
    let mut row = row(kernel, family, "system", 10.0);
    row.a_a = true;
    row.time.as_mut().unwrap().to_system =
        Some(Interval { median: 1.0, low: Some(low), high: Some(high), pairs: ROUNDS });
    row
}

/// Two families, of two kernels and of one.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (kernel, family, ours, peer, other) in [
        ("kernel:pair-8", "small-pair", 2.0, 4.0, 8.0),
        ("kernel:pair-16", "small-pair", 8.0, 16.0, 4.0),
        ("kernel:live-set", "live-set", 50.0, 50.0, 100.0),
    ] {
        rows.push(row(kernel, family, "system", 10.0));
        rows.push(row(kernel, family, "ours", ours));
        rows.push(row(kernel, family, "peer", peer));
        rows.push(row(kernel, family, "other", other));
        rows.push(row(kernel, family, "noop", 1.0));
        rows.push(again(kernel, family, 0.99, 1.01));
    }
    rows
}

fn close(value: f64, expected: f64) -> bool {
    (value / expected - 1.0).abs() < 1e-9
}

fn exactly(interval: Option<Interval>, expected: f64) {
    let interval = interval.expect("an interval");
    for value in [Some(interval.median), interval.low, interval.high] {
        assert!(close(value.unwrap(), expected), "{interval:?} for {expected}");
    }
    assert_eq!(interval.pairs, ROUNDS);
}

fn versus(rows: &[Row]) -> Versus {
    kernels(rows, Some("ours")).unwrap().versus.pop().unwrap()
}

#[test]
fn a_family_has_one_weight_however_many_kernels_it_has() {
    let found = kernels(&rows(), None).unwrap();
    assert_eq!(found.versus, []);
    let ours = found.subjects.iter().find(|means| means.subject == "ours").unwrap();
    let names: Vec<_> = ours.families.iter().map(|mean| mean.family.as_deref()).collect();
    assert_eq!(names, [Some("small-pair"), Some("live-set")]);
    assert_eq!(ours.families.iter().map(|mean| mean.kernels).collect::<Vec<_>>(), [2, 1]);
    // The rounds' common factor cancels in the ratios, and is 4.5 at the median of times.
    assert!(close(ours.families[0].ns.unwrap(), 4.0 * 4.5));
    exactly(ours.families[0].to_system, 0.4);
    exactly(ours.families[1].to_system, 5.0);
    exactly(ours.all.to_system, (0.4_f64 * 5.0).sqrt());
    assert!(close(ours.all.ns.unwrap(), (4.0_f64 * 50.0).sqrt() * 4.5));
    let system = found.subjects.iter().find(|m| m.subject == "system" && !m.a_a).unwrap();
    assert_eq!(system.all.to_system, None);
    assert!(found.subjects.iter().any(|means| means.calibration && means.subject == "noop"));
}

#[test]
fn each_kernel_is_judged_by_its_fastest_peer() {
    let found = versus(&rows());
    let peers: Vec<_> = found.rows.iter().map(|row| row.peer.as_deref().unwrap()).collect();
    assert_eq!(peers, ["peer", "other", "system"]);
    for (row, expected) in found.rows.iter().zip([0.5, 2.0, 5.0]) {
        exactly(row.ratio, expected);
    }
    let verdicts: Vec<_> = found.rows.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Fail]);
    // The best over the families is System: √(10 · 10) against √(√(4 · 16) · 50) and more.
    assert_eq!(found.best_peer.as_deref(), Some("system"));
    exactly(found.all, 2.0_f64.sqrt());
    exactly(found.families[0].1, 0.4);
}

#[test]
fn a_noisy_row_is_neither_passed_nor_failed() {
    let mut rows = rows();
    let noisy = rows.iter_mut().find(|row| row.a_a).unwrap();
    noisy.time.as_mut().unwrap().to_system.as_mut().unwrap().high = Some(1.021);
    assert_eq!(versus(&rows).rows[0].verdict, Verdict::Noisy);
    rows.retain(|row| !row.a_a);
    assert!(versus(&rows).rows.iter().all(|row| row.verdict == Verdict::Unknown));
    let at = |high| Some(Interval { median: 1.0, low: Some(0.98), high: Some(high), pairs: 20 });
    let of = |high| Verdict::of(at(high).as_ref(), at(1.02).as_ref());
    assert_eq!((of(1.03), of(1.0301)), (Verdict::Pass, Verdict::Fail));
}

#[test]
fn large_batches_count_in_their_mean_only() {
    let mut rows = rows();
    for (subject, nanos) in [("system", 10.0), ("ours", 90.0), ("peer", 10.0), ("other", 10.0)] {
        rows.push(row("kernel:batch-fwd-8192", "batch", subject, nanos));
    }
    let judged = versus(&rows).rows.pop().unwrap();
    assert_eq!(judged.verdict, Verdict::MeanOnly);
    exactly(judged.ratio, 9.0);
}

#[test]
fn what_crashed_has_no_mean_and_is_nobodys_peer() {
    let mut rows = rows();
    for row in &mut rows {
        if row.subject.name == "other" && row.workload.name == "kernel:pair-16" {
            row.outcome = Outcome::Crashed { how: "killed".into(), record: None };
        }
    }
    let found = kernels(&rows, Some("ours")).unwrap();
    let other = found.subjects.iter().find(|means| means.subject == "other").unwrap();
    assert_eq!((other.families[0].ns, other.all.ns), (None, None));
    assert!(other.families[1].ns.is_some());
    assert_eq!(found.versus[0].rows[1].peer.as_deref(), Some("system"));
}

#[test]
fn only_like_modes_are_peers_and_unequal_rounds_have_no_interval() {
    let mut rows = rows();
    let peer = |row: &&mut Row| row.subject.name == "peer";
    rows.iter_mut().filter(peer).for_each(|row| row.mode = Mode::Global);
    assert_eq!(versus(&rows).rows[0].peer.as_deref(), Some("other"));
    rows.iter_mut().filter(peer).for_each(|row| row.mode = Mode::Preload);
    assert_eq!(versus(&rows).rows[0].peer.as_deref(), Some("peer"));
    rows.iter_mut().filter(peer).for_each(|row| {
        row.time.as_mut().unwrap().samples.pop();
    });
    let judged = &versus(&rows).rows[0];
    assert_eq!((judged.ratio, judged.verdict), (None, Verdict::Unknown));
}

#[test]
fn a_kernel_that_got_more_rounds_counts_with_as_many_as_the_others() {
    let mut rows = rows();
    let before = versus(&rows).all;
    assert!(before.is_some());
    let first = rows[0].workload.name.clone();
    for row in rows.iter_mut().filter(|row| row.workload.name == first) {
        row.time.iter_mut().for_each(|time| time.samples.push(1e9));
    }
    assert_eq!(versus(&rows).all, before);
}

#[test]
fn without_kernels_there_is_nothing_to_say() {
    let mut rows = rows();
    rows.iter_mut().for_each(|row| row.workload.family = None);
    assert_eq!(kernels(&rows, Some("ours")), None);
    assert_eq!(crate::results::kernels::text(&rows, None), "");
}
