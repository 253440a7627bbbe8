//! Arms of a comparison: a subject in an executable, and how it is linked there.

use crate::error::{Context, Failure, Result};
use crate::results::Mode;
use crate::subject::{Description, Entry};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The hidden first argument with which an executable is asked for its subjects.
pub(crate) const ASK: &str = "__subjects";
/// The hidden first argument of a child; the subject's name follows.
pub(crate) const CHILD: &str = "__child";

/// An executable's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// [`crate::child::control::PROTOCOL`].
    pub(crate) protocol: u32,
    pub(crate) version: String,
    pub(crate) mode: Mode,
    pub(crate) profile: String,
    pub(crate) subjects: Vec<Description>,
    /// Subjects that no listing shows: the faulty ones that test the judge.
    pub(crate) hidden: Vec<Description>,
}

impl Answer {
    /// This executable's.
    pub(crate) fn own(entries: &[Entry], hidden: &[Entry], mode: Mode) -> Self {
        let described = |entries: &[Entry]| entries.iter().map(|e| (e.describe)()).collect();
        Self {
            protocol: crate::child::control::PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            mode,
            profile: env!("STRATA_PROFILE").into(),
            subjects: described(entries),
            hidden: described(hidden),
        }
    }
}

/// One arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arm {
    pub(crate) executable: PathBuf,
    /// What the executable calls the subject.
    pub(crate) subject: String,
    /// What the tables call it.
    pub(crate) description: Description,
    pub(crate) mode: Mode,
    pub(crate) profile: String,
    /// A C allocator to preload.
    pub(crate) preload: Option<PathBuf>,
}

impl Arm {
    /// Name and mode in one word for progress and errors.
    pub(crate) fn label(&self) -> String {
        match self.mode {
            Mode::Global => format!("{} (global)", self.description.name),
            _ => self.description.name.clone(),
        }
    }

    /// Whether it is System as the child's explicit subject: the base of ratios.
    pub(crate) fn is_base(&self) -> bool {
        self.subject == "system" && self.preload.is_none()
    }
}

/// Asks an executable for its subjects.
pub(crate) fn ask(executable: &Path, preload: Option<&Path>) -> Result<Answer> {
    let mut command = Command::new(executable);
    command.arg(ASK).stdin(Stdio::null()).stderr(Stdio::null());
    if let Some(library) = preload {
        command.env("LD_PRELOAD", library);
    }
    let name = executable.display();
    let output = command.output().context(|| format!("cannot run {name}"))?;
    let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|_| {
        Failure::input(match preload {
            None => format!("{name} is not a strata-bench executable: give one built by cargo"),
            Some(library) => {
                format!(
                    "{name} does not run with {} preloaded: {}",
                    library.display(),
                    output.status
                )
            }
        })
    })?;
    if answer.protocol != crate::child::control::PROTOCOL {
        return Err(Failure::input(format!(
            "{name} (version {}) speaks protocol {}, this strata-bench {}: build both from sources \
             with the same protocol",
            answer.version,
            answer.protocol,
            crate::child::control::PROTOCOL
        )));
    }
    Ok(answer)
}

/// All arms of an executable.
pub(crate) fn arms(executable: &Path) -> Result<Vec<Arm>> {
    // A bare name would be looked for in PATH.
    let executable =
        &executable.canonicalize().context(|| format!("cannot find {}", executable.display()))?;
    let mut answer = ask(executable, None)?;
    let subjects = std::mem::take(&mut answer.subjects);
    Ok(subjects.into_iter().map(|subject| made(executable, &answer, subject)).collect())
}

/// A subject that no listing shows, by name.
pub(crate) fn hidden(executable: &Path, name: &str) -> Result<Option<Arm>> {
    let answer = ask(executable, None)?;
    let found = answer.hidden.iter().find(|subject| subject.name == name);
    Ok(found.map(|subject| made(executable, &answer, subject.clone())))
}

fn made(executable: &Path, answer: &Answer, description: Description) -> Arm {
    Arm {
        executable: executable.into(),
        subject: description.name.clone(),
        description,
        mode: answer.mode,
        profile: answer.profile.clone(),
        preload: None,
    }
}

/// The arm of a C allocator in a shared library, preloaded under System in `executable`.
pub(crate) fn library(executable: &Path, library: &Path) -> Result<Arm> {
    let path = library.canonicalize().context(|| {
        format!("cannot find the library {}: give the path of a shared library", library.display())
    })?;
    let answer = ask(executable, Some(&path))?;
    // The loader ignores what it cannot preload, and a library without malloc changes nothing:
    // System itself tells, by taking the library's name.
    let found = answer.subjects.iter().find(|subject| subject.name.starts_with("lib:"));
    let Some(description) = found else {
        return Err(Failure::input(format!(
            "{} does not take malloc over: give a shared library of this machine that defines it",
            library.display()
        )));
    };
    let arm = made(executable, &answer, description.clone());
    Ok(Arm { mode: Mode::Preload, preload: Some(path), ..arm })
}

/// Whether one of `names` is what the executable of a peer is called after.
pub(crate) fn is_peer_of(executable: &Path, names: &[String]) -> bool {
    let file = executable.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let peer = file.trim_start_matches(PEER);
    names.iter().any(|name| peer == name || peer.strip_suffix("-global") == Some(name))
}

/// What the names of peers' executables begin with; the peer's own follows.
const PEER: &str = "strata-bench-";

/// Executables of peers beside this one: `peers/strata-bench-*` in its folder, or in the folder
/// that `STRATA_BENCH_PEERS` names.
pub(crate) fn peers(own: &Path) -> Vec<PathBuf> {
    let folder = std::env::var_os("STRATA_BENCH_PEERS")
        .map(PathBuf::from)
        .or_else(|| own.parent().map(|folder| folder.join("peers")));
    let Some(entries) = folder.and_then(|folder| std::fs::read_dir(folder).ok()) else {
        return Vec::new();
    };
    let named = |path: &PathBuf| {
        path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.starts_with(PEER) && !name.ends_with(".d")
        })
    };
    let mut found: Vec<_> = entries.flatten().map(|e| e.path()).filter(named).collect();
    found.sort();
    found
}
