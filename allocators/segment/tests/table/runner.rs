//! A table and its oracle: a program read from bytes is played on both, and they must agree.
//!
//! The oracle is a list of `Vec<u8>`s that knows nothing of addresses. Any bytes are a program, so
//! that a fuzzer can drive it: `play(bytes)` is a whole target.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::bytes::Bytes;
use strata_segment::Policy;
use strata_segment::table::{
    Budget, Fault, Handle, OnFull, Permissions, Pinned, PinnedMut, Refused, SegmentTable,
    TableStore,
};

/// Bytes of a region, and of what lies between two, so that no two are neighbours.
const REGION: usize = 12 << 10;
const BETWEEN: usize = 64;
/// Rows of the table.
const ROWS: usize = 48;
/// What lengths are rounded to.
const UNIT: usize = 16;

enum Guard<'m> {
    Read(Pinned<'m>),
    Write(PinnedMut<'m>),
}

struct Live<'m> {
    handle: Handle,
    bytes: Vec<u8>,
    permissions: Permissions,
    align: usize,
    guards: Vec<Guard<'m>>,
}

impl Live<'_> {
    fn is_written_by_guard(&self) -> bool {
        matches!(self.guards.first(), Some(Guard::Write(_)))
    }

    /// What an access must come to, pins aside.
    fn judge(&self, wanted: Permissions, offset: usize, len: usize) -> Result<(), Fault> {
        let held = self.permissions;
        if !held.contains(wanted) {
            return Err(Fault::Permission { wanted, held });
        }
        let (end, limit) = (offset.saturating_add(len), self.bytes.len());
        if end > limit { Err(Fault::Limit { end, limit }) } else { Ok(()) }
    }
}

struct Player<'m, P: Policy> {
    table: SegmentTable<'m, P>,
    live: Vec<Live<'m>>,
    dead: Vec<Handle>,
    regions: usize,
    on_full: OnFull,
    stamp: u8,
}

const RIGHTS: [Permissions; 5] = [
    Permissions::READ_WRITE,
    Permissions::READ,
    Permissions::WRITE,
    Permissions::NONE,
    Permissions::READ_WRITE,
];

impl<'m, P: Policy> Player<'m, P> {
    fn pick(&self, bytes: &mut Bytes<'_>) -> Option<usize> {
        let at = bytes.next();
        (!self.live.is_empty()).then(|| at % self.live.len())
    }

    fn is_still(&self) -> bool {
        self.live.iter().any(|live| !live.guards.is_empty())
    }

    fn free(&self) -> usize {
        self.table.stats().free.get()
    }

    /// Whether a request for `need` more bytes must succeed: ideal compaction would serve it.
    fn must_serve(&self, need: usize) -> bool {
        let plain = self.live.iter().all(|live| live.align <= UNIT);
        self.on_full == OnFull::Compact { at_most: usize::MAX }
            && self.regions == 1
            && plain
            && !self.is_still()
            && need.next_multiple_of(UNIT) <= self.free()
    }

    fn create(&mut self, bytes: &mut Bytes<'_>) {
        let len = bytes.len();
        let align = match bytes.next() {
            low @ 0..=199 => 1 << (low % 5),
            high => 1 << (high % 9),
        };
        let must = self.must_serve(len) && align <= UNIT && self.live.len() < ROWS / 2;
        let made = self.table.create_aligned(len, align, Permissions::READ_WRITE);
        let handle = match made {
            Ok(handle) => handle,
            Err(why) => {
                match why {
                    Refused::ZeroLength => assert_eq!(len, 0),
                    Refused::Exhausted => assert!(!must, "{len} of {}", self.free()),
                    Refused::TableFull => assert!(self.live.len() >= ROWS / 2),
                    other => panic!("{other}"),
                }
                return;
            }
        };
        assert!(len > 0 && self.table.limit(handle) == Ok(len));
        assert!(!self.dead.contains(&handle), "a handle comes once");
        self.stamp = self.stamp.wrapping_add(41);
        let contents: Vec<u8> =
            (0..len).map(|at| self.stamp.wrapping_add((at as u8).wrapping_mul(3))).collect();
        self.table.store(handle, 0, &contents).unwrap();
        let permissions = RIGHTS[bytes.next() % RIGHTS.len()];
        self.table.protect(handle, permissions).unwrap();
        self.live.push(Live { handle, bytes: contents, permissions, align, guards: Vec::new() });
    }

