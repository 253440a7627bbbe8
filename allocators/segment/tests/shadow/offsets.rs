//! Ranges out of band, beside a map of what is out.

use std::collections::BTreeMap;

use strata_segment::{
    AllocError, ClaimError, Entry, OutOfBand, Policy, RangeId, ResizeError, SegmentId, Segments,
};

use crate::bytes::Bytes;

/// The ranges, in units, far from zero.
const BASE: u64 = 1 << 45;
const FIRST: u64 = 5000;
const MOST: u64 = 9000;
const SECOND: (u64, u64) = (20_000, 3000);

struct Held {
    id: SegmentId,
    base: u64,
    len: u64,
    tag: u32,
}

struct Shadow<P: Policy> {
    segments: Segments<P, OutOfBand<Vec<Entry>>>,
    unit: u64,
    first: RangeId,
    second: Option<RangeId>,
    live: Vec<Held>,
    ranges: BTreeMap<u64, u64>,
}

impl<P: Policy> Shadow<P> {
    fn enter(&mut self, held: Held) {
        let (start, end) = (held.base, held.base + held.len);
        let below = self.ranges.range(..end).next_back();
        assert!(below.is_none_or(|(_, &before)| before <= start), "two segments overlap");
        assert_eq!(self.segments.base(held.id), Some(held.base));
        assert_eq!(self.segments.len(held.id), Some(held.len));
        self.segments.set_tag(held.id, held.tag).unwrap();
        self.ranges.insert(start, end);
        self.live.push(held);
    }

    fn leave(&mut self, place: usize) -> Held {
        let held = self.live.swap_remove(place);
        assert_eq!(self.segments.tag(held.id), Some(held.tag), "a tag stays");
        assert_eq!(self.segments.base(held.id), Some(held.base));
        assert_eq!(self.segments.len(held.id), Some(held.len));
        assert_eq!(self.ranges.remove(&held.base), Some(held.base + held.len));
        held
    }

    fn entered(&mut self, id: SegmentId, tag: u32) {
        let (base, len) = (self.segments.base(id).unwrap(), self.segments.len(id).unwrap());
        assert_eq!(self.segments.tag(id), Some(0));
        self.enter(Held { id, base, len, tag });
    }

    /// More entries, where one was missing.
    fn lengthen(&mut self) {
        let more = self.segments.storage().len() + 40;
        let old = self.segments.replace_storage(vec![Entry::EMPTY; more]).unwrap();
        assert_eq!(old.len(), more - 40);
    }

