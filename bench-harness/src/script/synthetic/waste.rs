//! Programs of one thread that leave much behind little.

use super::events::{Dice, Events};

/// A MiB of blocks of each size, a quarter larger each time; one a page stays.
pub(super) fn survivor(to: &mut Events) {
    const EACH: u64 = 1 << 20;
    let mut kept = Vec::new();
    let mut size = 16;
    while size <= 4096 {
        let blocks: Vec<_> = (0..EACH / size).map(|_| to.allocate(1, size)).collect();
        let a_page = (4096 / size).max(2) as usize;
        for (index, block) in blocks.into_iter().enumerate() {
            if index % a_page == 0 {
                kept.push(block);
            } else {
                to.free(1, block);
            }
        }
        size = (size * 5 / 4).next_multiple_of(16);
    }
    to.free_all(1, kept);
}

/// Pairs of a block that stays and one that goes: no hole of a rung is wide enough for the next.
pub(super) fn ladder(to: &mut Events) {
    const PAIRS: usize = 1000;
    let mut kept = Vec::new();
    let mut size = 64;
    while size <= 16 << 10 {
        let mut going = Vec::with_capacity(PAIRS);
        for _ in 0..PAIRS {
            going.push(to.allocate(1, size));
            kept.push(to.allocate(1, 16));
        }
        to.free_all(1, going);
        size = size * 5 / 4;
    }
    to.free_all(1, kept);
}

/// Vectors that grow by half, each in turn, so that none can grow where it lies; half of them are cut to
/// a quarter in the end.
pub(super) fn realloc_ladder(to: &mut Events) {
    const VECTORS: usize = 128;
    let vectors: Vec<_> = (0..VECTORS).map(|_| to.allocate(1, 16)).collect();
    let mut kept = Vec::new();
    let mut size = 16;
    while size < 256 << 10 {
        size = size * 3 / 2;
        for &vector in &vectors {
            to.reallocate(1, vector, size);
            kept.push(to.allocate(1, 48));
        }
    }
    for &vector in vectors.iter().step_by(2) {
        to.reallocate(1, vector, size / 4);
    }
    to.free_all(1, kept);
    to.free_all(1, vectors);
}

/// Small blocks and a large one each round; all go but one small block.
pub(super) fn keep_one(to: &mut Events) {
    let mut dice = Dice::new(4);
    let mut kept = Vec::new();
    for _ in 0..600 {
        let small = dice.by_powers(4, 9);
        let mut blocks: Vec<_> = (0..256).map(|_| to.allocate(1, small)).collect();
        let large = to.allocate(1, dice.between(64 << 10, 1 << 20));
        kept.push(blocks.swap_remove(dice.place(256)));
        to.free(1, large);
        to.free_all(1, blocks);
    }
    to.free_all(1, kept);
}

/// A peak, then next to nothing: what does the heap look like hours after the rush?
pub(super) fn after_peak(to: &mut Events) {
    let mut dice = Dice::new(5);
    let (mut blocks, mut bytes) = (Vec::new(), 0);
    while bytes < 32 << 20 {
        let size = dice.by_powers(4, 11);
        bytes += size;
        blocks.push(to.allocate(1, size));
    }
    dice.shuffle(&mut blocks);
    let kept = blocks.len() / 20;
    to.free_all(1, blocks.drain(kept..));
    for _ in 0..20_000 {
        let place = dice.place(blocks.len());
        to.free(1, blocks[place]);
        blocks[place] = to.allocate(1, dice.by_powers(4, 11));
    }
    to.free_all(1, blocks);
}
