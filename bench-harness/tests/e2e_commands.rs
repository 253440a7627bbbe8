//! Words, files and folders: what every command refuses, writes, and leaves behind.

mod common;

use common::{Place, events, executable};
use std::fs;
use std::path::{Path, PathBuf};
use strata_bench::results::jsonl;
use strata_bench::trace::{Meta, Writer, shipped};

/// A refusal with exit code 2 in one line, after which nothing lies where nothing lay before.
fn refused(place: &Place, words: &[&str], named: &[&str]) {
    let before = place.left_behind();
    let ended = place.run(words);
    ended.refused(2, named);
    assert_eq!(ended.stdout, "", "{words:?}");
    assert_eq!(place.left_behind(), before, "{words:?}");
}

/// A file in the place, by its path.
fn file(place: &Place, name: &str, bytes: &[u8]) -> String {
    let path = place.path().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A shipped trace written again, unpacked.
fn plain(place: &Place, name: &str) -> PathBuf {
    let path = place.path().join(format!("{name}.trace"));
    let mut writer = Writer::create(&path, Meta::default()).unwrap();
    for event in events(name) {
        writer.push(&event).unwrap();
    }
    writer.finish().unwrap();
    path
}

#[test]
fn unusable_traces_are_refused_in_one_line() {
    let place = Place::new();
    let packed = shipped().iter().find(|t| t.name == "git-index-pack-2t").unwrap().bytes;
    let whole = fs::read(plain(&place, "git-index-pack-2t")).unwrap();
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xFF;
        bytes
    };
    let empty = file(&place, "empty.trace", b"");
    let foreign = file(&place, "foreign.trace", "no trace, but text\n".repeat(400).as_bytes());
    let headless = file(&place, "headless.trace", &whole[..40]);
    let cut_packed = file(&place, "cut.trace.xz", &packed[..packed.len() / 3]);
    let damaged = file(&place, "damaged.trace", &flipped(&whole));
    let damaged_packed = file(&place, "damaged.trace.xz", &flipped(packed));
    let nothing = place.path().join("nothing.trace");
    Writer::create(&nothing, Meta::default()).unwrap().finish().unwrap();
    for (path, what) in [
        (&*empty, "empty"),
        (&foreign, "not a trace"),
        (&headless, "cut off"),
        (&cut_packed, "cut off"),
        (&damaged, "damaged"),
        (&damaged_packed, "damaged"),
    ] {
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        refused(&place, &["replay", path, "--alloc", "system"], &[name, what]);
        refused(&place, &["info", path], &[name, what]);
        refused(&place, &["convert", path, "to.trace"], &[name, what]);
        refused(&place, &["map", path, "--alloc", "system"], &[name, what]);
        refused(&place, &["run", "--workload", path, "--out", "to"], &[name, what]);
    }
    let nothing = nothing.to_str().unwrap();
    refused(&place, &["replay", nothing, "--alloc", "system"], &["nothing", "no record"]);
}

#[test]
fn missing_files_are_named() {
    let place = Place::new();
    for words in [
        &["replay", "missing.trace", "--alloc", "system"][..],
        &["run", "--workload", "missing.trace"],
        &["map", "missing.trace", "--alloc", "system"],
        &["info", "missing.trace"],
        &["convert", "missing.trace", "to.trace"],
        &["report", "missing.trace"],
        &["compare", "missing.trace", "missing.trace"],
        &["record", "-o", "to.trace", "--", "./missing.trace"],
        &["replay", "pair-64", "--alloc", "lib:missing.trace"],
    ] {
        refused(&place, words, &["missing.trace"]);
    }
    refused(&place, &["compare", "missing.jsonl", "missing.jsonl"], &["missing.jsonl"]);
}

#[test]
fn a_trace_that_was_cut_off_is_replayed_as_far_as_it_reaches() {
    let place = Place::new();
    let whole = fs::read(plain(&place, "git-index-pack-2t")).unwrap();
    let cut = file(&place, "cut.trace", &whole[..whole.len() * 9 / 10]);
    let words = ["replay", &cut, "--alloc", "system", "--repeat", "1", "--json"];
    let ended = place.run(words).fine();
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("cut.trace was cut off"), "{}", ended.stderr);
    let row = ended.row();
    let memory = row.memory.unwrap();
    assert!(row.workload.operations > 10_000);
    assert_eq!(memory.checkpoints[memory.peak].label.as_deref(), Some("peak"));
    assert_eq!(memory.checkpoints.last().unwrap().record, row.workload.operations);
}

