//! A scripting engine at work: scripts over strings, arrays and objects, compiled and run.

use crate::Checksum;
use crate::workload::{Draw, Scale};
use rhai::{Array, Engine, ImmutableString, Scope};
use std::hash::Hasher;

const RUNS: usize = 150;

/// Counts words, keeps an inventory of objects and writes a report.
const SCRIPT: &str = r#"
fn tidy(word) {
    word.trim();
    if word.ends_with(".") { word = word.sub_string(0, word.len() - 1); }
    word
}

fn tally(text) {
    let counts = #{};
    for raw in text.split(" ") {
        let word = tidy(raw);
        if word in counts { counts[word] += 1; } else { counts[word] = 1; }
    }
    counts
}

fn order(name, count, serial) {
    #{ name: name, count: count, lines: [], serial: serial, note: `${count} of ${name}` }
}

let counts = tally(text);
let orders = [];
for name in counts.keys() {
    let it = order(name, counts[name], orders.len());
    for n in 0..(it.count * 2) { it.lines.push(`line ${n} of ${it.name}`); }
    orders.push(it);
}
let big = orders.filter(|it| it.count > 1);
big.sort(|a, b| if a.count == b.count { a.serial - b.serial } else { b.count - a.count });
for it in big { warehouse.push(it); }
while warehouse.len() > 1500 { warehouse.shift(); }

let report = "";
for it in warehouse {
    if it.serial % 3 == 0 { report += `${it.note}: ${it.lines.len()} lines; `; }
}
report
"#;

/// Runs the scripts, one object store for all; the checksum is of every report.
pub fn run(scale: Scale) -> u64 {
    // Seeded already when run twice in a process.
    let _ = rhai::config::hashing::set_hashing_seed(Some([1, 2, 3, 4]));
    let mut draw = Draw::seeded(9);
    let mut reports = Checksum::EMPTY;
    let engine = Engine::new();
    let mut scope = Scope::new();
    scope.push("warehouse", Array::new());
    for _ in 0..scale.of(RUNS) {
        let words = 60 + draw.below(240);
        let kept = scope.len();
        scope.push("text", draw.text(words));
        // As for a script that came from a user: compiled for each run.
        let script = engine.compile(SCRIPT).expect("the script is well-formed");
        let report: ImmutableString =
            engine.eval_ast_with_scope(&mut scope, &script).expect("the script does not fail");
        reports.text(&report);
        scope.rewind(kept);
    }
    reports.finish()
}
