//! The allocator behind a whole program: one line, no configuration.
//!
//! ```sh
//! cargo run --release -p strata-segregated --example global
//! ```

use std::collections::BTreeMap;
use std::thread;

use strata_segregated::SegregatedAlloc;

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// Counts words of made-up text.
fn count(seed: usize) -> BTreeMap<String, usize> {
    let mut words = BTreeMap::new();
    for n in 0..20_000 {
        *words.entry(format!("word{}", n * seed % 1009)).or_default() += 1;
    }
    words
}

fn main() {
    // What these threads allocate is freed here, after they have ended.
    let threads: Vec<_> = (1..=4).map(|seed| thread::spawn(move || count(seed))).collect();
    let mut all = BTreeMap::new();
    for thread in threads {
        for (word, times) in thread.join().expect("counting does not panic") {
            *all.entry(word).or_insert(0) += times;
        }
    }
    println!("{} words, {} in all", all.len(), all.values().sum::<usize>());
    report("with the words");
    drop(all);
    // Memory beyond the budget went back in the frees themselves; this gives back the budget too.
    println!("purged {} bytes", ALLOC.purge());
    report("without them");
}

/// The heap's own figures; absent ones are not kept by this build.
#[cfg(target_os = "linux")]
fn report(when: &str) {
    let stats = ALLOC.stats();
    let bytes = |figure: Option<strata_core::ByteCount>| {
        figure.map_or_else(|| "not kept".to_owned(), |bytes| format!("{} bytes", bytes.get()))
    };
    println!("{when}: allocated {}, committed {}", bytes(stats.allocated), bytes(stats.committed));
}

/// Elsewhere this is the system's allocator, which says nothing.
#[cfg(not(target_os = "linux"))]
fn report(_when: &str) {}
