//! Real programs with `libstrata.so` preloaded: what they print is what they print without, byte for
//! byte. Those that are not installed are skipped, with a line that says so.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

use strata_tests::preload::library;
use strata_tests::workspace;

/// What the programs work on, made once a process.
fn inputs() -> Option<&'static Path> {
    static INPUTS: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = INPUTS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("preload-inputs");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let made = Command::new(workspace().join("ci/programs/make")).arg(&folder).output();
        made.is_ok_and(|out| out.status.success()).then_some(folder)
    });
    made.as_deref()
}

/// Runs one of the scripts of `ci/programs`, with the library or without.
fn script(name: &str, word: &str, folder: &Path, preloaded: bool) -> Output {
    let mut command = Command::new("bash");
    command
        .arg(workspace().join("ci/programs").join(name).with_extension("sh"))
        .arg(word)
        .current_dir(folder)
        .stdin(Stdio::null());
    if preloaded {
        command.env("LD_PRELOAD", library(env!("CARGO_TARGET_TMPDIR")));
    }
    command.output().expect("bash runs")
}

fn prints_the_same(name: &str) {
    let Some(inputs) = inputs() else {
        println!("skipped: {name}: its inputs need awk and git");
        return;
    };
    let check = script(name, "check", inputs, false);
    if !check.status.success() {
        println!("skipped: {}", String::from_utf8_lossy(&check.stdout).trim());
        return;
    }
    let expected = script(name, "run", inputs, false);
    let said = String::from_utf8_lossy(&expected.stderr);
    assert!(expected.status.success(), "{name} itself: {}\n{said}", expected.status);
    assert!(!expected.stdout.is_empty(), "{name} prints something");
    let found = script(name, "run", inputs, true);
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "{name}: {}\n{said}", found.status);
    assert!(found.stdout == expected.stdout, "{name} prints something else\n{said}");
    assert!(!said.contains("LD_PRELOAD"), "the loader took the library: {said}");
}

macro_rules! programs {
    ($($test:ident: $name:literal;)*) => {$(
        #[test]
        fn $test() {
            prints_the_same($name);
        }
    )*};
}

programs! {
    sqlite3: "sqlite3";
    python3: "python3";
    git: "git";
    perl: "perl";
    jq: "jq";
    redis_under_load: "redis";
    gcc: "gcc";
    node: "node";
    // Where HELLO_SOURCE names the source of one.
    a_debian_package: "package";
}

/// C++ where there is no memory: handlers are called, `bad_alloc` is thrown and caught, nothrow forms
/// answer null, a handler that throws included.
#[test]
fn cxx_without_memory() {
    const PROGRAM: &str = r#"
#include <cstdio>
#include <new>
static int called = 0;
struct Mine {};
static void gives_up() { called++; std::set_new_handler(nullptr); }
static void throws() { called++; throw std::bad_alloc(); }
static void *volatile sink;
int main() {
    const std::size_t most = static_cast<std::size_t>(-1) / 2;
    volatile std::size_t size = most - 100;
    try { sink = ::operator new(size); std::puts("no"); } catch (const std::bad_alloc &) { std::puts("thrown"); }
    try { sink = ::operator new[](size, std::align_val_t(64)); std::puts("no"); }
    catch (const std::bad_alloc &) { std::puts("thrown aligned"); }
    std::set_new_handler(gives_up);
    try { sink = ::operator new(size); std::puts("no"); } catch (const std::bad_alloc &) { std::printf("thrown, %d\n", called); }
    std::set_new_handler(throws);
    sink = ::operator new(size, std::nothrow);
    std::printf("%s, %d\n", sink ? "no" : "null", called);
    sink = ::operator new(size, std::align_val_t(128), std::nothrow);
    std::printf("%s, %d\n", sink ? "no" : "null", called);
    std::set_new_handler(nullptr);
    for (int i = 0; i < 1000; i++) { delete[] new double[i]; delete new long(i); }
    std::puts("done");
}
"#;
    const EXPECTED: &str = "thrown\nthrown aligned\nthrown, 1\nnull, 2\nnull, 3\ndone\n";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (folder.join("no_memory.cc"), folder.join("no_memory"));
    fs::write(&source, PROGRAM).unwrap();
    let built = Command::new("g++")
        .args(["-std=c++17", "-O1", "-fno-builtin", "-w", "-o"])
        .args([&program, &source])
        .output();
    if !built.is_ok_and(|out| out.status.success()) {
        println!("skipped: C++ without memory: g++ is not installed");
        return;
    }
    for preloaded in [false, true] {
        let mut command = Command::new(&program);
        if preloaded {
            command.env("LD_PRELOAD", library(env!("CARGO_TARGET_TMPDIR")));
        }
        let out = command.output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{}\n{said}", out.status);
        assert_eq!(String::from_utf8_lossy(&out.stdout), EXPECTED, "preloaded: {preloaded}");
    }
}
