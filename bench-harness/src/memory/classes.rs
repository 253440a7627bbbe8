//! Which blocks the holes lie beside: pinned pages by the size of the blocks on them.

use super::pages::PAGE;
use super::waterfall::{Reading, for_pages};
use crate::results::ClassShare;

/// Bands of sizes: powers of two up to 2³⁹ bytes and more.
const BANDS: usize = 40;

/// What the blocks of each band of sizes pin, the smallest first. A page, with its holes, goes to
/// the band that has most bytes in it.
pub(crate) fn classes(reading: &Reading) -> Vec<ClassShare> {
    let pages = reading.pages.len();
    let mut held: Vec<[u16; BANDS]> = vec![[0; BANDS]; pages];
    let mut shares: Vec<ClassShare> =
        (0..BANDS).map(|band| ClassShare { upto: 1 << band, ..ClassShare::default() }).collect();
    for block in &reading.blocks {
        let end = block.start + block.usable.max(block.asked);
        let band = band(block.asked);
        shares[band].blocks += 1;
        shares[band].live += block.asked;
        for_pages(&reading.pages, block.start - block.header, end, |index, bytes| {
            let place = &mut held[index][band];
            *place = place.saturating_add(bytes as u16);
        });
    }
    for bands in &held {
        let used: u64 = bands.iter().map(|&bytes| u64::from(bytes)).sum();
        let most = bands.iter().enumerate().max_by_key(|&(band, bytes)| (bytes, BANDS - band));
        if let Some((band, &bytes)) = most
            && bytes > 0
        {
            shares[band].pages += 1;
            shares[band].holes += PAGE.saturating_sub(used);
        }
    }
    shares.retain(|share| share.blocks > 0);
    shares
}

/// The least power of two that is not below `bytes`.
fn band(bytes: u64) -> usize {
    (bytes.max(1).next_power_of_two().trailing_zeros() as usize).min(BANDS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::pages::Pages;
    use crate::memory::scan::Run;
    use crate::memory::waterfall::{Baseline, Block};
    use crate::results::Checkpoint;

    #[test]
    fn a_page_and_its_holes_go_to_whom_most_of_it_belongs() {
        let block = |start, asked, usable| Block { start, asked, usable, header: 0 };
        // Two pages: one with a block of 48 B, one with two of 1000 B and one of 24 B.
        let blocks = vec![
            block(0x1000, 48, 64),
            block(0x2000, 1000, 1008),
            block(0x2400, 1000, 1008),
            block(0x2800, 24, 32),
        ];
        let reading = Reading {
            checkpoint: Checkpoint::default(),
            pages: Pages::new(&[Run { start: 0x1000, end: 0x4000, huge: false }]),
            blocks,
            live: vec![0; 3],
            total: Baseline::default(),
        };
        let found = classes(&reading);
        let told: Vec<_> =
            found.iter().map(|of| (of.upto, of.blocks, of.live, of.pages, of.holes)).collect();
        assert_eq!(
            told,
            [(32, 1, 24, 0, 0), (64, 1, 48, 1, 4096 - 64), (1024, 2, 2000, 1, 4096 - 2048),]
        );
    }
}
