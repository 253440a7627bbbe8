//! The control: no thread ever sees what another one does.

use crate::frames::FrameSubject;
use crate::subject::Description;

/// An array of frames for each local, cut from the zone beforehand: what the harness's own loop
/// costs, and how far the machine itself lets two threads run beside each other.
///
/// A frame that was taken on one local and given back on another stays with the second.
pub struct PrivateArrays {
    frames: usize,
    locals: usize,
}

/// The array of one thread.
#[derive(Debug)]
pub struct Array {
    /// Frames that came back, the newest last.
    back: Vec<u32>,
    /// The first frame that was never handed out, and the first that belongs to another local.
    fresh: usize,
    end: usize,
}

impl FrameSubject for PrivateArrays {
    type Local<'a> = Array;

    fn describe() -> Description {
        Description {
            name: "private-arrays".into(),
            purge_settings: "control".into(),
            calibration: true,
            ..Description::default()
        }
    }

    fn new(frames: usize, locals: usize) -> Option<Self> {
        Some(Self { frames, locals })
    }

    fn max_order(&self) -> u8 {
        18
    }

    fn local(&self, index: usize) -> Array {
        let share = self.frames / self.locals;
        let (fresh, end) = (index * share, (index + 1) * share);
        Array { back: Vec::with_capacity(self.frames), fresh, end }
    }

    #[inline]
    fn get(&self, local: &mut Array, order: u8) -> Option<usize> {
        if let Some(frame) = local.back.pop() {
            return Some(frame as usize);
        }
        let frame = local.fresh.next_multiple_of(1 << order);
        let end = frame + (1 << order);
        if end > local.end {
            return None;
        }
        local.fresh = end;
        Some(frame)
    }

    #[inline]
    fn put(&self, local: &mut Array, frame: usize, _order: u8) -> bool {
        local.back.push(frame as u32);
        true
    }
}
