//! Showing reports: once, or again and again, on a terminal or not.

use super::activity::Counters;
use super::kernel::Kernel;
use super::lines;
use super::process::Process;
use super::report::{Depth, Largest, Report};
use super::screen::{self, View};
use crate::error::{Failure, Result};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Whom to look at, how deep, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// A process; the machine without one.
    pub(crate) pid: Option<u32>,
    /// Sums only, or every mapping.
    pub(crate) depth: Depth,
    /// How many mappings or processes are listed.
    pub(crate) most: usize,
    /// Every mapping is listed.
    pub(crate) all: bool,
    /// As JSON.
    pub(crate) json: bool,
    /// Time between two readings.
    pub(crate) interval: Duration,
    /// How many readings; 0 for no end.
    pub(crate) count: u64,
}

/// Where the text goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Characters of a line.
    width: usize,
    /// Lines; `None` where there is no terminal.
    height: Option<usize>,
}

impl Terminal {
    /// Of standard output. `COLUMNS` counts before what the terminal says, as for `top`.
    pub(crate) fn here() -> Self {
        let asked = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let asked = asked.filter(|width| (1..=10_000).contains(width));
        let size = std::io::stdout().is_terminal().then(size).flatten();
        let width = asked.or(size.map(|size| size.0)).unwrap_or(View::default().width);
        Self { width, height: size.map(|size| size.1) }
    }

    fn view(&self, options: &Options) -> View {
        View { width: self.width, most: options.most, all: options.all }
    }
}

/// Characters across and down of the terminal on standard output.
fn size() -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call writes one `winsize`, which outlives it.
    let answer = unsafe { libc::ioctl(1, libc::TIOCGWINSZ, &raw mut size) };
    let told = answer == 0 && size.ws_col > 0 && size.ws_row > 0;
    told.then(|| (size.ws_col.into(), size.ws_row.into()))
}

/// What was read at one moment.
enum Reading {
    Process(Box<Report>),
    Machine(Box<Largest>),
}

impl Reading {
    fn take(kernel: &Kernel, options: &Options, before: Option<&Self>) -> Result<Self> {
        let counters = before.map(Self::counters);
        Ok(match options.pid {
            Some(pid) => Self::Process(Box::new(Report::of(kernel, pid, options.depth, counters)?)),
            None => {
                // Shares of processor time need all processes that may be among the largest later.
                let largest = Largest::read(kernel, usize::MAX, counters)?;
                Self::Machine(Box::new(largest))
            }
        })
    }

    fn counters(&self) -> &Counters {
        match self {
            Self::Process(report) => &report.around.counters,
            Self::Machine(largest) => &largest.around.counters,
        }
    }

    fn screen(&self, view: &View, before: Option<(&Self, f64)>) -> String {
        match (self, before) {
            (Self::Process(report), _) => screen::process(report, view),
            (Self::Machine(largest), Some((Self::Machine(before), seconds))) => {
                screen::machine(&cut(largest, view.most), Some((before, seconds)), view)
            }
            (Self::Machine(largest), _) => screen::machine(&cut(largest, view.most), None, view),
        }
    }

    fn json(&self, options: &Options, pretty: bool) -> String {
        let text = match self {
            Self::Process(report) => {
                let mut report = report.clone();
                if !options.all {
                    report.mappings = None;
                }
                write(&report, pretty)
            }
            Self::Machine(largest) => write(&cut(largest, options.most), pretty),
        };
        text + "\n"
    }

    fn line(&self, before: Option<(&Self, f64)>) -> String {
        match (self, before) {
            (Self::Process(report), Some((Self::Process(before), seconds))) => {
                lines::process(report, Some((&before.process, seconds)))
            }
            (Self::Process(report), _) => lines::process(report, None),
            (Self::Machine(largest), _) => lines::machine(largest),
        }
    }

    fn heads(&self) -> String {
        match self {
            Self::Process(_) => lines::process_heads(),
            Self::Machine(_) => lines::machine_heads(),
        }
    }
}

