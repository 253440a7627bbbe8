//! The command line that all programs share.

use crate::workload::Scale;
use std::process::ExitCode;

/// A program: runs its workload and returns the checksum of what it computed.
pub type App = fn(Scale) -> u64;

/// Runs a program with the scale from the command line and prints its checksum.
pub fn main(name: &str, app: App) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments) {
        Some(scale) => {
            println!("{name} on {}: checksum {:016x}", crate::allocator::NAME, run(app, scale));
            ExitCode::SUCCESS
        }
        None => {
            eprintln!(
                "usage: {name} [--scale N], N times the usual work, above 0 and at most 1000"
            );
            ExitCode::from(2)
        }
    }
}

#[cfg(not(feature = "profile"))]
fn run(app: App, scale: Scale) -> u64 {
    app(scale)
}

/// Runs a program, with a profile of it where `STRATA_PROFILE` names a file.
#[cfg(feature = "profile")]
fn run(app: App, scale: Scale) -> u64 {
    use strata_segregated::profile::{self, Options};

    let Some(path) = std::env::var_os("STRATA_PROFILE") else { return app(scale) };
    if let Err(why) = profile::start(Options::default()) {
        eprintln!("no profile: {why}");
        return app(scale);
    }
    let checksum = app(scale);
    let written = || -> Result<(), Box<dyn std::error::Error>> {
        let taken = profile::take()?;
        taken.write_pprof(&mut std::fs::File::create(path)?)?;
        Ok(())
    };
    if let Err(why) = written() {
        eprintln!("no profile: {why}");
    }
    checksum
}

fn parse(arguments: &[String]) -> Option<Scale> {
    match arguments {
        [] => Some(Scale::ONE),
        [flag, value] if flag == "--scale" => Scale::new(value.parse().ok()?),
        [both] => Scale::new(both.strip_prefix("--scale=")?.parse().ok()?),
        _ => None,
    }
}
