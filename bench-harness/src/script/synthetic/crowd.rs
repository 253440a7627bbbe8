//! Threads that come, go and leave blocks behind.

use super::events::{Dice, Events};
use crate::trace::BlockId;

/// What larson measures: each of four threads replaces random blocks of its table; then a new thread gets
/// the table and goes on, so that blocks outlive who allocated them.
pub(super) fn server(to: &mut Events) {
    const THREADS: u32 = 4;
    const TABLE: usize = 1000;
    const GENERATIONS: u32 = 8;
    let mut dice = Dice::new(6);
    let mut tables: Vec<Vec<BlockId>> = Vec::new();
    for _ in 0..THREADS {
        tables.push((0..TABLE).map(|_| to.allocate(1, dice.between(8, 1000))).collect());
    }
    for generation in 0..GENERATIONS {
        let first = 2 + generation * THREADS;
        (0..THREADS).for_each(|index| to.spawn(1, first + index));
        for _ in 0..4000 {
            for (thread, table) in (first..).zip(&mut tables) {
                let place = dice.place(TABLE);
                to.free(thread, table[place]);
                table[place] = to.allocate(thread, dice.between(8, 1000));
            }
        }
        (0..THREADS).for_each(|index| to.join(1, first + index));
    }
    to.free_all(1, tables.into_iter().flatten());
}

/// Threads in groups; the main thread frees what they leave when all of a group have ended.
pub(super) fn short_threads(to: &mut Events) {
    const GROUP: u32 = 4;
    let mut dice = Dice::new(7);
    for group in 0..16 {
        let first = 2 + group * GROUP;
        (first..first + GROUP).for_each(|thread| to.spawn(1, thread));
        let mut blocks = Vec::new();
        for _ in 0..1000 {
            for thread in first..first + GROUP {
                blocks.push((thread, to.allocate(thread, dice.by_powers(4, 11))));
            }
        }
        let mut left = Vec::new();
        for (index, (thread, block)) in blocks.into_iter().enumerate() {
            if index % 50 == 0 {
                left.push(block);
            } else {
                to.free(thread, block);
            }
        }
        (first..first + GROUP).for_each(|thread| to.join(1, thread));
        to.free_all(1, left);
    }
}

/// What mstress is said to do: threads work on blocks of their own, mostly small and sometimes large, and
/// swap some with a table that all share; after a while all die, and others go on with that table.
pub(super) fn mstress(to: &mut Events) {
    const THREADS: u32 = 4;
    let mut dice = Dice::new(8);
    let mut shared: Vec<Option<BlockId>> = vec![None; 500];
    for generation in 0..6 {
        let first = 2 + generation * THREADS;
        (first..first + THREADS).for_each(|thread| to.spawn(1, thread));
        let mut own: Vec<Vec<BlockId>> = vec![Vec::new(); THREADS as usize];
        for _ in 0..3000 {
            for (thread, own) in (first..).zip(&mut own) {
                let size = match dice.place(1000) {
                    0 => dice.between(64 << 10, 512 << 10),
                    1..=20 => dice.between(4 << 10, 32 << 10),
                    _ => dice.by_powers(3, 9),
                };
                let mut block = Some(to.allocate(thread, size));
                if dice.place(2) == 0 {
                    let place = dice.place(shared.len());
                    std::mem::swap(&mut shared[place], &mut block);
                }
                own.extend(block);
                if own.len() > 200 {
                    let place = dice.place(own.len());
                    to.free(thread, own.swap_remove(place));
                }
            }
        }
        for (thread, own) in (first..).zip(own) {
            to.free_all(thread, own);
        }
        (first..first + THREADS).for_each(|thread| to.join(1, thread));
    }
    to.free_all(1, shared.into_iter().flatten());
}

/// What mleak is said to do: each thread allocates a few blocks, frees them, and leaves one.
pub(super) fn mleak(to: &mut Events) {
    let mut left = Vec::new();
    for thread in 2..402 {
        to.spawn(1, thread);
        let blocks: Vec<_> = (0..20).map(|size| to.allocate(thread, 16 + size * 40)).collect();
        left.extend(blocks.first());
        to.free_all(thread, blocks.into_iter().skip(1));
        to.join(1, thread);
    }
    to.free_all(1, left);
}
