//! The traces that are compiled in.

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

/// All of them, by name.
pub fn shipped() -> Vec<Shipped> {
    macro_rules! traces {
        ($($name:literal),* $(,)?) => {
            vec![$(Shipped {
                name: $name,
                bytes: include_bytes!(concat!("../../traces/", $name, ".trace.xz")),
            }),*]
        };
    }
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
