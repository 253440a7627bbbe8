//! A long life in a short time: threads, more than there are processors, allocate blocks of all sizes
//! and alignments, resize and free them, hand them to one another, end and begin; the heap is purged,
//! flushed and told to keep more or less; children are made that free what they inherited. Every block is
//! looked at in every call, and all tables now and then, at moments too where nobody allocates.
//!
//! The first fault ends it with status 1. The last line is an object of JSON that counts what was done.
//!
//! | variable | |
//! |---|---|
//! | `STRATA_SOAK` | operations: blocks allocated, resized or freed |
//! | `STRATA_SOAK_THREADS` | threads at a time |
//! | `STRATA_SOAK_SEED` | of all that is drawn; in which order threads come is the system's affair |

#[cfg(target_os = "linux")]
mod block;
#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod fault;
#[cfg(target_os = "linux")]
mod law;
#[cfg(target_os = "linux")]
mod soak;
#[cfg(target_os = "linux")]
mod tally;
#[cfg(target_os = "linux")]
mod worker;

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOC: strata_segregated::SegregatedAlloc = strata_segregated::SegregatedAlloc::new();

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    soak::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {}
