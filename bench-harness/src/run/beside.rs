//! The passes whose figures do not depend on a quiet machine, several children at once: checks,
//! memory and instruction counts.

use super::grid::{Grid, settle};
use super::memory::{self, Floor, Look};
use super::plan::RunOptions;
use super::process::Stopped;
use super::progress::Progress;
use super::turns::Turns;
use super::{arm::Arm, callgrind, check};
use crate::error::{Failure, Result};
use crate::results::{MemoryRow, Mode, Outcome};

/// A row's place in the grid: workload and arm.
type Place = (usize, usize);
/// What a memory pass found, or why it did not.
type Measured = Result<(MemoryRow, Floor), Stopped>;

impl Grid<'_> {
    /// Replays every standing row under the judge.
    pub(super) fn check(&mut self) -> Result<()> {
        let places = self.replayed(|arm| arm.subject != "noop");
        let found = self.in_turns("check", &places, |(work, arm), _| {
            check::check(&self.arms[arm], &self.works[work].plain)
        })?;
        for ((work, arm), result) in found {
            self.rows[work][arm].outcome = settle(result)?.unwrap_or_else(|outcome| outcome);
        }
        Ok(())
    }

    /// The no-op's children first, whose readings are taken off the others'; then all others.
    pub(super) fn memory(&mut self, options: &RunOptions) -> Result<()> {
        let mut floors: Vec<Option<Floor>> = self.works.iter().map(|_| None).collect();
        let noops = self.replayed(|arm| arm.subject == "noop" && arm.mode != Mode::Global);
        for ((work, arm), result) in self.measure(&noops, &floors, options)? {
            match settle(result)? {
                Ok((row, floor)) => {
                    self.rows[work][arm].memory = Some(row);
                    floors[work] = Some(floor);
                }
                Err(outcome) => self.rows[work][arm].outcome = outcome,
            }
        }
        let mut others = self.replayed(|arm| arm.subject != "noop" && arm.mode != Mode::Global);
        others.retain(|&(work, _)| floors[work].is_some());
        for ((work, arm), result) in self.measure(&others, &floors, options)? {
            match settle(result)? {
                Ok((row, _)) => self.rows[work][arm].memory = Some(row),
                Err(outcome) => self.rows[work][arm].outcome = outcome,
            }
        }
        Ok(())
    }

    fn measure(
        &self,
        places: &[Place],
        floors: &[Option<Floor>],
        options: &RunOptions,
    ) -> Result<Vec<(Place, Measured)>> {
        self.in_turns("memory", places, |(work, arm), turns| {
            let (arm, prepared) = (&self.arms[arm], &self.works[work]);
            let floor = floors[work].as_ref();
            let runs = options.memory_runs();
            let look = Look {
                touch: options.touch,
                absorption: options.absorption,
                ten_seconds: options.ten_seconds,
            };
            memory::measure_repeatedly(arm, prepared, look, floor, turns, runs)
        })
    }

    /// Counts instructions of every timed arm.
    pub(super) fn instructions(&mut self, options: &RunOptions) -> Result<()> {
        let places = self.places(Grid::timed);
        let found = self.in_turns("callgrind", &places, |(work, arm), _| {
            callgrind::instructions(&self.arms[arm], &self.works[work].plain, options.touch)
        })?;
        for ((work, arm), result) in found {
            let row = &mut self.rows[work][arm];
            match settle(result)? {
                Ok(count) => row.instructions = Some(count),
                Err(Outcome::NotAvailable { reason }) => row.instructions_missing = Some(reason),
                Err(Outcome::Crashed { how, .. }) => {
                    row.instructions_missing = Some(format!("under callgrind: {how}"));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// The same on workloads that are replayed.
    fn replayed(&self, wanted: impl Fn(&Arm) -> bool) -> Vec<Place> {
        let mut places = self.places(wanted);
        places.retain(|&(work, _)| !self.works[work].is_kernel());
        places
    }

    /// The standing rows of the arms that are `wanted`.
    fn places(&self, wanted: impl Fn(&Arm) -> bool) -> Vec<Place> {
        (0..self.works.len())
            .flat_map(|work| self.standing(work, &wanted).into_iter().map(move |arm| (work, arm)))
            .collect()
    }

    /// Does `job` for every place, as many at once as there are processors.
    fn in_turns<T: Send>(
        &self,
        what: &str,
        places: &[Place],
        job: impl Fn(Place, &Turns) -> T + Sync,
    ) -> Result<Vec<(Place, T)>> {
        let (turns, progress) = (Turns::new(), Progress::new(what, places.len()));
        let found = std::thread::scope(|scope| {
            let one = |&place: &Place| {
                let (turns, progress, job) = (&turns, &progress, &job);
                scope.spawn(move || {
                    let _turn = turns.take();
                    progress.at(self.label(place.0, place.1));
                    let found = job(place, turns);
                    progress.done();
                    (place, found)
                })
            };
            let running: Vec<_> = places.iter().map(one).collect();
            let joined = running.into_iter().map(std::thread::ScopedJoinHandle::join);
            let panicked = |_| Failure::input(format!("a thread of the {what} pass panicked"));
            joined.map(|result| result.map_err(panicked)).collect()
        });
        progress.finish();
        found
    }
}
