//! A graph that moves: vertices come and go for ever in a fixed buffer, with pauses that are bounded.
//!
//! ```sh
//! cargo run --release -p strata-segment --example moving_graph
//! ```

#[path = "../tests/users/graph.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod graph;

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use graph::{MovingGraph, Vertex};
use strata_segment::Entry;
use strata_segment::GoodFit;
use strata_segment::table::{Anchor, Budget, Descriptor, OnFull, PinWord, Refused, SegmentTable};

const VERTICES: usize = 10_000;
const BUFFER: usize = 1 << 20;

/// How many vertices can be reached from this one.
fn reach(graph: &MovingGraph<'_, GoodFit<0, 0>>, from: Vertex) -> usize {
    let (mut seen, mut queue) = (BTreeSet::from([from]), VecDeque::from([from]));
    while let Some(vertex) = queue.pop_front() {
        for next in graph.edges(vertex).into_iter().flatten() {
            if seen.insert(next) {
                queue.push_back(next);
            }
        }
    }
    seen.len()
}

fn main() -> Result<(), Refused> {
    let mut entries = vec![Entry::EMPTY; 2 * VERTICES + 8];
    let mut descriptors = vec![Descriptor::EMPTY; VERTICES];
    let mut anchors = vec![Anchor::EMPTY; VERTICES];
    let mut pins: Vec<_> = (0..VERTICES).map(|_| PinWord::new()).collect();
    let mut memory = vec![0_u8; BUFFER];
    let mut table =
        SegmentTable::from_rows(&mut entries, &mut descriptors, &mut anchors, &mut pins);
    table.add_slice(&mut memory).expect("long enough for a region");
    table.set_on_full(OnFull::Compact { at_most: 64 << 10 });
    let mut graph = MovingGraph::new(table);

    let origin = Instant::now();
    let clock = || origin.elapsed().as_micros() as u64;
    let mut vertices: VecDeque<Vertex> = VecDeque::new();
    let mut pauses = Vec::new();
    for step in 0..200_000_u64 {
        let new = graph.add(step)?;
        // To a few that are there already.
        for back in [1, 3, 10, 100] {
            if let Some(&old) = vertices.iter().rev().nth(back) {
                graph.connect(old, new)?;
                graph.connect(new, old)?;
            }
        }
        vertices.push_back(new);
        if vertices.len() > VERTICES / 2 {
            // One of the older half: its edges lead nowhere now, and are told so.
            let at = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize % (vertices.len() / 2);
            if let Some(gone) = vertices.remove(at) {
                graph.remove(gone)?;
            }
        }
        if step % 100 == 0 {
            // Now and then the program can pause for 50 µs.
            let start = clock();
            graph.table().compact(Budget::Time { ticks: 50, clock: &clock });
            pauses.push(clock() - start);
            if let Some(&old) = vertices.front() {
                graph.tidy(old)?;
            }
        }
    }
    let first = vertices[vertices.len() / 2];
    println!("{}", graph.table().stats());
    println!("{} vertices reached from {}", reach(&graph, first), graph.value(first)?);
    pauses.sort_unstable();
    let at = |percent: usize| pauses[(pauses.len() - 1) * percent / 100];
    println!("pauses of {} µs at the median, {} at the 99th percentile", at(50), at(99));
    assert_eq!(graph.table().validate(), Ok(()));
    Ok(())
}
