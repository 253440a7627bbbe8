//! One runner for every source of memory: a random program, played on the source and on the
//! oracles. It asserts what the trait promises, and uses each ability that the source claims.

use std::ptr::NonNull;

use proptest::prelude::*;
use strata_core::{Chunk, Contents, Source};

use crate::oracle::{Bytes, Ranges};

/// One step of a program. Numbers are reduced to what there is: `which` to the live chunks, `part`
/// to the granules of one.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Ask for a chunk.
    Acquire {
        /// Bytes.
        len: usize,
        /// Power of two of the alignment.
        shift: u32,
    },
    /// Give a chunk back.
    Release {
        /// Which chunk.
        which: usize,
    },
    /// Cut a chunk and keep both pieces as chunks of their own.
    Split {
        /// Which chunk.
        which: usize,
        /// Granules of the lower piece.
        part: usize,
    },
    /// Join a chunk with the next one up, if that is its neighbour.
    Join {
        /// Which chunk.
        which: usize,
    },
    /// Write to part of a chunk.
    Write {
        /// Which chunk.
        which: usize,
        /// The first granule.
        part: usize,
        /// What to write.
        value: u8,
    },
    /// Purge from a granule to the end of a chunk.
    Purge {
        /// Which chunk.
        which: usize,
        /// The first granule.
        part: usize,
    },
    /// Lengthen a chunk in place.
    Grow {
        /// Which chunk.
        which: usize,
        /// Bytes more.
        more: usize,
    },
    /// Lengthen a chunk, moving it.
    Remap {
        /// Which chunk.
        which: usize,
        /// Bytes more.
        more: usize,
        /// Power of two of the alignment.
        shift: u32,
    },
    /// Move the pages at the start of a chunk to the start of another.
    Relocate {
        /// Which chunk.
        which: usize,
        /// The other one.
        to: usize,
    },
}

/// Programs of up to `steps` steps, in chunks of up to about `len` bytes.
pub fn programs(steps: usize, len: usize) -> impl Strategy<Value = Vec<Step>> {
    let n = any::<prop::sample::Index>().prop_map(|i| i.index(1 << 20));
    let step = prop_oneof![
        5 => (1..len, 0..17u32).prop_map(|(len, shift)| Step::Acquire { len, shift }),
        3 => n.clone().prop_map(|which| Step::Release { which }),
        2 => (n.clone(), n.clone()).prop_map(|(which, part)| Step::Split { which, part }),
        2 => n.clone().prop_map(|which| Step::Join { which }),
        2 => (n.clone(), n.clone(), any::<u8>())
            .prop_map(|(which, part, value)| Step::Write { which, part, value }),
        2 => (n.clone(), n.clone()).prop_map(|(which, part)| Step::Purge { which, part }),
        2 => (n.clone(), 0..len).prop_map(|(which, more)| Step::Grow { which, more }),
        1 => (n.clone(), 0..len, 0..17u32)
            .prop_map(|(which, more, shift)| Step::Remap { which, more, shift }),
        1 => (n.clone(), n).prop_map(|(which, to)| Step::Relocate { which, to }),
    ];
    prop::collection::vec(step, 1..steps)
}

/// A chunk that is out.
#[derive(Debug)]
struct Held {
    chunk: Chunk,
    bytes: Bytes,
    /// The acquire that it is a piece of.
    origin: usize,
}

impl Held {
    /// Panics unless the memory holds what it should.
    fn check(&self) {
        assert_eq!(self.bytes.0.len(), self.chunk.len());
        // SAFETY: 1. the chunk is out and committed; bytes that are not `None` were written, or
        // the source said that they are zero.
        let compared = unsafe { self.bytes.compare(self.chunk.base().as_ptr()) };
        if let Err((place, expected, found)) = compared {
            panic!("byte {place} of {:?} is {found}, not {expected}", self.chunk);
        }
    }

    fn write(&mut self, from: usize, value: u8) {
        let len = self.chunk.len();
        // SAFETY: the chunk is out and committed.
        unsafe { self.chunk.base().add(from).write_bytes(value, len - from) };
        self.bytes.fill(from..len, Some(value));
    }
}

/// A program's progress on one source.
struct Player<'s, S> {
    source: &'s S,
    held: Vec<Held>,
    ranges: Ranges,
    acquires: usize,
    served: usize,
}

/// Plays `program` on `source`, then gives everything back; answers how many acquires succeeded.
/// Panics where the source breaks a promise of its trait.
pub fn play<S: Source<Address = NonNull<u8>>>(source: &S, program: &[Step]) -> usize {
    let granule = source.granule();
    assert!(granule.is_power_of_two());
    let mut player =
        Player { source, held: Vec::new(), ranges: Ranges::default(), acquires: 0, served: 0 };
    for step in program {
        player.step(*step);
        assert_eq!(source.granule(), granule, "the granule stays");
        assert_eq!(player.ranges.len(), player.held.len());
    }
    player.held.iter().for_each(Held::check);
    while let Some(held) = player.take(0) {
        player.release(held);
    }
    player.served
}

