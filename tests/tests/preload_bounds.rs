//! A limit and a background thread for a program that knows nothing of them: `libstrata.so`, told by the
//! environment.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::env;
use std::fs;
use std::process::Command;

use strata_tests::preload::bounded_library;

/// Set in the program that is looked at, which is this test's executable too.
const CHILD: &str = "STRATA_BOUNDED_CHILD";
const NAME: &str = "bounds_are_kept_and_wrong_ones_said";

/// The program: it says whether it was given 256 MiB, and how many threads it has that it did not start.
fn child() {
    // SAFETY: an ordinary request, and the free of what it answered.
    let given = unsafe {
        let block = libc::malloc(256 << 20);
        libc::free(block);
        !block.is_null()
    };
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(Result::unwrap);
    let name =
        |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    let ours = tasks.map(name).filter(|name| name.starts_with("strata")).count();
    println!("\nresult: {given} {ours}");
}

/// What the program said of itself, and on the standard error.
fn run(variables: &[(&str, &str)]) -> (String, String) {
    let out = Command::new(env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .env("LD_PRELOAD", bounded_library(env!("CARGO_TARGET_TMPDIR")))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let [printed, said] =
        [&out.stdout, &out.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(out.status.success(), "{}: {printed}{said}", out.status);
    let result = printed.lines().find_map(|line| line.strip_prefix("result: "));
    (result.unwrap_or_else(|| panic!("{printed}")).into(), said)
}

#[test]
fn bounds_are_kept_and_wrong_ones_said() {
    if env::var_os(CHILD).is_some() {
        return child();
    }
    const LIMIT: &str = "STRATA_LIMIT";
    const BACKGROUND: &str = "STRATA_BACKGROUND";
    for (variables, result) in [
        (&[][..], "true 0"),
        (&[(LIMIT, "200m")], "false 0"),
        (&[(LIMIT, "1g"), (BACKGROUND, "on")], "true 1"),
        (&[(LIMIT, "209715200"), (BACKGROUND, "off")], "false 0"),
    ] {
        assert_eq!(run(variables), (result.into(), String::new()), "{variables:?}");
    }
    for (variable, wrong) in [(LIMIT, "200MB"), (LIMIT, ""), (LIMIT, "0"), (BACKGROUND, "yes")] {
        let (result, said) = run(&[(variable, wrong)]);
        assert_eq!(result, "true 0", "{variable}={wrong}");
        assert!(said.starts_with(&format!("strata: {variable}: ")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
