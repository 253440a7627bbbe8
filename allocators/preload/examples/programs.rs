//! Whole programs under several allocators: time, and the most memory that was resident. What
//! `ci/preload` and `ci/apps` run.
//!
//! ```text
//! programs ROUNDS RUNS.jsonl ARM... -- [NAME COMMAND]...
//! ```
//!
//! An arm is `NAME:[VARIABLE=VALUE,]...WHERE`: WHERE is a library that is preloaded, the folder of
//! executables that have an allocator within, or `-`. A command's words stand between commas, the first
//! one is looked for in the arm's folder. Runs each command ROUNDS times with each arm, all in turns and
//! each round in another order, and adds a line of JSON for each run to the file; then prints of all that
//! is in the file, where no rounds are wanted too, medians, the median ratio of the first arm to each
//! other in the same round, and the geometric means of these over all programs.
//!
//! It is a program of its own because it must be small: what `wait4` calls the peak of a child is at
//! least what its parent had when it started it.

#[cfg(target_os = "linux")]
fn main() {
    use std::io::Write;

    let words: Vec<String> = std::env::args().skip(1).collect();
    let cut = words.iter().position(|word| word == "--");
    let (Some(cut), Some(rounds)) = (cut, words.first().and_then(|word| word.parse().ok())) else {
        eprintln!("programs ROUNDS RUNS.jsonl ARM... -- [NAME COMMAND]...");
        std::process::exit(2);
    };
    let arms: Vec<_> = words[2..cut].iter().map(|word| run::Arm::parse(word)).collect();
    let mut file = std::fs::File::options().create(true).append(true).open(&words[1]);
    let file = file.as_mut().expect("a file to write to");
    for round in 0..rounds {
        for program in words[cut + 1..].chunks_exact(2) {
            let mut lines = String::new();
            for turn in 0..arms.len() {
                let turn = if round % 2 == 0 { turn } else { arms.len() - 1 - turn };
                let arm = &arms[(turn + round) % arms.len()];
                lines += &run::once(arm, &program[1]).line(round, &program[0], &arm.name);
            }
            // All of a round or nothing: an end in between leaves no run without its pairs.
            file.write_all(lines.as_bytes()).expect("room for the runs");
        }
    }
    let lines = std::fs::read_to_string(&words[1]).expect("what was written");
    report::Table::read(&lines).print();
}

#[cfg(target_os = "linux")]
mod run {
    use std::os::unix::process::CommandExt;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::time::Instant;

    /// How a program comes to its allocator.
    pub(crate) struct Arm {
        pub(crate) name: String,
        variables: Vec<(String, String)>,
        folder: Option<PathBuf>,
    }

    impl Arm {
        pub(crate) fn parse(word: &str) -> Self {
            let (name, rest) = word.split_once(':').expect("NAME:[VARIABLE=VALUE,]...WHERE");
            let mut words = rest.split(',').rev();
            let place = words.next().filter(|place| *place != "-");
            let folder = place.map(PathBuf::from).filter(|place| place.is_dir());
            let library = place.filter(|_| folder.is_none()).map(|file| ("LD_PRELOAD", file));
            let variables = words.filter_map(|word| word.split_once('=')).chain(library);
            Self {
                name: name.to_owned(),
                variables: variables.map(|(name, value)| (name.into(), value.into())).collect(),
                folder,
            }
        }
    }

    pub(crate) struct Run {
        /// Seconds that passed, and of processors.
        wall: f64,
        cpu: f64,
        peak_kib: f64,
        faults: i64,
    }

    #[expect(clippy::zombie_processes, reason = "`wait4` waits, and tells what the child used")]
    pub(crate) fn once(arm: &Arm, command: &str) -> Run {
        let mut words = command.split(',');
        let program = words.next().unwrap_or_default();
        let mut child = Command::new(arm.folder.as_deref().unwrap_or(Path::new("")).join(program));
        child.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        child.envs(arm.variables.iter().map(|(name, value)| (name, value)));
        // A process group of its own keeps signals of the terminal apart.
        child.process_group(0);
        let start = Instant::now();
        let child = child.spawn().unwrap_or_else(|error| panic!("{command}: {error}"));
        let mut status = 0;
        // SAFETY: plain numbers; all zero is a value.
        let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
        // SAFETY: two places to write to, and a child that nobody else waits for.
        let who = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
        let wall = start.elapsed().as_secs_f64();
        assert!(who == child.id() as i32, "the child was waited for");
        assert!(status == 0, "{command} with {} ended with {status}", arm.name);
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Run {
            wall,
            cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            peak_kib: usage.ru_maxrss as f64,
            faults: usage.ru_minflt,
        }
    }

    impl Run {
        pub(crate) fn line(&self, round: usize, program: &str, arm: &str) -> String {
            let Self { wall, cpu, peak_kib, faults } = self;
            format!(
                "{{\"program\":\"{program}\",\"arm\":\"{arm}\",\"round\":{round},\
                 \"wall_s\":{wall:.6},\"cpu_s\":{cpu:.6},\"peak_kib\":{peak_kib},\
                 \"faults\":{faults}}}\n",
            )
        }
    }
}

