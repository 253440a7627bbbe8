//! What cannot be recorded is refused in one line, and nothing is left behind.

mod record_support;

use record_support::{drive_with, record_command, role};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// An allocator's entry under a name of its own.
#[unsafe(no_mangle)]
pub extern "C" fn _rjem_malloc(_bytes: usize) -> *mut u8 {
    std::ptr::null_mut()
}

/// The recording process.
#[test]
#[ignore = "a role, not a test"]
fn driver() {
    record_support::drive();
}

/// The recorded process: it must never run.
#[test]
#[ignore = "a role, not a test"]
fn program() {
    let entry: extern "C" fn(usize) -> *mut u8 = std::hint::black_box(_rjem_malloc);
    println!("program ran {:?}", entry(1));
}

fn refused(command: &Path, why: &str) {
    let recorded = record_command(&[command.to_str().unwrap().to_owned()], "", false);
    let said = recorded.failure();
    assert!(said.starts_with("Input"), "{said}");
    assert!(said.contains(why), "{said:?} does not say {why:?}");
    let name = command.file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name), "{said:?} does not name {name}");
}

fn file(folder: &Path, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn what_cannot_be_recorded_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shell = std::fs::read("/bin/sh").unwrap();
    let mut other_machine = shell.clone();
    other_machine[18] = 183;
    let mut headerless = shell.clone();
    // No program headers: no loader is asked for.
    headerless[56..58].fill(0);
    let make = |name, bytes: &[u8], mode| file(folder.path(), name, bytes, mode);
    refused(&make("setuid", &shell, 0o4755), "setuid");
    refused(&make("setgid", &shell, 0o2755), "setgid");
    refused(&make("static", &headerless, 0o755), "statically");
    refused(&make("foreign", &other_machine, 0o755), "another machine");
    refused(&make("text", b"hello\n", 0o755), "neither");
    refused(&make("empty", b"", 0o755), "neither");
    refused(&make("plain", &shell, 0o644), "not executable");
    refused(&make("torn", &shell[..40], 0o755), "64-bit ELF");
    refused(Path::new("no-such-command-at-all"), "not found");
    refused(folder.path(), "not a file");
    let missing = folder.path().join("missing");
    refused(&missing, "No such file");
    let script = format!("#!{}\n", folder.path().join("static").display());
    let path = make("script", script.as_bytes(), 0o755);
    let recorded = record_command(&[path.to_str().unwrap().to_owned()], "", false);
    assert!(recorded.failure().contains("statically"), "{}", recorded.said);
}

#[test]
fn an_allocator_under_a_private_name_is_refused() {
    let recorded = record_command(&role("program"), "", false);
    let said = recorded.failure();
    assert!(said.contains("_rjem_malloc") && said.contains("Recorder"), "{said}");
    assert!(!recorded.said.contains("program ran"));
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_the_command_runs() {
    let folder = tempfile::tempdir().unwrap();
    let command = ["/bin/sh", "-c", "echo program ran"].map(String::from);
    for (output, why) in [
        (folder.path().join("none").join("t.trace"), "its folder does not exist"),
        (folder.path().to_owned(), "it is a folder"),
    ] {
        let said = drive_with(&output, &command, "", false);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(why) && !said.contains("program ran"), "{said}");
    }
}
