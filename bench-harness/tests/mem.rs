//! `mem` against oracles: recorded files read in a naive way, and `pmap`, `top` and `free` beside
//! a process that is stopped.

mod common;
mod mem_support;

use common::{Place, executable};
use mem_support::{Stopped, is_tool, naive, number, recorded, tool};
use std::process::Command;
use strata_bench::mem::{Depth, Heap, Kernel, Kind, Machine, Process, Report, Rollup, mappings};

/// The five keys of Node's `process.memoryUsage()`.
const NODE: [&str; 5] = ["rss", "heapTotal", "heapUsed", "external", "arrayBuffers"];

#[test]
fn recorded_mappings_are_what_a_naive_reader_finds_and_what_pmap_said() {
    let recorded = recorded();
    let found = mappings(&recorded.kernel(), 4242).unwrap();
    let oracle = naive::mappings(&recorded.read("4242/smaps"));
    assert_eq!(found.len(), oracle.len());
    for (mapping, (start, fields)) in found.iter().zip(&oracle) {
        assert_eq!(mapping.start, *start);
        let kib = |name: &str| fields.get(name).copied().unwrap_or(0);
        assert_eq!(mapping.bytes() / 1024, kib("Size"), "{start:x}");
        assert_eq!(mapping.of.rss / 1024, kib("Rss"), "{start:x}");
        assert_eq!(mapping.of.pss / 1024, kib("Pss"), "{start:x}");
        assert_eq!(mapping.of.dirty() / 1024, kib("Shared_Dirty") + kib("Private_Dirty"));
        assert_eq!(mapping.of.anonymous / 1024, kib("Anonymous"));
    }
    let said = naive::pmap(&recorded.read("pmap.txt"));
    let shown: Vec<_> = found.iter().map(naive::row).collect();
    assert_eq!(shown, said.rows);
    let sum = |of: fn(&Rollup) -> u64| found.iter().map(|mapping| of(&mapping.of)).sum::<u64>();
    let virtual_bytes: u64 = found.iter().map(strata_bench::mem::Mapping::bytes).sum();
    let total = [virtual_bytes, sum(|of| of.rss), sum(Rollup::dirty)].map(|bytes| bytes / 1024);
    assert_eq!(total, said.total);
}

#[test]
fn recorded_mappings_are_told_apart_by_use() {
    let recorded = recorded();
    let report = Report::of(&recorded.kernel(), 4242, Depth::Mappings, None).unwrap();
    let found = report.mappings.unwrap();
    let of = |kind: Kind| found.iter().filter(|mapping| mapping.kind == kind).count();
    let expected = [
        (Kind::Code, 1),
        (Kind::Data, 4),
        (Kind::Heap, 1),
        // The C library with what follows it, and the loader.
        (Kind::Libraries, 11),
        (Kind::Stack, 1),
        (Kind::Anonymous, 2),
        (Kind::Files, 13),
        (Kind::Shared, 0),
        (Kind::Kernel, 4),
    ];
    for (kind, count) in expected {
        assert_eq!(of(kind), count, "{kind:?}");
    }
    let kinds = report.kinds.unwrap();
    let counted: u64 = kinds.iter().map(|of| of.count).sum();
    assert_eq!(counted, found.len() as u64);
    let resident: u64 = kinds.iter().map(|of| of.of.rss).sum();
    assert_eq!(resident, report.exact.rss);
    let rollup = Rollup::of(&recorded.kernel(), 4242).unwrap();
    // The kernel rounds each mapping's part of what is shared down to a KiB.
    let rounded = rollup.pss - report.exact.pss;
    assert!(rounded < found.len() as u64 * 1024, "{rounded}");
    assert_eq!(Rollup { pss: rollup.pss, ..report.exact }, rollup);
}

#[test]
fn recorded_sums_are_those_of_status_and_meminfo() {
    let recorded = recorded();
    let process = Process::of(&recorded.kernel(), 4242).unwrap();
    let status = naive::fields(&recorded.read("4242/status"));
    let kib = |name: &str| number(&status[name]) * 1024;
    assert_eq!(process.usage.rss, kib("VmRSS"));
    assert_eq!(process.usage.heap_total, kib("VmData"));
    assert_eq!(process.usage.heap_used, kib("RssAnon") + kib("VmSwap"));
    assert_eq!(process.usage.external, kib("RssFile") + kib("RssShmem"));
    assert_eq!(process.usage.array_buffers, kib("RssShmem"));
    assert_eq!((process.virtual_bytes, process.peak), (kib("VmSize"), kib("VmHWM")));
    assert_eq!((process.state, &*process.name, process.threads), ('T', "sleep", 1));
    let meminfo = naive::fields(&recorded.read("meminfo"));
    let kib = |name: &str| number(&meminfo[name]) * 1024;
    let machine = Machine::read(&recorded.kernel()).unwrap();
    assert_eq!((machine.total, machine.free), (kib("MemTotal"), kib("MemFree")));
    assert_eq!(machine.used(), kib("MemTotal") - kib("MemAvailable"));
    assert_eq!(machine.caches(), kib("Buffers") + kib("Cached") + kib("SReclaimable"));
}

