//! Real programs to measure allocators in: each does a job with the crates people do it with,
//! brings its own seeded workload, and prints a checksum of what it computed.
//!
//! | program | job | threads | what it asks of an allocator |
//! |---|---|---|---|
//! | `kv-service` | key-value server and its clients over loopback, on tokio | 4 workers, 4 shards | messages freed by other threads than allocated them |
//! | `wiki-threads` | HTTP server rendering Markdown, one thread a connection | hundreds, short-lived | threads starting and ending, a cache they share |
//! | `log-pipeline` | JSON log analytics: read, parse, aggregate | 5, joined by channels | batches that die downstream |
//! | `tiles` | a mosaic drawn, packed and unpacked as PNG, threads a batch | 4 at a time, new each batch | large blocks, zeroed blocks |
//! | `search` | full-text index with compressed blocks in a pool of pages | 1 | page-aligned zeroed blocks, many strings |
//! | `syntax` | Rust source parsed, renamed, printed, parsed again | 1 | trees of small blocks |
//! | `routes` | road network with names, indexed, searched, rebuilt in parts | 1 | maps and graphs that churn |
//! | `script` | a scripting engine running text and object scripts | 1 | an interpreter's values |
//! | `frames` | a game's frame loop over an entity-component store | 1 | bursts of short-lived vectors |
//!
//! Every program takes `--scale N`: N times its usual work, which takes a fraction of a second in
//! a release build. What it allocates depends on nothing but N: no clock, no random seed, no
//! network but loopback. (In the programs with threads the order of things is the scheduler's.)

pub mod allocator;
pub mod apps;
pub mod checksum;
mod command;
pub mod workload;

pub use checksum::Checksum;
pub use command::{App, main};
pub use workload::Scale;
