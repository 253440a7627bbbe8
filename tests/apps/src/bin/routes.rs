//! `routes`: see [`strata_apps::apps::routes`].

strata_apps::allocator!();

fn main() -> std::process::ExitCode {
    strata_apps::main("routes", strata_apps::apps::routes::run)
}