#[test]
fn json_has_nodes_keys_and_limits_are_null_where_there_are_none() {
    let (recorded, place) = (recorded(), Place::new());
    let words =
        ["mem", "4242", "--json", "--proc", recorded.proc(), "--cgroups", recorded.cgroups()];
    let read =
        || -> serde_json::Value { serde_json::from_str(&place.run(words).fine().stdout).unwrap() };
    let found = read();
    for key in NODE {
        assert!(found[key].is_u64(), "{key}: {found}");
    }
    assert!(found["constrainedMemory"].is_null() && found["limits"]["limit"].is_null());
    assert_eq!(found["availableMemory"], found["freemem"]);
    for key in ["user", "system"] {
        assert!(found["cpuUsage"][key].is_u64());
    }
    assert_eq!(found["cpus"].as_array().unwrap().len(), 2);
    assert_eq!(found["cpus"][0]["model"], "AMD EPYC");
    assert!(found["cpus"][1]["times"]["idle"].as_u64().unwrap() > 0);
    assert_eq!(found["totalmem"], 24_684_096_u64 * 1024);
    assert!(found.get("mappings").is_none(), "only where they are asked for");

    recorded.write_group("memory/user/a/memory.limit_in_bytes", "10485760\n");
    recorded.write_group("memory/user/a/memory.usage_in_bytes", "4194304\n");
    let found = read();
    assert_eq!(
        (&found["constrainedMemory"], &found["limits"]["version"]),
        (&10_485_760.into(), &1.into())
    );
    assert_eq!(found["availableMemory"], 6_291_456);

    recorded.write("4242/cgroup", "0::/user/a\n");
    recorded.write_group("user/a/memory.max", "max\n");
    recorded.write_group("user/a/memory.current", "4194304\n");
    let found = read();
    assert_eq!(
        (&found["limits"]["version"], &found["limits"]["current"]),
        (&2.into(), &4_194_304.into())
    );
    assert!(found["constrainedMemory"].is_null());

    recorded.write("4242/cgroup", "0::/user/a (deleted)\n");
    let found = read();
    assert!(found["constrainedMemory"].is_null() && found["limits"]["gone"] == true);
    let shown = place.run([&words[..2], &words[3..]].concat()).fine();
    assert!(shown.stdout.contains("/user/a was removed"), "{}", shown.stdout);
    assert_eq!(shown.stderr, "");
}

#[test]
fn a_stopped_process_agrees_with_pmap_and_top_to_the_kilobyte() {
    let (stopped, place) = (Stopped::new(), Place::new());
    let pid = stopped.pid();
    let found: serde_json::Value =
        serde_json::from_str(&place.run(["mem", &pid, "--json", "--maps"]).fine().stdout).unwrap();
    let kib = |of: &serde_json::Value, key: &str| of[key].as_u64().unwrap() / 1024;
    match tool("pmap", &["-x", &pid]) {
        None => println!("skipped: pmap is not installed"),
        Some(said) => {
            let said = naive::pmap(&said);
            let rows: Vec<_> =
                mappings(&Kernel::here(), stopped.id()).unwrap().iter().map(naive::row).collect();
            assert_eq!(rows, said.rows);
            let kinds = found["kinds"].as_array().unwrap();
            let sum = |keys: &[&str]| -> u64 {
                kinds.iter().flat_map(|of| keys.iter().map(move |key| kib(of, key))).sum()
            };
            let total = [sum(&["bytes"]), sum(&["rss"]), sum(&["privateDirty", "sharedDirty"])];
            assert_eq!(total, said.total);
        }
    }
    match tool("top", &["-b", "-n1", "-p", &pid]) {
        None => println!("skipped: top is not installed"),
        Some(said) => {
            let line =
                said.lines().find(|line| line.trim_start().starts_with(&pid)).expect("its line");
            let words: Vec<&str> = line.split_whitespace().collect();
            let shown = [kib(&found, "virtualBytes"), kib(&found, "rss"), kib(&found, "shared")];
            assert_eq!(shown.map(|figure| figure.to_string()), words[4..7], "VIRT RES SHR: {line}");
            assert_eq!(words[7], "T");
        }
    }
}

