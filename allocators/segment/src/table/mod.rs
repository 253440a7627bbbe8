//! Segments behind handles: access that is checked, and segments that move.
//!
//! A program that holds addresses has decided where its data is for good; so a heap of addresses can
//! be in pieces for ever, with more free than a request needs and no hole that is long enough.
//! [`SegmentTable`] hands out handles instead. A handle names a **descriptor** in a table: base, limit
//! and permissions of a segment. Every access names the handle and an offset, and is checked as
//! segmentation hardware checks it. Nobody but the table knows where a segment is, so the table may
//! move it.
//!
//! ```
//! use strata_segment::table::{Budget, Fault, Permissions, SegmentTable, TableStore};
//!
//! let (mut store, mut memory) = (TableStore::<64>::new(), vec![0; 4096]);
//! let mut table: SegmentTable<'_> = SegmentTable::new(&mut store);
//! table.add_slice(&mut memory).expect("long enough for a region");
//!
//! let first = table.create(1000, Permissions::READ_WRITE)?;
//! let second = table.create(5, Permissions::READ_WRITE)?;
//! table.write(second, 0, 5)?.copy_from_slice(b"hello");
//! assert_eq!(table.read(second, 4, 2), Err(Fault::Limit { end: 6, limit: 5 }));
//!
//! table.free(first)?;
//! assert_eq!(table.read(first, 0, 1), Err(Fault::NoSegment)); // stale, and told
//!
//! let progress = table.compact(Budget::ALL);
//! assert_eq!((progress.moved_segments, progress.done), (1, true));
//! assert_eq!(progress.largest_free, table.stats().free.get()); // one hole
//! assert_eq!(table.read(second, 0, 5)?, b"hello"); // wherever it is now
//! # Ok::<(), strata_segment::table::Refused>(())
//! ```
//!
//! # What the borrow checker does
//!
//! A slice of a segment's bytes is a borrow of the table. Whatever may move or end a segment needs the
//! table mutably. So nothing moves under a borrow, and the program that would let it does not compile:
//!
//! ```compile_fail,E0502
//! # use strata_segment::table::{Budget, Handle, SegmentTable};
//! fn moved(table: &mut SegmentTable<'_>, handle: Handle) {
//!     let bytes = table.read(handle, 0, 8).unwrap();
//!     table.compact(Budget::ALL); // error: `bytes` is still read below
//!     assert_eq!(bytes.len(), 8);
//! }
//! ```
//!
//! ```compile_fail,E0502
//! # use strata_segment::table::{Handle, SegmentTable};
//! fn freed(table: &mut SegmentTable<'_>, handle: Handle) {
//!     let bytes = table.read(handle, 0, 8).unwrap();
//!     table.free(handle).unwrap(); // error
//!     assert_eq!(bytes.len(), 8);
//! }
//! ```
//!
//! ```compile_fail,E0499
//! # use strata_segment::table::{Handle, SegmentTable};
//! fn twice(table: &mut SegmentTable<'_>, handle: Handle) {
//!     let one = table.write(handle, 0, 8).unwrap();
//!     let other = table.write(handle, 0, 8).unwrap(); // error: two mutable slices
//!     one[0] = other[0];
//! }
//! ```
//!
//! ```compile_fail,E0502
//! # use strata_segment::table::{Handle, SegmentTable};
//! fn pinned_under_a_slice(table: &mut SegmentTable<'_>, handle: Handle) {
//!     let bytes = table.read(handle, 0, 8).unwrap();
//!     let guard = table.pin_mut(handle).unwrap(); // error: it would write what `bytes` reads
//!     assert_eq!(bytes.len(), guard.len());
//! }
//! ```
//!
//! Regions and rows are borrowed for as long as the table or any guard lives:
//!
//! ```compile_fail,E0505
//! # use strata_segment::table::{Permissions, SegmentTable, TableStore};
//! let (mut store, mut memory) = (TableStore::<8>::new(), vec![0; 4096]);
//! let mut table: SegmentTable<'_> = SegmentTable::new(&mut store);
//! table.add_slice(&mut memory).unwrap();
//! let handle = table.create(8, Permissions::READ).unwrap();
//! let guard = table.pin(handle).unwrap();
//! drop(table);
//! drop(memory); // error: the guard reads there
//! assert_eq!(guard.len(), 8);
//! ```
//!
//! # Pins
//!
//! Where a borrow of the whole table is too much, as for a transfer that runs while others go on, a
//! segment is pinned. The guard borrows the memory and not the table, may go to another thread, and
//! while it lives its segment does not move, change or end; the table goes on around it.
//!
//! ```
//! # use strata_segment::table::{Budget, Fault, Permissions, SegmentTable, TableStore};
//! # let (mut store, mut memory) = (TableStore::<64>::new(), vec![0; 4096]);
//! # let mut table: SegmentTable<'_> = SegmentTable::new(&mut store);
//! # table.add_slice(&mut memory).expect("long enough for a region");
//! let handle = table.create(512, Permissions::READ_WRITE)?;
//! let mut guard = table.pin_mut(handle)?;
//! std::thread::scope(|scope| {
//!     scope.spawn(move || guard.fill(7)); // a disk or a network card, say
//!     table.compact(Budget::ALL); // moves others
//! });
//! assert!(table.read(handle, 0, 512)?.iter().all(|&byte| byte == 7)); // the guard is gone
//! # Ok::<(), strata_segment::table::Refused>(())
//! ```
//!
//! # Compaction
//!
//! [`compact`](SegmentTable::compact) slides segments down in address order until a [`Budget`] is used
//! up, and goes on there when it is called again. A segment is copied whole or not at all. Under a
//! budget of time or of moves, segments longer than [`LONGEST_UNTOLD`] stay where they are, since one
//! of them alone could take longer than any pause that somebody would ask for; what is above slides
//! down to them, and [`Progress::needs`] says how long a budget of bytes has to be to move them:
//!
//! ```
//! # use strata_segment::table::{Budget, SegmentTable};
//! # fn settle(table: &mut SegmentTable<'_>, clock: &dyn Fn() -> u64) {
//! loop {
//!     let progress = table.compact(Budget::Time { ticks: 100_000, clock });
//!     if progress.needs > 0 && progress.moved_segments == 0 {
//!         table.compact(Budget::Bytes(progress.needs)); // at a time when a pause does not matter
//!     } else if progress.done {
//!         break;
//!     }
//!     // ... the program goes on, and comes back here
//! }
//! # }
//! ```
//!
//! With [`OnFull::Compact`], a request that finds no hole makes one. It slides no more than it must: of
//! all runs of neighbours whose holes suffice, the one with the fewest bytes. So a request fails only
//! when there is not enough free at all, which is what a fixed region can give at most.
//!
//! # Memory that the processor does not address
//!
//! All bookkeeping is beside the managed bytes, which are touched by the copies of moves and by nothing
//! else. Over device memory, a file or another process, the caller supplies the copy: see [`Mover`].
//!
//! # Where it comes from
//!
//! - Descriptors that hold base, limit and permissions, checked at each access, are Multics' (Daley and
//!   Dennis, "Virtual memory, processes, and sharing in Multics", 1968; Denning, "Virtual memory",
//!   1970, names both the scheme and its cost, external fragmentation), and the 80286's after it.
//! - Sliding live objects together is mark-compact collection, as V8 does it for its old generation.
//!   A collector must find what is live, compute where everything goes, and rewrite every pointer. Here
//!   the program says what is live, by not freeing it, and pointers into segments do not exist. The
//!   table is the forwarding map: a move is one copy and one store, so there is no pass that must be
//!   finished before the program may go on, and compaction can stop after any segment. What V8 does by
//!   finding roots on a stack, pins and borrows do.
//! - Handles with a generation are the index keys of `slotmap` and of many games' entity tables. A
//!   descriptor whose generations are used up retires, so that no handle ever names two segments.
//!
//! # Costs
//!
//! | | time |
//! |---|---|
//! | [`translate`](SegmentTable::translate), [`read`](SegmentTable::read), [`write`](SegmentTable::write) | O(1), no store |
//! | [`pin`](SegmentTable::pin), and dropping the guard | O(1), an atomic exchange each |
//! | [`create`](SegmentTable::create), [`free`](SegmentTable::free) | the policy's: O(1) with [`GoodFit`](crate::GoodFit) |
//! | [`resize`](SegmentTable::resize) | as `create`; where it is not in place, a copy |
//! | any of them, where it makes room | O(nodes), and the copies |
//! | [`compact`](SegmentTable::compact) | the budget; O(1) a segment that is looked at |
//!
//! A segment takes a descriptor of 16 bytes, an anchor of 8, a pin word of 4 and one of the core's
//! entries of 24; a hole, an entry.

mod access;
mod budget;
mod check;
mod compact;
mod descriptor;
mod fault;
mod ground;
mod handle;
mod make;
#[cfg(all(test, strata_loom))]
mod models;
mod mover;
mod permissions;
mod pin;
mod pinned;
mod resize;
mod room;
mod stats;
mod store;
#[expect(clippy::module_inception, reason = "the table of the chapter on tables")]
mod table;

pub use budget::{Budget, LONGEST_UNTOLD};
pub use check::TableBroken;
pub use compact::Progress;
pub use descriptor::{Anchor, Descriptor};
pub use fault::{Fault, Refused};
pub use handle::Handle;
pub use mover::{Memory, Mover, NotMoved, Place};
pub use permissions::Permissions;
pub use pin::PinWord;
pub use pinned::{Pinned, PinnedMut};
pub use stats::{Mapped, Stretch, TableStats};
pub use store::TableStore;
pub use table::{OnFull, SegmentTable};
