//! How long calls of `compact` with a budget of 100 µs take, and how full a table gets that makes room.
//!
//! Not criterion's: what is asked for is a quantile of single calls, and a share of bytes.
//!
//! ```sh
//! cargo bench -p strata-segment --bench pauses
//! ```

use std::time::Instant;

use strata_segment::table::{
    Anchor, Budget, Descriptor, Handle, OnFull, Permissions, PinWord, SegmentTable,
};
use strata_segment::{BestFit, Entry, GoodFit, Policy};

const RW: Permissions = Permissions::READ_WRITE;

/// A generator of numbers without a pattern that matters here.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// Calls `f` with a table of one region that was touched, and rows enough.
fn with_table<P: Policy>(region: usize, segments: usize, f: impl FnOnce(SegmentTable<'_, P>)) {
    let mut entries = vec![Entry::EMPTY; 2 * segments + 8];
    let mut descriptors = vec![Descriptor::EMPTY; segments];
    let mut anchors = vec![Anchor::EMPTY; segments];
    let mut pins: Vec<_> = (0..segments).map(|_| PinWord::new()).collect();
    let mut memory = vec![1_u8; region];
    let mut table =
        SegmentTable::from_rows(&mut entries, &mut descriptors, &mut anchors, &mut pins);
    table.add_slice(&mut memory).expect("long enough");
    f(table);
}

/// Calls of 100 µs while segments come and go; and after each a spin as long, which shows what the
/// machine does to whatever runs on it.
fn pauses(name: &str, mut len: impl FnMut(&mut Draw) -> usize) {
    const REGION: usize = 256 << 20;
    const CALLS: usize = 20_000;
    const BUDGET: u64 = 100_000;
    with_table::<GoodFit<0, 0>>(REGION, 1 << 19, |mut table| {
        let mut draw = Draw(88_172_645_463_325_252);
        let mut handles: Vec<Handle> = Vec::new();
        let (mut spent, mut bytes, mut held) = (Vec::with_capacity(CALLS), 0, 0);
        let mut spun = Vec::with_capacity(CALLS);
        let origin = Instant::now();
        let clock = || origin.elapsed().as_nanos() as u64;
        while spent.len() < CALLS {
            while held < REGION / 4 * 3 {
                let len = len(&mut draw);
                let Ok(handle) = table.create(len, RW) else { break };
                handles.push(handle);
                held += len;
            }
            // An eighth of them goes, all over the region.
            for _ in 0..handles.len() / 8 {
                let handle = handles.swap_remove(draw.below(handles.len()));
                held -= table.limit(handle).expect("live");
                table.free(handle).expect("live");
            }
            while spent.len() < CALLS {
                let start = Instant::now();
                let progress = table.compact(Budget::Time { ticks: BUDGET, clock: &clock });
                let took = start.elapsed().as_nanos() as u64;
                bytes += progress.moved_bytes;
                if progress.done {
                    break; // the last call of a pass has less to do
                }
                spent.push(took);
                let start = Instant::now();
                while (start.elapsed().as_nanos() as u64) < BUDGET {}
                spun.push(start.elapsed().as_nanos() as u64);
            }
        }
        let speed = bytes as f64 / spent.iter().sum::<u64>() as f64;
        tell(name, &mut spent, &format!("{speed:5.1} GB/s"));
        tell("  a spin of 100 µs after each", &mut spun, "");
    });
}

/// A line of quantiles.
fn tell(name: &str, spent: &mut [u64], more: &str) {
    spent.sort_unstable();
    let at = |share: f64| spent[((spent.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!(
        "{name:30} {:6} calls  p50 {:6.1}  p99 {:6.1}  p99.9 {:6.1}  max {:6.1} µs  {more}",
        spent.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
    );
}

/// Copies of 256 KiB within 256 MiB, as long as the longest that a budget of time lets begin.
fn control() {
    let mut memory = vec![1_u8; 256 << 20];
    let mut draw = Draw(7);
    let mut spent: Vec<u64> = (0..20_000)
        .map(|_| {
            let from = draw.below(memory.len() - (1 << 20)) + (1 << 19);
            let start = Instant::now();
            memory.copy_within(from..from + (256 << 10), from - (1 << 18));
            start.elapsed().as_nanos() as u64
        })
        .collect();
    tell("memmove of 256 KiB, alone", &mut spent, "");
}

/// talc's recipe: lengths up to 10 kB until a request fails, then 20 segments go, until 200 failed.
/// The share of the region that the program has at a failure, on average.
fn fill<P: Policy>(name: &str, on_full: OnFull) {
    const REGION: usize = 8 << 20;
    const FAILURES: usize = 200;
    with_table::<P>(REGION, 1 << 14, |mut table| {
        table.set_on_full(on_full);
        let (mut draw, mut handles) = (Draw(88_172_645_463_325_252), Vec::new());
        let (mut shares, mut failures, mut made) = (0.0, 0, 0_u64);
        let start = Instant::now();
        while failures < FAILURES {
            if let Ok(handle) = table.create(1 + draw.below(10_000), RW) {
                handles.push(handle);
                made += 1;
                continue;
            }
            failures += 1;
            shares += table.stats().requested.get() as f64 / REGION as f64;
            for _ in 0..20 {
                let at = draw.below(handles.len());
                table.free(handles.swap_remove(at)).expect("live");
            }
        }
        let stats = table.stats();
        println!(
            "{name:28} {:6.2} %   {:6.1} µs a request   {:5.1} MiB moved",
            100.0 * shares / FAILURES as f64,
            start.elapsed().as_secs_f64() * 1e6 / made as f64,
            stats.moved_bytes as f64 / (1 << 20) as f64,
        );
    });
}

fn main() {
    println!("compact(100 µs), 256 MiB, three quarters full:");
    pauses("segments of 1 KiB", |_| 1 << 10);
    pauses("1 B to 64 KiB", |draw| 1 + draw.below(64 << 10));
    pauses("1 B to 256 KiB", |draw| 1 + draw.below(256 << 10));
    pauses("segments of 256 KiB", |_| 256 << 10);
    control();
    println!("8 MiB filled to 200 failures, lengths up to 10 kB:");
    let room = OnFull::Compact { at_most: usize::MAX };
    fill::<GoodFit<0, 0>>("good fit", OnFull::Fail);
    fill::<BestFit>("best fit", OnFull::Fail);
    fill::<GoodFit<0, 0>>("good fit, makes room", room);
    fill::<BestFit>("best fit, makes room", room);
    fill::<GoodFit<0, 0>>("good fit, at most 64 KiB", OnFull::Compact { at_most: 64 << 10 });
}