impl<S: Source<Address = NonNull<u8>>> Player<'_, S> {
    fn step(&mut self, step: Step) {
        match step {
            Step::Acquire { len, shift } => self.acquire(len, 1 << shift),
            Step::Release { which } => {
                if let Some(held) = self.take(which) {
                    self.release(held);
                }
            }
            Step::Split { which, part } if S::SPLITS => self.split(which, part),
            Step::Join { which } => self.join(which),
            Step::Write { which, part, value } => {
                if let Some(mut held) = self.take(which) {
                    held.write(self.granules(part, &held.chunk), value);
                    self.put(held);
                }
            }
            Step::Purge { which, part } => self.purge(which, part),
            Step::Grow { which, more } => self.grow(which, more),
            Step::Remap { which, more, shift } => self.remap(which, more, 1 << shift),
            Step::Relocate { which, to } => self.relocate(which, to),
            Step::Split { .. } => {}
        }
    }

    /// Takes a live chunk out of the books.
    fn take(&mut self, which: usize) -> Option<Held> {
        let which = which.checked_rem(self.held.len())?;
        let held = self.held.swap_remove(which);
        self.ranges.remove(held.chunk.base().addr().get() as u64..held.chunk.end());
        held.check();
        Some(held)
    }

    /// Enters a live chunk into the books.
    fn put(&mut self, held: Held) {
        let base = held.chunk.base().addr().get();
        assert_eq!(base % self.source.granule(), 0, "chunks start at a granule");
        assert_eq!(held.chunk.len() % self.source.granule(), 0, "chunks are whole granules");
        self.ranges.insert(base as u64..held.chunk.end());
        held.check();
        self.held.push(held);
    }

    /// `part` granules in bytes, below the length of `chunk`.
    fn granules(&self, part: usize, chunk: &Chunk) -> usize {
        let granule = self.source.granule();
        part % (chunk.len() / granule) * granule
    }

    /// Commits what is new of a chunk, and answers what it reads as.
    fn fresh(&self, at: NonNull<u8>, len: usize) -> Option<Bytes> {
        if S::COMMITS {
            // SAFETY: 1. just acquired. 2. whole granules.
            unsafe { self.source.commit(at, len) }.ok()?;
        }
        Some(Bytes::new(len, S::ZEROED.then_some(0)))
    }

    fn acquire(&mut self, len: usize, align: usize) {
        self.acquires += 1;
        let Ok(chunk) = self.source.acquire(len, align) else { return };
        self.served += 1;
        assert_eq!(chunk.len(), len.next_multiple_of(self.source.granule()), "rounded, no more");
        assert_eq!(chunk.base().addr().get() % align, 0, "aligned as asked");
        let Some(bytes) = self.fresh(chunk.base(), chunk.len()) else {
            // SAFETY: 1. just acquired. 2. unused.
            return unsafe { self.source.release(chunk) };
        };
        self.put(Held { chunk, bytes, origin: self.acquires });
        let mut held = self.take(self.held.len() - 1).expect("just put");
        held.write(0, self.acquires as u8);
        self.put(held);
    }

    fn release(&mut self, held: Held) {
        // SAFETY: 1. from this source, cut and joined as it allows. 2. out of the books.
        unsafe { self.source.release(held.chunk) };
    }

    fn split(&mut self, which: usize, part: usize) {
        let Some(Held { chunk, mut bytes, origin }) = self.take(which) else { return };
        let at = self.granules(part, &chunk);
        match chunk.split_at(at) {
            Ok((low, high)) => {
                let upper = Bytes(bytes.0.split_off(at));
                self.put(Held { chunk: low, bytes, origin });
                self.put(Held { chunk: high, bytes: upper, origin });
            }
            Err(chunk) => {
                assert_eq!(at, 0, "only a cut at the start gives nothing");
                self.put(Held { chunk, bytes, origin });
            }
        }
    }

    fn join(&mut self, which: usize) {
        let Some(mut low) = self.take(which) else { return };
        let end = low.chunk.end();
        let next = self.held.iter().position(|held| {
            held.chunk.base().addr().get() as u64 == end && (S::JOINS || held.origin == low.origin)
        });
        let Some(next) = next else { return self.put(low) };
        let high = self.take(next).expect("just found");
        // SAFETY: 1. checked now.
        low.chunk = unsafe { low.chunk.join(high.chunk) }.expect("neighbours");
        low.bytes.0.extend(high.bytes.0);
        self.put(low);
    }

    fn purge(&mut self, which: usize, part: usize) {
        let Some(mut held) = self.take(which) else { return };
        let from = self.granules(part, &held.chunk);
        let len = held.chunk.len() - from;
        // SAFETY: inside the chunk.
        let at = unsafe { held.chunk.base().add(from) };
        // SAFETY: 1. in a chunk of this source. 2. whole granules. 3. nobody else has it.
        let contents = unsafe { self.source.purge(at, len) };
        assert!(S::PURGES || contents == Contents::Kept, "a purge that the source does not claim");
        match contents {
            Contents::Zero => held.bytes.fill(from..from + len, Some(0)),
            Contents::Undefined => held.bytes.fill(from..from + len, None),
            Contents::Kept => {}
        }
        self.put(held);
    }

    fn grow(&mut self, which: usize, more: usize) {
        let Some(mut held) = self.take(which) else { return };
        let (base, before) = (held.chunk.base(), held.chunk.len());
        let wanted = before + more;
        // SAFETY: 1. from this source.
        let grown = unsafe { self.source.grow(&mut held.chunk, wanted) };
        assert_eq!(held.chunk.base(), base, "growing in place does not move");
        if grown.is_ok() {
            assert!(S::GROWS || more == 0, "a growth that the source does not claim");
            self.lengthened(&mut held, before, wanted);
        } else {
            assert_eq!(held.chunk.len(), before, "a failure changes nothing");
        }
        self.put(held);
    }

    /// Books what a growth added.
    fn lengthened(&self, held: &mut Held, before: usize, wanted: usize) {
        assert_eq!(held.chunk.len(), wanted.next_multiple_of(self.source.granule()));
        // SAFETY: the old end is inside the chunk, or its end.
        let added = unsafe { held.chunk.base().add(before) };
        let len = held.chunk.len() - before;
        if len > 0 {
            held.bytes.0.extend(self.fresh(added, len).expect("grown memory commits").0);
        }
    }

    fn remap(&mut self, which: usize, more: usize, align: usize) {
        let Some(Held { chunk, bytes, origin }) = self.take(which) else { return };
        let (base, before) = (chunk.base(), chunk.len());
        let wanted = before + more;
        // SAFETY: 1. from this source. 2. the books have no address of it.
        match unsafe { self.source.remap(chunk, wanted, align) } {
            Ok(chunk) => {
                assert!(S::REMAPS, "a remap that the source does not claim");
                assert_eq!(chunk.base().addr().get() % align, 0, "aligned as asked");
                let mut held = Held { chunk, bytes, origin };
                self.lengthened(&mut held, before, wanted);
                self.put(held);
            }
            Err(chunk) => {
                assert_eq!((chunk.base(), chunk.len()), (base, before), "given back unchanged");
                self.put(Held { chunk, bytes, origin });
            }
        }
    }

    fn relocate(&mut self, which: usize, to: usize) {
        let Some(mut from) = self.take(which) else { return };
        let Some(mut to) = self.take(to) else { return self.put(from) };
        let len = from.chunk.len().min(to.chunk.len());
        // SAFETY: 1. two chunks of this source, so apart. 2. whole granules. 3. nobody else has
        // them.
        let moved = unsafe { self.source.relocate(from.chunk.base(), to.chunk.base(), len) };
        if moved.is_err() {
            to.bytes.fill(0..len, None);
        }
        if let Ok(contents) = moved {
            assert!(S::RELOCATES, "a relocation that the source does not claim");
            to.bytes.0[..len].copy_from_slice(&from.bytes.0[..len]);
            match contents {
                Contents::Zero => from.bytes.fill(0..len, Some(0)),
                Contents::Undefined => from.bytes.fill(0..len, None),
                Contents::Kept => {}
            }
        }
        self.put(from);
        self.put(to);
    }
}

/// Four threads acquire, fill, check and release at once: memory that two of them have shows.
pub fn play_threads<S: Source<Address = NonNull<u8>> + Sync>(source: &S, turns: usize) {
    std::thread::scope(|scope| {
        for thread in 1..=4u8 {
            scope.spawn(move || {
                let mut held = Vec::new();
                for turn in 0..turns {
                    if let Ok(chunk) = source.acquire(1 + turn * 37 % 5000, 1 << (turn % 13)) {
                        let bytes = Bytes::new(chunk.len(), Some(thread));
                        // SAFETY: just acquired; the threads use committed sources.
                        unsafe { chunk.base().write_bytes(thread, chunk.len()) };
                        held.push(Held { chunk, bytes, origin: turn });
                    }
                    if turn % 3 == 2 || turn + 1 == turns {
                        for held in held.drain(..) {
                            held.check();
                            // SAFETY: 1. from this source. 2. unused.
                            unsafe { source.release(held.chunk) };
                        }
                    }
                }
            });
        }
    });
}
