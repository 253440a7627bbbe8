//! Compiles the preload recorder with the same `rustc` and leaves it where the library embeds it;
//! tells the library which cargo profile it is built with.
//!
//! The recorder is a library of its own kind (no std, `panic = "abort"`, loaded into other people's
//! programs), which cargo cannot build for a dependent; and it must exist inside the installed
//! command. So it is plain source files beside this one, compiled here.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=recorder");
    println!("cargo::rustc-env=STRATA_PROFILE={}", profile());
    let out = PathBuf::from(variable("OUT_DIR")).join("strata_recorder.so");
    if supported() {
        compile(&out);
    } else {
        // Nothing to embed: `record` says that it cannot record here.
        std::fs::write(&out, b"").expect("cargo's OUT_DIR is writable");
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// The recorder knows the thread pointer, the system calls and the loader of one platform.
fn supported() -> bool {
    variable("CARGO_CFG_TARGET_OS") == "linux"
        && variable("CARGO_CFG_TARGET_ARCH") == "x86_64"
        && variable("CARGO_CFG_TARGET_ENV") == "gnu"
        && variable("CARGO_CFG_TARGET_POINTER_WIDTH") == "64"
}

fn compile(out: &Path) {
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["--crate-name", "strata_recorder", "--edition", "2024", "--crate-type", "cdylib"])
        .args(["-C", "opt-level=3", "-C", "panic=abort", "-C", "codegen-units=1"])
        // A thread may be cancelled inside `pthread_join`: its unwinding passes through here.
        .args(["-C", "force-unwind-tables=yes", "-C", "strip=debuginfo"])
        .args(["--target", &variable("TARGET")])
        .arg("-o")
        .arg(out)
        .arg(Path::new("recorder").join("lib.rs"));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={linker}"));
    }
    let output = rustc.output().unwrap_or_else(|error| panic!("cannot run {rustc:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the recorder does not compile:\n{said}\n({rustc:?})");
    for line in said.lines() {
        println!("cargo::warning={line}");
    }
}

/// The profile's name, which cargo tells only by the folder it builds in.
fn profile() -> String {
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    let folders: Vec<_> = out.split(['/', '\\']).collect();
    let build = folders.iter().rposition(|folder| *folder == "build");
    build.and_then(|at| folders.get(at.checked_sub(1)?)).map_or("unknown", |name| name).to_owned()
}
