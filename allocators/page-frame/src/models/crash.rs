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

/// As [`Records`], of four rows.
struct Rows([AtomicU64; 4], [AtomicU64; 4]);

impl Rows {
    fn bits(block: Block) -> (usize, u64) {
        ((block.0 / 64) as usize, crate::row::mask((block.0 % 64) as u32, block.1))
    }

    fn take(&self, local: &Local<'_>, order: u8) -> Option<Block> {
        let order = Order::new(order).unwrap();
        let block = (local.alloc(order).ok()?.0, order.frames());
        let (row, bits) = Self::bits(block);
        self.0[row].fetch_or(bits, Ordering::Relaxed);
        Some(block)
    }

    fn free(&self, local: &Local<'_>, block: Block) {
        let (row, bits) = Self::bits(block);
        self.1[row].fetch_or(bits, Ordering::Relaxed);
        self.0[row].fetch_and(!bits, Ordering::Relaxed);
        local.free(FrameId(block.0), Order::new(block.1.trailing_zeros() as u8).unwrap()).unwrap();
        self.1[row].fetch_and(!bits, Ordering::Relaxed);
    }

    /// Cuts a huge frame in quarters, makes rows of them, also by freeing a part of one.
    fn work(&self, local: &Local<'_>) {
        let quarters = [self.take(local, 6), self.take(local, 6)];
        let part = self.take(local, 5);
        quarters.into_iter().chain([part]).flatten().for_each(|block| self.free(local, block));
        let quarter = self.take(local, 6);
        let halves = quarter.map(|(start, _)| [(start, 32), (start + 32, 32)]);
        halves.into_iter().flatten().for_each(|half| self.free(local, half));
    }
}

#[test]
fn recovery_accounts_for_every_quarter_wherever_one_stopped() {
    at_each_step(300, |steps| {
        let zone = Zone::new(8, 1, 1).shared();
        let none = || [0; 4].map(AtomicU64::new);
        let rows = Arc::new(Rows(none(), none()));
        let other = {
            let (zone, rows) = (Arc::clone(&zone), Arc::clone(&rows));
            thread::spawn(move || {
                let local = core::mem::ManuallyDrop::new(zone.frames.local(0).unwrap());
                stopped_after(steps, || rows.work(&local)).is_some()
            })
        };
        let done = other.join().unwrap();
        assert!(done || steps < 300, "the work has more steps than were tried");
        let read = |of: &[AtomicU64; 4]| of.each_ref().map(|row| row.load(Ordering::Relaxed));
        let (owned, freeing) = (read(&rows.0), read(&rows.1));
        zone.tables().recover(|frame| {
            let (row, bits) = Rows::bits((frame.0, 1));
            owned[row] & bits != 0
        });
        let mut taken = 0;
        for (i, row) in zone.words.rows.iter().enumerate() {
            let row = row.load(Ordering::Relaxed);
            assert_eq!(row & !freeing[i], owned[i] & !freeing[i], "lost, or handed out unknown");
            taken += u64::from(row.count_ones());
        }
        zone.settle(taken);
    });
}
