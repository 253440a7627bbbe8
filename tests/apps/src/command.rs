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
            println!("{name} on {}: checksum {:016x}", crate::allocator::NAME, app(scale));
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

fn parse(arguments: &[String]) -> Option<Scale> {
    match arguments {
        [] => Some(Scale::ONE),
        [flag, value] if flag == "--scale" => Scale::new(value.parse().ok()?),
        [both] => Scale::new(both.strip_prefix("--scale=")?.parse().ok()?),
        _ => None,
    }
}
