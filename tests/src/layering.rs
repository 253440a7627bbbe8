//! The page of ARCHITECTURE.md that says who may import whom, as rules that a test can ask.

use std::collections::{BTreeMap, BTreeSet};

/// What one crate may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Everything: no row of a crate with limits names it.
    Everything,
    /// These crates only.
    Only(BTreeSet<String>),
}

/// The rules, by crate.
pub type Rules = BTreeMap<String, Allowed>;

/// The heading of the section with the table.
const HEADING: &str = "## Who may import whom";

/// Reads the table of that section: `| crate | of ours | of others |`, names in backticks, or the
/// word "everything".
///
/// # Errors
///
/// What is missing or cannot be read, for people.
pub fn read_rules(page: &str) -> Result<Rules, String> {
    let section = page
        .split_once(HEADING)
        .ok_or_else(|| format!("ARCHITECTURE.md has no heading \"{HEADING}\""))?
        .1;
    let section = section.split("\n## ").next().unwrap_or(section);
    let mut rules = Rules::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, ours, others] = cells[..] else {
            return Err(format!("not three cells: {line}"));
        };
        let allowed = if ours == "everything" {
            Allowed::Everything
        } else {
            Allowed::Only(names(ours).chain(names(others)).collect())
        };
        let name = names(name).next().ok_or_else(|| format!("no crate in backticks: {line}"))?;
        if rules.insert(name.clone(), allowed).is_some() {
            return Err(format!("{name} has two rows"));
        }
    }
    for (name, allowed) in &rules {
        let Allowed::Only(allowed) = allowed else { continue };
        if let Some(to) = allowed.iter().find(|to| rules.get(*to) == Some(&Allowed::Everything)) {
            return Err(format!("{name} may name {to}, which may name everything"));
        }
    }
    if rules.is_empty() {
        return Err(format!("no table below \"{HEADING}\""));
    }
    Ok(rules)
}

/// The words in backticks.
fn names(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// What is wrong with the edge from `from` to `to`, if anything.
pub fn complaint(rules: &Rules, from: &str, to: &str) -> Option<String> {
    match rules.get(from) {
        None => Some(format!("{from} has no row in ARCHITECTURE.md, \"{HEADING}\"")),
        Some(Allowed::Only(allowed)) if !allowed.contains(to) => {
            Some(format!("{from} depends on {to}, which ARCHITECTURE.md does not have"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# X\n## Who may import whom\n\n\
        | crate | of ours | of others |\n|---|---|---|\n\
        | `core` | nothing | `loom` |\n| `os` | `core` | `libc` |\n\
        | `bench` | everything | everything |\n\n## Next\n| `not` | a | rule |\n";

    #[test]
    fn edges_of_the_table_are_allowed_and_no_others() {
        let rules = read_rules(PAGE).unwrap();
        assert_eq!(rules.len(), 3);
        for (from, to, allowed) in [
            ("os", "core", true),
            ("os", "libc", true),
            ("bench", "anything", true),
            ("bench", "os", true),
            ("core", "os", false),
            ("core", "libc", false),
            ("os", "bench", false),
            ("stranger", "core", false),
        ] {
            assert_eq!(complaint(&rules, from, to).is_none(), allowed, "{from} -> {to}");
        }
    }

    #[test]
    fn a_page_without_the_table_is_an_error() {
        assert!(read_rules("# X").is_err());
        assert!(read_rules("## Who may import whom\nnothing").is_err());
        assert!(read_rules("## Who may import whom\n| `a` | b |").is_err());
        let circle = "## Who may import whom\n| `a` | `b` | |\n| `b` | everything | |";
        assert!(read_rules(circle).is_err());
    }
}
