//! The oracle: who holds which frame.

use super::job::{Job, Measured, Overlap};
use super::zone::below;
use super::{FrameSubject, HUGE};
use crate::interleaved::{Member, team};
use crate::kernel::Random;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// Threads take and give back blocks at random, thread 0 of one order, the others of the other,
/// until enough frames were handed out and each thread asked for its share of them. Every frame is
/// marked with its owner by a swap, which finds a second owner whenever there is one.
///
/// Where the allocator allows it, all threads use one local: claims then meet on the same words.
pub(super) fn run<F: FrameSubject>(subject: &F, job: &Job) -> Result<Measured, String> {
    let owners: Vec<AtomicU8> = (0..job.frames).map(|_| AtomicU8::new(0)).collect();
    let shared = Shared { owners, handed: AtomicU64::new(0), done: AtomicUsize::new(0) };
    let reports = team(job.threads, |member| {
        let index = if F::SHARES_LOCALS { 0 } else { member.index };
        let order = if member.index == 0 { job.order } else { job.other };
        let mut player = Player {
            subject,
            local: subject.local(index),
            order,
            name: member.index as u8 + 1,
            shared: &shared,
            held: Vec::new(),
            report: Overlap::default(),
        };
        member.meet();
        player.play(job, member);
        // Nobody ends before all have: until then the others meet somebody.
        member.meet();
        player.end();
        player.report
    })?;
    let mut sum = Overlap::default();
    for report in reports {
        sum.handed += report.handed;
        sum.overlaps += report.overlaps;
        sum.misplaced += report.misplaced;
        sum.refused += report.refused;
        sum.empty += report.empty;
    }
    subject.drain();
    let off = |count: Option<usize>, truth: usize| count.map(|count| count as i64 - truth as i64);
    sum.frames_off = off(subject.free_frames(), job.frames);
    sum.huge_off = off(subject.free_huge(), job.frames / HUGE);
    sum.invalid = subject.validate().err();
    Ok(Measured::Overlap(sum))
}

struct Shared {
    owners: Vec<AtomicU8>,
    /// Frames handed out so far, to within what each thread has not told yet.
    handed: AtomicU64,
    /// Threads that asked for their share.
    done: AtomicUsize,
}

struct Player<'a, F: FrameSubject> {
    subject: &'a F,
    local: F::Local<'a>,
    order: u8,
    /// What it marks frames with; 0 marks free ones.
    name: u8,
    shared: &'a Shared,
    held: Vec<u32>,
    report: Overlap,
}

impl<F: FrameSubject> Player<'_, F> {
    /// Takes and gives back until all have done enough.
    fn play(&mut self, job: &Job, member: &Member<'_>) {
        let mut random = Random::new(job.seed + member.index as u64);
        let frames = 1_u64 << self.order;
        // All threads together hold up to three quarters of the zone.
        let most = (job.frames * 3 / 4 / job.threads) >> self.order;
        let share = job.handed / job.threads as u64;
        let (mut asked, mut told, mut done) = (0, 0, false);
        // Phases of growing and of shrinking, so that blocks lie anywhere.
        let mut growing = true;
        loop {
            let dice = random.next() >> 61;
            if (dice < 6) == growing && self.held.len() < most.max(1) {
                asked += frames;
                if !self.get() {
                    growing = false;
                }
            } else if self.held.is_empty() {
                growing = true;
            } else {
                self.put(below(&mut random, self.held.len()));
            }
            if self.held.len() >= most.max(1) {
                growing = false;
            }
            let untold = self.report.handed - told;
            let finished = !done && asked >= share;
            // Relaxed, all of them: numbers that only say when to stop.
            if untold >= 4096 || finished {
                self.shared.handed.fetch_add(untold, Ordering::Relaxed);
                told = self.report.handed;
            }
            if finished {
                self.shared.done.fetch_add(1, Ordering::Relaxed);
                done = true;
            }
            if member.deserted() {
                return;
            }
            if done
                && self.shared.done.load(Ordering::Relaxed) == job.threads
                && self.shared.handed.load(Ordering::Relaxed) >= job.handed
            {
                return;
            }
        }
    }

    fn get(&mut self) -> bool {
        let Some(frame) = self.subject.get(&mut self.local, self.order) else {
            self.report.empty += 1;
            return false;
        };
        let frames = 1 << self.order;
        if frame % frames != 0 || frame + frames > self.shared.owners.len() {
            self.report.misplaced += 1;
            return true;
        }
        for owner in &self.shared.owners[frame..frame + frames] {
            // AcqRel, as in `put`: the two owners of a frame see each other in some order.
            if owner.swap(self.name, Ordering::AcqRel) != 0 {
                self.report.overlaps += 1;
            }
        }
        self.report.handed += frames as u64;
        self.held.push(frame as u32);
        true
    }

    fn put(&mut self, place: usize) {
        let frame = self.held.swap_remove(place) as usize;
        for owner in &self.shared.owners[frame..frame + (1 << self.order)] {
            owner.swap(0, Ordering::AcqRel);
        }
        if !self.subject.put(&mut self.local, frame, self.order) {
            self.report.refused += 1;
        }
    }

    fn end(&mut self) {
        while !self.held.is_empty() {
            self.put(self.held.len() - 1);
        }
    }
}