    fn end(&mut self, at: usize) {
        let live = &self.live[at];
        let freed = self.table.free(live.handle);
        if live.guards.is_empty() {
            assert_eq!(freed, Ok(()));
            self.dead.push(self.live.swap_remove(at).handle);
        } else {
            assert_eq!(freed, Err(Fault::Pinned));
        }
    }

    fn resize(&mut self, at: usize, len: usize) {
        let old = self.live[at].bytes.len();
        // Beyond what the segment takes up now: its neighbours part.
        let more = len.saturating_sub(old.next_multiple_of(UNIT));
        let must = self.must_serve(more) && self.live.len() < ROWS / 2;
        let live = &mut self.live[at];
        match self.table.resize(live.handle, len) {
            Ok(()) => {
                assert!(len > 0 && live.guards.is_empty());
                let new = self.stamp;
                live.bytes.resize(len, new);
                if len > old {
                    self.table.protect(live.handle, Permissions::READ_WRITE).unwrap();
                    self.table.write(live.handle, old, len - old).unwrap().fill(new);
                    self.table.protect(live.handle, live.permissions).unwrap();
                }
            }
            Err(Refused::Fault(fault)) => {
                assert!(fault == Fault::Pinned && !live.guards.is_empty());
            }
            Err(Refused::ZeroLength) => assert_eq!(len, 0),
            Err(Refused::Exhausted) => assert!(!must && len > old, "{old} to {len}"),
            Err(Refused::TableFull) => assert!(self.live.len() >= ROWS / 2),
            Err(other) => panic!("{other}"),
        }
    }

    fn access(&mut self, at: usize, bytes: &mut Bytes<'_>) {
        let live = &mut self.live[at];
        let (offset, len) = (bytes.wide() % 800, bytes.wide() % 800);
        let offset = if bytes.next() == 255 { usize::MAX - offset } else { offset };
        let wanted = RIGHTS[bytes.next() % RIGHTS.len()];
        let judged = live.judge(wanted, offset, len);
        assert_eq!(self.table.translate(live.handle, wanted, offset, len).map(drop), judged);

        let mut readable = live.judge(Permissions::READ, offset, len);
        if readable.is_ok() && live.is_written_by_guard() {
            readable = Err(Fault::Pinned);
        }
        match self.table.read(live.handle, offset, len) {
            Ok(slice) => assert_eq!(slice, &live.bytes[offset..offset + len]),
            Err(fault) => assert_eq!(Err(fault), readable),
        }
        let mut writable = live.judge(Permissions::READ_WRITE, offset, len);
        if writable.is_ok() && !live.guards.is_empty() {
            writable = Err(Fault::Pinned);
        }
        match self.table.write(live.handle, offset, len) {
            Ok(slice) => {
                assert_eq!(slice, &live.bytes[offset..offset + len]);
                slice.fill(self.stamp);
                live.bytes[offset..offset + len].fill(self.stamp);
            }
            Err(fault) => assert_eq!(Err(fault), writable),
        }
    }

    fn pin(&mut self, at: usize, for_writing: bool) {
        let live = &mut self.live[at];
        if for_writing {
            match self.table.pin_mut(live.handle) {
                Ok(mut guard) => {
                    assert!(live.guards.is_empty());
                    assert_eq!(&*guard, &live.bytes[..]);
                    guard.reverse();
                    live.bytes.reverse();
                    live.guards.push(Guard::Write(guard));
                }
                Err(Fault::Pinned) => assert!(!live.guards.is_empty()),
                Err(fault) => {
                    assert_eq!(Err(fault), live.judge(Permissions::READ_WRITE, 0, 0));
                }
            }
        } else {
            match self.table.pin(live.handle) {
                Ok(guard) => {
                    assert!(!live.is_written_by_guard());
                    live.guards.push(Guard::Read(guard));
                }
                Err(Fault::Pinned) => assert!(live.is_written_by_guard()),
                Err(fault) => assert_eq!(Err(fault), live.judge(Permissions::READ, 0, 0)),
            }
        }
    }

