//! Threads that hand blocks to one another.

use super::events::{Dice, Events};
use crate::trace::BlockId;
use std::collections::VecDeque;

/// What xmalloc-test is said to do: threads that only allocate hand batches to threads that only free.
pub(super) fn xmalloc(to: &mut Events) {
    const BATCH: usize = 120;
    let mut dice = Dice::new(9);
    (2..=4).for_each(|thread| to.spawn(1, thread));
    let mut queues = [VecDeque::new(), VecDeque::new()];
    for _ in 0..400 {
        for (queue, allocating) in queues.iter_mut().zip([1, 2]) {
            let mut batch = Vec::with_capacity(BATCH);
            for _ in 0..BATCH {
                batch.push(to.allocate(allocating, dice.by_powers(5, 8)));
            }
            queue.push_back(batch);
            if queue.len() > 8
                && let Some(batch) = queue.pop_front()
            {
                to.free_all(allocating + 2, batch);
            }
        }
    }
    for (queue, freeing) in queues.into_iter().zip([3, 4]) {
        to.free_all(freeing, queue.into_iter().flatten());
    }
    (2..=4).for_each(|thread| to.join(1, thread));
}

/// What sh6bench and sh8bench are said to do: each thread allocates batches of a size, small ones more
/// often, and frees some in order, some in reverse, and keeps some for the round after; with more than
/// one thread every third batch is the next one's to free.
pub(super) fn sh(to: &mut Events, threads: u32) {
    let mut dice = Dice::new(10);
    (2..=threads).for_each(|thread| to.spawn(1, thread));
    let mut later: Vec<Vec<BlockId>> = vec![Vec::new(); threads as usize];
    for round in 0..600 / threads {
        for thread in 1..=threads {
            // 1 B to 1000 B, the square of a uniform number.
            let share = dice.share();
            let size = 1 + (share * share * 999.0) as u64;
            let blocks: Vec<_> = (0..200).map(|_| to.allocate(thread, size)).collect();
            let before = std::mem::take(&mut later[thread as usize - 1]);
            to.free_all(thread, before);
            match round % 3 {
                0 => to.free_all(thread, blocks),
                1 => to.free_all(thread, blocks.into_iter().rev()),
                _ => later[(thread % threads) as usize] = blocks,
            }
        }
    }
    for (thread, blocks) in (1..).zip(later) {
        to.free_all(thread, blocks);
    }
    (2..=threads).for_each(|thread| to.join(1, thread));
}

/// What rptest is said to do: random sizes, batches, and half of each batch freed by the next thread.
pub(super) fn rptest(to: &mut Events) {
    const THREADS: u32 = 4;
    let mut dice = Dice::new(11);
    (2..=THREADS).for_each(|thread| to.spawn(1, thread));
    let mut inbox: Vec<Vec<BlockId>> = vec![Vec::new(); THREADS as usize];
    for _ in 0..120 {
        for thread in 1..=THREADS {
            let got = std::mem::take(&mut inbox[thread as usize - 1]);
            let mut blocks: Vec<_> =
                (0..200).map(|_| to.allocate(thread, dice.between(16, 8000))).collect();
            to.free_all(thread, got);
            dice.shuffle(&mut blocks);
            let handed = blocks.split_off(blocks.len() / 2);
            to.free_all(thread, blocks);
            inbox[(thread % THREADS) as usize].extend(handed);
        }
    }
    for (thread, blocks) in (1..).zip(inbox) {
        to.free_all(thread, blocks);
    }
    (2..=THREADS).for_each(|thread| to.join(1, thread));
}
