//! A heap whose threads are gone but for one: the child of a `fork`.
//!
//! Whoever forks holds every lock, so that no table is half written. What other threads had in hand
//! between two locks is then nobody's: blocks on the way to a stock (which stay taken, for good), spans
//! that had left their shelf, spans and frames that were being purged, and sums that were not yet told.
//! Spans and frames are found again by the tables, and the sums are made anew.

use core::ptr::NonNull;

use strata_core::Source;
use strata_core::span::{AWAY, LEFT};
use strata_core::sync::Ordering;

use crate::central::{Central, Platform};
use crate::class::{CLASSES, FRAME};
use crate::region::Use;
use crate::span::{self, NONE};

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// Takes all locks, in the order that everybody takes them in.
    pub(crate) fn hold(&self) {
        for class in 0..CLASSES {
            // A class's other shelves are made under the lock of its first one.
            self.shelves[class].hold();
            self.others(class).iter().for_each(|shelf| shelf.hold());
        }
        self.ground.hold();
    }

    /// Opens all locks.
    ///
    /// # Safety
    ///
    /// 1. This thread took them by [`Central::hold`], or is that thread in a child of its process.
    pub(crate) unsafe fn let_go(&self) {
        // SAFETY: 1. the caller's, for each.
        unsafe {
            self.ground.let_go();
            self.all_shelves().for_each(|(_, shelf)| shelf.let_go());
        }
    }

    /// Takes what threads had in hand that are gone, and makes the sums anew, with `slots` bytes that
    /// threads keep which are left, or ended. O(frames ever used).
    ///
    /// # Safety
    ///
    /// 1. No other thread uses the heap, and none that had something in hand ever goes on.
    pub(crate) unsafe fn recover(&self, slots: usize) {
        let (mut chain, mut away, mut in_spans, mut in_runs) = (NONE, NONE, 0, 0);
        let page_log2 = self.page_log2();
        self.tenants(|at, usage| match usage {
            Use::Span { class, .. } if usize::from(class) < CLASSES => {
                let Some((territory, frame)) = self.territories.locate(at.addr().get()) else {
                    return;
                };
                let territory = self.territories.get(territory);
                // SAFETY: 1. the region of a tenant. 2. as long as `self`.
                let place = unsafe { territory.tenant(frame) }.span_of(class.into());
                let Some(place) = place else { return };
                // SAFETY: a span that nobody else reaches: there is no other thread (1.).
                let span = unsafe { territory.span(place).as_mut() };
                if span.list == LEFT {
                    span.next = chain;
                    chain = span.id;
                } else {
                    in_spans += span::contents(span, page_log2).count_ones() as usize * FRAME;
                    if span.list == AWAY {
                        span.next = away;
                        away = span.id;
                    }
                }
            }
            Use::Run { whole: frames, .. } | Use::Own { frames } => {
                in_runs += frames as usize * FRAME
            }
            Use::Span { .. } | Use::Nothing => {}
        });
        self.retire(chain);
        while away != NONE {
            // SAFETY: as above; a copy.
            let (next, class) = unsafe {
                let span = self.territories.span(away).as_ref();
                (span.next, span.class)
            };
            // Which of its pages were purged nobody knows: they count as idle.
            self.put_idle(class.into(), away, 0);
            away = next;
        }
        let (mut pages, mut empty) = (0, 0);
        for (_, shelf) in self.all_shelves() {
            pages += shelf.idle();
            empty += shelf.empty();
        }
        let (in_ground, spared) = self.ground.with(|ground| {
            ground.reclaim(&self.territories);
            let spared = ground.large.idle;
            (ground.idle_bytes() + ground.large.bytes + spared, spared)
        });
        // Relaxed, all: nobody else is here (1.).
        self.idle_pages.store(pages, Ordering::Relaxed);
        self.empty_spans.store(empty, Ordering::Relaxed);
        self.slots.store(slots, Ordering::Relaxed);
        self.spared.store(spared, Ordering::Relaxed);
        self.transit.settle();
        self.resident.set(in_spans + in_runs + in_ground);
    }
}

#[cfg(all(test, not(strata_loom)))]
mod tests;
