//! The passes of a run, in their order.

use super::grid::Grid;
use super::plan::{IDEAL, RunOptions, arms, suite_workloads, unknown};
use super::progress::Progress;
use super::provenance;
use crate::error::Result;
use crate::results::{Header, Row, families};

/// Order of children within a round is drawn from this.
pub(super) const SEED: u64 = 1;

/// Runs the suite: the header and all rows, in the order of workloads and arms.
///
/// # Errors
///
/// When the words are unusable or the machine refuses something; a subject that crashes ends its
/// own row only.
pub fn run(options: &RunOptions) -> Result<(Header, Vec<Row>)> {
    let arms = arms(&options.subjects, options.suite)?;
    if let Some(name) = &options.versus {
        let known = arms.iter().any(|arm| arm.description.name == *name);
        known.then_some(()).ok_or_else(|| unknown(name, &arms))?;
    }
    let plans = suite_workloads(options)?;
    super::single::steady_addresses();
    let pairs = options.pairs.unwrap_or_else(|| options.suite.pairs());
    let mut header = provenance::header(
        options.command.clone(),
        vec![
            ("suite".into(), options.suite.name().into()),
            ("pairs".into(), pairs.to_string()),
            ("seconds until steady".into(), options.until_steady().as_secs().to_string()),
            ("checkpoints".into(), options.checkpoints.to_string()),
            ("memory runs".into(), options.memory_runs().to_string()),
            ("touch".into(), format!("{:?}", options.touch).to_lowercase()),
            ("address randomisation".into(), "off".into()),
            ("seed".into(), SEED.to_string()),
        ],
    );
    let mut works = Vec::new();
    let progress = Progress::new("prepare", plans.len());
    for plan in &plans {
        progress.at(plan.name.clone());
        works.push(plan.prepare(options.checkpoints)?);
        progress.done();
    }
    progress.finish();
    let mut grid = Grid::new(&arms, &works);
    if options.check {
        grid.check()?;
    }
    if !options.no_time {
        grid.time(options, pairs)?;
        grid.latency(options)?;
    }
    if !options.no_memory {
        grid.memory(options)?;
    }
    if options.instructions {
        grid.instructions(options)?;
    }
    let ideal = options.subjects.is_empty() || options.subjects.iter().any(|name| name == IDEAL);
    let rows = grid.finish(ideal && !options.no_memory);
    header.kernels = families::kernels(&rows, options.versus.as_deref());
    Ok((header, rows))
}
