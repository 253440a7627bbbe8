//! `frames`: see [`strata_apps::apps::frames`].

strata_apps::allocator!();

fn main() -> std::process::ExitCode {
    strata_apps::main("frames", strata_apps::apps::frames::run)
}
