//! A paged cache of keys and values, as servers of language models keep it: many sequences over blocks
//! of 16 tokens, a system prompt that all of them share, samples that diverge from one another, and
//! eviction when the device is full.
//!
//! The frames stand for blocks of device memory. Nothing here touches them: what would be a copy on the
//! device is counted.
//!
//! ```sh
//! cargo run --release -p strata-page-frame --example kv_cache
//! ```

use std::collections::VecDeque;
use std::error::Error;
use std::mem::MaybeUninit;

use strata_os::OsSource;
use strata_page_frame::paging::{PageSpace, PageTable, TableError, Write};
use strata_page_frame::{Geometry, PageFrames};

/// Tokens of a block, and blocks of the device.
const TOKENS: u64 = 16;
const BLOCKS: u64 = 32 << 10;
/// Tokens of the prompt that every request begins with, and of the longest answer.
const SYSTEM_PROMPT: u64 = 3000;
const LONGEST: u64 = 1200;
/// Samples of each request, which share its prompt and diverge.
const SAMPLES: u64 = 4;
const REQUESTS: u64 = 2000;
/// Requests that are answered at the same time.
const AT_ONCE: usize = 256;

type Space<'a> = PageSpace<&'a PageFrames<'a>, OsSource>;

/// A sequence: its blocks, its tokens so far, and how many it will have.
struct Sequence {
    blocks: PageTable,
    tokens: u64,
    end: u64,
}

/// What happened.
#[derive(Default)]
struct Tally {
    copies: u64,
    evictions: u64,
    finished: u64,
    /// Blocks that tables named, and blocks in use, when most were in use.
    named: u64,
    used: u64,
}

impl Sequence {
    /// One more token: a fresh block every 16 tokens, and a copy where the last block is shared.
    fn append(&mut self, space: &mut Space<'_>, tally: &mut Tally) -> Result<(), TableError> {
        if self.tokens.is_multiple_of(TOKENS) {
            space.push(&mut self.blocks)?;
        } else if let Write::CopyNeeded { .. } =
            space.write(&mut self.blocks, self.tokens / TOKENS)?
        {
            // Here the device would copy the tokens so far from one block to the other.
            tally.copies += 1;
        }
        self.tokens += 1;
        Ok(())
    }

    /// The first tokens, in the same blocks.
    fn fork(&self, space: &mut Space<'_>, end: u64) -> Result<Self, TableError> {
        let blocks = space.fork_prefix(&self.blocks, self.tokens.div_ceil(TOKENS))?;
        Ok(Self { blocks, tokens: self.tokens, end })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let layout = PageFrames::metadata_layout(BLOCKS, 0, Geometry::DEFAULT)?;
    let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
    let frames = PageFrames::new(BLOCKS, 0, Geometry::DEFAULT, &mut metadata)?;
    let mut space: Space<'_> = PageSpace::new(&frames, BLOCKS, OsSource::new())?;
    let mut random = Random(1);
    let mut tally = Tally::default();

    let mut system = Sequence { blocks: space.table(), tokens: 0, end: SYSTEM_PROMPT };
    while system.tokens < system.end {
        system.append(&mut space, &mut tally)?;
    }
    // Requests that wait, by the tokens of their own prompts; an evicted one waits with its answer.
    let mut waiting: VecDeque<u64> = (0..REQUESTS).map(|_| 50 + random.below(1500)).collect();
    let mut running: VecDeque<Vec<Sequence>> = VecDeque::new();

    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < AT_ONCE
            && let Some(prompt) = waiting.pop_front()
        {
            match begin(&mut space, &system, prompt, &mut random, &mut tally) {
                Ok(samples) => running.push_back(samples),
                Err(_) if running.is_empty() => return Err("one request fills the device".into()),
                Err(_) => {
                    waiting.push_front(prompt);
                    break;
                }
            }
        }
        step(&mut space, &mut running, &mut waiting, &mut tally)?;
        let used = space.stats().frames;
        if used > tally.used {
            let own: u64 = running.iter().flatten().map(|one| one.blocks.len()).sum();
            (tally.named, tally.used) = (own + system.blocks.len(), used);
        }
    }
    let at_rest = space.stats();
    space.release(system.blocks);
    let (named, used) = (tally.named as f64, tally.used as f64);
    println!("{REQUESTS} requests of {SAMPLES} samples over {BLOCKS} blocks of {TOKENS} tokens");
    println!("at the fullest: {named} blocks named by tables, {used} in use");
    println!(
        "sharing saved {:.1}% of the blocks: {:.2} times the tokens in the same memory",
        100.0 * (1.0 - used / named),
        named / used
    );
    println!(
        "{} samples finished, {} copies at divergences, {} requests evicted and begun anew",
        tally.finished, tally.copies, tally.evictions
    );
    println!(
        "at rest, the prompt alone: {} blocks, {} of nodes",
        at_rest.frames, at_rest.node_bytes
    );
    assert_eq!(frames.free_frames(), BLOCKS, "every block came back");
    Ok(())
}

/// The samples of a request: all share its prompt, which shares the system's.
fn begin(
    space: &mut Space<'_>,
    system: &Sequence,
    prompt: u64,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<Vec<Sequence>, TableError> {
    let mut first = system.fork(space, SYSTEM_PROMPT + prompt)?;
    while first.tokens < first.end {
        if let Err(error) = first.append(space, tally) {
            space.release(first.blocks);
            return Err(error);
        }
    }
    let mut samples = Vec::new();
    for _ in 1..SAMPLES {
        samples.push(first.fork(space, first.tokens + 1 + random.below(LONGEST))?);
    }
    first.end += 1 + random.below(LONGEST);
    samples.push(first);
    Ok(samples)
}

/// A token for every sequence. Where there is no block left, the youngest request goes back to those
/// that wait.
fn step(
    space: &mut Space<'_>,
    running: &mut VecDeque<Vec<Sequence>>,
    waiting: &mut VecDeque<u64>,
    tally: &mut Tally,
) -> Result<(), TableError> {
    let mut request = 0;
    while request < running.len() {
        let mut sample = 0;
        while sample < running.get(request).map_or(0, Vec::len) {
            match running[request][sample].append(space, tally) {
                Ok(()) => sample += 1,
                Err(TableError::Exhausted) => {
                    let Some(youngest) = running.pop_back() else { break };
                    let tokens = youngest.iter().map(|sequence| sequence.tokens).min();
                    waiting.push_front(tokens.unwrap_or(SYSTEM_PROMPT) - SYSTEM_PROMPT);
                    youngest.into_iter().for_each(|sequence| space.release(sequence.blocks));
                    tally.evictions += 1;
                }
                Err(error) => return Err(error),
            }
        }
        request += 1;
    }
    for samples in running.iter_mut() {
        let mut place = 0;
        while place < samples.len() {
            if samples[place].tokens >= samples[place].end {
                space.release(samples.swap_remove(place).blocks);
                tally.finished += 1;
            } else {
                place += 1;
            }
        }
    }
    running.retain(|samples| !samples.is_empty());
    Ok(())
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * u128::from(end)) >> 64) as u64
    }
}
