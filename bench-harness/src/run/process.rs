//! A child process from the parent's side.

use super::arm::{Arm, CHILD};
use crate::child::Touch;
use crate::child::channel::{GO, REFUSED, Word};
use crate::child::control::{Pass, Table};
use crate::error::{Context, Failure, Result};
use crate::results::{Outcome, Threads};
use crate::script::Script;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long a child may neither speak nor get on before it is given up.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often it is looked whether a child gets on. Patience is counted in these and not by the clock: a
/// machine that stands still, or sleeps, takes nothing of it.
const LOOK: Duration = Duration::from_secs(10);

/// What a child is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) pass: Pass,
    pub(crate) touch: Touch,
    pub(crate) repeat: u32,
    /// The processor to stay on, or -1.
    pub(crate) processor: i32,
    /// Whether a kernel's windows are asked for one by one.
    pub(crate) asked: bool,
}

/// A child at work.
#[derive(Debug)]
pub(crate) struct Running {
    process: Child,
    pub(crate) table: Arc<Table>,
}

/// Why a child did not come to its end.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Its row ends here; the run goes on.
    Row(Outcome),
    /// The run cannot go on.
    Run(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Run(failure)
    }
}

impl Running {
    /// Starts a child.
    pub(crate) fn start(arm: &Arm, script: &Script, job: Job) -> Result<Self> {
        Self::start_under(arm, script, job, &[])
    }

