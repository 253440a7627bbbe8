//! `wiki-threads`: see [`strata_apps::apps::wiki_threads`].

strata_apps::allocator!();

fn main() -> std::process::ExitCode {
    strata_apps::main("wiki-threads", strata_apps::apps::wiki_threads::run)
}