#[test]
fn unknown_words_are_named() {
    let place = Place::new();
    for words in [
        &["run", "--alloc", "nonsense", "--out", "new/folder"][..],
        &["run", "--workload", "nonsense", "--out", "new/folder"],
        &["run", "--suite", "nonsense"],
        &["run", "--touch", "nonsense"],
        &["run", "--nonsense"],
        &["replay", "pair-64", "--alloc", "nonsense"],
        &["replay", "nonsense", "--alloc", "system"],
        &["replay", "pair-64", "--alloc", "system", "--threads", "nonsense"],
        &["map", "pair-64", "--alloc", "nonsense"],
        &["map", "pair-64", "--alloc", "system", "--at", "nonsense"],
        &["nonsense"],
    ] {
        refused(&place, words, &["nonsense"]);
    }
    refused(&place, &["map", "pair-64", "--alloc", "ideal"], &["ideal"]);
    refused(&place, &["map", "pair-64", "--alloc", "system", "--at", "0"], &["pair-64", "--at 0"]);
    refused(&place, &["replay", "pair-64"], &["--alloc"]);
    let help = place.run(["--help"]).fine();
    assert!(help.stdout.contains("Exit codes: 0 ok, 1 regression, 2 usage or input, 3"));
}

#[test]
fn folders_that_cannot_be_written_are_named_before_anything_runs() {
    let place = Place::new();
    file(&place, "file", b"");
    // A folder where even the superuser makes no file.
    for out in ["/proc/self", "file", "file/folder", "/dev/null"] {
        refused(&place, &["run", "--out", out], &[out]);
    }
    let results = file(&place, "old.jsonl", b"");
    refused(&place, &["report", &results], &["old.jsonl", "empty"]);
    refused(&place, &["convert", "file", "/proc/self/to.trace"], &["file"]);
    let trace = plain(&place, "sqlite3-oltp");
    let trace = trace.to_str().unwrap();
    refused(&place, &["convert", trace, "/proc/self/to.trace"], &["/proc/self/to.trace"]);
    let svg = "/proc/self/to.svg";
    refused(&place, &["map", "pair-64", "--alloc", "noop", "--at", "1", "--out", svg], &[svg]);
}

#[test]
fn what_is_no_strata_bench_is_not_compared() {
    let place = Place::new();
    let own = executable().to_str().unwrap();
    refused(&place, &["compare", "/bin/true", own], &["/bin/true", "strata-bench executable"]);
    refused(&place, &["compare", own, "/bin/true"], &["/bin/true"]);
    let text = file(&place, "text", b"text");
    refused(&place, &["compare", &text, own], &["text"]);
    refused(&place, &["compare", "some.jsonl", own], &["not one of each"]);
    refused(&place, &["compare", own, own, "--alloc", "nonsense"], &["no subject in common"]);
}

#[test]
fn what_takes_malloc_over_is_preloaded_and_nothing_else() {
    let place = Place::new();
    let text = file(&place, "text.so", b"text");
    refused(&place, &["replay", "pair-64", "--alloc", &format!("lib:{text}")], &["text.so"]);
    refused(&place, &["replay", "pair-64", "--alloc", "lib:."], &["take malloc over"]);
    // A shared library or program without a malloc of its own.
    let own = format!("lib:{}", executable().display());
    refused(&place, &["replay", "pair-64", "--alloc", &own], &["take malloc over"]);
}

#[test]
fn without_proc_one_line_says_so() {
    let place = Place::new();
    let own = executable().display();
    let script = format!("mount -t tmpfs none /proc && exec {own} run --workload pair-64");
    let words = ["--user", "--map-root-user", "--mount", "sh", "-c", &script];
    let mut command = place.command(Path::new("unshare"));
    let Ok(output) = command.args(words).output() else {
        return println!("skipped: there is no unshare to hide /proc with");
    };
    let said = String::from_utf8(output.stderr).unwrap();
    if output.status.code() == Some(1) || said.contains("mount:") {
        return println!("skipped: /proc cannot be hidden here: {said}");
    }
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("/proc"), "{said}");
    assert_eq!(place.left_behind(), [""; 0]);
}

