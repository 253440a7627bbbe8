//! What the programs' workloads are made from: a scale, seeded numbers, words and text.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// How much work a program is given, as a multiple of its usual work.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Scale(f64);

impl Scale {
    /// The usual work.
    pub const ONE: Self = Self(1.0);

    /// A multiple of the usual work; `None` unless it is positive and at most 1000.
    pub fn new(multiple: f64) -> Option<Self> {
        (multiple > 0.0 && multiple <= 1000.0).then_some(Self(multiple))
    }

    /// This many times `usual`, at least 1.
    pub fn of(self, usual: usize) -> usize {
        ((usual as f64 * self.0).round() as usize).max(1)
    }
}

/// Seeded random numbers and the things drawn from them.
pub struct Draw(Xoshiro256PlusPlus);

impl Draw {
    /// The sequence with this number.
    pub fn seeded(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A number below `limit`, small ones far more often: the larger of the two halves of a
    /// square, which is close enough to how words and keys are used.
    pub fn skewed(&mut self, limit: usize) -> usize {
        let unit: f64 = self.0.random();
        ((unit * unit * unit * limit as f64) as usize).min(limit - 1)
    }

    /// A number between 0 and 1.
    pub fn unit(&mut self) -> f32 {
        self.0.random()
    }

    /// One of these.
    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// A text of `words` words of the vocabulary, a full stop after every dozen or so.
    pub fn text(&mut self, words: usize) -> String {
        let mut text = String::with_capacity(words * 8);
        for nth in 0..words {
            if nth > 0 {
                text.push_str(if self.once_in(12) { ". " } else { " " });
            }
            let number = self.skewed(VOCABULARY);
            push_word(number, &mut text);
        }
        text
    }
}

/// How many words [`word`] tells apart.
pub const VOCABULARY: usize = 6000;

/// The word with this number: pronounceable, two to five syllables, the same for ever.
pub fn word(number: usize) -> String {
    let mut word = String::new();
    push_word(number, &mut word);
    word
}

/// Appends [`word`].
fn push_word(number: usize, word: &mut String) {
    const START: [&str; 16] =
        ["b", "br", "d", "f", "g", "gl", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v"];
    const VOWEL: [&str; 8] = ["a", "e", "i", "o", "u", "ai", "ea", "ou"];
    let mut rest = number.wrapping_mul(2_654_435_761) & 0xffff_ffff;
    for _ in 0..2 + number % 4 {
        word.push_str(START[rest % 16]);
        word.push_str(VOWEL[rest / 16 % 8]);
        rest = rest / 128 + number;
    }
}
