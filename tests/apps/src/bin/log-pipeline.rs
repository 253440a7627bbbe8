//! `log-pipeline`: see [`strata_apps::apps::log_pipeline`].

strata_apps::allocator!();

fn main() -> std::process::ExitCode {
    strata_apps::main("log-pipeline", strata_apps::apps::log_pipeline::run)
}
