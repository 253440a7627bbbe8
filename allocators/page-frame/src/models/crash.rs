//! A program that stops at any step, and what recovery finds.

use super::*;

/// What a program that may crash writes down: frames that it has, and those that it is freeing.
struct Records {
    owned: AtomicU64,
    freeing: AtomicU64,
}

impl Records {
    fn take(&self, local: &Local<'_>) -> Option<FrameId> {
        let frame = local.alloc(ONE).ok()?;
        self.owned.fetch_or(1 << frame.0, Ordering::Relaxed);
        Some(frame)
    }

    fn free(&self, local: &Local<'_>, frame: FrameId) {
        self.freeing.fetch_or(1 << frame.0, Ordering::Relaxed);
        self.owned.fetch_and(!(1 << frame.0), Ordering::Relaxed);
        local.free(frame, ONE).unwrap();
        self.freeing.fetch_and(!(1 << frame.0), Ordering::Relaxed);
    }

    /// Goes through all of a stock's ways.
    fn work(&self, local: &Local<'_>) {
        let first = self.take(local);
        let second = self.take(local);
        first.map(|frame| self.free(local, frame));
        self.take(local);
        second.map(|frame| self.free(local, frame));
        local.drain();
    }
}

#[test]
fn recovery_accounts_for_every_frame_wherever_one_stopped() {
    at_each_step(200, |steps| {
        let free = 1 << 48 | 1 << 32 | 1;
        let zone = stocked(free);
        let records = Records { owned: AtomicU64::new(0), freeing: AtomicU64::new(0) };
        let records = Arc::new(records);
        let other = {
            let (zone, records) = (Arc::clone(&zone), Arc::clone(&records));
            thread::spawn(move || {
                let local = core::mem::ManuallyDrop::new(zone.frames.local(0).unwrap());
                stopped_after(steps, || records.work(&local)).is_some()
            })
        };
        let done = other.join().unwrap();
        assert!(done || steps < 200, "the work has more steps than were tried");
        let owned = records.owned.load(Ordering::Relaxed);
        zone.tables().recover(|frame| (owned | !free) >> frame.0 & 1 == 1);
        // What is taken is what somebody has, or what he knows that he was freeing.
        let taken = zone.words.rows[0].load(Ordering::Relaxed) & free;
        let freeing = records.freeing.load(Ordering::Relaxed);
        assert_eq!(taken & !freeing, owned & !freeing, "lost, or handed out unknown");
        zone.settle(u64::from((taken | !free).count_ones()));
    });
}
