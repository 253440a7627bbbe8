//! `tiles`: see [`strata_apps::apps::tiles`].

strata_apps::allocator!();

fn main() -> std::process::ExitCode {
    strata_apps::main("tiles", strata_apps::apps::tiles::run)
}
