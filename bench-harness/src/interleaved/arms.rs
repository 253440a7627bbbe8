//! Who takes part, and in which order.

use crate::error::{Failure, Result};
use crate::results::Header;
use crate::run::header;
use crate::subject::Description;

/// An allocator erased to what happens outside any window.
pub(crate) trait Contender: Copy {
    /// Name, version and settings.
    fn description(&self) -> Description;
}

/// An allocator with its place in the comparison.
#[derive(Clone, Debug)]
pub(crate) struct Arm<E> {
    pub(crate) entry: E,
    pub(crate) description: Description,
    /// Marks the base once more.
    pub(crate) a_a: bool,
}

impl<E> Arm<E> {
    /// Whether this is the allocator of that name, in its first place.
    pub(crate) fn is(&self, name: &str) -> bool {
        !self.a_a && self.description.name == name
    }
}

/// Whom a run is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// What the allocators are, for messages.
    pub(crate) what: &'a str,
    /// By name; empty for all.
    pub(crate) subjects: &'a [String],
    /// Whom ratios are to; the first one without it.
    pub(crate) versus: Option<&'a str>,
    /// Takes part always, and last.
    pub(crate) control: &'a str,
}

/// The allocators in order: the base, the others, the base again, the control.
fn choose<E: Contender>(entries: &[E], wanted: &Wanted<'_>) -> Result<Vec<Arm<E>>> {
    let arm = |entry: &E| Arm { entry: *entry, description: entry.description(), a_a: false };
    let all: Vec<Arm<E>> = entries.iter().map(arm).collect();
    let find = |name: &str| {
        let found = all.iter().find(|arm| arm.is(name)).cloned();
        found.ok_or_else(|| {
            let known: Vec<_> = all.iter().map(|arm| arm.description.name.as_str()).collect();
            let (what, known) = (wanted.what, known.join(", "));
            Failure::input(format!("no {what} is called {name}; there are {known}"))
        })
    };
    let mut chosen = match wanted.subjects {
        [] => all.clone(),
        names => names.iter().map(|name| find(name)).collect::<Result<_>>()?,
    };
    let base = match wanted.versus {
        Some(name) => find(name)?,
        None => chosen[0].clone(),
    };
    chosen.retain(|arm| !arm.is(&base.description.name) && !arm.is(wanted.control));
    chosen.insert(0, base.clone());
    chosen.push(Arm { a_a: true, ..base });
    chosen.extend(all.iter().find(|arm| arm.is(wanted.control)).cloned());
    Ok(chosen)
}

/// The arms of a run, and the first line of its results.
pub(crate) fn begin<E: Contender>(
    entries: &[E],
    wanted: &Wanted<'_>,
    schema: &str,
    seed: u64,
    command: &str,
) -> Result<(Vec<Arm<E>>, Header)> {
    let arms = choose(entries, wanted)?;
    let mut header = header(command.to_owned(), Vec::new());
    header.schema = schema.into();
    let profile = if cfg!(debug_assertions) { "debug" } else { "optimised" };
    header.provenance.push(("seed".into(), seed.to_string()));
    header.provenance.push(("profile".into(), profile.into()));
    Ok((arms, header))
}

/// The order of the arms in a run: forwards and backwards by turns.
pub(super) fn turns(arms: usize, run: usize) -> Vec<usize> {
    if run.is_multiple_of(2) { (0..arms).collect() } else { (0..arms).rev().collect() }
}

/// What each arm's runs said, by arms; an arm that failed once runs no more.
pub(crate) fn interleave<T>(
    arms: usize,
    runs: usize,
    mut job: impl FnMut(usize, usize) -> Result<T, String>,
) -> Vec<Result<Vec<T>, String>> {
    let mut found: Vec<_> = (0..arms).map(|_| Ok(Vec::new())).collect();
    for run in 0..runs {
        for place in turns(arms, run) {
            if let Ok(answers) = &mut found[place] {
                match job(place, run) {
                    Ok(answer) => answers.push(answer),
                    Err(how) => found[place] = Err(how),
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Named(&'static str);

    impl Contender for Named {
        fn description(&self) -> Description {
            Description { name: self.0.into(), ..Description::default() }
        }
    }

    fn names(subjects: &[&str], versus: Option<&str>) -> Vec<String> {
        let subjects: Vec<String> = subjects.iter().map(|&name| name.to_owned()).collect();
        let wanted = Wanted { what: "thing", subjects: &subjects, versus, control: "control" };
        let arms = choose(&["a", "b", "control", "c"].map(Named), &wanted).unwrap();
        let name = |arm: &Arm<Named>| {
            format!("{}{}", arm.description.name, if arm.a_a { "'" } else { "" })
        };
        arms.iter().map(name).collect()
    }

    #[test]
    fn the_base_comes_first_and_again_and_the_control_last() {
        assert_eq!(names(&[], None), ["a", "b", "c", "a'", "control"]);
        assert_eq!(names(&[], Some("c")), ["c", "a", "b", "c'", "control"]);
        assert_eq!(names(&["b"], Some("c")), ["c", "b", "c'", "control"]);
        assert_eq!(names(&["b", "control"], None), ["b", "b'", "control"]);
    }

    #[test]
    fn arms_take_turns_and_one_that_failed_runs_no_more() {
        let mut order = Vec::new();
        let found = interleave(3, 2, |place, run| {
            order.push(place);
            if place == 1 && run == 0 { Err("gone".to_owned()) } else { Ok(run) }
        });
        assert_eq!(order, [0, 1, 2, 2, 0]);
        assert_eq!(found, [Ok(vec![0, 1]), Err("gone".to_owned()), Ok(vec![0, 1])]);
    }
}
