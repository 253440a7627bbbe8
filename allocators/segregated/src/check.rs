//! Walking a heap: to validate its tables, and to see its blocks.

use core::fmt;
use core::ptr::NonNull;

use strata_core::span::LEFT;
use strata_core::{ByteCount, Source};

use crate::central::{Central, Platform};
use crate::class::{self, CLASSES, FRAME};
use crate::region::{FRAMES, Use};
use crate::span::{self, Span};

/// What a validation went over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Spans.
    pub spans: usize,
    /// Blocks of spans that are in use.
    pub blocks: usize,
    /// Large blocks.
    pub large: usize,
    /// Frames in use.
    pub frames: usize,
}

#[cfg(all(feature = "profile", target_os = "linux", not(strata_loom)))]
impl Checked {
    /// What two validations went over.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            spans: self.spans + other.spans,
            blocks: self.blocks + other.blocks,
            large: self.large + other.large,
            frames: self.frames + other.frames,
        }
    }
}

/// A table that contradicts another, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What should hold and does not.
    pub law: &'static str,
    /// An address nearby.
    pub at: usize,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:#x}: {} does not hold", self.at, self.law)
    }
}

impl core::error::Error for Broken {}

/// A piece of a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walked {
    /// A block that is in use, or that another thread keeps ready.
    Block {
        /// Its first byte.
        at: NonNull<u8>,
        /// Its true length.
        len: ByteCount,
    },
    /// A free block's worth of a span, or free frames that are kept.
    Free {
        /// Its first byte.
        at: NonNull<u8>,
        /// Its length.
        len: ByteCount,
    },
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// Calls back with the class and the territory's place of each span, and with each large run.
    pub(crate) fn tenants(&self, mut visit: impl FnMut(NonNull<u8>, Use)) {
        for (number, territory) in self.territories.iter().enumerate() {
            let regions = self.ground.with(|ground| ground.regions(number));
            let (mut frame, mut last) = (0, None);
            while frame < (regions * FRAMES).min(territory.frames()) {
                // SAFETY: 1. a region in use.
                let usage = unsafe { territory.tenant(frame) }.get();
                // All frames of a span say its place.
                let place = if let Use::Span { place, .. } = usage { Some(place) } else { None };
                if place.is_none() || place != last {
                    visit(territory.frame(frame), usage);
                }
                last = place;
                frame += match usage {
                    Use::Run { whole: frames, .. } | Use::Own { frames } => {
                        (frames as usize).max(1)
                    }
                    Use::Span { .. } | Use::Nothing => 1,
                };
            }
        }
    }

    /// Calls `work` with the span at `at` under the lock of its shelf, if it is still there.
    pub(crate) fn with_span<R>(
        &self,
        at: NonNull<u8>,
        class: u8,
        place: u32,
        work: impl FnOnce(&Span) -> R,
    ) -> Option<R> {
        // The shelf's lock keeps a span on it as it is; the ground's keeps one that has just left it
        // from being given back, and its place from being used for another.
        self.with_shelf_of(class.into(), place, |_| {
            self.ground.with(|_| {
                let (territory, frame) = self.territories.locate(at.addr().get())?;
                let territory = self.territories.get(territory);
                // SAFETY: 1. it was in use a moment ago, so its region is. 2. as long as `self`.
                let there = unsafe { territory.tenant(frame) }.span_of(class.into())?;
                if there != place {
                    return None;
                }
                // SAFETY: a span of this class, which nobody changes under these two locks.
                let span = unsafe { territory.span(place).as_ref() };
                let here = span.class == class && span.base == at && span.list != LEFT;
                here.then(|| work(span))
            })
        })
    }

    /// See [`Heap::validate`](crate::Heap::validate).
    pub(crate) fn validate(&self) -> Result<Checked, Broken> {
        let mut checked = Checked::default();
        let mut broken = None;
        let mut fail = |law, at: NonNull<u8>| {
            broken.get_or_insert(Broken { law, at: at.addr().get() });
        };
        self.tenants(|at, usage| match usage {
            Use::Span { class, .. } if usize::from(class) >= CLASSES => {
                fail("a span is of a class that there is", at);
            }
            Use::Span { class, place } => {
                self.with_span(at, class, place, |span| {
                    checked.spans += 1;
                    checked.frames += span::frames(span);
                    checked.blocks += usize::from(span.total) - span.blocks.left();
                    let cut = class::cut(class.into());
                    if let Some(law) = span.broken_law(cut, self.page_log2()) {
                        fail(law, at);
                    }
                });
            }
            Use::Run { frames, whole } => {
                checked.large += 1;
                checked.frames += whole as usize;
                if frames > whole {
                    fail("a large block is no longer than its run", at);
                }
            }
            Use::Own { frames } => checked.frames += frames as usize,
            Use::Nothing => {}
        });
        self.ground.with(|ground| {
            checked.large += ground.large.count;
            if !ground.large.is_sound() {
                fail("the sums over chunks are those of the chunks", NonNull::dangling());
            }
            if let Err(at) = ground.validate(&self.territories) {
                fail("the counts of frames are those of the bitmaps", at);
            }
        });
        broken.map_or(Ok(checked), Err)
    }

    /// See [`Heap::walk`](crate::Heap::walk).
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(Walked)) {
        self.tenants(|at, usage| match usage {
            Use::Span { class, place } if usize::from(class) < CLASSES => {
                let cut = class::cut(class.into());
                let len = ByteCount(cut.block_len());
                self.with_span(at, class, place, |span| {
                    for number in 0..span.total.into() {
                        let at = span.block(cut, number);
                        visit(if span.blocks.is_free(number) {
                            Walked::Free { at, len }
                        } else {
                            Walked::Block { at, len }
                        });
                    }
                });
            }
            Use::Run { frames, whole } => {
                let (len, behind) = (frames as usize * FRAME, (whole - frames) as usize * FRAME);
                visit(Walked::Block { at, len: ByteCount(len) });
                if behind != 0 {
                    // SAFETY: inside of the run.
                    let at = unsafe { at.add(len) };
                    visit(Walked::Free { at, len: ByteCount(behind) });
                }
            }
            _ => {}
        });
        self.ground.with(|ground| {
            ground.large.each(|own| {
                visit(Walked::Block { at: own.base, len: ByteCount(own.len) });
            });
            ground.large.each_spare(|own| {
                visit(Walked::Free { at: own.base, len: ByteCount(own.warm) });
            });
            ground.each_idle(&self.territories, |at, frames| {
                visit(Walked::Free { at, len: ByteCount(frames * FRAME) });
            });
        });
    }
}