#[test]
fn commands_work_from_any_folder_and_write_there_or_where_told() {
    let place = Place::new();
    plain(&place, "git-index-pack-2t");
    let there = |name: &str| place.path().join(name).is_file();

    let words = "run --no-time --alloc system --workload git-index-pack-2t.trace --out a/b";
    let ended = place.run(words.split(' ')).fine();
    assert!(ended.stdout.contains("a/b/results.jsonl"), "{}", ended.stdout);
    assert!(there("a/b/results.jsonl") && there("a/b/report.html"));
    let (header, rows) = jsonl::read(&place.path().join("a/b/results.jsonl")).unwrap();
    assert_eq!(header.command, format!("strata-bench {words}"));
    assert_eq!(rows[0].workload.name, "git-index-pack-2t");

    place.run(["report", "a/b/results.jsonl"]).fine();
    place.run(["report", "a/b/results.jsonl", "--out", "other.html"]).fine();
    let pages = ["a/b/report.html", "report.html", "other.html"]
        .map(|name| fs::read(place.path().join(name)).unwrap());
    assert!(pages[0] == pages[1] && pages[1] == pages[2]);

    place.run("map sqlite3-oltp --alloc system --at 5000".split(' ')).fine();
    assert!(there("sqlite3-oltp-system-5000.svg"));
    place.run("map sqlite3-oltp --alloc system --at 5000 --out a/heap.svg".split(' ')).fine();
    assert!(there("a/heap.svg"));

    place.run(["convert", "git-index-pack-2t.trace", "a/packed.trace.xz"]).fine();
    let info = place.run(["info", "a/packed.trace.xz", "--json"]).fine();
    assert!(info.stdout.contains("\"events\": 88329"), "{}", info.stdout);

    place.run(["record", "-o", "a/ls.trace", "--", "/bin/ls"]).fine();
    assert!(there("a/ls.trace"));
    let expected = [
        "a",
        "git-index-pack-2t.trace",
        "other.html",
        "report.html",
        "sqlite3-oltp-system-5000.svg",
    ];
    assert_eq!(place.left_behind(), expected);
}

#[test]
fn an_executable_is_no_worse_than_itself() {
    let place = Place::new();
    // A relative path is one of this folder, not a command's name.
    std::os::unix::fs::symlink(executable(), place.path().join("old")).unwrap();
    let words = "compare old old --alloc system --workload pair-64 --pairs 6 --tolerance 0.5";
    let ended = place.run(words.split(' ').chain(["--json"])).fine();
    let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["metric"], "time");
    assert_eq!(found["regression"], false);
    for interval in ["ratio", "a_a"] {
        let interval = &found[interval];
        let figure = |name: &str| interval[name].as_f64().expect("a figure");
        assert!(figure("low") <= figure("median") && figure("median") <= figure("high"));
        assert_eq!(interval["pairs"], 6);
    }
    assert_eq!(place.left_behind(), ["old"]);
}

#[test]
fn a_planted_rise_of_one_percent_is_a_regression() {
    let place = Place::new();
    let words = "run --no-time --alloc system --workload git-index-pack-2t";
    place.run(words.split(' ')).fine();
    let (header, mut rows) = jsonl::read(&place.path().join("results.jsonl")).unwrap();
    let planted = rows.iter_mut().find(|row| row.subject.name == "system").unwrap();
    let memory = planted.memory.as_mut().unwrap();
    let resident = &mut memory.checkpoints[memory.peak].resident;
    *resident += *resident / 100;
    jsonl::write(&place.path().join("new.jsonl"), &header, &rows).unwrap();
    let compare = |tolerance: &str| {
        place.run(["compare", "results.jsonl", "new.jsonl", "--tolerance", tolerance])
    };
    let ended = compare("0.005");
    ended.refused(1, &["system", "git-index-pack-2t", "peak resident", "1.01"]);
    assert!(ended.stdout.contains("REGRESSION"), "{}", ended.stdout);
    assert_eq!(compare("0.02").fine().stderr, "");
    let same = place.run(["compare", "results.jsonl", "results.jsonl", "--tolerance", "0"]);
    assert_eq!(same.fine().stderr, "");
}
