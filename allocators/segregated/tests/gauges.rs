//! The gauges against what is known of the heap, by a recorder that allocates as it likes.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};
use strata_segregated::{Gauges, GiveBack, SegregatedAlloc};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// The tests change what the whole process has.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A figure, whose setting allocates and frees and asks the heap, as a recorder may.
#[derive(Default)]
struct Kept(AtomicU64);

impl Kept {
    fn set(&self, bits: u64) {
        self.0.store(bits, Ordering::Relaxed);
        let blocks: Vec<Vec<u8>> = (0..22).map(|power| vec![1; 1 << power]).collect();
        assert!(ALLOC.report().stats.check_laws().is_ok());
        drop(black_box(blocks));
        ALLOC.flush_thread_cache();
        ALLOC.purge();
    }
}

impl GaugeFn for Kept {
    fn increment(&self, _: f64) {
        panic!("gauges are set");
    }
    fn decrement(&self, _: f64) {
        panic!("gauges are set");
    }
    fn set(&self, value: f64) {
        self.set(value.to_bits());
    }
}

impl CounterFn for Kept {
    fn increment(&self, _: u64) {
        panic!("counters are what the heap has counted");
    }
    fn absolute(&self, value: u64) {
        self.set(value);
    }
}

/// What was described, and what was registered, by name and labels.
#[derive(Default)]
struct Books {
    described: Mutex<BTreeMap<String, Option<Unit>>>,
    gauges: Mutex<BTreeMap<String, Arc<Kept>>>,
    counters: Mutex<BTreeMap<String, Arc<Kept>>>,
}

impl Books {
    fn describe(&self, key: &KeyName, unit: Option<Unit>) {
        let before = self.described.lock().unwrap().insert(key.as_str().into(), unit);
        assert_eq!(before, None, "{key:?} is described once");
    }

    fn enter(&self, book: &Mutex<BTreeMap<String, Arc<Kept>>>, key: &Key) -> Arc<Kept> {
        assert!(self.described.lock().unwrap().contains_key(key.name()), "{key}");
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        let kept = Arc::new(Kept::default());
        let before = book.lock().unwrap().insert(name, Arc::clone(&kept));
        assert!(before.is_none(), "{key} is registered once");
        kept
    }

    fn gauge(&self, name: &str) -> Option<f64> {
        let gauges = self.gauges.lock().unwrap();
        gauges.get(name).map(|kept| f64::from_bits(kept.0.load(Ordering::Relaxed)))
    }

    fn counter(&self, name: &str) -> Option<u64> {
        self.counters.lock().unwrap().get(name).map(|kept| kept.0.load(Ordering::Relaxed))
    }
}

impl Recorder for Books {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }
    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }
    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("{key:?} is no histogram");
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.enter(&self.counters, key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.enter(&self.gauges, key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key} is no histogram");
    }
}

#[test]
fn gauges_are_the_figures_of_this_process() {
    let _alone = alone();
    let books = Books::default();
    metrics::with_local_recorder(&books, || {
        let mut gauges = Gauges::new();
        assert!(books.gauges.lock().unwrap().is_empty(), "nothing was asked for yet");
        gauges.publish();
        let gauge = |name: &str| books.gauge(name).unwrap_or_else(|| panic!("{name} is told"));
        let before = gauge("strata_heap_allocated_bytes");
        let blocks: Vec<Box<[u8; 3000]>> = (0..1000).map(|_| Box::new([1; 3000])).collect();
        let large = black_box(vec![1_u8; 5 << 20]);
        gauges.publish();
        let grew = gauge("strata_heap_allocated_bytes") - before;
        assert!((8e6..9.5e6).contains(&grew), "{grew}");
        for (less, more) in [("allocated", "active"), ("committed", "reserved")] {
            let [less, more] = [less, more].map(|word| gauge(&format!("strata_heap_{word}_bytes")));
            assert!(0.0 < less && less <= more, "{less} {more}");
        }
        assert!(
            gauge("strata_heap_large_bytes") >= 5e6 && gauge("strata_heap_large_blocks") >= 1.0
        );
        assert!(gauge("strata_process_resident_bytes") >= 8e6);
        assert!((0.0..1.0).contains(&gauge("strata_heap_external_fragmentation")));
        assert!(books.counter("strata_process_minor_faults_total").unwrap() > 0);
        assert_eq!(books.gauge("strata_heap_class_spans block_len=3072"), None);
        // What this build does not keep is absent.
        let requested = books.gauge("strata_heap_requested_bytes");
        assert_eq!(requested.is_some(), cfg!(feature = "stats"));
        drop((blocks, large));
        let purged = books.counter("strata_heap_given_back_bytes_total").unwrap();
        ALLOC.purge();
        gauges.publish();
        assert!(books.counter("strata_heap_given_back_bytes_total").unwrap() > purged);
        assert!(gauge("strata_heap_allocated_bytes") < before + 1e6);
    });
    let described = books.described.lock().unwrap();
    assert!(described.values().all(Option::is_some) && described.len() == 26, "{described:?}");
    drop(described);
    ALLOC.validate().unwrap();
}

#[test]
fn classes_are_told_where_they_are_wished_for() {
    let _alone = alone();
    let books = Books::default();
    let blocks: Vec<Box<[u8; 200]>> = (0..1000).map(|_| Box::new([1; 200])).collect();
    metrics::with_local_recorder(&books, || {
        let mut gauges = Gauges::new().with_classes();
        gauges.publish();
        let len = ALLOC.good_size(std::alloc::Layout::new::<[u8; 200]>());
        let len = len + if cfg!(feature = "canaries") { 8 } else { 0 };
        let of_class =
            |word: &str| books.gauge(&format!("strata_heap_class_{word} block_len={len}"));
        assert!(of_class("live_blocks").unwrap() >= 1000.0);
        assert!(of_class("spans").unwrap() >= 1.0 && of_class("holes_bytes").unwrap() >= 0.0);
        assert!(of_class("stocked_blocks").is_some());
        gauges.publish();
    });
    drop(blocks);
}

#[test]
fn a_figure_that_goes_away_is_no_number() {
    let _alone = alone();
    let books = Books::default();
    metrics::with_local_recorder(&books, || {
        let mut gauges = Gauges::new();
        let mut budget = || {
            gauges.publish();
            books.gauge("strata_heap_budget_bytes")
        };
        assert!(budget().unwrap() >= 1e6);
        ALLOC.set_give_back(GiveBack::Never);
        assert!(budget().unwrap().is_nan());
        ALLOC.set_give_back(GiveBack::Budget);
        assert!(budget().unwrap() >= 1e6);
    });
}

/// Without a recorder nothing happens, and threads may have gauges of their own.
#[test]
fn nobody_need_listen() {
    let _alone = alone();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut gauges = Gauges::default().with_classes();
                (0..20).for_each(|_| gauges.publish());
            });
        }
    });
    ALLOC.validate().unwrap();
}
