//! Whom a row is about, and why it may have no figures.

use super::Arm;
use super::grid;
use crate::results::words;
use crate::subject::Description;
use comfy_table::Table;
use serde::{Deserialize, Serialize};

/// The head of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) subject: Description,
    /// Marks the base once more: what the machine's noise alone gives.
    pub(crate) a_a: bool,
    /// Why the allocator cannot do this at all.
    pub(crate) absent: Option<String>,
    /// How it failed, where it did.
    pub(crate) failed: Option<String>,
}

impl Standing {
    /// Of an arm, whatever comes of it.
    pub(crate) fn of<E>(arm: &Arm<E>) -> Self {
        let (subject, a_a) = (arm.description.clone(), arm.a_a);
        Self { subject, a_a, absent: None, failed: None }
    }

    /// The name in tables.
    pub(crate) fn label(&self) -> String {
        let again = if self.a_a { " (A/A)" } else { "" };
        format!("{}{again}", self.subject.name)
    }

    /// Notes why there is no figure; words that begin with `cannot` are no failure.
    pub(crate) fn put_down(&mut self, how: String, cannot: &str) {
        if how.starts_with(cannot) { self.absent = Some(how) } else { self.failed = Some(how) }
    }

    /// Adds a row: its first cells, then what `values` says, or why there is nothing.
    pub(crate) fn add(
        &self,
        table: &mut Table,
        first: Vec<String>,
        values: impl FnOnce() -> Vec<String>,
    ) {
        let absent = self.absent.as_ref().map(|_| words::ABSENT);
        let why = self.failed.as_ref().map(|_| "FAILED").or(absent);
        let values = why.map_or_else(values, |why| vec![why.to_owned()]);
        grid::add(table, self.label(), first.into_iter().chain(values).collect());
    }
}
