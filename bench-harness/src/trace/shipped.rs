//! The traces that are compiled in: those of every suite, and more that the full one has.
//!
//! They are two groups so that means over "all traces of a suite" stay comparable when traces are added.

use super::Reader;
use crate::error::Result;

/// A trace that is compiled in, packed.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// The name by which commands take it.
    pub name: &'static str,
    /// The bytes of its file.
    pub bytes: &'static [u8],
}

impl Shipped {
    /// Reads it.
    ///
    /// # Errors
    /// None that its bytes, which a test reads whole, can give.
    pub fn open(&self) -> Result<Reader> {
        Reader::new(self.name, Box::new(self.bytes))
    }
}

macro_rules! traces {
    ($($name:literal),* $(,)?) => {
        vec![$(Shipped {
            name: $name,
            bytes: include_bytes!(concat!("../../traces/", $name, ".trace.xz")),
        }),*]
    };
}

/// Those of every suite, by name.
pub fn shipped() -> Vec<Shipped> {
    traces![
        "gcc-compile",
        "git-index-pack-2t",
        "jq-group",
        "kv-service",
        "log-pipeline",
        "perl-words",
        "python-json-ast",
        "python-threads",
        "redis-lru",
        "routes",
        "search",
        "sqlite3-oltp",
        "tiles",
        "wiki-threads",
    ]
}

/// Those of the full suite only, and by name.
pub fn shipped_more() -> Vec<Shipped> {
    traces![
        "gawk-fields",
        "git-pack-threads",
        "lua-objects",
        "make-rules",
        "node-workers",
        "redis-io-threads",
        "troff-pages",
        "vim-edit",
        "xml-xpath",
    ]
}

/// [`shipped`] and [`shipped_more`].
pub fn every_shipped() -> impl Iterator<Item = Shipped> {
    shipped().into_iter().chain(shipped_more())
}
