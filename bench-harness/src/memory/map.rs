//! The heap as a picture's data: what is in each page.

use super::waterfall::Reading;
use crate::child::history::History;
use crate::results::{HeapMap, HeapTile};

/// Pages of a tile of 2 MiB.
const TILE: u64 = 512;

/// The tiles that have a page of a block, now or before.
pub(crate) fn heap_map(reading: &Reading, history: History<'_>, checkpoint: usize) -> HeapMap {
    let mut tiles: Vec<(u64, HeapTile, bool)> = Vec::new();
    for index in 0..reading.pages.len() {
        let page = reading.pages.number(index);
        let tile = page / TILE;
        if tiles.last().is_none_or(|last| last.0 != tile) {
            let empty = HeapTile { offset: 0, pages: vec![0; TILE as usize], huge: false };
            tiles.push((tile, empty, false));
        }
        let Some((_, tile, bears)) = tiles.last_mut() else { continue };
        let live = u64::from(reading.live[index]);
        let held = live > 0 || history.held(page as usize);
        *bears |= held;
        tile.huge |= reading.pages.is_huge(index);
        tile.pages[(page % TILE) as usize] = match (live, held) {
            (0, false) => 1,
            (0, true) => 2,
            _ => 3 + (live * 9 / super::pages::PAGE) as u8,
        };
    }
    tiles.retain(|(_, _, bears)| *bears);
    let first = tiles.first().map_or(0, |(number, _, _)| *number);
    let tiles = tiles
        .into_iter()
        .map(|(number, tile, _)| HeapTile { offset: (number - first) * TILE * 4096, ..tile })
        .collect();
    HeapMap { checkpoint, tiles }
}