    fn compact(&mut self, bytes: &mut Bytes<'_>) {
        let (kind, amount) = (bytes.next(), bytes.wide());
        let now = Cell::new(u64::MAX - 3);
        let clock = || {
            now.set(now.get().wrapping_add(1));
            now.get()
        };
        let budget = match kind % 8 {
            0..=2 => Budget::Bytes(amount % 6000),
            3..=4 => Budget::Moves(amount % 8),
            5..=6 => Budget::Time { ticks: amount as u64 % 40, clock: &clock },
            _ => Budget::ALL,
        };
        let before = self.table.stats();
        let progress = self.table.compact(budget);
        let after = self.table.stats();
        assert!(!progress.failed);
        assert_eq!(progress.largest_free, after.largest_free.get());
        assert_eq!(before.free, after.free);
        assert_eq!((before.moved_bytes + progress.moved_bytes as u64), after.moved_bytes);
        match budget {
            Budget::Bytes(most) => assert!(progress.moved_bytes <= most),
            Budget::Moves(most) => assert!(progress.moved_segments <= most),
            Budget::Time { ticks, .. } => assert!(progress.moved_segments as u64 <= ticks),
        }
        if kind % 8 == 7 {
            assert!(progress.done && progress.needs == 0);
        }
        assert!(!(progress.done && progress.needs > 0));
        if progress.needs > 0 {
            assert!(progress.needs > budget.longest());
        }
        self.settle(progress.done);
    }

    /// Compaction in small steps comes to an end.
    fn drain(&mut self) {
        for _ in 0..4 * ROWS {
            if self.table.compact(Budget::Moves(1)).done {
                let again = self.table.compact(Budget::Moves(1));
                assert!(again.done && again.moved_segments == 0);
                return self.settle(true);
            }
        }
        panic!("compaction does not end");
    }

    /// What must hold of the places of segments.
    fn settle(&self, done: bool) {
        let movable = |handle| {
            let live = self.live.iter().find(|live| live.handle == handle).expect("is live");
            live.guards.is_empty() && live.align <= UNIT
        };
        let mut hole_end = None;
        for stretch in self.table.map() {
            match stretch.segment {
                Some(segment) => {
                    let over_hole = hole_end == Some(stretch.place);
                    assert!(!(done && over_hole && movable(segment.handle)), "left {segment:?}");
                    hole_end = None;
                }
                None => {
                    assert_ne!(hole_end, Some(stretch.place), "two holes are neighbours");
                    hole_end = Some(stretch.place + stretch.len as u64);
                }
            }
        }
    }

    /// The table and the oracle agree in everything.
    fn compare(&self) {
        self.table.validate().unwrap_or_else(|why| panic!("{why}"));
        let stats = self.table.stats();
        assert_eq!(stats.segments, self.live.len());
        let requested: usize = self.live.iter().map(|live| live.bytes.len()).sum();
        assert_eq!(stats.requested.get(), requested);
        assert_eq!(stats.free + stats.allocated, stats.managed);
        for live in &self.live {
            assert_eq!(self.table.limit(live.handle), Ok(live.bytes.len()));
            assert_eq!(self.table.permissions(live.handle), Ok(live.permissions));
            for guard in &live.guards {
                let slice: &[u8] = match guard {
                    Guard::Read(guard) => guard,
                    Guard::Write(guard) => guard,
                };
                assert_eq!(slice, &live.bytes[..]);
                let place = self.table.translate(live.handle, Permissions::NONE, 0, 0);
                assert_eq!(place.map(|at| at.as_ptr().cast_const()), Ok(slice.as_ptr()));
            }
            if live.guards.is_empty() && live.permissions.contains(Permissions::READ) {
                let bytes = self.table.read(live.handle, 0, live.bytes.len());
                assert_eq!(bytes, Ok(&live.bytes[..]));
            }
        }
    }

