//! Rows that look like those of a real run, from a fixed seed.
#![allow(dead_code, reason = "each test executable uses a part")]

use strata_bench::check::{Kind, Violation};
use strata_bench::results::statistics::{geometric_mean, median};
use strata_bench::results::{
    Checkpoint, Gaps, Header, HeapMap, HeapTile, Interval, LatencyBand, MemoryRow, Mode, Outcome,
    Residue, Row, SCHEMA, Threads, TimeRow, Waterfall, Workload,
};
use strata_bench::subject::{Description, OwnFigures};

const PAGE: u64 = 4096;
const CHECKPOINTS: u64 = 24;

/// xorshift64*: enough for a picture.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn around(&mut self, centre: f64, spread: f64) -> f64 {
        centre * (1.0 + spread * (self.next() + self.next() + self.next() - 1.5))
    }
}

/// Name, version, purge settings, mode, ns/op, rounding, headers, holes, kept, metadata (all
/// relative to live), hook.
type Character = (&'static str, &'static str, &'static str, Mode, [f64; 6], Option<bool>);

const SUBJECTS: [Character; 18] = [
    (
        "system",
        "glibc 2.41",
        "M_TRIM_THRESHOLD=128K",
        Mode::Explicit,
        [31.0, 0.04, 0.09, 0.11, 0.06, 0.01],
        Some(true),
    ),
    (
        "mimalloc-v3",
        "3.1.5",
        "purge_delay=10ms",
        Mode::Explicit,
        [14.2, 0.12, 0.0, 0.10, 0.14, 0.03],
        Some(false),
    ),
    (
        "mimalloc-v2",
        "2.2.4",
        "purge_delay=10ms",
        Mode::Explicit,
        [14.9, 0.12, 0.0, 0.12, 0.21, 0.03],
        Some(false),
    ),
    (
        "jemalloc",
        "5.3.0",
        "dirty_decay=10s muzzy_decay=0",
        Mode::Explicit,
        [18.4, 0.10, 0.0, 0.08, 0.17, 0.07],
        Some(false),
    ),
    ("snmalloc", "0.7.1", "none", Mode::Explicit, [13.7, 0.13, 0.0, 0.14, 0.18, 0.05], Some(false)),
    (
        "rpmalloc",
        "1.4.5",
        "span cache",
        Mode::Explicit,
        [15.1, 0.14, 0.0, 0.17, 0.30, 0.06],
        Some(false),
    ),
    (
        "tcmalloc-minimal",
        "2.16",
        "release_rate=1",
        Mode::Preload,
        [19.0, 0.11, 0.0, 0.09, 0.26, 0.09],
        None,
    ),
    (
        "rusty_alloc",
        "2.4.0",
        "none",
        Mode::Explicit,
        [17.2, 0.13, 0.0, 0.13, 0.16, 0.04],
        Some(false),
    ),
    ("talc", "5.1.0", "fixed region", Mode::Explicit, [24.5, 0.05, 0.05, 0.13, 0.05, 0.01], None),
    (
        "dlmalloc",
        "0.2.11",
        "trim 2 MiB",
        Mode::Explicit,
        [33.8, 0.04, 0.09, 0.12, 0.07, 0.01],
        None,
    ),
    ("rlsf", "0.2.2", "none", Mode::Explicit, [36.1, 0.07, 0.10, 0.15, 0.09, 0.01], None),
    ("smmalloc", "7.6.0", "none", Mode::Explicit, [22.3, 0.19, 0.0, 0.12, 0.42, 0.11], None),
    (
        "system",
        "glibc 2.41",
        "M_TRIM_THRESHOLD=128K",
        Mode::Explicit,
        [31.0, 0.04, 0.09, 0.11, 0.06, 0.01],
        Some(true),
    ),
    ("noop", "", "", Mode::Explicit, [2.4, 0.0, 0.0, 0.0, 0.0, 0.0], None),
    ("ideal", "", "", Mode::Computed, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], Some(false)),
    (
        "bad-powers",
        "",
        "never purges",
        Mode::Explicit,
        [9.0, 0.36, 0.0, 0.02, 0.03, 0.0],
        Some(false),
    ),
    (
        "bad-headers",
        "",
        "never purges",
        Mode::Explicit,
        [9.2, 0.03, 0.64, 0.03, 0.03, 0.0],
        Some(true),
    ),
    ("bad-leak", "", "never purges", Mode::Explicit, [6.1, 0.03, 0.0, 0.90, 2.80, 0.0], None),
];

