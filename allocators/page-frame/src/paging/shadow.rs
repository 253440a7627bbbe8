//! Programs on a space, over frames and nodes that run out, against tables that are vectors: what
//! generated tests and the fuzzer share.

#![allow(unreachable_pub, reason = "included by path")]

use core::cell::RefCell;
use core::mem::MaybeUninit;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::vec;
use std::vec::Vec;

use strata_core::source::Region;
use strata_core::{Exhausted, FrameId};

use super::*;

pub const ZONE: u64 = 600;

/// Frames by chance out of those that are left, so that tables map onto any order.
pub struct Naive {
    free: RefCell<Vec<u64>>,
    taken: RefCell<BTreeSet<u64>>,
}

impl Naive {
    pub fn new() -> Self {
        // 389 is coprime to the zone's length: neighbours in time are none in number.
        let free = (0..ZONE).map(|n| n * 389 % ZONE).collect();
        Self { free: RefCell::new(free), taken: RefCell::new(BTreeSet::new()) }
    }
}

impl TakeFrames for Naive {
    fn take(&self) -> Result<FrameId, Exhausted> {
        let frame = self.free.borrow_mut().pop().ok_or(Exhausted)?;
        assert!(self.taken.borrow_mut().insert(frame));
        Ok(FrameId(frame))
    }

    fn give(&self, frame: FrameId) {
        assert!(self.taken.borrow_mut().remove(&frame.0), "{frame:?} was not out");
        self.free.borrow_mut().push(frame.0);
    }
}

#[derive(Clone, Debug)]
pub enum Op {
    Push(usize, u32),
    Extend(usize, u64, u32),
    PushShared(usize, usize, u64),
    Fork(usize),
    ForkPrefix(usize, u64),
    Write(usize, u64, u32),
    Truncate(usize, u64),
    Release(usize),
}

/// The operations that bytes say, five each.
pub fn ops_of(bytes: &[u8]) -> Vec<Op> {
    bytes.chunks_exact(5).enumerate().map(|(at, op)| op_of(op, at as u32)).collect()
}

fn op_of(bytes: &[u8], value: u32) -> Op {
    let (table, other) = (usize::from(bytes[1] % 12), usize::from(bytes[2] % 12));
    let share = u64::from(u16::from_le_bytes([bytes[3], bytes[4]])) % 1000;
    match bytes[0] % 22 {
        0..=3 => Op::Push(table, value),
        4..=6 => Op::Extend(table, share % 150, value),
        7 => Op::PushShared(table, other, share),
        8 | 9 => Op::Fork(table),
        10..=12 => Op::ForkPrefix(table, share),
        13..=18 => Op::Write(table, share, value),
        19 | 20 => Op::Truncate(table, share),
        _ => Op::Release(table),
    }
}

/// A space and what it must be: tables of values, and the value in each frame.
struct Shadow<'a> {
    space: PageSpace<Naive, &'a Region<'a>>,
    tables: Vec<(PageTable, Vec<u32>)>,
    memory: HashMap<u64, u32>,
}