#[cfg(target_os = "linux")]
mod report {
    /// What is told of a run: its field, its name, and how many make one of the name's units.
    const MEASURES: [(&str, &str, f64); 4] = [
        ("wall_s", "wall time, s", 1.0),
        ("cpu_s", "processor time, s", 1.0),
        ("peak_kib", "peak resident, MiB", 1024.0),
        ("faults", "page faults, thousands", 1000.0),
    ];

    /// All runs: names of programs and arms, and by measure, program and arm what each run took.
    #[derive(Default)]
    pub(crate) struct Table<'a> {
        programs: Vec<&'a str>,
        arms: Vec<&'a str>,
        runs: [Vec<Vec<Vec<f64>>>; 4],
    }

    /// A field of one of our own lines.
    fn field<'a>(line: &'a str, name: &str) -> &'a str {
        let (_, rest) = line.split_once(&format!("\"{name}\":")).expect("a line of this program's");
        rest.split([',', '}']).next().unwrap_or_default().trim_matches('"')
    }

    /// The place of `name`, which is new or not.
    fn place<'a>(names: &mut Vec<&'a str>, name: &'a str) -> usize {
        names.iter().position(|there| *there == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    }

    impl<'a> Table<'a> {
        pub(crate) fn read(lines: &'a str) -> Self {
            let mut table = Self::default();
            for line in lines.lines() {
                let program = place(&mut table.programs, field(line, "program"));
                let arm = place(&mut table.arms, field(line, "arm"));
                for (measure, (name, _, of)) in table.runs.iter_mut().zip(MEASURES) {
                    measure.resize(table.programs.len(), Vec::new());
                    let arms = &mut measure[program];
                    arms.resize(arms.len().max(arm + 1), Vec::new());
                    arms[arm].push(field(line, name).parse::<f64>().expect("a number") / of);
                }
            }
            // A program that an arm has no runs of is left away from all tables.
            let whole = |arms: &Vec<Vec<f64>>| {
                arms.len() == table.arms.len()
                    && arms.iter().all(|runs| runs.len() == arms[0].len())
            };
            let kept: Vec<bool> = table.runs[0].iter().map(whole).collect();
            let mut keep = kept.iter();
            table.programs.retain(|_| keep.next() == Some(&true));
            for measure in &mut table.runs {
                let mut keep = kept.iter();
                measure.retain(|_| keep.next() == Some(&true));
            }
            table
        }

        pub(crate) fn print(&self) {
            if self.programs.is_empty() {
                println!("no program has run as often as the others yet");
                return;
            }
            for ((_, title, _), measure) in MEASURES.iter().zip(&self.runs) {
                self.head(&format!("{title}: medians"));
                for (name, arms) in self.programs.iter().zip(measure) {
                    self.row(name, arms.iter().map(|runs| format!("{:.4}", median(runs.clone()))));
                }
                self.head(&format!("{title}: {} over each", self.arms[0]));
                for (name, arms) in self.programs.iter().zip(measure) {
                    self.row(
                        name,
                        (0..arms.len()).map(|arm| mean(std::slice::from_ref(arms), arm)),
                    );
                }
                self.row("all", (0..self.arms.len()).map(|arm| mean(measure, arm)));
            }
        }

        fn head(&self, title: &str) {
            println!("\n{title}");
            self.row("", self.arms.iter().map(|arm| (*arm).to_owned()));
        }

        fn row(&self, name: &str, cells: impl Iterator<Item = String>) {
            print!("{name:14}");
            cells.for_each(|cell| print!("{cell:>26}"));
            println!();
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

    /// The geometric mean over programs of the median ratio of the first arm to `arm` in the same
    /// round, between the ends of its interval of 95 %: of means over rounds drawn again.
    fn mean(programs: &[Vec<Vec<f64>>], arm: usize) -> String {
        let ratios: Vec<Vec<f64>> = programs
            .iter()
            .map(|arms| arms[0].iter().zip(&arms[arm]).map(|(first, each)| first / each).collect())
            .collect();
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut draw = |below: usize| {
            // xorshift64: any order will do, the same each time.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 33) as usize % below
        };
        let mut drawn: Vec<f64> = (0..1000)
            .map(|_| {
                let again =
                    |rounds: &Vec<f64>| rounds.iter().map(|_| rounds[draw(rounds.len())]).collect();
                geometric(ratios.iter().map(again))
            })
            .collect();
        drawn.sort_by(f64::total_cmp);
        let mean = geometric(ratios.into_iter());
        format!("{mean:.3} [{:.3}, {:.3}]", drawn[25], drawn[974])
    }

    /// The geometric mean of the medians.
    fn geometric(programs: impl ExactSizeIterator<Item = Vec<f64>>) -> f64 {
        let of = programs.len() as f64;
        (programs.map(|ratios| median(ratios).ln()).sum::<f64>() / of).exp()
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