const WORKLOADS: [(&str, u32, u64, f64); 17] = [
    ("jq-group", 1, 3_210_442, 22.0),
    ("sqlite-join", 1, 2_118_900, 9.0),
    ("python-json-ast", 1, 5_402_118, 61.0),
    ("git-index-pack-2t", 3, 812_332, 18.0),
    ("gcc-compile", 1, 1_905_221, 74.0),
    ("redis-lru", 4, 2_400_000, 120.0),
    ("ripgrep-tree", 9, 690_114, 12.0),
    ("rustc-frontend", 1, 4_800_221, 140.0),
    ("tokio-service", 65, 3_300_918, 38.0),
    ("lua-binary-trees", 1, 6_020_004, 33.0),
    ("vim-macro", 1, 402_118, 5.0),
    ("xz-pack", 2, 20_118, 48.0),
    ("perl-report", 1, 1_204_887, 16.0),
    ("pair", 1, 2_000_000, 0.3),
    ("random-live-set", 1, 2_000_000, 24.0),
    ("producer-consumer", 2, 2_000_000, 6.0),
    ("vec-growth", 1, 600_000, 32.0),
];

pub(crate) fn header() -> Header {
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Header {
        schema: SCHEMA.to_owned(),
        command: "strata-bench run --suite std --seed 7 --out results/std".to_owned(),
        date: "2026-02-03T04:05:06Z".to_owned(),
        version: "0.1.0".to_owned(),
        provenance: vec![
            fact("kernel", "Linux 6.18.5"),
            fact("processor", "AMD EPYC 9R14 (2 cores online)"),
            fact("memory", "7.7 GiB"),
            fact("transparent huge pages", "madvise"),
            fact("governor", "n/a"),
            fact("page", "4096 B"),
            fact("seed", "7"),
            fact("repetitions", "7, order ABC CBA"),
            fact("load average at the start", "0.08"),
            fact("touch policy", "first 16 bytes and every page"),
        ],
        kernels: None,
    }
}

/// Every subject on every workload.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (index, &workload) in WORKLOADS.iter().enumerate() {
        let system: Vec<f64> = (0..7).map(|_| random.around(31.0, 0.03)).collect();
        for (place, character) in SUBJECTS.iter().enumerate() {
            rows.push(row(&mut random, (index, workload), (place, character), &system));
        }
    }
    rows
}

fn row(
    random: &mut Random,
    (index, (name, threads, operations, mib)): (usize, (&str, u32, u64, f64)),
    (place, &(subject, version, purge, mode, shape, hook)): (usize, &Character),
    system: &[f64],
) -> Row {
    let a_a = place == 12;
    let calibration = place > 12;
    let factor = random.around(1.0, 0.25);
    let samples: Vec<f64> = match (place, mode) {
        (0, _) => system.to_vec(),
        (12, _) => system.iter().map(|&s| random.around(s, 0.01)).collect(),
        _ => (0..7).map(|_| random.around(shape[0] * factor, 0.04)).collect(),
    };
    let to_system = Interval::of(samples.iter().zip(system).map(|(a, b)| a / b).collect());
    let threaded = threads > 2;
    let time = (mode != Mode::Computed).then(|| TimeRow {
        median: median(samples.clone()).unwrap(),
        samples,
        to_system,
        stall_share: threaded.then_some(0.04),
        void: threaded && place == 9,
        disturbed: None,
        peak: None,
    });
    let outcome = match (subject, name) {
        ("smmalloc", "tokio-service") => {
            Outcome::Crashed { how: "signal 11 (SIGSEGV)".to_owned(), record: Some(1_204_331) }
        }
        ("rlsf", "gcc-compile") => Outcome::Corrupted {
            violations: vec![Violation {
                kind: Kind::Overlap,
                record: 88_204,
                thread: 0,
                detail: "block 0x7f21_8000_1010 of 48 bytes shares 1 byte with 0x7f21_8000_103f"
                    .to_owned(),
            }],
        },
        ("talc", "tokio-service") => {
            Outcome::NotAvailable { reason: "its fixed region of 64 MiB is too small".to_owned() }
        }
        _ => Outcome::Ok,
    };
    let whole = matches!(outcome, Outcome::Ok);
    let latency_of = |random: &mut Random| latency(random, shape[0] * factor);
    let latency =
        if whole && mode != Mode::Computed && index % 3 == 0 { latency_of(random) } else { vec![] };
    Row {
        subject: Description {
            name: subject.to_owned(),
            version: version.to_owned(),
            purge_settings: purge.to_owned(),
            calibration,
        },
        mode,
        profile: "release".to_owned(),
        workload: Workload {
            name: name.to_owned(),
            threads: if threaded { Threads::Recorded } else { Threads::Serial },
            operations,
            recorded_threads: threads,
            family: None,
        },
        a_a,
        time: time.filter(|_| whole),
        memory: (whole && subject != "noop").then(|| {
            memory(random, (subject, shape, hook), operations, (mib * 1_048_576.0) as u64, index)
        }),
        latency,
        timer_ns: Some(14.1),
        instructions: (whole && mode == Mode::Explicit && !threaded).then(|| shape[0] * 3.1),
        instructions_missing: threaded.then(|| "callgrind runs threads one at a time".to_owned()),
        harness_calls: Some(0),
        outcome,
    }
}

