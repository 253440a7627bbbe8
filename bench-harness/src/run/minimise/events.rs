//! Parts of a trace that are traces themselves.

use crate::trace::{BlockId, Event, Op, ThreadId};
use std::collections::{HashMap, HashSet};

/// The block that an event is about.
fn block(event: &Event) -> Option<BlockId> {
    match event.op {
        Op::Allocate { block, .. } | Op::Reallocate { block, .. } | Op::Free { block } => {
            Some(block)
        }
        _ => None,
    }
}

/// All blocks, by birth.
pub(super) fn blocks(events: &[Event]) -> Vec<BlockId> {
    let born = |event: &Event| match event.op {
        Op::Allocate { block, .. } => Some(block),
        _ => None,
    };
    events.iter().filter_map(born).collect()
}

/// The events of these blocks, and those of threads that still have some. Blocks are numbered anew,
/// since a thread's numbers have no gaps.
pub(super) fn part(events: &[Event], kept: &[BlockId]) -> Vec<Event> {
    let kept: HashSet<BlockId> = kept.iter().copied().collect();
    let mut busy: HashSet<ThreadId> = HashSet::new();
    for event in events {
        if block(event).is_some_and(|block| kept.contains(&block)) {
            busy.insert(event.thread);
        }
    }
    // A thread that starts one that is needed is needed itself.
    for event in events.iter().rev() {
        if let Op::Spawn { child } = event.op
            && busy.contains(&child)
        {
            busy.insert(event.thread);
        }
    }
    let (mut numbers, mut names) = (HashMap::new(), HashMap::new());
    let mut thread = |old: ThreadId| {
        let next = ThreadId(names.len() as u32 + 1);
        *names.entry(old).or_insert(next)
    };
    let mut given: HashMap<ThreadId, u64> = HashMap::new();
    let mut found = Vec::new();
    for event in events {
        let needed = match event.op {
            Op::Spawn { child } | Op::Join { child } => {
                busy.contains(&event.thread) && busy.contains(&child)
            }
            Op::Start | Op::Exit => busy.contains(&event.thread),
            _ => block(event).is_some_and(|block| kept.contains(&block)),
        };
        if !needed {
            continue;
        }
        let on = thread(event.thread);
        let mut renamed = |old: BlockId| {
            *numbers.entry(old).or_insert_with(|| {
                let nth = given.entry(on).or_default();
                *nth += 1;
                BlockId { thread: on, nth: *nth - 1 }
            })
        };
        let op = match event.op {
            Op::Allocate { block, size, align_log2, zeroed } => {
                Op::Allocate { block: renamed(block), size, align_log2, zeroed }
            }
            Op::Reallocate { block, size, began_seq_before, began_nanos_before } => {
                let block = renamed(block);
                Op::Reallocate { block, size, began_seq_before, began_nanos_before }
            }
            Op::Free { block } => Op::Free { block: renamed(block) },
            Op::Spawn { child } => Op::Spawn { child: thread(child) },
            Op::Join { child } => Op::Join { child: thread(child) },
            other => other,
        };
        found.push(Event { thread: on, op, ..*event });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::synthetic::Load;
    use crate::trace::LiveSet;

    #[test]
    fn every_part_is_a_trace() {
        for load in Load::ALL {
            // What a trace begins with is a trace.
            let mut events = load.events();
            events.truncate(5000);
            let all = blocks(&events);
            for step in [1, 2, 7, 500] {
                let kept: Vec<BlockId> = all.iter().copied().step_by(step).collect();
                let found = part(&events, &kept);
                let mut live = LiveSet::new();
                for event in &found {
                    live.apply(event).unwrap_or_else(|why| panic!("{}: {why}", load.name()));
                }
                assert_eq!(blocks(&found).len(), kept.len());
            }
            assert_eq!(part(&events, &all).len(), events.len());
            assert!(part(&events, &[]).is_empty());
        }
    }
}
