//! What the tests under `tests/` share: the runner that every source of memory must survive, and
//! the naive oracles that it compares them with.

pub mod layering;
pub mod oracle;
#[cfg(target_os = "linux")]
pub mod preload;
pub mod source;

use std::path::Path;

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}