fn latency(random: &mut Random, centre: f64) -> Vec<LatencyBand> {
    let mut bands = Vec::new();
    for operation in ["allocate", "zeroed", "reallocate", "free"] {
        for (band, weight) in
            [("1 – 64 B", 1.0), ("65 B – 1 KiB", 1.3), ("1 – 32 KiB", 2.8), ("over 32 KiB", 21.0)]
        {
            let p50 = random.around(centre * weight, 0.3);
            bands.push(LatencyBand {
                operation: operation.to_owned(),
                band: band.to_owned(),
                samples: (random.next() * 40_000.0) as u64 + 50,
                p50,
                p99: p50 * random.around(4.0, 0.4),
                p999: p50 * random.around(22.0, 0.5),
                max: p50 * random.around(900.0, 0.9),
            });
        }
    }
    bands
}

fn memory(
    random: &mut Random,
    (subject, shape, hook): (&str, [f64; 6], Option<bool>),
    operations: u64,
    peak_live: u64,
    kind: usize,
) -> MemoryRow {
    let peak = if kind.is_multiple_of(2) { 17 } else { 23 };
    let mut checkpoints = Vec::new();
    let mut greatest = 0.0_f64;
    let wobble = random.around(1.0, 0.3);
    for step in 0..CHECKPOINTS as usize {
        let at = step as f64 / (CHECKPOINTS - 1) as f64;
        let level = match kind % 4 {
            0 => (at * 1.35).min(1.0) - if step > peak { (at - 0.74) * 2.9 } else { 0.0 },
            1 => at.sqrt(),
            2 => 0.35 + 0.5 * (at * 25.0).sin().abs() * at - if step > peak { 0.2 } else { 0.0 },
            _ => (at * 0.4) + if step % 6 == 5 { 0.6 * at } else { 0.0 },
        };
        let level = if step == peak { 1.0 } else { level.clamp(0.02, 0.99) };
        let live = (level * peak_live as f64) as u64;
        greatest = greatest.max(level);
        let part = |share: f64| (share * wobble * live as f64) as u64;
        let fallen = (greatest - level) * peak_live as f64;
        let waterfall = Waterfall {
            live: live - live / 50,
            rounding: part(shape[1]) + if hook.is_none() { part(shape[2]) } else { 0 },
            headers: hook.map(|_| part(shape[2])),
            holes: part(shape[3]) + (fallen * shape[3] * 2.0) as u64,
            kept: part(shape[4] * 0.5) + (fallen * (shape[4] * 3.0).min(0.95)) as u64,
            metadata: part(shape[5]) + if subject == "ideal" { 0 } else { 24 * PAGE },
        };
        let w = &waterfall;
        let pinned = w.live + w.rounding + w.headers.unwrap_or(0) + w.holes;
        let resident = pinned + w.kept + w.metadata;
        let own = matches!(subject, "system" | "jemalloc" | "mimalloc-v3");
        checkpoints.push(Checkpoint {
            record: (operations as f64 * at) as u64,
            label: match step {
                s if s == peak => Some("peak".to_owned()),
                23 => Some("end".to_owned()),
                _ => None,
            },
            live_bytes: live,
            live_blocks: live / 110,
            live_untouched: live / 50,
            usable_bytes: hook.map(|_| live + w.rounding),
            header_bytes: w.headers,
            pinned_bytes: pinned,
            pinned_huge_bytes: (pinned + pinned / 9).next_multiple_of(2 << 20),
            resident,
            kernel: resident as i64 + 8192,
            lazy_free: if subject == "jemalloc" { w.kept / 3 } else { 0 },
            huge: 0,
            huge_live: 0,
            proportional: resident,
            page_tables: resident / 512,
            entropy: Some(shape[3].clamp(0.0, 1.0)),
            occupancy: std::array::from_fn(|tenth| {
                let lean = (tenth as f64 / 9.0).powf(1.0 / (0.2 + shape[3] * 4.0));
                (lean * 0.4 * pinned as f64 / PAGE as f64) as u64
            }),
            own: OwnFigures {
                allocated: own.then_some(live + w.rounding + 4000),
                active: (subject == "jemalloc").then_some(pinned + 20_000),
                resident: (subject == "jemalloc").then_some(resident + 90_000),
                metadata: own.then_some(w.metadata - w.metadata / 10),
                mapped: own.then_some(resident + resident / 3),
            },
            waterfall,
        });
    }
    let at = checkpoints[peak].clone();
    let ratio = |c: &Checkpoint| c.resident as f64 / c.live_bytes as f64;
    let residue = |share: f64| (share * at.resident as f64 * wobble) as u64 + 16 * PAGE;
    let total = at.waterfall.holes + 1;
    MemoryRow {
        peak,
        peak_ratio: Some(ratio(&at)),
        peak_ratio_less_lazy: Some((at.resident - at.lazy_free) as f64 / at.live_bytes as f64),
        mean_ratio: geometric_mean(checkpoints.iter().map(ratio)),
        max_ratio: checkpoints
            .iter()
            .map(|c| c.resident)
            .max()
            .map(|r| r as f64 / at.live_bytes as f64),
        internal: Some(shape[1] / (1.0 + shape[1])),
        internal_exact: hook.is_some(),
        gaps: Some(Gaps {
            total,
            largest: total / 7,
            fragmentation: Some(6.0 / 7.0),
            histogram: (4..22)
                .map(|power| {
                    let bytes = (total as f64 * random.next() / 12.0) as u64;
                    (1_u64 << power, bytes >> power, bytes)
                })
                .collect(),
        }),
        classes: Vec::new(),
        external_exact: (subject == "talc").then_some(0.31),
        absorption: None,
        residue: Some(Residue {
            at_once: residue(shape[4] * 1.5),
            after_idle: Some(residue(shape[4] * 1.2)),
            after_ten: Some(residue(shape[4])),
            after_pairs: Some(residue(shape[4] * 0.8)),
            after_purge: hook.filter(|exact| !exact).map(|_| residue(shape[4] * 0.1)),
        }),
        maps: vec![heap_map(random, &at, peak), heap_map(random, &checkpoints[23], 23)],
        deterministic: Some(subject != "talc"),
        page_bytes: PAGE,
        checkpoints,
    }
}

