//! The `strata-bench` command.

#[cfg(not(feature = "global"))]
strata_bench::main!();

#[cfg(feature = "global")]
mod global {
    use strata_bench::subject::GlobalPeer;

    /// The one linked peer: this executable's rows are of mode "global".
    #[global_allocator]
    static PEER: GlobalPeer = GlobalPeer;
}

#[cfg(feature = "global")]
fn main() -> std::process::ExitCode {
    strata_bench::command(&strata_bench::subject::linked(), strata_bench::results::Mode::Global)
}
