//! Linux's two figures of external fragmentation (Gorman and Whitcroft; `mm/vmstat.c`), from the frames
//! that are free: what a buddy allocator would have of them, whoever handed them out.

use serde::{Deserialize, Serialize};

/// Orders looked at: 0 to 10, as Linux has them.
const ORDERS: usize = 11;

/// The figures, by order from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Indexes {
    /// Share of the free frames that no block of the order can have: 0 where all can, 1 where none.
    pub unusable: Vec<f64>,
    /// Why a request of the order fails: towards 0 for lack of memory, towards 1 for fragmentation;
    /// `None` where it does not fail.
    pub fragmentation: Vec<Option<f64>>,
}

impl Indexes {
    /// Of a zone whose frames are free where `free` says so.
    pub(super) fn of(free: &[bool]) -> Self {
        let blocks = blocks(free.to_vec());
        let frames = |order: usize| (blocks[order] << order) as f64;
        let all: f64 = (0..ORDERS).map(frames).sum();
        let count: usize = blocks.iter().sum();
        let unusable = |order: usize| {
            let suitable: f64 = (order..ORDERS).map(frames).sum();
            if all > 0.0 { (all - suitable) / all } else { 0.0 }
        };
        let fragmentation = |order: usize| {
            let fits = blocks[order..].iter().any(|&blocks| blocks > 0);
            let requested = (1_usize << order) as f64;
            match count {
                0 => Some(0.0),
                _ if fits => None,
                _ => Some(1.0 - (1.0 + all / requested) / count as f64),
            }
        };
        Self {
            unusable: (0..ORDERS).map(unusable).collect(),
            fragmentation: (0..ORDERS).map(fragmentation).collect(),
        }
    }
}

/// Free blocks by order: as large as they get at multiples of their size.
fn blocks(mut free: Vec<bool>) -> [usize; ORDERS] {
    let count = |free: &[bool]| free.iter().filter(|&&free| free).count();
    let mut found = [0; ORDERS];
    for blocks in &mut found[..ORDERS - 1] {
        let both = |pair: &[bool]| pair.len() == 2 && pair[0] && pair[1];
        let whole: Vec<bool> = free.chunks(2).map(both).collect();
        *blocks = count(&free) - 2 * count(&whole);
        free = whole;
    }
    found[ORDERS - 1] = count(&free);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_zone_is_usable_and_every_second_frame_is_not() {
        let all = Indexes::of(&[true; 2048]);
        assert!(all.unusable.iter().all(|&share| share == 0.0));
        assert!(all.fragmentation.iter().all(Option::is_none));
        let second: Vec<bool> = (0..2048).map(|frame| frame % 2 == 0).collect();
        let second = Indexes::of(&second);
        assert_eq!((second.unusable[0], second.unusable[1]), (0.0, 1.0));
        // The kernel's 1000 − (1000 + 1024 · 1000 / 512) / 1024 for order 9 is 997.
        assert_eq!(second.fragmentation[0], None);
        assert!((second.fragmentation[9].unwrap() - 0.997).abs() < 1e-3);
        // One frame is lack of memory.
        let one: Vec<bool> = (0..2048).map(|frame| frame == 5).collect();
        assert!(Indexes::of(&one).fragmentation[9].unwrap() <= 0.0);
        assert_eq!(Indexes::of(&[false; 64]).fragmentation[3], Some(0.0));
    }

    #[test]
    fn blocks_are_as_large_as_their_places_allow() {
        // Frames 2 to 8 are free: 2 and 3, 4 to 7, 8.
        let free: Vec<bool> = (0..12).map(|frame| (2..9).contains(&frame)).collect();
        let found = blocks(free.clone());
        assert_eq!(found[..4], [1, 1, 1, 0]);
        let of = Indexes::of(&free);
        assert!((of.unusable[1] - 1.0 / 7.0).abs() < 1e-9 && of.unusable[3] == 1.0);
    }
}
