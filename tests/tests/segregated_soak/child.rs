//! Forks: the child has one thread, and all of the heap.

use std::time::{Duration, Instant};
use std::{io, thread};

use crate::ALLOC;
use crate::block::Block;
use crate::fault::Fault;
use crate::law::{self, Dice};
use crate::tally::Tally;

/// Blocks that a child allocates.
const BLOCKS: usize = 1000;
/// The longest of them.
const LONGEST: usize = 1 << 20;
/// How long a child may take: a lock that nobody opens is for ever.
const PATIENCE: Duration = Duration::from_secs(600);

/// Makes a child that frees its copies of these blocks, and others that it allocates, and ends.
pub(crate) fn fork(
    places: &mut [Option<Block>],
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<i32, Fault> {
    let copies = places.iter().flatten().count();
    // SAFETY: the child calls what works with one thread alone: the allocator, which is what is
    // tested.
    match unsafe { libc::fork() } {
        -1 => Err(Fault::System(io::Error::last_os_error())),
        0 => {
            let code = match in_child(places, dice) {
                Ok(()) => 0,
                Err(Fault::Block { .. }) => 3,
                Err(Fault::Heap(_)) => 4,
                Err(_) => 5,
            };
            // SAFETY: always right. Nothing else of the parent's is run.
            unsafe { libc::_exit(code) }
        }
        child => {
            tally.forks += 1;
            tally.in_children += (2 * BLOCKS + copies) as u64;
            Ok(child)
        }
    }
}

fn in_child(places: &mut [Option<Block>], dice: &mut Dice) -> Result<(), Fault> {
    ALLOC.validate()?;
    let mut fresh = Vec::with_capacity(BLOCKS);
    for _ in 0..BLOCKS {
        fresh.push(Block::new(law::layout(dice, LONGEST), dice.once_in(4), dice.roll())?);
    }
    let theirs = places.iter_mut().filter_map(Option::take);
    fresh.into_iter().chain(theirs).try_for_each(Block::free)?;
    ALLOC.purge();
    ALLOC.validate()?;
    ALLOC.stats().check_laws().map_err(Fault::Stats)
}

/// Waits for a child.
pub(crate) fn wait(child: i32) -> Result<(), Fault> {
    let begun = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: a child of this process; a valid place.
        match unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } {
            0 if begun.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
            0 => {
                // SAFETY: a child of this process.
                unsafe { libc::kill(child, libc::SIGKILL) };
                return Err(Fault::Child(None));
            }
            -1 => return Err(Fault::System(io::Error::last_os_error())),
            _ if status == 0 => return Ok(()),
            _ => return Err(Fault::Child(Some(status))),
        }
    }
}
