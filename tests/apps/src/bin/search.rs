//! `search`: see [`strata_apps::apps::search`].

strata_apps::allocator!();

fn main() -> std::process::ExitCode {
    strata_apps::main("search", strata_apps::apps::search::run)
}
