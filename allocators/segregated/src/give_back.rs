//! What a heap keeps without a live block, and when it goes back to the source.
//!
//! `budget.rs` says how much may be kept; here somebody looks, and purges.

use core::ptr::NonNull;

use strata_core::sync::Ordering;
use strata_core::{Contents, Source};

use crate::budget::{FLOOR, GiveBack, SPARE};
use crate::central::{Central, Platform};
use crate::class::{self, CLASSES, FRAME};
use crate::ground::{BATCH, Run};
use crate::resident::Grown;
use crate::span::SpanId;

/// Bytes that one call purges, at least where there are as many.
const PURGE: usize = 1 << 20;
/// So many looks at what is kept share one look at what is live.
const SHARED_LOOKS: usize = 16;

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// Tells the budget that purged memory is in use again. Answers how much of it had been purged for a
    /// peak.
    pub(crate) fn learn(&self, purged: usize) -> usize {
        if !P::CLOCKED || purged == 0 {
            return 0;
        }
        self.ground.with(|ground| {
            // Relaxed, both: figures of no certain moment.
            let live = self.live.load(Ordering::Relaxed);
            let of_peaks = ground.budget.wanted_again(purged, live, P::now());
            self.limit.store(ground.budget.limit(live), Ordering::Relaxed);
            self.resident.regret(of_peaks);
            of_peaks
        })
    }

    /// Bytes that are live, as of the last look.
    pub(crate) fn live(&self) -> usize {
        // Relaxed: a figure of no certain moment.
        self.live.load(Ordering::Relaxed)
    }

    /// Bytes that may be kept, as of the last look.
    pub(crate) fn limit(&self) -> usize {
        // Relaxed: a figure of no certain moment.
        self.limit.load(Ordering::Relaxed)
    }

    /// Idle bytes in spans, and in threads' slots and in chunks.
    pub(crate) fn idle_outside(&self) -> (usize, usize) {
        // Relaxed: figures of no certain moment.
        let pages = self.idle_pages.load(Ordering::Relaxed);
        let (slots, spared) =
            (self.slots.load(Ordering::Relaxed), self.spared.load(Ordering::Relaxed));
        (pages << self.page_log2(), slots + spared)
    }

    /// Purges if more than the budget is kept: at most [`PURGE`] bytes, or twice what this call made
    /// idle (`own`) or what the budget fell by, if that is more. Answers whether anything was purged.
    pub(crate) fn give_back(&self, own: usize) -> bool {
        P::idle_grew();
        if !S::PURGES {
            return false;
        }
        let (in_spans, in_slots) = self.idle_outside();
        let kept = self.ground.with(|ground| ground.idle_bytes()) + in_spans + in_slots;
        // Relaxed, all: what matters is that somebody looks now and then.
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        let limit = self.limit();
        let due = looks.is_multiple_of(SHARED_LOOKS) || self.is_due();
        if !due && kept <= limit {
            return false;
        }
        let before = limit;
        let limit = self.look();
        if kept <= limit || self.is_refused() {
            return false;
        }
        let wanted = kept - limit + limit / 8;
        // Where the budget itself fell, this call gives back what it no longer covers.
        let most = PURGE.max(2 * own).max(before.saturating_sub(limit));
        self.purge(wanted.min(most)) != 0
    }

    /// Whether more than the floor may be kept and nobody looked for a second.
    fn is_due(&self) -> bool {
        // Relaxed: see `give_back`.
        P::CLOCKED
            && self.limit() > FLOOR
            && (P::now() as usize).wrapping_sub(self.looked.load(Ordering::Relaxed)) >= 1000
    }

    /// For slow paths that change nothing here: looks again if nobody did for a second.
    #[cfg(all(feature = "std", not(strata_loom)))]
    pub(crate) fn tick(&self) {
        if self.is_due() {
            self.give_back(0);
        }
    }

    /// As [`Central::tick`], from one who keeps using `bytes` that are kept.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    pub(crate) fn tick_used(&self, bytes: usize) {
        if self.is_due() {
            self.ground.with(|ground| ground.budget.hit(bytes));
            self.give_back(0);
        }
    }

    fn is_refused(&self) -> bool {
        // Relaxed: see `give_back`.
        let until = self.refused.load(Ordering::Relaxed);
        until != 0 && P::CLOCKED && (P::now() as usize) < until
    }

    /// Looks at what is live and answers what may be kept.
    pub(crate) fn look(&self) -> usize {
        let in_classes: usize =
            (0..CLASSES).map(|class| self.live_of(class) * class::cut(class).block_len()).sum();
        self.ground.with(|ground| {
            let in_spans = in_classes.min(ground.used_bytes());
            let live = in_spans + ground.large.bytes + ground.runs_bytes();
            let now = P::now();
            if ground.budget.is_learned() {
                ground.budget.tick(now);
            }
            let limit = ground.budget.limit(live);
            // Relaxed, all: see `give_back`.
            self.looked.store(now as usize, Ordering::Relaxed);
            self.live.store(live, Ordering::Relaxed);
            self.limit.store(limit, Ordering::Relaxed);
            limit
        })
    }

    /// Purges about `wanted` idle bytes: free frames first, then pages in spans, most idle class
    /// first. Answers how many went.
    pub(crate) fn purge(&self, wanted: usize) -> usize {
        // The longest stretches are frames of spans without a live block, side by side.
        self.retire_empty();
        let mut done = self.purge_ground(wanted);
        done += self.purge_spares(wanted.saturating_sub(done));
        if done < wanted && !self.is_refused() {
            done + self.purge_spans(wanted - done, CLASSES)
        } else {
            done
        }
    }

    /// Purges about `wanted` bytes of idle frames. Answers how many went.
    pub(crate) fn purge_ground(&self, wanted: usize) -> usize {
        let page_log2 = self.page_log2();
        let mut done = 0;
        while done < wanted {
            let mut runs = [(Run { territory: 0, frame: 0, frames: 0 }, 0); BATCH];
            let picked = self.ground.with(|ground| {
                let (source, all) = (&self.source, &self.territories);
                let frames = (wanted - done).div_ceil(FRAME);
                let picked = ground.pick_idle(source, all, 1 << page_log2, frames, &mut runs);
                if picked != 0 {
                    self.transit.leave();
                }
                picked
            });
            if picked == 0 {
                break;
            }
            let mut contents = [Contents::Kept; BATCH];
            for ((run, _), contents) in runs[..picked].iter().zip(&mut contents) {
                let at = self.territories.get(run.territory).frame(run.frame);
                // SAFETY: 1. in a territory, which is a chunk of the source. 2. whole pages. 3. the
                // run counts as used and is nobody's.
                *contents = unsafe { self.source.purge(at, run.frames * FRAME) };
            }
            self.ground.with(|ground| {
                for (&(run, idle), &contents) in runs[..picked].iter().zip(&contents) {
                    ground.purged(&self.territories, run, contents);
                    if contents.is_gone() {
                        done += idle * FRAME;
                        self.resident.shrink(idle * FRAME);
                    }
                }
                ground.budget.purged(P::now());
                self.transit.arrive();
            });
            if contents[..picked].contains(&Contents::Kept) {
                self.refuse();
                return done;
            }
        }
        done
    }

    /// Purges about `wanted` bytes of idle pages in spans, those of the class with most first, those
    /// of class `spared` not. Answers how many went.
    fn purge_spans(&self, wanted: usize, spared: usize) -> usize {
        let page_log2 = self.page_log2();
        let mut done = 0;
        while done < wanted {
            let others = self.all_shelves().filter(|(class, _)| *class != spared);
            let Some((class, shelf)) = others.max_by_key(|(_, shelf)| shelf.idle()) else { break };
            if shelf.idle() == 0 {
                break;
            }
            let before = done;
            while done < wanted {
                let away = shelf.with(|lists| {
                    let before = lists.figures();
                    let away = lists.take_idle(&self.territories);
                    self.count(before, lists.figures());
                    if away.is_some() {
                        self.transit.leave();
                    }
                    away
                });
                let Some(away) = away else { break };
                // SAFETY: 1. spans lie in territories, which are chunks of the source, and pages are its
                // granules or more of them. 2. it comes back below.
                let purged = unsafe { away.purge(&self.source, page_log2) };
                if purged.undefined {
                    // Before the span comes back, and can go to the ground with such pages.
                    self.ground.with(|ground| ground.zeroed = false);
                }
                self.put_idle(class, away.id, purged.pages);
                self.resident.shrink(purged.bytes(page_log2));
                done += purged.bytes(page_log2);
                if !purged.is_all {
                    self.refuse();
                    return done;
                }
            }
            if done == before {
                // Others purge.
                break;
            }
        }
        if done != 0 {
            self.ground.with(|ground| ground.budget.purged(P::now()));
        }
        done
    }

    /// Puts a span of `class` back on its shelf that was away, of whose idle pages these were purged.
    pub(crate) fn put_idle(&self, class: usize, id: SpanId, purged: u64) {
        self.with_shelf_of(class, id, |lists| {
            let before = lists.figures();
            lists.put_idle(&self.territories, id, purged);
            self.count(before, lists.figures());
            self.transit.arrive();
        });
    }

    /// The source keeps what it should purge (its memory is locked, say): no use to ask soon again.
    pub(crate) fn refuse(&self) {
        // Relaxed: see `give_back`.
        self.refused.store(P::now() as usize + 1000, Ordering::Relaxed);
    }

    /// Purges all that can be purged. Answers how many bytes went.
    pub(crate) fn purge_all(&self) -> usize {
        self.purge(usize::MAX)
    }

    /// Chooses how much is kept from now on.
    pub(crate) fn set_give_back(&self, mode: GiveBack) {
        self.ground.with(|ground| ground.budget.mode = mode);
        self.resident.pay(!matches!(mode, GiveBack::AfterPeaks | GiveBack::Never));
        let limit = self.look();
        let (in_spans, _) = self.idle_outside();
        // Threads' slots go when their threads come by.
        let idle = self.ground.with(|ground| ground.idle_bytes() + ground.large.idle);
        if S::PURGES && idle + in_spans > limit {
            self.purge(idle + in_spans - limit);
        }
    }

    /// Gives idle pages back for memory that was just taken from the system above the high mark: the
    /// peak does not grow while memory lies idle elsewhere. Idle pages of `class` itself are what the
    /// next request gets.
    pub(crate) fn make_up(&self, class: usize, grown: Grown) {
        if grown.bytes == 0 || grown.excess == 0 {
            return;
        }
        if S::PURGES && self.resident.pays() && !self.is_refused() {
            let spare = self.spare();
            // More than the excess, so that the next ones need not.
            let wanted = grown.excess.max(self.resident.high() / 16);
            self.retire_empty();
            let (idle, in_chunks) =
                self.ground.with(|ground| (ground.idle_bytes(), ground.large.idle));
            let in_chunks = in_chunks.saturating_sub(spare);
            let mut done = 0;
            if in_chunks != 0 && !self.resident.may_creep(grown.excess) {
                done += self.purge_spares(wanted.min(in_chunks));
            }
            let idle = idle.saturating_sub(spare);
            done += self.purge_ground(wanted.saturating_sub(done).min(idle));
            let own = if class < CLASSES { self.idle_of(class) << self.page_log2() } else { 0 };
            let kept = self.idle_outside().0.saturating_sub(own).saturating_sub(spare);
            done += self.purge_spans(wanted.saturating_sub(done).min(kept), class);
            self.ground.with(|ground| ground.budget.made_up(done));
        }
        self.resident.mark();
    }

    /// Bytes that lie idle even where new memory is taken from the system: at each such moment some
    /// are just between two uses.
    pub(crate) fn spare(&self) -> usize {
        SPARE.max(self.live() / 512).max(self.resident.spare())
    }
}
