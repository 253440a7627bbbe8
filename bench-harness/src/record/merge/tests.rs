//! Records written by hand, and the events that they must become.

use super::*;
use crate::record::format::{NO_ALIGN, Record, word};
use std::ops::Range;

/// A record: stamp, tag, flags, address, bytes (of a SPAWN: the child).
type Line = (u64, u32, u32, u64, u64);

fn bytes(lines: &[Line]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &(stamp, tag, flags, address, size) in lines {
        bytes.extend(stamp.to_ne_bytes());
        bytes.extend(word(tag, NO_ALIGN, flags).to_ne_bytes());
        bytes.extend((size as u32).to_ne_bytes());
        bytes.extend(address.to_ne_bytes());
        bytes.extend(size.to_ne_bytes());
    }
    // Room that was never written.
    bytes.resize(bytes.len() + 3 * size_of::<Record>(), 0);
    bytes
}

/// Events in brief: thread and what happened, blocks as thread.nth.
fn events(threads: &[&[Line]]) -> (Vec<String>, Merged) {
    let maps: Vec<Vec<u8>> = threads.iter().map(|lines| bytes(lines)).collect();
    let pieces: Vec<[(u32, Range<usize>); 1]> =
        maps.iter().map(|map| [(0, 0..map.len())]).collect();
    let streams =
        (1..).zip(maps.iter().zip(&pieces).map(|(map, pieces)| Stream::over(map, pieces)));
    let (mut said, mut last) = (Vec::new(), 0);
    let merged = merge(streams, 100, &mut |event| {
        assert!(event.seq > last);
        last = event.seq;
        let name = |block: BlockId| format!("{}.{}", block.thread.0, block.nth);
        let what = match event.op {
            Op::Allocate { block, size, zeroed, .. } => {
                format!("+{} {size}{}", name(block), if zeroed { " zeroed" } else { "" })
            }
            Op::Reallocate { block, size, began_seq_before, began_nanos_before } => {
                format!("~{} {size} -{began_seq_before} -{began_nanos_before}", name(block))
            }
            Op::Free { block } => format!("-{}", name(block)),
            Op::Spawn { child } => format!("spawn {}", child.0),
            Op::Start => "start".into(),
            Op::Exit => "exit".into(),
            Op::Join { child } => format!("join {}", child.0),
        };
        said.push(format!("{}@{}: {what}", event.thread.0, event.nanos));
        Ok(())
    })
    .unwrap();
    (said, merged)
}

#[test]
fn streams_are_merged_by_their_stamps_and_memory_is_given_back_first() {
    let (said, merged) = events(&[
        &[(110, tag::ALLOCATE, 0, 16, 5), (130, tag::FREE, 0, 16, 0)],
        &[(120, tag::ALLOCATE, ZEROED, 32, 6), (130, tag::ALLOCATE, 0, 16, 7)],
    ]);
    assert_eq!(said, ["1@10: +1.0 5", "2@20: +2.0 6 zeroed", "1@30: -1.0", "2@30: +2.1 7"]);
    assert_eq!(merged, Merged { events: 4, threads: 2, ..Merged::default() });
}

#[test]
fn the_old_memory_of_a_realloc_is_free_from_its_begin() {
    let (said, merged) = events(&[
        &[
            (110, tag::ALLOCATE, 0, 16, 5),
            (120, tag::BEGIN, 0, 16, 0),
            (140, tag::END, 0, 64, 50),
            (150, tag::FREE, 0, 64, 0),
        ],
        &[(130, tag::ALLOCATE, 0, 16, 7), (160, tag::FREE, 0, 16, 0)],
    ]);
    assert_eq!(
        said,
        ["1@10: +1.0 5", "2@30: +2.0 7", "1@40: ~1.0 50 -2 -20", "1@50: -1.0", "2@60: -2.0"]
    );
    assert_eq!(merged.reused, 0);
}

#[test]
fn reallocs_that_fail_free_or_never_return() {
    let (said, merged) = events(&[&[
        (110, tag::ALLOCATE, 0, 16, 5),
        (120, tag::BEGIN, 0, 16, 0),
        (121, tag::END, FAILED, 0, 900),
        (130, tag::BEGIN, 0, 16, 0),
        (131, tag::END, 0, 0, 0),
        (140, tag::ALLOCATE, 0, 16, 8),
        (150, tag::BEGIN, 0, 16, 0),
    ]]);
    assert_eq!(said, ["1@10: +1.0 5", "1@30: -1.0", "1@40: +1.1 8"]);
    assert_eq!(merged.unfinished, 1);
}

#[test]
fn blocks_of_unseen_origin_are_counted() {
    let (said, merged) = events(&[&[
        (110, tag::FREE, 0, 16, 0),
        (120, tag::BEGIN, 0, 32, 0),
        (121, tag::END, 0, 48, 9),
        (130, tag::ALLOCATE, 0, 48, 10),
        (140, tag::ALLOCATE, 0, 64, 11),
        (150, tag::BEGIN, 0, 48, 0),
        (151, tag::END, 0, 64, 12),
    ]]);
    assert_eq!(
        said,
        [
            "1@21: +1.0 9",
            "1@30: -1.0",
            "1@30: +1.1 10",
            "1@40: +1.2 11",
            "1@51: -1.2",
            "1@51: ~1.1 12 -2 -1"
        ]
    );
    assert_eq!((merged.unknown_frees, merged.unknown_reallocs, merged.reused), (1, 1, 2));
}

#[test]
fn a_join_finds_the_ended_thread_of_a_handle_that_is_used_again() {
    let handle = 0x7000;
    let (said, _) = events(&[
        &[
            (110, tag::SPAWN, 0, 0, 3),
            (130, tag::SPAWN, 0, 0, 2),
            (140, tag::JOIN, 0, handle, 0),
            (145, tag::SKIP, 0, 0, 9),
            (170, tag::JOIN, 0, handle, 0),
            (180, tag::JOIN, 0, handle, 0),
        ],
        &[(135, tag::START, 0, handle, 0), (150, tag::EXIT, 0, 0, 0), (160, tag::FREE, 0, 16, 0)],
        &[(112, tag::START, 0, handle, 0), (114, tag::EXIT, 0, 0, 0)],
    ]);
    // The exit follows what the thread did while it ended.
    assert_eq!(
        said,
        [
            "1@10: spawn 2",
            "2@12: start",
            "2@14: exit",
            "1@30: spawn 3",
            "3@35: start",
            "1@40: join 2",
            "3@60: exit",
            "1@70: join 3"
        ]
    );
}
