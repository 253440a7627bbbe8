//! What `mem` refuses, in one line and leaving nothing, and what it shows where there is no room.

mod common;
mod mem_support;

use common::{Ended, Place, executable};
use mem_support::{Stopped, recorded};
use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Command, Stdio};

fn refused(words: &[&str], named: &[&str]) {
    let place = Place::new();
    let ended = place.run(words);
    ended.refused(2, named);
    assert_eq!(ended.stdout, "", "{words:?}");
    assert_eq!(place.left_behind(), [""; 0], "{words:?}");
}

#[test]
fn processes_that_have_no_memory_to_tell_of_are_named() {
    let mut child = Command::new("true").spawn().unwrap();
    let dead = child.id().to_string();
    // Ended, and not waited for yet.
    while !std::fs::read_to_string(format!("/proc/{dead}/stat")).unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
    refused(&["mem", &dead], &[&dead, "has ended"]);
    child.wait().unwrap();
    for more in [
        &[][..],
        &["--json"],
        &["--summary"],
        &["--watch"],
        &["--picture", "to.svg"],
        &["--out", "to.json"],
    ] {
        refused(&[&["mem", &dead], more].concat(), &[&dead, "no process"]);
    }
    if std::fs::read_to_string("/proc/2/comm").is_ok_and(|name| name == "kthreadd\n") {
        refused(&["mem", "2"], &["kthreadd", "thread of the kernel"]);
    }
}

#[test]
fn a_process_of_another_user_is_named() {
    let place = Place::new();
    // SAFETY: the calls only ask who this is.
    let root = unsafe { libc::geteuid() } == 0;
    let mut command = place.command(executable());
    command.args(["mem", "1", "--out", "to.json"]);
    if root {
        use std::os::unix::process::CommandExt;
        command.uid(65_534).gid(65_534);
    }
    let Ok(output) = command.output() else {
        return println!("skipped: another user cannot run the command where it was built");
    };
    let ended = Ended::of(output);
    if ended.code == Some(0) {
        return println!("skipped: process 1 is this user's");
    }
    ended.refused(2, &["process 1 ", "another user"]);
    assert_eq!(place.left_behind(), [""; 0]);
}

#[test]
fn words_that_make_no_sense_are_named() {
    refused(&["mem", "nonsense"], &["nonsense"]);
    refused(&["mem", "0"], &["0"]);
    refused(&["mem", "1", "--watch", "0"], &["seconds"]);
    refused(&["mem", "--count", "3"], &["--watch"]);
    refused(&["mem", "--maps"], &["PID"]);
    refused(&["mem", "--picture", "to.svg"], &["PID"]);
    refused(&["mem", "1", "--summary", "--picture", "to.svg"], &["--summary", "--picture"]);
}

#[test]
fn files_that_cannot_be_written_are_named_and_nothing_is_left() {
    let stopped = Stopped::new();
    let pid = stopped.pid();
    for file in ["/proc/self/to.svg", "missing/to.svg", "/dev"] {
        for word in ["--picture", "--report", "--out"] {
            refused(&["mem", &pid, word, file], &[file]);
        }
    }
    let place = Place::new();
    place.run(["mem", &pid, "--picture", "a.svg", "--report", "a.html", "--out", "a.json"]).fine();
    assert_eq!(place.left_behind(), ["a.html", "a.json", "a.svg"]);
    let read = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap();
    for (name, words) in
        [("a.svg", ["<svg", "[stack]"]), ("a.html", ["The address space", "[stack]"])]
    {
        let text = read(name);
        assert!(words.iter().all(|word| text.contains(word)) && !text.contains("NaN"), "{name}");
        assert!(!text.replace("http://www.w3.org/2000/svg", "").contains("http://"), "{name}");
    }
    let json: serde_json::Value = serde_json::from_str(&read("a.json")).unwrap();
    assert_eq!(json["pid"], stopped.id());
}

#[test]
fn text_that_the_kernel_does_not_write_is_named() {
    let recorded = recorded();
    let place = Place::new();
    let run =
        || place.run(["mem", "4242", "--proc", recorded.proc(), "--cgroups", recorded.cgroups()]);
    run().fine();
    let stat = recorded.read("4242/stat");
    recorded.write("4242/stat", "4242 (sleep");
    run().refused(2, &["stat", "4242"]);
    recorded.write("4242/stat", &stat);
    recorded.write("4242/smaps", "Rss: some kB\n");
    run().refused(2, &["smaps", "4242"]);
    recorded.remove("4242/smaps");
    run().refused(2, &["4242"]);
    recorded.remove("meminfo");
    place.run(["mem", "--proc", recorded.proc()]).refused(2, &["meminfo"]);
}

#[test]
fn forty_columns_are_enough() {
    let (recorded, place) = (recorded(), Place::new());
    for words in
        [&["mem", "4242"][..], &["mem", "4242", "--maps"], &["mem"], &["mem", "4242", "--summary"]]
    {
        let mut command = place.command(executable());
        command.args(words).args(["--proc", recorded.proc(), "--cgroups", recorded.cgroups()]);
        let ended = Ended::of(command.env("COLUMNS", "40").output().unwrap()).fine();
        for line in ended.stdout.lines() {
            assert!(line.chars().count() <= 40, "{words:?}: {line}");
        }
        assert!(ended.stdout.lines().count() > 5);
    }
}

/// A terminal of some columns: both its ends.
fn terminal(columns: u16, rows: u16) -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call writes the two descriptors and reads the size, which all outlive it.
    let answer = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both descriptors are new and nobody else's.
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

#[test]
fn on_a_terminal_the_screen_is_drawn_in_place() {
    let (stopped, place) = (Stopped::new(), Place::new());
    let (ours, theirs) = terminal(40, 12);
    let mut command = place.command(executable());
    command.args(["mem", &stopped.pid(), "--watch", "0.05", "-n", "3"]).env_remove("COLUMNS");
    let mut child = command.stdout(Stdio::from(theirs)).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    let mut drawn = Vec::new();
    // Reading from a terminal whose other end is closed is an error, and the end of it.
    let _ = File::from(ours).read_to_end(&mut drawn);
    assert!(child.wait().unwrap().success());
    let drawn = String::from_utf8(drawn).unwrap();
    assert!(drawn.starts_with("\x1b[2J\x1b[H"), "{drawn:?}");
    let screens: Vec<&str> = drawn.split("\x1b[H").skip(1).collect();
    assert_eq!(screens.len(), 3);
    for screen in screens {
        let lines: Vec<&str> = screen.split("\x1b[K").collect();
        assert_eq!(lines.len(), 12, "eleven lines and what follows them: {screen:?}");
        for line in lines {
            assert!(line.trim_matches(['\r', '\n']).chars().count() <= 40, "{line:?}");
        }
    }
}
