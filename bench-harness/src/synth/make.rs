//! Makes a trace of a profile, event by event.

use super::ends::{Ends, Live};
use super::law::{Law, exponential};
use super::profile::{Profile, Wheel};
use crate::error::Result;
use crate::trace::{BlockId, Event, Meta, Op, Summary, ThreadId, Writer};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::path::PathBuf;

/// What to make.
#[derive(Clone, Debug)]
pub struct SynthOptions {
    /// The profile: lines of a size in bytes, its rate and its live count.
    pub profile: PathBuf,
    /// The trace to write; packed where the name ends in `.xz`.
    pub out: PathBuf,
    /// Live bytes.
    pub heap: u64,
    /// Allocations and frees.
    pub operations: u64,
    /// Threads that allocate, 1 at least.
    pub threads: u32,
    /// Share of the frees that are done by another thread than the one that allocated.
    pub cross: f64,
    /// How long blocks live.
    pub law: Law,
    /// What chance begins with.
    pub seed: u64,
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Made {
    /// The trace.
    pub summary: Summary,
    /// Sizes of the profile that were left out, being more than an eighth of the heap.
    pub left_out: usize,
    /// The share of the profile's live bytes that was in them.
    pub left_out_share: f64,
}

/// Writes a trace that follows a profile. First the live blocks are allocated, which counts, then
/// the program runs; what lives at the end is left alive.
///
/// The same options give the same trace. Time is proportional to the operations and the logarithm of the
/// live blocks; memory to the live blocks.
///
/// # Errors
///
/// Where the profile cannot be read or has a line that is none, or the trace cannot be written; nothing
/// is left behind then.
pub fn synth(options: &SynthOptions) -> Result<Made> {
    let largest = (options.heap / 8).max(1);
    let (profile, left_out, left_out_share) =
        Profile::read(&options.profile)?.scaled(options.heap, largest)?;
    let by_rate = Wheel::new(profile.sizes.iter().map(|size| size.rate));
    let by_live = Wheel::new(profile.sizes.iter().map(|size| size.live));
    let mean = |place: usize| {
        let size = &profile.sizes[place];
        if size.rate > 0.0 { size.live / size.rate } else { f64::INFINITY }
    };
    let first = (by_live.total() as u64).min(options.operations / 2);
    let pause = 1.0 / by_rate.total();
    let length = options.operations.saturating_sub(first) as f64 / 2.0 * pause;
    let mut making = Making::begin(options)?;
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(options.seed);
    for _ in 0..first {
        let place = by_live.at(random.random_range(0.0..1.0));
        let end = options.law.rest(random, mean(place));
        making.allocate(random, profile.sizes[place].bytes, end)?;
    }
    let mut now = 0.0;
    while making.done < options.operations {
        now += exponential(random, pause);
        while making.done < options.operations && making.frees_one(random, now)? {}
        if making.done < options.operations {
            let place = by_rate.at(random.random_range(0.0..1.0));
            let end = options.law.end(random, now, mean(place), length);
            making.allocate(random, profile.sizes[place].bytes, end)?;
        }
    }
    Ok(Made { summary: making.finish()?, left_out, left_out_share })
}

/// A trace in the making.
struct Making {
    writer: Writer,
    live: Ends,
    allocated: Vec<u64>,
    threads: u32,
    cross: f64,
    /// Allocations and frees so far.
    done: u64,
    seq: u64,
}

impl Making {
    fn begin(options: &SynthOptions) -> Result<Self> {
        let name = options.profile.file_name().unwrap_or_default().to_string_lossy();
        let law = format!("{:?}", options.law).to_lowercase();
        let notes = [
            ("heap bytes", options.heap.to_string()),
            ("cross-thread share", options.cross.to_string()),
            ("lifetimes", law),
            ("seed", options.seed.to_string()),
        ];
        let meta = Meta {
            program: format!("synth {name}"),
            origin: "made of a profile by strata-bench synth".into(),
            notes: notes.map(|(name, text)| (name.to_owned(), text)).into(),
            ..Meta::default()
        };
        let mut making = Self {
            writer: Writer::create(&options.out, meta)?,
            live: Ends::new(),
            allocated: vec![0; options.threads as usize + 1],
            threads: options.threads,
            cross: options.cross,
            done: 0,
            seq: 0,
        };
        for child in 2..=options.threads {
            making.push(1, Op::Spawn { child: ThreadId(child) })?;
            making.push(child, Op::Start)?;
        }
        Ok(making)
    }

    fn push(&mut self, thread: u32, op: Op) -> Result<()> {
        self.seq += 1;
        let (seq, thread) = (self.seq, ThreadId(thread));
        self.writer.push(&Event { seq, nanos: seq * 50, thread, op })
    }

    fn allocate(&mut self, random: &mut Xoshiro256PlusPlus, size: u64, end: f64) -> Result<()> {
        let thread = random.random_range(1..=self.threads);
        let nth = &mut self.allocated[thread as usize];
        let block = BlockId { thread: ThreadId(thread), nth: *nth };
        *nth += 1;
        self.push(thread, Op::Allocate { block, size, align_log2: None, zeroed: false })?;
        self.live.push(Live { end, block });
        self.done += 1;
        Ok(())
    }

    /// Frees the next block that goes until `now`; false where there is none.
    fn frees_one(&mut self, random: &mut Xoshiro256PlusPlus, now: f64) -> Result<bool> {
        let Some(block) = self.live.pop_until(now) else { return Ok(false) };
        let own = block.thread.0;
        let remote = self.threads > 1 && random.random_range(0.0..1.0) < self.cross;
        let thread = match remote {
            // Any of the others, all equally likely.
            true => (own - 1 + random.random_range(1..self.threads)) % self.threads + 1,
            false => own,
        };
        self.push(thread, Op::Free { block })?;
        self.done += 1;
        Ok(true)
    }

    fn finish(mut self) -> Result<Summary> {
        for child in 2..=self.threads {
            self.push(child, Op::Exit)?;
            self.push(1, Op::Join { child: ThreadId(child) })?;
        }
        self.writer.finish()
    }
}
