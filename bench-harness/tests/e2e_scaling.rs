//! `strata-bench scaling` through the real command, in short windows.

mod common;

use common::{Place, example, executable};
use serde_json::Value;

fn rows(stdout: &str) -> Vec<Value> {
    let mut lines = stdout.lines();
    let header: Value = serde_json::from_str(lines.next().expect("a header")).expect("JSON");
    assert_eq!(header["schema"], "strata-scaling/1");
    lines.map(|line| serde_json::from_str(line).expect("a row")).collect()
}

#[test]
fn every_load_is_counted_on_every_count_of_threads() {
    let place = Place::new();
    let words = "scaling --alloc system --threads 1,3 --sittings 6 --rounds 1 --millis 5 --again 0 \
                 --json";
    let rows = rows(&place.run(words.split_whitespace()).fine().stdout);
    let loads: Vec<_> = rows.iter().map(|row| row["load"].as_str().unwrap()).collect();
    assert_eq!(loads, ["pairs", "churn", "batches"]);
    for row in &rows {
        assert_eq!(row["subject"]["name"], "system");
        assert!(row["failed"].is_null());
        let counts = row["counts"].as_array().unwrap();
        let threads: Vec<_> = counts.iter().map(|count| count["threads"].as_u64()).collect();
        assert_eq!(threads, [Some(1), Some(2), Some(3)]);
        assert!(counts.iter().all(|count| count["pairs"].as_f64().unwrap() >= 0.0));
        assert!(counts[0]["scaling"].is_null());
        let names: Vec<_> = row["gates"].as_array().unwrap().iter().map(|g| &g["name"]).collect();
        assert_eq!(names, ["2 threads to 2 processes", "2 to 1, by the control's", "3 to 2"]);
        for gate in row["gates"].as_array().unwrap() {
            // On a machine that others keep busy some windows count nothing, and have no ratio.
            let end = |of: &str, end: &str| gate[of][end].as_f64();
            for of in ["ratio", "a_a"] {
                let ends = end(of, "low").zip(end(of, "high"));
                assert!(ends.is_none_or(|(low, high)| low <= high), "{gate}");
            }
        }
    }
}

#[test]
fn the_exit_code_is_that_of_the_gates_of_who_is_meant() {
    let one_lock = example("one_lock");
    let place = Place::new();
    let words = "scaling pairs --alloc one-lock --threads 2 --sittings 6 --rounds 1 --millis 20 \
                 --again 0 --noise 10000 --json --gate";
    let words: Vec<_> = words.split_whitespace().collect();
    for more in [&[][..], &["--versus", "one-lock"], &["--versus", "system"]] {
        let ended = place.run_of(&one_lock, words.iter().chain(more));
        let meant = more.last().copied().unwrap_or("one-lock");
        // On a machine that others keep busy a window may count nothing, and a gate may be open: what
        // was found is what counts.
        let all = rows(&ended.stdout);
        let of_meant = all.iter().filter(|row| row["subject"]["name"] == meant);
        let failed = of_meant.flat_map(|row| row["gates"].as_array().unwrap());
        let failed: Vec<_> = failed.filter(|gate| gate["verdict"] == "fail").collect();
        assert_eq!(ended.code, Some(i32::from(!failed.is_empty())), "{ended:?}");
        for gate in &failed {
            let told = format!("{meant} under pairs: {}", gate["name"].as_str().unwrap());
            assert!(ended.stderr.contains(&told), "{told}: {}", ended.stderr);
        }
        let told = ended.stderr.matches(&format!("{meant} under pairs: ")).count();
        assert_eq!(told, failed.len(), "{}", ended.stderr);
    }
}

#[test]
fn what_cannot_be_measured_is_refused_in_one_line() {
    let place = Place::new();
    let short = "--sittings 1 --rounds 1 --millis 1 --again 0";
    let words = format!("scaling pairs --alloc system --versus talc {short}");
    place.run(words.split(' ')).refused(2, &["talc", "--alloc"]);
    let words = format!("scaling pairs --alloc nonsense {short}");
    place.run(words.split(' ')).refused(2, &["nonsense"]);
    let words = "scaling pairs --threads 65";
    place.run_of(executable(), words.split(' ')).refused(2, &["65"]);
    assert_eq!(place.left_behind(), [""; 0]);
}
