//! The plainest exact frame allocator there is.

use crate::frames::{FrameSubject, HUGE};
use crate::subject::Description;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A bit for each frame under one lock, first fit from where the last search ended.
pub struct LockedBitmap(Mutex<Bitmap>);

struct Bitmap {
    /// Bits of frames in use.
    used: Vec<u64>,
    /// The word where the next search begins.
    next: usize,
}

impl Bitmap {
    /// Whether a range is all free (or all used, with `used`).
    fn all(&self, frame: usize, frames: usize, used: bool) -> bool {
        if frames >= 64 {
            let word = if used { u64::MAX } else { 0 };
            return self.used[frame / 64..(frame + frames) / 64].iter().all(|&found| found == word);
        }
        let mask = mask(frame, frames);
        self.used[frame / 64] & mask == if used { mask } else { 0 }
    }

    /// Marks a range.
    fn set(&mut self, frame: usize, frames: usize, used: bool) {
        if frames >= 64 {
            let word = if used { u64::MAX } else { 0 };
            self.used[frame / 64..(frame + frames) / 64].fill(word);
        } else if used {
            self.used[frame / 64] |= mask(frame, frames);
        } else {
            self.used[frame / 64] &= !mask(frame, frames);
        }
    }

    /// The first free range of `frames` in or after the word `first`.
    fn find(&self, first: usize, frames: usize) -> Option<usize> {
        let step = frames.div_ceil(64);
        let first = first.next_multiple_of(step);
        for word in (first..self.used.len()).step_by(step) {
            if frames < 64 && self.used[word] == u64::MAX {
                continue;
            }
            let mut places = (word * 64..(word + step) * 64).step_by(frames);
            if word + step <= self.used.len()
                && let Some(frame) = places.find(|&frame| self.all(frame, frames, false))
            {
                return Some(frame);
            }
        }
        None
    }
}

/// The bits of fewer than 64 frames in their word.
fn mask(frame: usize, frames: usize) -> u64 {
    ((1 << frames) - 1) << (frame % 64)
}

impl LockedBitmap {
    /// The bitmap, also after another thread panicked: that thread's job has failed.
    fn lock(&self) -> MutexGuard<'_, Bitmap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FrameSubject for LockedBitmap {
    type Local<'a> = ();
    const SHARES_LOCALS: bool = true;

    fn describe() -> Description {
        Description {
            name: "locked-bitmap".into(),
            purge_settings: "one lock, next fit".into(),
            calibration: true,
            ..Description::default()
        }
    }

    fn new(frames: usize, _locals: usize) -> Option<Self> {
        Some(Self(Mutex::new(Bitmap { used: vec![0; frames / 64], next: 0 })))
    }

    fn max_order(&self) -> u8 {
        18
    }

    fn local(&self, _index: usize) {}

    fn get(&self, (): &mut (), order: u8) -> Option<usize> {
        let mut bitmap = self.lock();
        let frames = 1 << order;
        let from = bitmap.next;
        let found = bitmap.find(from, frames).or_else(|| bitmap.find(0, frames))?;
        bitmap.set(found, frames, true);
        bitmap.next = found / 64;
        Some(found)
    }

    fn put(&self, (): &mut (), frame: usize, order: u8) -> bool {
        let mut bitmap = self.lock();
        let frames = 1 << order;
        let known = frame.is_multiple_of(frames) && frame + frames <= bitmap.used.len() * 64;
        let taken = known && bitmap.all(frame, frames, true);
        if taken {
            bitmap.set(frame, frames, false);
        }
        taken
    }

    fn free_frames(&self) -> Option<usize> {
        Some(self.lock().used.iter().map(|word| word.count_zeros() as usize).sum())
    }

    fn free_huge(&self) -> Option<usize> {
        let bitmap = self.lock();
        let huge = bitmap.used.chunks_exact(HUGE / 64);
        Some(huge.filter(|rows| rows.iter().all(|&row| row == 0)).count())
    }
}
