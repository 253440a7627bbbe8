//! Strings that move: an editor's lines in a fixed buffer, which never has a hole that matters.
//!
//! ```sh
//! cargo run --release -p strata-segment --example moving_string
//! ```

#[path = "../tests/users/string.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod string;

use strata_segment::table::{OnFull, Refused, SegmentTable, TableStore};
use string::MovingString;

/// Bytes for all text.
const BUFFER: usize = 4096;

fn main() -> Result<(), Refused> {
    let (mut store, mut memory) = (TableStore::<64>::new(), [0_u8; BUFFER]);
    let mut table: SegmentTable<'_> = SegmentTable::new(&mut store);
    table.add_slice(&mut memory).expect("long enough for a region");
    table.set_on_full(OnFull::Compact { at_most: usize::MAX });

    // Lines grow in turn, so that each stands in the way of its neighbour, until nothing is left.
    let mut lines: [MovingString; 12] = [const { MovingString::new() }; 12];
    let mut words = ["handles ", "know ", "no ", "addresses, ", "so "].iter().cycle();
    'full: loop {
        for line in &mut lines {
            let word = words.next().expect("a cycle");
            match line.push_str(&mut table, word) {
                Ok(()) => {}
                Err(Refused::Exhausted) => break 'full,
                Err(other) => return Err(other),
            }
        }
    }
    println!("full: {}", table.stats());

    // Half of them go, and one takes nearly all that they had: the others make room.
    for line in &mut lines[..6] {
        core::mem::replace(line, MovingString::new()).free(&mut table)?;
    }
    lines[6].truncate(&mut table, 0)?;
    while lines[6].push_str(&mut table, "all of it. ").is_ok() {}
    println!("one long line: {}", table.stats());
    println!("{:.60}...", lines[6].as_str(&table)?);
    println!("{:.60}...", lines[11].as_str(&table)?);
    let stats = table.stats();
    println!("{} moves of {} bytes in all", stats.moved_segments, stats.moved_bytes);
    Ok(())
}