    fn stale(&mut self, bytes: &mut Bytes<'_>) {
        let at = bytes.next();
        if self.dead.is_empty() {
            return;
        }
        let handle = self.dead[at % self.dead.len()];
        assert_eq!(self.table.free(handle), Err(Fault::NoSegment));
        assert_eq!(self.table.resize(handle, 1), Err(Refused::Fault(Fault::NoSegment)));
        assert_eq!(self.table.relocate(handle), Err(Refused::Fault(Fault::NoSegment)));
        assert_eq!(self.table.read(handle, 0, 0), Err(Fault::NoSegment));
        assert_eq!(self.table.write(handle, 0, 0), Err(Fault::NoSegment));
        assert_eq!(self.table.store(handle, 0, &[]), Err(Fault::NoSegment));
        assert_eq!(self.table.pin(handle).err(), Some(Fault::NoSegment));
        assert_eq!(self.table.pin_mut(handle).err(), Some(Fault::NoSegment));
        assert_eq!(self.table.protect(handle, Permissions::NONE), Err(Fault::NoSegment));
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.next() % 16 {
            0..=3 => self.create(bytes),
            4..=5 => {
                if let Some(at) = self.pick(bytes) {
                    self.end(at);
                }
            }
            6..=7 => {
                let len = bytes.len();
                if let Some(at) = self.pick(bytes) {
                    self.resize(at, len);
                }
            }
            8 => {
                if let Some(at) = self.pick(bytes) {
                    self.access(at, bytes);
                }
            }
            9 => {
                let for_writing = bytes.next().is_multiple_of(3);
                if let Some(at) = self.pick(bytes) {
                    self.pin(at, for_writing);
                }
            }
            10..=11 => {
                if let Some(at) = self.pick(bytes) {
                    self.live[at].guards.pop();
                }
            }
            12..=13 => self.compact(bytes),
            14 => match bytes.next() % 4 {
                0 => self.drain(),
                1 => {
                    self.live.iter_mut().for_each(|live| live.guards.clear());
                }
                _ => {
                    if let Some(at) = self.pick(bytes) {
                        let moved = self.table.relocate(self.live[at].handle);
                        let pinned = !self.live[at].guards.is_empty();
                        assert_eq!(moved == Err(Refused::Fault(Fault::Pinned)), pinned);
                    }
                }
            },
            _ => self.stale(bytes),
        }
        self.compare();
    }
}

/// Plays a program on a table of policy `P`.
pub(crate) fn play<P: Policy>(program: &[u8]) {
    let mut bytes = Bytes(program);
    let first = bytes.next();
    let regions = 1 + first % 3;
    let on_full = match first / 4 % 4 {
        0 => OnFull::Fail,
        1 => OnFull::Compact { at_most: 2000 },
        _ => OnFull::Compact { at_most: usize::MAX },
    };
    let mut store = TableStore::<ROWS>::new();
    let mut memory = vec![0_u8; 3 * (REGION + BETWEEN)];
    let mut table: SegmentTable<'_, P> = SegmentTable::new(&mut store);
    table.set_on_full(on_full);
    for part in memory.chunks_mut(REGION + BETWEEN).take(regions) {
        table.add_slice(&mut part[..REGION]).unwrap();
    }
    let (live, dead) = (Vec::new(), Vec::new());
    let mut player = Player { table, live, dead, regions, on_full, stamp: 0 };
    let managed = player.free();
    while !bytes.0.is_empty() {
        player.step(&mut bytes);
    }
    player.live.iter_mut().for_each(|live| live.guards.clear());
    assert!(player.table.compact(Budget::ALL).done);
    player.settle(true);
    player.compare();
    // Every byte comes back.
    while !player.live.is_empty() {
        player.end(0);
    }
    assert_eq!(player.free(), managed);
    let mut handles = BTreeMap::new();
    player.dead.iter().for_each(|handle| *handles.entry(handle.to_bits()).or_insert(0) += 1);
    assert!(handles.values().all(|&count| count == 1));
}