    /// Starts a child under another program, whose words come first.
    pub(crate) fn start_under(
        arm: &Arm,
        script: &Script,
        job: Job,
        under: &[&str],
    ) -> Result<Self> {
        let (mut table, fd) =
            Table::create(script).context(|| "cannot make shared memory for a child".into())?;
        let file = inheritable(&script.file)?;
        let control = table.job();
        control.pass = job.pass as u32;
        control.touch = job.touch as u32;
        control.repeat = job.repeat;
        control.processor = job.processor;
        control.asked = u64::from(job.asked);
        control.threaded = u32::from(script.mode == Threads::Recorded);
        control.script = file.as_raw_fd();
        let mut words: Vec<std::ffi::OsString> = under.iter().map(Into::into).collect();
        words.extend([arm.executable.clone().into(), CHILD.into(), arm.subject.clone().into()]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear();
        for keep in ["LD_LIBRARY_PATH", "TMPDIR", "PATH"] {
            if let Some(value) = std::env::var_os(keep) {
                command.env(keep, value);
            }
        }
        command.env(
            crate::heap::CHILD_VARIABLE.to_string_lossy().as_ref(),
            fd.as_raw_fd().to_string(),
        );
        if let Some(library) = &arm.preload {
            command.env("LD_PRELOAD", library);
        }
        let process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context(|| format!("cannot start {}", words[0].display()))?;
        Ok(Self { process, table: Arc::new(table) })
    }

    /// The child's process number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The most that the child had resident so far, where the system tells: the harness's own few
    /// megabytes with it.
    pub(crate) fn peak(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    }

    /// Waits for the child's next word.
    pub(crate) fn hear(&mut self) -> Result<(Word, u32), Stopped> {
        let mut message = [0; 8];
        let mut got = 0;
        while got < message.len() {
            if !self.readable()? {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return Err(Stopped::Row(Outcome::Crashed {
                    how: format!("silent for {} s and killed", PATIENCE.as_secs()),
                    record: self.record(),
                }));
            }
            let Some(out) = &mut self.process.stdout else { return Err(self.ended()) };
            match out.read(&mut message[got..]) {
                Ok(0) | Err(_) => return Err(self.ended()),
                Ok(more) => got += more,
            }
        }
        let number = u32::from_le_bytes([message[4], message[5], message[6], message[7]]);
        match Word::of(message[0]) {
            Some(word) => Ok((word, number)),
            None => Err(self.ended()),
        }
    }

    /// Waits for one word in particular.
    pub(crate) fn expect(&mut self, word: Word) -> Result<u32, Stopped> {
        let (heard, number) = self.hear()?;
        if heard == word {
            return Ok(number);
        }
        Err(Stopped::Run(Failure::input(format!(
            "a child said {heard:?} where {word:?} was expected: the executables do not match"
        ))))
    }

    /// Lets the child go on.
    pub(crate) fn answer(&mut self) {
        self.say(GO);
    }

    /// Answers something in particular.
    pub(crate) fn say(&mut self, answer: u8) {
        if let Some(to) = &mut self.process.stdin {
            // A child that died meanwhile is noticed by the next `hear`.
            let _ = to.write_all(&[answer]);
        }
    }

    /// Waits for the end of a child that said its last word.
    pub(crate) fn finish(mut self) -> Result<Arc<Table>, Stopped> {
        drop(self.process.stdin.take());
        match self.process.wait() {
            Ok(status) if status.success() => Ok(Arc::clone(&self.table)),
            Ok(status) => Err(Stopped::Row(self.outcome(status))),
            Err(error) => Err(Failure::input(format!("cannot wait for a child: {error}")).into()),
        }
    }

    /// Goes from the start to the end of a job without stops.
    pub(crate) fn through(mut self) -> Result<Arc<Table>, Stopped> {
        self.expect(Word::Ready)?;
        self.answer();
        self.expect(Word::Finished)?;
        self.finish()
    }

    fn readable(&self) -> Result<bool, Stopped> {
        let Some(out) = &self.process.stdout else { return Ok(true) };
        let mut poll = libc::pollfd { fd: out.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let (mut silent, mut seen) = (Duration::ZERO, self.progress());
        while silent < PATIENCE {
            // SAFETY: one entry, which outlives the call.
            let ready = unsafe { libc::poll(&raw mut poll, 1, LOOK.as_millis() as i32) };
            if ready != 0 {
                return Ok(true);
            }
            let now = self.progress();
            silent = if now == seen { silent + LOOK } else { Duration::ZERO };
            seen = now;
        }
        Ok(false)
    }

    /// What changes while a child replays, a segment of the script at a time or less.
    fn progress(&self) -> (u64, u64) {
        let control = self.table.control();
        (control.operations.load(Relaxed), control.record.load(Relaxed))
    }

    fn ended(&mut self) -> Stopped {
        match self.process.wait() {
            Ok(status) => Stopped::Row(self.outcome(status)),
            Err(error) => Failure::input(format!("cannot wait for a child: {error}")).into(),
        }
    }

    /// The last record begun, in the passes that keep it.
    fn record(&self) -> Option<u64> {
        let control = self.table.control();
        let kept = [Pass::Memory as u32, Pass::Check as u32].contains(&control.pass);
        kept.then(|| control.record.load(Relaxed))
    }

    fn outcome(&mut self, status: ExitStatus) -> Outcome {
        let record = self.record();
        if status.code() == Some(REFUSED) {
            return Outcome::Crashed { how: "refused an allocation".into(), record };
        }
        let mut how = match status.signal() {
            Some(signal) => format!("killed by {}", signal_name(signal)),
            None => format!("ended with status {}", status.code().unwrap_or(-1)),
        };
        let mut said = String::new();
        if let Some(errors) = &mut self.process.stderr {
            // What it said before it died, for the person who looks for the reason.
            let _ = errors.take(4096).read_to_string(&mut said);
        }
        if let Some(line) = said.lines().find(|line| !line.trim().is_empty()) {
            how = format!("{how}: {line}");
        }
        Outcome::Crashed { how, record }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A child left in the middle (its run was given up) must not stay behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A copy of the descriptor that children inherit.
fn inheritable(file: &std::fs::File) -> Result<OwnedFd> {
    // SAFETY: the descriptor is open; the result is checked.
    let fd = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, 10) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error())
            .context(|| "cannot share the replay script".into());
    }
    // SAFETY: the descriptor is new and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What a signal is called.
pub(crate) fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGTRAP => "SIGTRAP",
        _ => return format!("signal {signal}"),
    };
    name.into()
}
