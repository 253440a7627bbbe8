//! What the system knows of a process's memory: `strata-bench mem`, and a library call for
//! applications.
//!
//! [`Process`] and [`Rollup`] are sums, which cost little; [`mappings()`] is the address space piece by
//! piece, each with its [`Kind`]. [`Machine`], [`Counters`] and [`Limits`] tell of what is around it.
//! [`Report`] is all of them at one moment. Programs ask for themselves with [`memory_usage`], or
//! with [`memory_usage_with`] and [`Report::own`] where their heaps have something to say.
//!
//! All of it reads the kernel's text from a [`Kernel`], which tests point at recorded files.

mod activity;
mod cgroup;
mod grid;
mod heap;
mod kernel;
mod kind;
mod lines;
mod machine;
mod mappings;
mod page;
mod picture;
mod process;
mod report;
mod screen;
mod text;
mod watch;

pub use activity::{Counters, Rates};
pub use cgroup::Limits;
pub use heap::{Heap, memory_usage, memory_usage_with};
pub use kernel::Kernel;
pub use kind::Kind;
pub use machine::{Cpu, CpuTimes, Machine, cpus};
pub use mappings::{Mapping, OfKind, by_kind, mappings};
pub use page::html;
pub use picture::svg;
pub use process::{CpuUsage, Process, Rollup, Usage};
pub use report::{Depth, Largest, Report, Surroundings};
pub use screen::View;

pub(crate) use watch::{Options, Terminal, once, watch};
