//! Scripts against the traces that they are made of.

use super::synthetic::Load;
use super::{
    Builder, CheckpointPlan, NO_CHECKPOINT, Op, Options, Place, Plain, Script, SegmentHead, Stream,
    WAIT, kind,
};
use crate::results::Threads;
use crate::trace::{BlockId, Event, Op as Happened, ThreadId, shipped};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Seek};

/// The quarantine of slots: a slot that another thread freed comes back after so many frees.
const QUARANTINE: usize = 4096;

fn git() -> Vec<Event> {
    let trace = shipped().into_iter().find(|trace| trace.name == "git-index-pack-2t").unwrap();
    trace.open().unwrap().map(Result::unwrap).collect()
}

fn build(events: &[Event], threads: Threads, after: Vec<u64>) -> Script {
    let checkpoints = CheckpointPlan { after };
    let mut builder = Builder::new(Options { threads, checkpoints }).unwrap();
    events.iter().for_each(|event| builder.push(event).unwrap());
    builder.finish().unwrap()
}

fn take<T: Plain>(bytes: &mut &[u8], count: usize) -> Vec<T> {
    let (now, rest) = bytes.split_at(count * size_of::<T>());
    *bytes = rest;
    // SAFETY: each piece has the size of a `T`, of which any bytes of a script are a value.
    now.chunks_exact(size_of::<T>())
        .map(|one| unsafe { one.as_ptr().cast::<T>().read_unaligned() })
        .collect()
}

/// A segment: its head, and by thread the operations with their places.
type Segment = (SegmentHead, Vec<(u32, Vec<(Op, Place)>)>);

fn segments(script: &mut Script) -> Vec<Segment> {
    let mut bytes = Vec::new();
    script.file.rewind().unwrap();
    script.file.read_to_end(&mut bytes).unwrap();
    let mut left = &bytes[..];
    let mut found = Vec::new();
    while !left.is_empty() {
        let head = take::<SegmentHead>(&mut left, 1)[0];
        let streams = take::<Stream>(&mut left, head.streams as usize);
        let ops = take::<Op>(&mut left, head.ops as usize);
        let places = take::<Place>(&mut left, head.ops as usize);
        let of = |stream: &Stream| {
            let range = stream.first as usize..(stream.first + stream.ops) as usize;
            let both = ops[range.clone()].iter().copied().zip(places[range].iter().copied());
            (stream.thread, both.collect())
        };
        found.push((head, streams.iter().map(of).collect()));
    }
    found
}

/// Every operation on a block, by its record, with the thread whose stream it is in.
fn operations(script: &mut Script) -> BTreeMap<u64, (u32, Op)> {
    let mut found = BTreeMap::new();
    for (_, streams) in segments(script) {
        for (thread, ops) in streams {
            for (op, place) in ops {
                if [kind::SPAWN, kind::JOIN, kind::EXIT, kind::MORE].contains(&(op.kind & !WAIT)) {
                    continue;
                }
                assert_eq!(place.thread, u64::from(thread) + 1, "record {}", place.record);
                assert!(found.insert(place.record, (thread, op)).is_none(), "{}", place.record);
            }
        }
    }
    found
}

#[test]
fn every_block_is_allocated_changed_and_freed_by_its_recorded_threads() {
    for events in [git(), Load::ProducerConsumer.events()] {
        let mut script = build(&events, Threads::Recorded, Vec::new());
        let found = operations(&mut script);
        let mut live: HashMap<BlockId, (u32, ThreadId)> = HashMap::new();
        let mut remote = 0;
        for (record, event) in events.iter().enumerate() {
            let (block, what) = match event.op {
                Happened::Allocate { block, zeroed: false, .. } => (block, kind::ALLOCATE),
                Happened::Allocate { block, zeroed: true, .. } => (block, kind::ZEROED),
                Happened::Reallocate { block, .. } => (block, kind::REALLOCATE),
                Happened::Free { block } => (block, kind::FREE),
                _ => continue,
            };
            let (thread, op) = found[&(record as u64)];
            assert_eq!((thread + 1, op.kind & !WAIT), (event.thread.0, what), "record {record}");
            match what {
                kind::ALLOCATE | kind::ZEROED => {
                    assert_eq!(live.insert(block, (op.slot, event.thread)), None);
                }
                kind::REALLOCATE => assert_eq!(live[&block].0, op.slot, "record {record}"),
                _ => {
                    let (slot, by) = live.remove(&block).unwrap();
                    assert_eq!(slot, op.slot, "record {record}");
                    remote += usize::from(by != event.thread);
                }
            }
        }
        assert_eq!(found.len() as u64, script.operations);
        assert!(remote > 0, "blocks are freed by other threads");
    }
}

