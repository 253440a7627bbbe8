//! Whole programs under several allocators: time, and the most memory that was resident. What
//! `ci/preload` runs.
//!
//! ```text
//! programs ROUNDS RUNS.jsonl LIBRARY... -- NAME SCRIPT...
//! ```
//!
//! Runs each script ROUNDS times with each library preloaded (`-` is none; `NAME=VALUE,FILE` with a
//! variable), all in turns and each round in another order. Writes a line of JSON for each run, and prints medians and geometric means.
//!
//! It is a program of its own because it must be small: what `wait4` calls the peak of a child is at
//! least what its parent had when it started it.

#[cfg(target_os = "linux")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let cut = words.iter().position(|word| word == "--");
    let (Some(cut), Some(rounds)) = (cut, words.first().and_then(|word| word.parse().ok())) else {
        eprintln!("programs ROUNDS RUNS.jsonl LIBRARY... -- NAME SCRIPT...");
        std::process::exit(2);
    };
    let (libraries, programs) = (&words[2..cut], &words[cut + 1..]);
    let mut file = std::fs::File::create(&words[1]).expect("a file to write to");
    let mut table = report::Table::new(libraries.len(), programs.len() / 2);
    for round in 0..rounds {
        for (number, program) in programs.chunks_exact(2).enumerate() {
            for turn in 0..libraries.len() {
                let turn = if round % 2 == 0 { turn } else { libraries.len() - 1 - turn };
                let which = (turn + round) % libraries.len();
                let run = run::once(&libraries[which], &program[1]);
                run.write(&mut file, round, &program[0], &libraries[which]);
                table.enter(number, which, &run);
            }
        }
    }
    let names: Vec<&str> = programs.iter().step_by(2).map(String::as_str).collect();
    table.print(libraries, &names);
}

#[cfg(target_os = "linux")]
mod run {
    use std::io::Write;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    pub(crate) struct Run {
        /// Seconds that passed, and of processors.
        pub(crate) wall: f64,
        pub(crate) cpu: f64,
        pub(crate) peak_kib: f64,
        faults: i64,
    }

    #[expect(clippy::zombie_processes, reason = "`wait4` waits, and tells what the child used")]
    pub(crate) fn once(library: &str, script: &str) -> Run {
        let mut child = Command::new("/bin/bash");
        child.args([script, "run"]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut words = library.split(',').rev();
        if let Some(file) = words.next().filter(|file| *file != "-") {
            child.env("LD_PRELOAD", file);
        }
        child.envs(words.filter_map(|word| word.split_once('=')));
        // A process group of its own keeps signals of the terminal apart.
        child.process_group(0);
        let start = Instant::now();
        let child = child.spawn().unwrap_or_else(|error| panic!("{script}: {error}"));
        let mut status = 0;
        // SAFETY: plain numbers; all zero is a value.
        let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
        // SAFETY: two places to write to, and a child that nobody else waits for.
        let who = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
        let wall = start.elapsed().as_secs_f64();
        assert!(who == child.id() as i32, "the child was waited for");
        assert!(status == 0, "{script} under {library} ended with {status}");
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Run {
            wall,
            cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            peak_kib: usage.ru_maxrss as f64,
            faults: usage.ru_minflt,
        }
    }

    impl Run {
        pub(crate) fn write(
            &self,
            to: &mut impl Write,
            round: usize,
            program: &str,
            library: &str,
        ) {
            let Self { wall, cpu, peak_kib, faults } = self;
            writeln!(
                to,
                "{{\"program\":\"{program}\",\"library\":\"{library}\",\"round\":{round},\
                 \"wall_s\":{wall:.6},\"cpu_s\":{cpu:.6},\"peak_kib\":{peak_kib},\
                 \"faults\":{faults}}}",
            )
            .expect("room for the runs");
        }
    }
}

#[cfg(target_os = "linux")]
mod report {
    use super::run::Run;

    /// What is told of a run.
    const MEASURES: [&str; 3] = ["wall time, s", "processor time, s", "peak resident, MiB"];

    /// All runs: by measure, program, library and round.
    pub(crate) struct Table([Vec<Vec<Vec<f64>>>; 3]);

    impl Table {
        pub(crate) fn new(libraries: usize, programs: usize) -> Self {
            Self(std::array::from_fn(|_| vec![vec![Vec::new(); libraries]; programs]))
        }

        pub(crate) fn enter(&mut self, program: usize, library: usize, run: &Run) {
            let figures = [run.wall, run.cpu, run.peak_kib / 1024.0];
            for (measure, figure) in self.0.iter_mut().zip(figures) {
                measure[program][library].push(figure);
            }
        }

        pub(crate) fn print(&self, libraries: &[String], programs: &[&str]) {
            let short = |library: &String| match library.rsplit('/').next() {
                Some("-") | None => "glibc".to_owned(),
                Some(file) if library.contains('=') => format!("{file}, set"),
                Some(file) => file.split(".so").next().unwrap_or(file).to_owned(),
            };
            for (measure, runs) in MEASURES.iter().zip(&self.0) {
                println!("\n{measure}: medians");
                print!("{:12}", "");
                libraries.iter().for_each(|library| print!("{:>26}", short(library)));
                println!();
                for (name, program) in programs.iter().zip(runs) {
                    print!("{name:12}");
                    program.iter().for_each(|runs| print!("{:26.4}", median(runs.clone())));
                    println!();
                }
                print!("{:12}", "to glibc");
                for library in 0..libraries.len() {
                    let (low, mean, high) = ratio(runs, library, 0);
                    print!("{:>26}", format!("{mean:.3} [{low:.3}, {high:.3}]"));
                }
                println!("   geometric mean [95 %]");
                print!("{:12}", "to strata");
                for library in 0..libraries.len() {
                    let strata = libraries.iter().position(|l| l.contains("libstrata"));
                    let (low, mean, high) = ratio(runs, strata.unwrap_or(0), library);
                    print!("{:>26}", format!("{mean:.3} [{low:.3}, {high:.3}]"));
                }
                println!("   libstrata over each");
            }
        }
    }

    fn median(mut figures: Vec<f64>) -> f64 {
        figures.sort_by(f64::total_cmp);
        let half = figures.len() / 2;
        if figures.len() % 2 == 1 {
            figures[half]
        } else {
            (figures[half - 1] + figures[half]) / 2.0
        }
    }

    /// The geometric mean over programs of the medians' ratio of one library to another, between the
    /// ends of its interval: of means over rounds drawn again.
    fn ratio(runs: &[Vec<Vec<f64>>], library: usize, to: usize) -> (f64, f64, f64) {
        let rounds = runs[0][0].len();
        let mean = |rows: &[usize]| {
            let logs = runs.iter().map(|program| {
                let of = |library: usize| {
                    median(rows.iter().map(|&row| program[library][row]).collect())
                };
                (of(library) / of(to)).ln()
            });
            (logs.sum::<f64>() / runs.len() as f64).exp()
        };
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut draw = || {
            // xorshift64: any order will do, the same each time.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 33) as usize % rounds
        };
        let mut drawn: Vec<f64> =
            (0..1000).map(|_| mean(&(0..rounds).map(|_| draw()).collect::<Vec<_>>())).collect();
        drawn.sort_by(f64::total_cmp);
        (drawn[25], mean(&(0..rounds).collect::<Vec<_>>()), drawn[974])
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
