//! Programs that live in a table: a string and a graph, whose segments move under them.
#![cfg(not(strata_loom))]

mod graph;
mod string;

use std::collections::BTreeMap;

use graph::{MovingGraph, Vertex};
use proptest::prelude::*;
use strata_segment::table::{Budget, Fault, OnFull, SegmentTable, TableStore};
use strata_segment::{BestFit, GoodFit};
use string::MovingString;

const TEXTS: [&str; 5] = ["segment", "  ", "überall", "base and limit", "\u{1f980}"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn strings_grow_shrink_and_move(
        steps in prop::collection::vec((0..6_u8, 0..8_usize, 0..5_usize), 1..400)
    ) {
        let (mut store, mut memory) = (TableStore::<32>::new(), vec![0_u8; 4096]);
        let mut table: SegmentTable<'_, BestFit> = SegmentTable::new(&mut store);
        table.add_slice(&mut memory).unwrap();
        table.set_on_full(OnFull::Compact { at_most: usize::MAX });
        let mut strings: [(MovingString, String); 8] =
            core::array::from_fn(|_| (MovingString::new(), String::new()));
        for (step, at, which) in steps {
            let (moving, plain) = &mut strings[at];
            match step {
                0..=2 => {
                    if moving.push_str(&mut table, TEXTS[which]).is_ok() {
                        plain.push_str(TEXTS[which]);
                    }
                }
                3 => {
                    let ends: Vec<usize> = plain.char_indices().map(|(at, _)| at).collect();
                    let len = if ends.is_empty() { 0 } else { ends[ends.len() * which / 5] };
                    moving.truncate(&mut table, len).unwrap();
                    plain.truncate(len);
                }
                4 => {
                    table.compact(Budget::Moves(which));
                }
                _ => {
                    let other = MovingString::new();
                    core::mem::replace(moving, other).free(&mut table).unwrap();
                    plain.clear();
                }
            }
            for (moving, plain) in &strings {
                prop_assert_eq!(moving.as_str(&table), Ok(plain.as_str()));
            }
        }
    }

    #[test]
    fn a_graph_keeps_its_shape_while_it_moves(
        steps in prop::collection::vec((0..8_u8, any::<u16>(), any::<u16>()), 1..400)
    ) {
        let (mut store, mut memory) = (TableStore::<64>::new(), vec![0_u8; 4096]);
        let mut table: SegmentTable<'_, GoodFit<0, 0>> = SegmentTable::new(&mut store);
        table.add_slice(&mut memory).unwrap();
        table.set_on_full(OnFull::Compact { at_most: usize::MAX });
        let mut graph = MovingGraph::new(table);
        // Value and edges of each vertex that is there.
        let mut plain: BTreeMap<Vertex, (u64, Vec<Vertex>)> = BTreeMap::new();
        let mut gone: Vec<Vertex> = Vec::new();
        for (step, one, other) in steps {
            let pick = |at: u16| plain.keys().nth(usize::from(at) % plain.len().max(1)).copied();
            match (step, pick(one), pick(other)) {
                (0..=2, ..) => {
                    if let Ok(vertex) = graph.add(u64::from(one)) {
                        plain.insert(vertex, (u64::from(one), Vec::new()));
                    }
                }
                (3..=5, Some(from), Some(to)) => {
                    let room = graph.connect(from, to).is_ok();
                    plain.get_mut(&from).unwrap().1.extend(room.then_some(to));
                }
                (6, Some(vertex), _) => {
                    graph.remove(vertex).unwrap();
                    plain.remove(&vertex);
                    plain.values_mut().for_each(|(_, edges)| edges.retain(|&edge| edge != vertex));
                    gone.push(vertex);
                }
                (_, Some(vertex), _) => {
                    graph.tidy(vertex).unwrap();
                    graph.table().compact(Budget::Bytes(usize::from(other % 256)));
                }
                _ => {}
            }
            for (&vertex, (value, edges)) in &plain {
                prop_assert_eq!(graph.value(vertex), Ok(*value));
                let found: Vec<Vertex> = graph.edges(vertex).unwrap().collect();
                prop_assert_eq!(&found, edges);
            }
            prop_assert!(gone.iter().all(|&v| graph.value(v) == Err(Fault::NoSegment)));
        }
        prop_assert_eq!(graph.table().validate(), Ok(()));
    }
}