    fn step(&mut self, bytes: &mut Bytes<'_>, tag: u32) -> Option<()> {
        let choice = bytes.next()?;
        let unit = self.unit;
        match choice % 16 {
            0..=4 => {
                let align = 1 << (choice / 16);
                let len = bytes.len(1500)? as u64 * unit;
                match self.segments.allocate_range(len, align) {
                    Ok(id) => {
                        self.entered(id, tag);
                        assert_eq!(self.live.last().unwrap().base % align, 0);
                    }
                    Err(AllocError::NoEntry) => self.lengthen(),
                    Err(error) => {
                        assert_eq!(error, AllocError::Exhausted);
                        assert!(self.segments.largest_free() < 4 * (len + align), "refused");
                    }
                }
            }
            5..=7 if !self.live.is_empty() => {
                let held = self.leave(bytes.wide()? % self.live.len());
                self.segments.free(held.id).unwrap();
                assert!(self.segments.free(held.id).is_err());
            }
            8 | 9 if !self.live.is_empty() => {
                let (place, len) = (bytes.wide()?, bytes.len(2000)? as u64 * unit);
                let mut held = self.leave(place % self.live.len());
                match self.segments.resize_range(held.id, len) {
                    Ok(()) => held.len = self.segments.len(held.id).unwrap(),
                    Err(ResizeError::NoEntry) => self.lengthen(),
                    Err(error) => assert_eq!(error, ResizeError::NoRoom),
                }
                self.enter(held);
            }
            10 if !self.live.is_empty() => {
                let (place, by) = (bytes.wide()?, bytes.next()? as u64 * unit);
                let mut held = self.leave(place % self.live.len());
                let base = held.base + by - 128 * unit;
                if self.segments.rebase(held.id, base).is_ok() {
                    held.len = held.base + held.len - base;
                    held.base = base;
                }
                self.enter(held);
            }
            11 | 12 if !self.live.is_empty() => {
                let mut held = self.leave(bytes.wide()? % self.live.len());
                let below = self.segments.free_below(held.id);
                if let Some(slide) = self.segments.slide_down(held.id) {
                    assert_eq!((slide.from, slide.len), (held.base, held.len));
                    assert_eq!(slide.from - slide.to, below);
                    assert_eq!(self.segments.free_below(held.id), 0);
                    held.base = slide.to;
                }
                self.enter(held);
            }
            13 => {
                let base = BASE + bytes.wide()? as u64 % SECOND.0 * unit;
                match self.segments.allocate_range_at(base, bytes.len(400)? as u64 * unit) {
                    Ok(id) => {
                        assert_eq!(self.segments.base(id), Some(base));
                        self.entered(id, tag);
                    }
                    Err(ClaimError::NoEntry) => self.lengthen(),
                    Err(_) => {}
                }
            }
            14 => {
                let len = (1 + bytes.wide()? as u64 % MOST) * unit;
                let (_, old) = self.segments.range(self.first).unwrap();
                if len > old {
                    if self.segments.extend_range(self.first, len).is_err() {
                        self.lengthen();
                    }
                } else if let Ok(now) = self.segments.truncate_range(self.first, len) {
                    assert!(now >= len && now <= old);
                }
            }
            _ => match self.second {
                None => {
                    let added = self.segments.add_range(BASE + SECOND.0 * unit, SECOND.1 * unit);
                    match added {
                        Ok(range) => self.second = Some(range),
                        Err(_) => self.lengthen(),
                    }
                }
                Some(range) => {
                    if self.segments.remove_range(range).is_ok() {
                        self.second = None;
                    }
                }
            },
        }
        Some(())
    }

    /// Used segments in address order are those of the map.
    fn walk(&self) {
        let mut seen = Vec::new();
        for range in self.segments.range_ids() {
            let mut at = self.segments.first_used(range);
            while let Some(id) = at {
                seen.push(self.segments.base(id).unwrap());
                at = self.segments.next_used(id);
            }
        }
        assert!(seen.iter().eq(self.ranges.keys()));
    }
}

/// Plays a program on segments out of band.
pub(crate) fn play<P: Policy>(program: &[u8]) {
    let Some((&first, program)) = program.split_first() else { return };
    let unit = [1, 16, 4096][usize::from(first) % 3];
    let storage = vec![Entry::EMPTY; 80];
    let mut segments: Segments<P, _> = Segments::out_of_band(storage, unit);
    let first = segments.add_range(BASE, FIRST * unit).unwrap();
    let mut shadow =
        Shadow { segments, unit, first, second: None, live: Vec::new(), ranges: BTreeMap::new() };
    let mut bytes = Bytes(program);
    let mut number = 0;
    while shadow.step(&mut bytes, number).is_some() {
        number += 1;
        if number % 8 == 0 {
            shadow.segments.validate().unwrap_or_else(|broken| panic!("step {number}: {broken}"));
            shadow.walk();
        }
    }
    while !shadow.live.is_empty() {
        let held = shadow.leave(0);
        shadow.segments.free(held.id).unwrap();
    }
    shadow.segments.flush_quick();
    shadow.segments.validate().unwrap_or_else(|broken| panic!("at the end: {broken}"));
    let stats = shadow.segments.stats();
    assert_eq!((stats.used, stats.free), (0, stats.total), "every unit came back");
    for range in shadow.segments.range_ids().collect::<Vec<_>>() {
        shadow.segments.remove_range(range).unwrap();
    }
    let all = shadow.segments.storage().len() as u32 - 1;
    assert_eq!(shadow.segments.unused_entries(), all, "every entry came back");
}
