//! A region as text: before compaction, in the middle of it, and after.
//!
//! ```sh
//! cargo run --release -p strata-segment --example segment_map
//! ```

use strata_segment::table::{Budget, Handle, Permissions, SegmentTable, TableStore};

/// Bytes of the region, and those that one letter stands for.
const REGION: usize = 64 << 10;
const CELL: usize = 512;

/// One letter a cell: what most of it is. `.` free, `=` a segment, `#` one that is pinned.
fn draw(table: &SegmentTable<'_>, start: u64) -> String {
    let mut cells = vec![[0_usize; 3]; REGION / CELL];
    for stretch in table.map() {
        let kind = stretch.segment.map_or(0, |segment| 1 + usize::from(segment.pinned));
        let (mut at, mut left) = ((stretch.place - start) as usize, stretch.len);
        while left > 0 {
            let part = left.min(CELL - at % CELL);
            cells[at / CELL][kind] += part;
            (at, left) = (at + part, left - part);
        }
    }
    let letter = |cell: &[usize; 3]| {
        let kind = (0..3).max_by_key(|&kind| (cell[kind], kind)).unwrap_or(0);
        ['.', '=', '#'][kind]
    };
    let line = |cells: &[[usize; 3]]| cells.iter().map(letter).collect::<String>();
    cells.chunks(64).map(line).collect::<Vec<_>>().join("\n")
}

fn show(when: &str, table: &SegmentTable<'_>, start: u64) {
    let stats = table.stats();
    println!("{when}: {stats}, fragmentation {:.2}", stats.fragmentation());
    println!("{}\n", draw(table, start));
}

fn main() {
    let (mut store, mut memory) = (TableStore::<512>::new(), vec![0_u8; REGION]);
    let mut table: SegmentTable<'_> = SegmentTable::new(&mut store);
    table.add_slice(&mut memory).expect("long enough for a region");
    let start = table.map().next().expect("a hole").place;

    let mut handles: Vec<Handle> = (0..512)
        .map_while(|at| {
            let len = 64 + at * 271 % 1900;
            table.create(len, Permissions::READ_WRITE).ok()
        })
        .collect();
    let mut at = 0;
    handles.retain(|&handle| {
        at += 1;
        at * 7 % 5 < 3 || table.free(handle).is_err()
    });
    let guard = table.pin(handles[handles.len() / 2]).expect("it may be read");
    show("before", &table, start);

    let progress = table.compact(Budget::Bytes(12 << 10));
    println!("compact(12 KiB): {progress:?}");
    show("in the middle", &table, start);

    let progress = table.compact(Budget::ALL);
    println!("compact(all): {progress:?}");
    show("after, with one segment pinned", &table, start);

    drop(guard);
    let progress = table.compact(Budget::ALL);
    println!("compact(all): {progress:?}");
    show("after, with none", &table, start);
}
