//! One thread's life: it allocates, resizes, frees, hands blocks on, and ends.

use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

use strata_segregated::GiveBack;

use crate::ALLOC;
use crate::block::Block;
use crate::child;
use crate::fault::Fault;
use crate::law::{self, Dice, LONGEST};
use crate::tally::Tally;

/// Operations between two looks at the rest of the world.
const STRIDE: usize = 1024;
/// Bytes that the program wants to have at most; what is above only shrinks.
const MOST: isize = 320 << 20;
/// Blocks that wait for one thread at most.
const WAITING: usize = 16 << 10;

/// What all threads see.
pub(crate) struct Shared {
    /// Held by threads that go on; taken by who wants them to stand still.
    pub(crate) gate: RwLock<()>,
    pub(crate) wanted: u64,
    pub(crate) done: AtomicU64,
    /// Bytes in blocks, as the heap counts them.
    pub(crate) live: AtomicIsize,
    /// Blocks on their way to each seat.
    pub(crate) mail: Vec<Mutex<Vec<Block>>>,
}

impl Shared {
    pub(crate) fn is_done(&self) -> bool {
        // Relaxed: a sum.
        self.done.load(Ordering::Relaxed) >= self.wanted
    }
}

/// What a thread does for a while.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// Frees about as often as it allocates.
    Keeps,
    /// Allocates, for others to free.
    Makes,
    /// Fills its places, then empties them, over and over.
    Tides { falling: bool },
}

