//! What the linker is told of the library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Thread exit hooks call into it, and live blocks are its own: it is never unloaded. The name is
    // what programs that are linked with it ask for.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        for arg in ["-z", "nodelete", "-soname", "libstrata.so"] {
            println!("cargo::rustc-cdylib-link-arg=-Wl,{arg}");
        }
    }
}