impl Shadow<'_> {
    fn play(&mut self, op: &Op) {
        let count = self.tables.len();
        match *op {
            Op::Push(t, value) if count > 0 => self.push(t % count, value),
            Op::Extend(t, pages, value) if count > 0 => self.extend(t % count, pages, value),
            Op::PushShared(t, of, at) if count > 0 => self.push_shared(t % count, of % count, at),
            Op::Fork(t) if count > 0 => {
                let (table, values) = &self.tables[t % count];
                let (fork, values) = (self.space.fork(table).unwrap(), values.clone());
                self.tables.push((fork, values));
            }
            Op::ForkPrefix(t, at) if count > 0 => {
                let (table, values) = &self.tables[t % count];
                let pages = table.len() * at / 999;
                if let Ok(fork) = self.space.fork_prefix(table, pages) {
                    let values = values[..pages as usize].to_vec();
                    self.tables.push((fork, values));
                }
                let more = self.tables[t % count].0.len() + 1;
                let refused = self.space.fork_prefix(&self.tables[t % count].0, more);
                assert!(matches!(refused, Err(TableError::OutOfRange)));
            }
            Op::Write(t, at, value) if count > 0 => self.write(t % count, at, value),
            Op::Truncate(t, at) if count > 0 => {
                let (table, values) = &mut self.tables[t % count];
                let pages = table.len() * at / 999;
                match self.space.truncate(table, pages) {
                    Ok(()) => values.truncate(pages as usize),
                    Err(error) => assert_eq!(error, TableError::Exhausted),
                }
            }
            Op::Release(t) if count > 0 => {
                let (table, _) = self.tables.swap_remove(t % count);
                self.space.release(table);
            }
            _ => self.tables.push((self.space.table(), Vec::new())),
        }
    }

    fn push(&mut self, t: usize, value: u32) {
        let (table, values) = &mut self.tables[t];
        match self.space.push(table) {
            Ok(frame) => {
                self.memory.insert(frame.0, value);
                values.push(value);
            }
            Err(error) => assert_eq!(error, TableError::Exhausted),
        }
    }

    fn extend(&mut self, t: usize, pages: u64, value: u32) {
        let (table, values) = &mut self.tables[t];
        let before = table.len();
        match self.space.extend(table, pages) {
            Ok(()) => {
                for page in before..before + pages {
                    let frame = self.space.translate(table, page).unwrap();
                    self.memory.insert(frame.0, value);
                    values.push(value);
                }
            }
            Err(error) => assert_eq!((error, table.len()), (TableError::Exhausted, before)),
        }
    }

    fn push_shared(&mut self, t: usize, of: usize, at: u64) {
        let (other, _) = &self.tables[of];
        let Some(frame) = self.space.translate(other, other.len() * at / 1000) else {
            let stranger = FrameId(ZONE);
            let refused = self.space.push_shared(&mut self.tables[t].0, stranger);
            return assert_eq!(refused, Err(TableError::NotHeld));
        };
        let (table, values) = &mut self.tables[t];
        match self.space.push_shared(table, frame) {
            Ok(()) => values.push(self.memory[&frame.0]),
            Err(error) => assert_eq!(error, TableError::Exhausted),
        }
    }

    fn write(&mut self, t: usize, at: u64, value: u32) {
        let users = self.users();
        let (table, values) = &mut self.tables[t];
        let page = table.len() * at / 1000;
        let before = self.space.translate(table, page);
        match self.space.write(table, page) {
            Ok(write) => {
                let alone = users[&before.unwrap().0] == 1;
                assert_eq!(alone, matches!(write, Write::Ready(_)), "{write:?}");
                if let Write::CopyNeeded { from, to } = write {
                    assert_eq!(Some(from), before);
                    self.memory.insert(to.0, self.memory[&from.0]);
                }
                assert_eq!(self.space.translate(table, page), Some(write.frame()));
                self.memory.insert(write.frame().0, value);
                values[page as usize] = value;
            }
            Err(error) => match before {
                Some(_) => assert_eq!(error, TableError::Exhausted),
                None => assert_eq!(error, TableError::OutOfRange),
            },
        }
    }

    /// How many pages of all tables are at each frame.
    fn users(&self) -> BTreeMap<u64, usize> {
        let mut users = BTreeMap::new();
        for (table, _) in &self.tables {
            self.space.each(table, |_, frame| *users.entry(frame.0).or_insert(0) += 1);
        }
        users
    }

    /// Every table reads what was written to it, and exactly the frames of tables are out.
    fn check(&self) {
        for (table, values) in &self.tables {
            assert_eq!(table.len(), values.len() as u64);
            let mut read = Vec::new();
            self.space.each(table, |page, frame| {
                assert_eq!(
                    (page, self.space.translate(table, page)),
                    (read.len() as u64, Some(frame))
                );
                read.push(self.memory[&frame.0]);
            });
            assert_eq!(&read, values);
            assert_eq!(self.space.translate(table, table.len()), None);
        }
        let held: BTreeSet<u64> = self.users().into_keys().collect();
        assert_eq!(held, *self.space.frames().taken.borrow());
        assert_eq!(self.space.stats().frames, held.len() as u64);
    }

    fn end(mut self) {
        while let Some((table, _)) = self.tables.pop() {
            self.space.release(table);
        }
        self.check();
        assert_eq!(self.space.stats().nodes, 0);
    }
}

/// Plays a program over so many bytes for counts and nodes.
pub fn run(ops: &[Op], bytes: usize) {
    let mut buffer = vec![MaybeUninit::<u8>::uninit(); bytes];
    let region = Region::new(&mut buffer);
    let free = region.free_bytes();
    let space = PageSpace::new(Naive::new(), ZONE, &region).unwrap();
    let mut shadow = Shadow { space, tables: Vec::new(), memory: HashMap::new() };
    for op in ops {
        shadow.play(op);
        shadow.check();
    }
    shadow.end();
    assert_eq!(region.free_bytes(), free);
}
