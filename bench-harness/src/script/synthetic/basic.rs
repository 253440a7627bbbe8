//! What nearly every program does.

use super::events::{Dice, Events};
use std::collections::VecDeque;

pub(super) fn pair(to: &mut Events, pairs: usize) {
    for _ in 0..pairs {
        let block = to.allocate(1, 64);
        to.free(1, block);
    }
}

pub(super) fn live_set(to: &mut Events, live: usize, replacements: usize) {
    let mut dice = Dice::new(1);
    // Every power of two from 16 to 2048 equally likely, then a uniform size up to the next.
    let mut size = move || (dice.by_powers(4, 12), dice.place(live));
    let mut blocks = Vec::with_capacity(live);
    for _ in 0..live {
        blocks.push(to.allocate(1, size().0));
    }
    for _ in 0..replacements {
        let (size, which) = size();
        to.free(1, blocks[which]);
        blocks[which] = to.allocate(1, size);
    }
    to.free_all(1, blocks);
}

pub(super) fn producer_consumer(to: &mut Events, messages: usize, under_way: usize) {
    let mut dice = Dice::new(2);
    let mut queue = VecDeque::with_capacity(under_way);
    let root = to.allocate(1, 4096);
    to.spawn(1, 2);
    for _ in 0..messages {
        queue.push_back(to.allocate(1, dice.between(16, 512)));
        if queue.len() == under_way
            && let Some(block) = queue.pop_front()
        {
            to.free(2, block);
        }
    }
    to.free_all(2, queue);
    to.join(1, 2);
    to.free(1, root);
}

pub(super) fn vec_growth(to: &mut Events, rounds: usize, at_a_time: usize) {
    for round in 0..rounds {
        let blocks: Vec<_> = (0..at_a_time).map(|_| to.allocate(1, 64)).collect();
        // Most vectors stay small: only each 16th round grows to the full 4 MiB.
        let last = if round % 16 == 0 { 22 } else { 7 + round as u32 % 10 };
        for power in 7..=last {
            for &block in &blocks {
                to.reallocate(1, block, 1 << power);
            }
        }
        to.free_all(1, blocks);
    }
}

/// Sizes of 16 B and more, twice as large half as often to the power of 1.5, cut at 1 KiB.
pub(super) fn alloc_test(to: &mut Events, live: usize, replacements: usize) {
    let mut dice = Dice::new(3);
    let mut pareto = move || {
        let size = (16.0 * dice.share().powf(-1.0 / 1.5)).min(1024.0) as u64;
        (size, dice.place(live))
    };
    let mut blocks = vec![None; live];
    for _ in 0..live + replacements {
        let (size, which) = pareto();
        if let Some(block) = blocks[which].take() {
            to.free(1, block);
        }
        blocks[which] = Some(to.allocate(1, size));
    }
    to.free_all(1, blocks.into_iter().flatten());
}
