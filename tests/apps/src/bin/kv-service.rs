//! `kv-service`: see [`strata_apps::apps::kv_service`].

strata_apps::allocator!();

fn main() -> std::process::ExitCode {
    strata_apps::main("kv-service", strata_apps::apps::kv_service::run)
}
