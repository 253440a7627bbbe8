//! The control: nothing is searched, split or joined.

use crate::regions::{Claims, RegionSubject};
use crate::subject::Description;
use std::alloc::Layout;
use std::ptr::NonNull;

/// Powers of two: a stack of given-back blocks for each, and a boundary above all that was ever handed
/// out. What the harness's own loop costs, and how long a call takes at least.
#[derive(Debug)]
pub struct FixedSlots {
    back: [Vec<u32>; 32],
    used: usize,
    end: usize,
}

/// The power that a layout takes.
#[inline(always)]
fn power(layout: Layout) -> usize {
    let bytes = layout.size().max(layout.align()).max(8);
    (usize::BITS - (bytes - 1).leading_zeros()) as usize
}

impl RegionSubject for FixedSlots {
    type Block = u32;
    const CLAIMS: Claims = Claims::Nothing;

    fn describe() -> Description {
        Description {
            name: "fixed-slots".into(),
            purge_settings: "control".into(),
            calibration: true,
            ..Description::default()
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        // Reserved, so that no call of the timed ones grows a stack.
        let back = std::array::from_fn(|_| Vec::with_capacity(1 << 14));
        (region.len() <= u32::MAX as usize).then_some(Self { back, used: 0, end: region.len() })
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<u32> {
        let power = power(layout);
        if let Some(block) = self.back.get_mut(power)?.pop() {
            return Some(block);
        }
        let start = self.used.next_multiple_of(layout.align());
        if start + (1 << power) > self.end {
            return None;
        }
        self.used = start + (1 << power);
        Some(start as u32)
    }

    #[inline]
    unsafe fn free(&mut self, block: u32, layout: Layout) {
        self.back[power(layout)].push(block);
    }

    #[inline]
    fn start(&self, block: u32) -> usize {
        block as usize
    }
}