pub(crate) struct Worker<'a> {
    shared: &'a Shared,
    seat: usize,
    dice: Dice,
    mood: Mood,
    places: Vec<Option<Block>>,
    made: Vec<Block>,
    pub(crate) tally: Tally,
    live: isize,
    longest: usize,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(shared: &'a Shared, seat: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let places = dice.doublings(32, 32 << 10);
        Self {
            shared,
            seat,
            mood: Mood::Keeps,
            places: (0..places).map(|_| None).collect(),
            made: Vec::new(),
            tally: Tally { threads: 1, ..Tally::default() },
            live: 0,
            longest: LONGEST,
            dice,
        }
    }

    /// Lives for some hundred to some million operations.
    pub(crate) fn live(&mut self) -> Result<(), Fault> {
        let mut left = self.dice.doublings(1 << 8, 1 << 22);
        while left != 0 && !self.shared.is_done() {
            let going = self.shared.gate.read().expect("nobody panics");
            let before = self.tally.operations();
            let stride = left.min(STRIDE);
            (0..stride).try_for_each(|_| self.step())?;
            left -= stride;
            self.fetch()?;
            let child = self.now_and_then()?;
            self.publish(before);
            drop(going);
            if let Some(child) = child {
                child::wait(child)?;
            }
        }
        let going = self.shared.gate.read().expect("nobody panics");
        let before = self.tally.operations();
        self.leave()?;
        self.publish(before);
        drop(going);
        Ok(())
    }

    /// Adds what was done since `before` to what all did.
    fn publish(&mut self, before: u64) {
        // Relaxed, all: sums. Who needs the exact ones has the gate.
        self.shared.done.fetch_add(self.tally.operations() - before, Ordering::Relaxed);
        let live = self.shared.live.fetch_add(self.live, Ordering::Relaxed) + self.live;
        self.live = 0;
        self.longest = if live < MOST { LONGEST } else { 4096 };
    }

    /// One operation.
    fn step(&mut self) -> Result<(), Fault> {
        if let Mood::Makes = self.mood {
            if self.made.len() < 512 {
                let block = self.make()?;
                self.made.push(block);
                return Ok(());
            }
            let made = std::mem::take(&mut self.made);
            self.post(made)?;
        }
        let place = self.dice.below(self.places.len());
        match (self.places[place].take(), self.mood) {
            (None, Mood::Tides { falling: true }) => self.free_next(place),
            (None, _) => {
                self.places[place] = Some(self.make()?);
                Ok(())
            }
            (Some(mut block), mood) => {
                let rises = matches!(mood, Mood::Tides { falling: false });
                let result = if rises || self.dice.once_in(4) {
                    self.resize(&mut block)
                } else {
                    return self.free(block);
                };
                self.places[place] = Some(block);
                result
            }
        }
    }

    /// Frees the first block from `place` on; where there is none, the tide turns.
    fn free_next(&mut self, place: usize) -> Result<(), Fault> {
        if let Some(block) = self.places[place..].iter_mut().take(256).find_map(Option::take) {
            return self.free(block);
        }
        self.mood = Mood::Tides { falling: false };
        self.places[place] = Some(self.make()?);
        Ok(())
    }

    fn make(&mut self) -> Result<Block, Fault> {
        let layout = law::layout(&mut self.dice, self.longest);
        let zeroed = self.dice.once_in(8);
        let block = Block::new(layout, zeroed, self.dice.roll())?;
        self.live += block.counted() as isize;
        *(if zeroed { &mut self.tally.zeroed } else { &mut self.tally.allocated }) += 1;
        Ok(block)
    }

    fn resize(&mut self, block: &mut Block) -> Result<(), Fault> {
        let len = law::next_len(&mut self.dice, block.len(), self.longest);
        self.live -= block.counted() as isize;
        *(if len > block.len() { &mut self.tally.grown } else { &mut self.tally.shrunk }) += 1;
        block.resize(len, self.dice.roll())?;
        self.live += block.counted() as isize;
        Ok(())
    }

    fn free(&mut self, block: Block) -> Result<(), Fault> {
        self.live -= block.counted() as isize;
        self.tally.freed += 1;
        block.free()
    }

    /// Hands blocks to another thread, or where too many wait for it, frees them.
    fn post(&mut self, blocks: Vec<Block>) -> Result<(), Fault> {
        let seat = self.dice.below(self.shared.mail.len());
        let mut mail = self.shared.mail[seat].lock().expect("nobody panics");
        if mail.len() < WAITING {
            self.tally.passed += blocks.len() as u64;
            mail.extend(blocks);
            return Ok(());
        }
        drop(mail);
        blocks.into_iter().try_for_each(|block| self.free(block))
    }

    /// Takes what others handed on: some blocks stay, the others are freed here.
    fn fetch(&mut self) -> Result<(), Fault> {
        let mail = &self.shared.mail[self.seat];
        let came = std::mem::take(&mut *mail.lock().expect("nobody panics"));
        for block in came {
            let place = self.dice.below(self.places.len());
            if self.places[place].is_none() {
                self.places[place] = Some(block);
            } else {
                self.free(block)?;
            }
        }
        Ok(())
    }

    /// What happens seldom: other moods, and what concerns the whole heap. Answers a child that was
    /// made.
    fn now_and_then(&mut self) -> Result<Option<i32>, Fault> {
        match self.dice.below(8192) {
            0..8 => {
                return child::fork(&mut self.places, &mut self.dice, &mut self.tally).map(Some);
            }
            8..24 => {
                ALLOC.purge();
                self.tally.purges += 1;
            }
            24..40 => {
                let modes = [
                    GiveBack::Budget,
                    GiveBack::AfterPeaks,
                    GiveBack::Eager,
                    GiveBack::Lazy,
                    GiveBack::Never,
                ];
                ALLOC.set_give_back(modes[self.dice.below(modes.len())]);
                ALLOC.zero_by_pages(self.dice.once_in(2));
                self.tally.modes += 1;
            }
            40..56 => {
                ALLOC.validate()?;
                self.tally.validations += 1;
            }
            56..184 => {
                ALLOC.flush_thread_cache();
                self.tally.flushes += 1;
            }
            184..1024 => {
                self.mood = match self.dice.below(4) {
                    0 => Mood::Makes,
                    1 => Mood::Tides { falling: true },
                    _ => Mood::Keeps,
                };
            }
            1024..1536 => {
                let from = self.dice.below(self.places.len());
                let some = self.places[from..].iter_mut().take(300).filter_map(Option::take);
                let some = some.collect();
                self.post(some)?;
            }
            _ => {}
        }
        if let Mood::Tides { falling: falling @ false } = &mut self.mood {
            *falling = self.dice.once_in(64);
        }
        Ok(None)
    }

    /// Leaves its blocks: to others, or to nobody.
    fn leave(&mut self) -> Result<(), Fault> {
        let mut blocks: Vec<Block> = self.places.drain(..).flatten().collect();
        blocks.append(&mut self.made);
        if self.dice.once_in(2) && !self.shared.is_done() {
            return self.post(blocks);
        }
        blocks.into_iter().try_for_each(|block| self.free(block))
    }
}
