//! Where the memory of a program is, found by the profiler alone.
//!
//! A service has a cache that somebody forgot to bound. The profile says whose it is: which code requested the
//! blocks that are live. Run it with
//! `cargo run --release -p strata-segregated --features symbols --example profile`; it writes
//! `heap.pb.gz` (for `pprof -http=: heap.pb.gz`) and `heap.folded` (for a flame graph) into the folder that
//! is given, or the system's for temporary files.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use strata_segregated::SegregatedAlloc;
use strata_segregated::profile::{self, Options, View};

#[global_allocator]
static ALLOC: SegregatedAlloc = SegregatedAlloc::new();

/// Answers requests, and remembers every answer.
#[derive(Default)]
struct Service {
    cache: HashMap<u64, String>,
    served: u64,
}

impl Service {
    fn serve(&mut self, request: u64) -> usize {
        let words: Vec<String> = (0..8).map(|n| format!("word {}", request % 1000 + n)).collect();
        self.served += 1;
        self.remember(request, words.join(" ")).len()
    }

    #[inline(never)]
    fn remember(&mut self, request: u64, answer: String) -> &str {
        self.cache.entry(request).or_insert_with(|| answer.repeat(3))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // A smaller rate than a server's, for this program lives for a moment.
    profile::start(Options::default().rate(16 << 10))?;

    let mut service = Service::default();
    let bytes: usize = (0..40_000).map(|request| service.serve(request)).sum();
    println!("{} requests, {bytes} B of answers", service.served);

    let taken = profile::take()?;
    profile::stop();

    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let mut file = BufWriter::new(File::create(folder.join("heap.pb.gz"))?);
    taken.write_pprof(&mut file)?;
    file.flush()?;
    let mut file = BufWriter::new(File::create(folder.join("heap.folded"))?);
    taken.write_folded(View::Live, &mut file)?;
    file.flush()?;
    println!("in {}: heap.pb.gz, heap.folded", folder.display());

    let (all, live) = (taken.total(View::Allocated), taken.total(View::Live));
    println!(
        "allocated {} B in {} requests, live {} B in {}",
        all.bytes, all.objects, live.bytes, live.objects
    );
    println!("the largest stacks, live:");
    let mut folded = Vec::new();
    taken.write_folded(View::Live, &mut folded)?;
    let folded = String::from_utf8_lossy(&folded);
    let mut lines: Vec<_> = folded.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    lines.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.parse().unwrap_or(0_u64)));
    for (stack, bytes) in lines.iter().take(3) {
        let nearest: Vec<_> = stack.rsplit(';').take(6).collect();
        println!("{bytes:>10} B  {}", nearest.join(" < "));
    }
    Ok(())
}
