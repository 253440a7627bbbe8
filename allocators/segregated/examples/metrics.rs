//! The heap's figures beside a program's own, in the text that Prometheus reads.
//!
//! A program has one recorder, an exporter of its choice: `metrics-exporter-prometheus`, say. Here it is some lines
//! that keep all gauges and counters in a table. Where the program tells its own figures, it tells the heap's, too:
//! by its own interval, on a thread that it has anyway.
//!
//! ```sh
//! cargo run --release -p strata-segregated --features metrics --example metrics
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use strata_segregated::{Gauges, SegregatedAlloc};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// What is told of: by name, what it is; by name and labels, the figure.
#[derive(Default)]
struct Exporter {
    help: Mutex<BTreeMap<String, String>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
}

/// A table, also where another thread panicked with it.
fn open<T>(table: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn series(key: &Key) -> String {
    let labels: Vec<_> =
        key.labels().map(|label| format!("{}=\"{}\"", label.key(), label.value())).collect();
    match labels.is_empty() {
        true => key.name().to_owned(),
        false => format!("{}{{{}}}", key.name(), labels.join(",")),
    }
}

impl Exporter {
    fn describe(&self, key: &KeyName, kind: &str, is: &SharedString) {
        let name = key.as_str();
        let text = format!("# HELP {name} {is}\n# TYPE {name} {kind}\n");
        open(&self.help).insert(name.to_owned(), text);
    }

    /// What a scrape gets.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut last = String::new();
        let gauges = open(&self.gauges);
        let counters = open(&self.counters);
        let whole =
            counters.iter().map(|(name, count)| (name, count.load(Ordering::Relaxed) as f64));
        let of = |bits: &AtomicU64| f64::from_bits(bits.load(Ordering::Relaxed));
        for (name, figure) in gauges.iter().map(|(name, bits)| (name, of(bits))).chain(whole) {
            let family = name.split('{').next().unwrap_or(name);
            if family != last {
                text.push_str(open(&self.help).get(family).map_or("", String::as_str));
                family.clone_into(&mut last);
            }
            text.push_str(&format!("{name} {figure}\n"));
        }
        text
    }
}

impl Recorder for Exporter {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, is: SharedString) {
        self.describe(&key, "counter", &is);
    }
    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, is: SharedString) {
        self.describe(&key, "gauge", &is);
    }
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::clone(open(&self.counters).entry(series(key)).or_default()))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::clone(open(&self.gauges).entry(series(key)).or_default()))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn main() {
    let exporter: &Exporter = Box::leak(Box::default());
    metrics::set_global_recorder(exporter).expect("the first recorder of this program");

    let mut gauges = Gauges::new().with_classes();
    let mut lines = Vec::new();
    for round in 1..=3_usize {
        // The program's own work, and its own figures.
        lines.extend((0..10_000 * round).map(|n| format!("line {n}")));
        metrics::gauge!("program_lines").set(lines.len() as f64);
        // And the heap's, as often.
        gauges.publish();
    }
    print!("{}", exporter.text());
}
