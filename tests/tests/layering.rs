//! The crates depend on one another as ARCHITECTURE.md says, and name things only where it allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use strata_tests::layering::{complaint, read_rules};
use strata_tests::workspace;

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(workspace().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata answers in the workspace")
}

/// The dependencies of each crate of the workspace, of one kind.
fn edges(wanted: impl Fn(DependencyKind) -> bool) -> BTreeMap<String, BTreeSet<String>> {
    let of = |package: &cargo_metadata::Package| {
        let all = package.dependencies.iter().filter(|dependency| wanted(dependency.kind));
        all.map(|dependency| dependency.name.clone()).collect()
    };
    metadata().packages.iter().map(|package| (package.name.to_string(), of(package))).collect()
}

#[test]
fn every_edge_is_one_of_architecture_md() {
    let page = fs::read_to_string(workspace().join("ARCHITECTURE.md")).unwrap();
    let rules = read_rules(&page).unwrap_or_else(|why| panic!("{why}"));
    let edges = edges(|kind| kind != DependencyKind::Development);
    let complaints: Vec<_> = edges
        .iter()
        .flat_map(|(from, all)| all.iter().filter_map(|to| complaint(&rules, from, to)))
        .collect();
    assert!(edges.contains_key("strata-core") && edges.contains_key("strata-os"));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn development_dependencies_make_no_cycle() {
    let edges = edges(|_| true);
    // Whoever cannot be built before itself is on a cycle.
    let mut built = BTreeSet::new();
    loop {
        let ready: Vec<_> = edges
            .iter()
            .filter(|(name, needs)| {
                !built.contains(*name)
                    && needs.iter().all(|need| built.contains(need) || !edges.contains_key(need))
            })
            .map(|(name, _)| name.clone())
            .collect();
        if ready.is_empty() {
            break;
        }
        built.extend(ready);
    }
    let rest: Vec<_> = edges.keys().filter(|name| !built.contains(*name)).collect();
    assert!(rest.is_empty(), "on a cycle, or above one: {rest:?}");
}

/// Every Rust file below `folder`.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Where a thing may be named: a path below `allocators/` starts so.
const PLACES: &[(&[&str], &[&str])] = &[
    (&["libc::", "memmap2::"], &["os/", "preload/"]),
    (&["core::sync::atomic", "std::sync::atomic", "loom::"], &["core/src/sync/"]),
    (&["GlobalAlloc for"], &["global.rs"]),
];

/// Files that are tests or models: they may name what they test with.
fn is_test(path: &str) -> bool {
    ["/tests.rs", "/models.rs", "/tests/", "/benches/", "/examples/"]
        .iter()
        .any(|part| path.contains(part))
}

/// The places where shipped code of an allocator names what it must not.
fn strays(path: &str, text: &str) -> Vec<String> {
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    let mut found = Vec::new();
    for (number, line) in code {
        for (names, places) in PLACES {
            let allowed = places.iter().any(|p| path.starts_with(p) || path.ends_with(p));
            if let Some(name) = names.iter().find(|name| !allowed && line.contains(**name)) {
                found.push(format!("allocators/{path}:{}: names {name}", number + 1));
            }
        }
    }
    found
}

#[test]
fn libc_atomics_and_global_alloc_are_named_in_their_places_only() {
    let root = workspace().join("allocators");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the allocators' sources are here");
    let found: Vec<_> = files
        .iter()
        .filter_map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str()?.replace('\\', "/");
            (!is_test(&path)).then(|| strays(&path, &fs::read_to_string(file).unwrap()))
        })
        .flatten()
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_stray_name_is_found() {
    assert_eq!(strays("pool/src/depot.rs", "use core::sync::atomic::AtomicU32;").len(), 1);
    assert_eq!(strays("segment/src/lib.rs", "\nunsafe { libc::mmap() };").len(), 1);
    assert_eq!(strays("pool/src/lib.rs", "unsafe impl GlobalAlloc for PoolAlloc {").len(), 1);
    assert!(strays("pool/src/lib.rs", "/// as libc::malloc does").is_empty());
    assert!(strays("os/src/memory/linux.rs", "libc::mmap()").is_empty());
    assert!(strays("pool/src/global.rs", "unsafe impl GlobalAlloc for PoolAlloc {").is_empty());
}