fn cut(largest: &Largest, most: usize) -> Largest {
    let processes: Vec<Process> = largest.processes.iter().take(most).cloned().collect();
    Largest { processes, around: largest.around.clone(), ..*largest }
}

fn write<T: serde::Serialize>(value: &T, pretty: bool) -> String {
    let text =
        if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.unwrap_or_default()
}

/// One reading as text or JSON, and the process's report where it is one.
pub(crate) fn once(
    kernel: &Kernel,
    options: &Options,
    terminal: Terminal,
) -> Result<(String, String, Option<Report>)> {
    let reading = Reading::take(kernel, options, None)?;
    let (text, json) = (reading.screen(&terminal.view(options), None), reading.json(options, true));
    let report = match reading {
        Reading::Process(report) => Some(*report),
        Reading::Machine(_) => None,
    };
    Ok((text, json, report))
}

/// Readings until there were enough, or the process ends, or nobody reads them any more.
///
/// On a terminal the screen is drawn over the one before; elsewhere each reading is a line.
pub(crate) fn watch(kernel: &Kernel, options: &Options, to: &mut dyn Write) -> Result<()> {
    let mut before: Option<(Reading, Instant)> = None;
    let mut read = 0;
    loop {
        let reading = match Reading::take(kernel, options, before.as_ref().map(|then| &then.0)) {
            Ok(reading) => reading,
            Err(failure) => return ended(kernel, options, before.as_ref(), failure),
        };
        if let (Reading::Process(now), Some((Reading::Process(then), _))) = (&reading, &before)
            && now.process.started != then.process.started
        {
            return ended(kernel, options, before.as_ref(), super::kernel::gone(now.process.pid));
        }
        let at = Instant::now();
        let then = before.as_ref().map(|(then, earlier)| (then, (at - *earlier).as_secs_f64()));
        // The window may have been made wider or narrower.
        let terminal = Terminal::here();
        let text = match terminal.height {
            _ if options.json => reading.json(options, false),
            Some(height) => {
                redrawn(&reading.screen(&terminal.view(options), then), height, read == 0)
            }
            None if read % lines::HEADS as u64 == 0 => reading.heads() + &reading.line(then),
            None => reading.line(then),
        };
        // A reader that went away is no error.
        if to.write_all(text.as_bytes()).and_then(|()| to.flush()).is_err() {
            return Ok(());
        }
        read += 1;
        if read == options.count {
            return Ok(());
        }
        before = Some((reading, at));
        std::thread::sleep(options.interval);
    }
}

/// A process that was there and is no more is the end of watching it, and no failure.
fn ended(
    kernel: &Kernel,
    options: &Options,
    before: Option<&(Reading, Instant)>,
    failure: Failure,
) -> Result<()> {
    let (Some(pid), Some((Reading::Process(then), _))) = (options.pid, before) else {
        return Err(failure);
    };
    match Process::of(kernel, pid) {
        Ok(now) if now.started == then.process.started => Err(failure),
        _ => {
            eprintln!("process {pid} ({}) has ended", super::grid::clean(&then.process.name));
            Ok(())
        }
    }
}

/// A screen over the one before: line by line, so that nothing flickers.
fn redrawn(text: &str, height: usize, first: bool) -> String {
    const HOME: &str = "\x1b[H";
    const TO_THE_END_OF_THE_LINE: &str = "\x1b[K";
    const BELOW: &str = "\x1b[J";
    let mut drawn = String::from(if first { "\x1b[2J" } else { "" });
    drawn.push_str(HOME);
    // The last line stays free: a line feed in it would move everything up.
    for line in text.lines().take(height.saturating_sub(1)) {
        drawn.push_str(line);
        drawn.push_str(TO_THE_END_OF_THE_LINE);
        drawn.push_str("\r\n");
    }
    drawn.push_str(BELOW);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_drawn_in_place_and_never_scrolls() {
        let text = "a\nb\nc\nd\n";
        let drawn = redrawn(text, 3, false);
        assert_eq!(drawn, "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J");
        assert!(redrawn(text, 3, true).starts_with("\x1b[2J\x1b[H"));
        assert_eq!(redrawn(text, 0, false), "\x1b[H\x1b[J");
    }
}