#[test]
fn the_machine_agrees_with_free_to_the_kilobyte() {
    if !is_tool("free") {
        return println!("skipped: free is not installed");
    }
    // Both read the recorded file: what the machine has changes from moment to moment.
    let recorded = recorded();
    let script = format!(
        "mount --bind {0}/meminfo /proc/meminfo && free && exec {1} mem --json --most 0",
        recorded.proc(),
        executable().display()
    );
    let place = Place::new();
    let mut command = place.command(std::path::Path::new("unshare"));
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    let Ok(output) = command.output() else {
        return println!("skipped: there is no unshare to show free a recorded file with");
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return println!("skipped: free cannot be shown a recorded file here: {said}");
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let json = &text[text.find('{').unwrap()..];
    let found: serde_json::Value = serde_json::from_str(json).unwrap();
    let kib = |key: &str| found["machine"][key].as_u64().unwrap() / 1024;
    let said = |name: &str| -> Vec<u64> {
        let line = text.lines().find(|line| line.starts_with(name)).expect("a line of free");
        line.split_whitespace().skip(1).map(|word| word.parse().unwrap()).collect()
    };
    let memory = said("Mem:");
    let caches = kib("buffers") + kib("cached") + kib("reclaimable");
    let shown = [kib("total"), kib("free"), kib("shared"), caches, kib("available")];
    assert_eq!(shown, [memory[0], memory[2], memory[3], memory[4], memory[5]]);
    // `used` was total less free less caches before procps 4.
    assert!(
        [kib("total") - kib("available"), kib("total") - kib("free") - caches].contains(&memory[1])
    );
    assert_eq!(
        said("Swap:"),
        [kib("swapTotal"), kib("swapTotal") - kib("swapFree"), kib("swapFree")]
    );
}

#[test]
fn a_program_is_told_of_itself_and_of_its_heaps() {
    let heap =
        Heap { allocated: Some(10), committed: Some(4096), name: "own".into(), ..Heap::default() };
    let report = Report::own(Depth::Mappings, vec![heap]).unwrap();
    let usage = report.process.usage;
    assert_eq!((usage.heap_total, usage.heap_used), (4096, 10));
    let text = report.to_string();
    for word in ["heap own", "heapTotal", "requested", "n/a", "shared libraries", "resident  "] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["heaps"][0]["committed"], 4096);
    assert!(json["heaps"][0]["requested"].is_null());
    assert!(json["threads"].as_u64().unwrap() >= 2, "tests have threads");
}

#[test]
fn a_process_that_ends_while_it_is_watched_ends_the_watching() {
    let (stopped, place) = (Stopped::new(), Place::new());
    let mut command = place.command(executable());
    command.args(["mem", &stopped.pid(), "--watch", "0.05"]);
    let watching = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    let pid = stopped.pid();
    drop(stopped);
    let ended = common::Ended::of(watching.wait_with_output().unwrap()).fine();
    assert_eq!(ended.stderr, format!("process {pid} (sleep) has ended\n"));
    assert!(ended.stdout.lines().count() >= 2, "{}", ended.stdout);
    assert!(ended.stdout.starts_with("      rss "), "{}", ended.stdout);
}

#[test]
fn lines_are_vmstats_columns_and_json_lines_are_whole() {
    let place = Place::new();
    let ended = place.run("mem --watch 0.05 --count 22".split(' ')).fine();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 22 + 2, "the heads are repeated");
    let heads: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(heads[..4], ["r", "b", "swpd", "free"]);
    for line in &lines[1..3] {
        let figures: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert_eq!(figures.len(), heads.len());
        let processor: u64 = figures[13..].iter().sum();
        assert!((98..=102).contains(&processor) || processor == 0, "{line}");
    }
    assert_eq!(lines[21], lines[0]);
    let ended = place.run("mem --watch 0.05 -n 2 --json --most 1".split(' ')).fine();
    for line in ended.stdout.lines() {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(found["processes"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_watching() {
    let place = Place::new();
    let script = format!("{} mem --watch 0.05 | head -1", executable().display());
    let mut command: Command = place.command(std::path::Path::new("sh"));
    let output = command.args(["-c", &script]).output().unwrap();
    assert!(output.stderr.is_empty() && output.status.success(), "{output:?}");
}
