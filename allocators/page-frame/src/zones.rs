//! Several zones with an order of fallback, watermarks, and a callback that reclaims.

use strata_core::sync::{AtomicU64, Ordering};
use strata_core::{ConfigError, Exhausted, FrameId, Order};

use crate::error::FreeError;
use crate::frames::PageFrames;

/// How many frames of a zone stay free, as in Linux.
///
/// | free frames | what happens |
/// |---|---|
/// | `high` and more | nothing |
/// | below `low` | the zone is passed over while another has more; then the callback is asked |
/// | below `min` | only urgent requests are served |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermarks {
    /// Kept for urgent requests.
    pub min: u64,
    /// Where reclaiming begins.
    pub low: u64,
    /// Where reclaiming may end.
    pub high: u64,
}

/// A zone among others.
#[derive(Debug)]
pub struct Zone<'m> {
    frames: PageFrames<'m>,
    base: FrameId,
    marks: Watermarks,
    used: AtomicU64,
}

impl<'m> Zone<'m> {
    /// A zone whose first frame is number `base` among all zones' frames.
    ///
    /// # Errors
    ///
    /// Unless min ≤ low ≤ high ≤ the zone's frames.
    pub fn new(
        frames: PageFrames<'m>,
        base: FrameId,
        marks: Watermarks,
    ) -> Result<Self, ConfigError> {
        let Watermarks { min, low, high } = marks;
        if min > low || low > high || high > frames.frames() {
            let rule = "must be at least min and low, and at most the zone's frames";
            return Err(ConfigError::new("high", high as usize, rule));
        }
        let used = frames.frames() - frames.free_frames();
        Ok(Self { frames, base, marks, used: AtomicU64::new(used) })
    }

    /// The zone's allocator. Frames that are taken here directly are not counted for watermarks.
    pub fn frames(&self) -> &PageFrames<'m> {
        &self.frames
    }

    /// Frames that are not handed out.
    pub fn free(&self) -> u64 {
        // Relaxed: a count.
        self.frames.frames() - self.used.load(Ordering::Relaxed).min(self.frames.frames())
    }

    /// Takes a block if at least `reserve` frames stay free.
    fn alloc(&self, order: Order, reserve: u64) -> Result<FrameId, Exhausted> {
        let most = self.frames.frames().saturating_sub(reserve);
        let count = order.frames();
        // Relaxed, here and below: a count, which orders nothing.
        let charged = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(count).filter(|used| *used <= most)
        });
        charged.map_err(|_| Exhausted)?;
        let taken = self.frames.alloc(order);
        if taken.is_err() {
            self.used.fetch_sub(count, Ordering::Relaxed);
        }
        taken.map(|frame| FrameId(self.base.0 + frame.0))
    }

    /// The zone's own number of a frame.
    fn own(&self, frame: FrameId) -> Option<FrameId> {
        let own = frame.0.checked_sub(self.base.0)?;
        (own < self.frames.frames()).then_some(FrameId(own))
    }
}

/// How much a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It can wait for the callback.
    Normal,
    /// It cannot wait, and may take what `min` keeps.
    Urgent,
}

/// Zones in the order in which they are asked.
///
/// ```
/// # use core::mem::MaybeUninit;
/// # use strata_core::{Exhausted, FrameId, Order};
/// # use strata_page_frame::{Geometry, PageFrames};
/// use strata_page_frame::zones::{Urgency, Watermarks, Zone, Zones};
/// # let layout = PageFrames::metadata_layout(1024, 0, Geometry::DEFAULT)?;
/// # let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
/// # let frames = PageFrames::new(1024, 0, Geometry::DEFAULT, &mut metadata)?;
/// let marks = Watermarks { min: 100, low: 200, high: 300 };
/// let zones = [Zone::new(frames, FrameId(4096), marks)?];
/// let zones = Zones::new(&zones, |_short| false); // nothing to reclaim
/// let order = Order::new(9).unwrap();
/// let block = zones.alloc(order, Urgency::Normal)?;
/// assert!(block.0 >= 4096);
/// assert_eq!(zones.alloc(order, Urgency::Normal), Err(Exhausted)); // it would go below min
/// assert!(zones.alloc(order, Urgency::Urgent).is_ok());
/// zones.free(block, order)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Zones<'z, 'm, R> {
    zones: &'z [Zone<'m>],
    reclaim: R,
}

impl<'z, 'm, R: Fn(u64) -> bool> Zones<'z, 'm, R> {
    /// `zones`, asked in this order. `reclaim` is called with how many frames are missing to the
    /// first zone's `high` when all zones are below `low`; it answers whether it freed any, and may
    /// free frames here.
    pub fn new(zones: &'z [Zone<'m>], reclaim: R) -> Self {
        Self { zones, reclaim }
    }

    /// Takes a block from the first zone that stays at `low` or above; then from the first that
    /// stays at `min`, after reclaiming; for urgent requests then from any.
    ///
    /// # Errors
    ///
    /// When no zone has such a block within its watermarks.
    pub fn alloc(&self, order: Order, urgency: Urgency) -> Result<FrameId, Exhausted> {
        let pass = |reserve: fn(&Watermarks) -> u64| {
            self.zones.iter().find_map(|zone| zone.alloc(order, reserve(&zone.marks)).ok())
        };
        if let Some(frame) = pass(|marks| marks.low) {
            return Ok(frame);
        }
        if urgency == Urgency::Urgent {
            return pass(|marks| marks.min).or_else(|| pass(|_| 0)).ok_or(Exhausted);
        }
        let short =
            self.zones.first().map_or(0, |zone| zone.marks.high.saturating_sub(zone.free()));
        if (self.reclaim)(short)
            && let Some(frame) = pass(|marks| marks.low)
        {
            return Ok(frame);
        }
        pass(|marks| marks.min).ok_or(Exhausted)
    }

    /// Gives back a block of any of the zones.
    ///
    /// # Errors
    ///
    /// As [`PageFrames::free`].
    pub fn free(&self, frame: FrameId, order: Order) -> Result<(), FreeError> {
        let found = self.zones.iter().find_map(|zone| Some((zone, zone.own(frame)?)));
        let (zone, own) = found.ok_or(FreeError::OutOfRange)?;
        zone.frames.free(own, order)?;
        zone.used.fetch_sub(order.frames(), Ordering::Relaxed);
        Ok(())
    }
}
