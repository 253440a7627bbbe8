//! What is told of one subject in one program.

use super::Program;
use crate::footprint::Figure;
use crate::results::Mode;
use crate::subject::Description;
use serde::{Deserialize, Serialize};

/// A line of the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) program: Program,
    pub(crate) subject: Description,
    pub(crate) mode: Mode,
    pub(crate) profile: String,
    /// Bytes live at most, about.
    pub(crate) live: usize,
    /// How it failed, where it did.
    pub(crate) failed: Option<String>,
    pub(crate) figures: Vec<Figure>,
}

impl Row {
    /// The subject's name, with its mode where that is not the usual one.
    pub(crate) fn label(&self) -> String {
        match self.mode {
            Mode::Global => format!("{} (global)", self.subject.name),
            _ => self.subject.name.clone(),
        }
    }
}
