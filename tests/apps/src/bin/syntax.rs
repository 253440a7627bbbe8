//! `syntax`: see [`strata_apps::apps::syntax`].

strata_apps::allocator!();

fn main() -> std::process::ExitCode {
    strata_apps::main("syntax", strata_apps::apps::syntax::run)
}
