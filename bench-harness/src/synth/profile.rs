//! A profile: sizes with rates and live counts, from CSV.

use crate::error::{Context, Failure, Result};
use std::path::Path;

/// A size of a profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    /// Allocations in a unit of time.
    pub(super) rate: f64,
    /// Live blocks.
    pub(super) live: f64,
}

/// A profile.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profile {
    pub(super) sizes: Vec<Size>,
}

impl Profile {
    /// Reads `bytes, rate, live` lines; a first line of words is a heading, and `#` begins a remark.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).context(|| format!("cannot read {name}"))?;
        let mut sizes = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            let heading = sizes.is_empty() && line.starts_with(|c: char| c.is_alphabetic());
            if line.is_empty() || (heading && number == 1) {
                continue;
            }
            sizes.push(size(line).map_err(|why| {
                Failure::input(format!(
                    "{name}, line {number}: {why}; a line is a size in bytes, its rate and its live count, \
                     for example 64, 12.5, 300"
                ))
            })?);
        }
        let sum: f64 = sizes.iter().map(|size| size.rate).sum();
        if sum <= 0.0 || sizes.iter().map(|size| size.live).sum::<f64>() <= 0.0 {
            return Err(Failure::input(format!("{name} has no size that is asked for and lives")));
        }
        Ok(Self { sizes })
    }

    /// The sizes up to `largest`, so many times as often that their live bytes are `heap`; what was left
    /// out, as a number of sizes and a share of the live bytes.
    pub(super) fn scaled(&self, heap: u64, largest: u64) -> Result<(Self, usize, f64)> {
        let bytes = |sizes: &[Size]| -> f64 {
            sizes.iter().map(|size| size.bytes as f64 * size.live).sum()
        };
        let mut sizes = self.sizes.clone();
        sizes.retain(|size| size.bytes <= largest);
        let kept = bytes(&sizes);
        if kept <= 0.0 || sizes.iter().all(|size| size.rate == 0.0) {
            return Err(Failure::input(format!(
                "no size of the profile is small enough for a heap of {heap} bytes: give a larger one"
            )));
        }
        let left = (self.sizes.len() - sizes.len(), 1.0 - kept / bytes(&self.sizes));
        let factor = heap as f64 / kept;
        for size in &mut sizes {
            size.rate *= factor;
            size.live *= factor;
        }
        Ok((Self { sizes }, left.0, left.1))
    }
}

fn size(line: &str) -> std::result::Result<Size, String> {
    let words: Vec<&str> = line.split(',').map(str::trim).collect();
    let &[bytes, rate, live] = &words[..] else {
        return Err(format!("{} values where there must be 3", words.len()));
    };
    let weight = |word: &str| match word.parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err(format!("{word:?} is no number from 0 up")),
    };
    // Some tools write sizes as fractions, too.
    match weight(bytes)? {
        size if (1.0..9e15).contains(&size) => {
            Ok(Size { bytes: size as u64, rate: weight(rate)?, live: weight(live)? })
        }
        _ => Err(format!("{bytes} is no size of a block")),
    }
}

/// Draws places of a table by weight.
#[derive(Clone, Debug)]
pub(super) struct Wheel {
    sums: Vec<f64>,
}

impl Wheel {
    pub(super) fn new(weights: impl Iterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        Self { sums: sums.collect() }
    }

    /// The sum of all weights.
    pub(super) fn total(&self) -> f64 {
        self.sums.last().copied().unwrap_or(0.0)
    }

    /// The place for a number of 0 up to 1.
    pub(super) fn at(&self, share: f64) -> usize {
        let wanted = share * self.total();
        self.sums.partition_point(|&sum| sum <= wanted).min(self.sums.len() - 1)
    }
}
