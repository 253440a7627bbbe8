//! `libstrata.so`, built by the tests that load it: `cargo test` builds no such library, so that no
//! other test finds one.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::workspace;

/// Builds the library below `folder`, a test's own (`CARGO_TARGET_TMPDIR`), once a process.
///
/// # Panics
///
/// Where it cannot be built.
pub fn library(folder: &str) -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| build(folder, "preload", "release", &[]))
}

/// [`library`] with the profiler, and as little optimised as tests are.
///
/// # Panics
///
/// Where it cannot be built.
pub fn profiled_library(folder: &str) -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| build(folder, "preload-profile", "dev", &["--features", "profile"]))
}

/// [`library`] with the limit and the background thread, and as little optimised as tests are.
///
/// # Panics
///
/// Where it cannot be built.
pub fn bounded_library(folder: &str) -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    let features = ["--features", "limit,background"];
    LIBRARY.get_or_init(|| build(folder, "preload-bounded", "dev", &features))
}

fn build(folder: &str, below: &str, profile: &str, features: &[&str]) -> PathBuf {
    let target = Path::new(folder).join(below);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--offline", "--package", "strata-preload"])
        .args(["--profile", profile])
        .args(features)
        .arg("--target-dir")
        .arg(&target)
        .current_dir(workspace())
        // What the tests are built with need not be what users build it with.
        .env_remove("RUSTFLAGS")
        .env_remove("LD_PRELOAD")
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join(if profile == "dev" { "debug" } else { profile }).join("libstrata.so")
}