/// Tiles whose pages have about the waterfall's shares, in runs.
fn heap_map(random: &mut Random, at: &Checkpoint, checkpoint: usize) -> HeapMap {
    map_of(random, at, checkpoint, at.resident.div_ceil(2 << 20).min(100))
}

fn map_of(random: &mut Random, at: &Checkpoint, checkpoint: usize, count: u64) -> HeapMap {
    let w = &at.waterfall;
    let (all, mut tiles) = (at.resident as f64, Vec::new());
    for index in 0..count {
        let mut pages = Vec::with_capacity(512);
        while pages.len() < 512 {
            let pick = random.next();
            let run = 1 + (random.next() * random.next() * 40.0) as usize;
            let digit = if pick < w.metadata as f64 / all {
                1
            } else if pick < (w.metadata + w.kept) as f64 / all {
                2
            } else if random.next() < 0.04 {
                0
            } else {
                let lean = 1.0 - w.holes as f64 / all * 6.0 * random.next() * random.next();
                3 + ((lean.max(0.0) * 10.0) as u8).min(9)
            };
            for _ in 0..run.min(512 - pages.len()) {
                let jitter = u8::from(digit > 4 && random.next() < 0.3);
                pages.push(digit - jitter);
            }
        }
        let skip = if index > count / 2 { 40 << 20 } else { 0 };
        tiles.push(HeapTile { offset: (index << 21) + skip, pages, huge: index % 9 == 4 });
    }
    HeapMap { checkpoint, tiles }
}

/// A map of so many tiles, for the stand-alone picture.
pub(crate) fn large_map(tiles: u64) -> (HeapMap, Checkpoint) {
    let row = rows().into_iter().find(|row| row.subject.name == "smmalloc").unwrap();
    let memory = row.memory.unwrap();
    let at = memory.checkpoints[memory.peak].clone();
    (map_of(&mut Random(77), &at, memory.peak, tiles), at)
}
