//! The least region in which Robson's program ends.

use super::RegionSubject;
use super::ground::Ground;
use super::heap::Heap;
use super::job::{Figure, Measured};
pub(super) use crate::adversary::robson::Game;
use crate::adversary::usual_distance;

/// The game: 1 MiB live, the largest block 64 KiB.
pub(super) const GAME: Game = Game { word: 256, live: 4096, steps: 8 };
/// The longest region tried: much more than an allocator needs that does not lose blocks.
pub(super) const MOST: usize = 32 * GAME.bytes();
/// The lengths tried are multiples of this.
const STEP: usize = GAME.bytes() / 64;

/// The least region in which the adversary ends, found by halving.
pub(super) fn run<R: RegionSubject>(ground: &Ground) -> Result<Measured, String> {
    let figures = vec![
        Figure::new("needed ÷ live", needed::<R>(ground, GAME)?),
        Figure::new("bound without moving", GAME.bound()),
    ];
    Ok(Measured::Space { figures, maps: Vec::new() })
}

/// What an allocator needs for a game that has as much live as [`GAME`], × that.
pub(super) fn needed<R: RegionSubject>(ground: &Ground, game: Game) -> Result<f64, String> {
    let header = game.header(|bytes| {
        let mut heap = Heap::<R>::new(ground, MOST)?;
        Ok(usual_distance(&mut heap, bytes))
    })?;
    let survives = |region: usize| {
        let mut heap = Heap::<R>::new(ground, region)?;
        Ok::<bool, String>(game.play(&mut heap, header, |_| ()))
    };
    if !survives(MOST)? {
        return Err(format!("it needs more than {} times what is live", MOST / GAME.bytes()));
    }
    let (mut fails, mut ends) = (0, MOST / STEP);
    while fails + 1 < ends {
        let middle = usize::midpoint(fails, ends);
        if survives(middle * STEP).unwrap_or(false) {
            ends = middle;
        } else {
            fails = middle;
        }
    }
    Ok((ends * STEP) as f64 / game.bytes() as f64)
}