#[test]
fn an_operation_waits_exactly_where_another_thread_was_the_last_on_its_slot() {
    for events in [git(), Load::ProducerConsumer.events()] {
        let mut script = build(&events, Threads::Recorded, Vec::new());
        let mut last: HashMap<u32, (u32, u16, u8, usize)> = HashMap::new();
        let (mut needed, mut frees) = (0, 0);
        for (record, (thread, op)) in operations(&mut script) {
            let what = op.kind & !WAIT;
            let before = last.get(&op.slot).copied();
            let version = before.map_or(0, |(_, version, ..)| version);
            assert_eq!(op.version, version.wrapping_add(1), "record {record}");
            let other = before.is_some_and(|(by, ..)| by != thread);
            assert_eq!(op.kind & WAIT != 0, other, "record {record}");
            if let Some((_, _, kind::FREE, at)) = before.filter(|_| other) {
                // Not an edge of the program: the slot, not the block, comes from another thread.
                // It cannot bind soon.
                assert!(frees - at >= QUARANTINE, "record {record}: {} frees", frees - at);
            } else if other {
                needed += 1;
            }
            frees += usize::from(what == kind::FREE);
            last.insert(op.slot, (thread, op.version, what, frees));
        }
        assert!(needed > 20, "{needed} edges between threads");
    }
}

#[test]
fn a_serial_script_waits_for_nobody_and_follows_the_order() {
    let events = git();
    let mut script = build(&events, Threads::Serial, Vec::new());
    let mut latest = None;
    for (_, streams) in segments(&mut script) {
        assert!(streams.len() <= 1);
        for (op, place) in streams.into_iter().flat_map(|(_, ops)| ops) {
            assert!(op.kind < kind::SPAWN || op.kind == kind::MORE, "{op:?}");
            assert!(latest <= Some(place.record), "{place:?}");
            assert_eq!(place.thread, u64::from(events[place.record as usize].thread.0));
            latest = Some(place.record);
        }
    }
}

#[test]
fn checkpoints_lie_where_planned_and_every_thread_has_stopped_there() {
    let events = git();
    for threads in [Threads::Serial, Threads::Recorded] {
        let after = vec![1, 1000, 50_000, events.len() as u64];
        let mut script = build(&events, threads, after.clone());
        let expected: Vec<u64> = script.expected.iter().map(|at| at.record).collect();
        assert_eq!(expected, after);
        let (mut records, mut reached) = (0, Vec::new());
        for (head, streams) in segments(&mut script) {
            assert_eq!(head.first_record, records);
            let of = streams.iter().flat_map(|(_, ops)| ops).map(|(_, place)| place.record);
            let inside: HashSet<u64> = of.collect();
            assert!(inside.iter().all(|&record| record >= records), "a segment of the past");
            if head.checkpoint != NO_CHECKPOINT {
                records = after[head.checkpoint as usize];
                assert!(inside.iter().all(|&record| record < records), "beyond its checkpoint");
                reached.push(records);
            } else if let Some(last) = inside.iter().max() {
                records = last + 1;
            }
        }
        assert_eq!(reached, after);
    }
}

#[test]
fn the_layouts_of_reallocated_blocks_are_known_too() {
    let script = build(&Load::VecGrowth.events(), Threads::Serial, Vec::new());
    for power in 6..=22 {
        assert!(script.layouts.contains(&(1 << power, 4)), "{} bytes", 1_u64 << power);
    }
}
