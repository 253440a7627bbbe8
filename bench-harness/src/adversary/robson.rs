//! Robson's adversary (J. M. Robson, "Bounds for some functions concerning dynamic storage
//! allocation", Journal of the ACM 21, 1974), in the form of Cohen and Petrank, "Limitations of
//! partial compaction" (PLDI 2013): a program that never has more than M words live, in blocks of
//! powers of two up to n, and makes any allocator that does not move blocks need about
//! M (log₂ n / 2 + 1) words.

use super::Holder;

/// A game.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Game {
    /// Bytes of a word, many enough for a header of some bytes not to count much.
    pub(crate) word: usize,
    /// M, in words.
    pub(crate) live: usize,
    /// log₂ n.
    pub(crate) steps: u32,
}

impl Game {
    /// M in bytes.
    pub(crate) const fn bytes(self) -> usize {
        self.live * self.word
    }

    /// No allocator that does not move blocks does with less, × M.
    pub(crate) const fn bound(self) -> f64 {
        let (live, largest) = (self.live as f64, (1_u64 << self.steps) as f64);
        (live * (self.steps as f64 / 2.0 + 1.0) - largest + 1.0) / live
    }

    /// First fit does with this, × M, whatever the program: H(n) / ln 2.
    #[cfg(test)]
    pub(crate) fn first_fit_does_with(self) -> f64 {
        let harmonic: f64 = (1..=1_u64 << self.steps).map(|k| 1.0 / k as f64).sum();
        harmonic / std::f64::consts::LN_2
    }

    /// The buddy system does with this, × M, of blocks of powers of two: 1 + log₂ n.
    #[cfg(test)]
    pub(crate) fn buddies_do_with(self) -> f64 {
        f64::from(self.steps) + 1.0
    }

    /// By how much requests are shortened, so that the program's words are whole with a block's
    /// header: its argument is about where blocks lie, header or not. `distance` tells how far
    /// neighbours of a size lie apart.
    pub(crate) fn header(
        self,
        mut distance: impl FnMut(usize) -> Result<Option<usize>, String>,
    ) -> Result<usize, String> {
        for header in (0..self.word).step_by(8) {
            if distance(self.word - header)?.is_some_and(|distance| distance <= self.word) {
                return Ok(header);
            }
        }
        Err(format!("no block of it fits into {} bytes", self.word))
    }

    /// Plays against an empty holder; false as soon as a block cannot be had. `step` is called before
    /// the first step and after each.
    pub(crate) fn play<H: Holder>(
        self,
        holder: &mut H,
        header: usize,
        mut step: impl FnMut(&mut H),
    ) -> bool {
        for _ in 0..self.live {
            if !holder.take(self.word - header) {
                return false;
            }
        }
        step(holder);
        let words = |holder: &H, place: usize| (holder.bytes(place) + header) / self.word;
        let mut offset = 0;
        for power in 1..=self.steps {
            let modulus = 1_usize << power;
            // A block occupies an offset when one of its words has an address that is congruent to it.
            let occupies = |holder: &H, place: usize, offset: usize| {
                let start = holder.start(place) / self.word;
                (offset + modulus - start % modulus) % modulus < words(holder, place)
            };
            // What the blocks that stay keep from being used, beyond their own words.
            let waste = |holder: &H, offset: usize| -> usize {
                let all = 0..holder.count();
                let staying = all.filter(|&place| occupies(holder, place, offset));
                staying.map(|place| modulus - words(holder, place)).sum()
            };
            let other = offset + modulus / 2;
            if waste(holder, other) > waste(holder, offset) {
                offset = other;
            }
            for place in (0..holder.count()).rev() {
                if !occupies(holder, place, offset) {
                    holder.give(place);
                }
            }
            let live: usize = (0..holder.count()).map(|place| words(holder, place)).sum();
            for _ in 0..(self.live - live) / modulus {
                if !holder.take(modulus * self.word - header) {
                    return false;
                }
            }
            step(holder);
        }
        true
    }
}

/// Robson's bound for a program of which no more than its live bytes and its largest block are known, in
/// bytes, with words of 16: what some program with these needs of every allocator that does not move
/// blocks.
pub(crate) fn ceiling(live: u64, largest: u64) -> u64 {
    const WORD: u64 = 16;
    let largest = largest.min(live).div_ceil(WORD).max(1);
    let game = Game {
        word: WORD as usize,
        live: (live.div_ceil(WORD).max(1)) as usize,
        steps: largest.ilog2(),
    };
    (game.bound() * game.bytes() as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_robsons() {
        // M = 64 Mi words, n = 2^16: the figure of the literature is 9 M less a little.
        let game = Game { word: 16, live: 1 << 22, steps: 16 };
        assert!((game.bound() - 9.0).abs() < 0.02, "{}", game.bound());
        assert_eq!(Game { word: 16, live: 100, steps: 0 }.bound(), 1.0);
        assert_eq!(ceiling(1 << 20, 16), 1 << 20);
        let of = ceiling(64 << 20, 1 << 20) as f64 / f64::from(64 << 20);
        assert!((8.9..9.0).contains(&of), "{of}");
    }
}
