//! `script`: see [`strata_apps::apps::script`].

strata_apps::allocator!();

fn main() -> std::process::ExitCode {
    strata_apps::main("script", strata_apps::apps::script::run)
}
