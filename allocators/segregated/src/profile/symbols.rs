//! Names of code.

use std::string::String;
use std::vec::Vec;

/// A function that an address is in, perhaps inlined into the next one.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// Empty where it is not known.
    pub(super) file: String,
    /// Zero where it is not known.
    pub(super) line: u32,
}

/// What is known of an address.
#[derive(Debug)]
pub(super) enum Known {
    /// No name.
    Nothing,
    /// It is this crate's, or a shim between it and the program.
    Ours,
    /// The functions that it is in, the innermost first, without ours.
    Functions(Vec<Function>),
}

/// Where the sources of this crate lie, as the compiler says it.
const HERE: &str = file!();

/// The functions that the call returning to `address` is in; nothing without the feature `symbols`, or where
/// the program has no names.
pub(super) fn of(address: usize) -> Known {
    let mut functions = resolve(address);
    if functions.is_empty() {
        return Known::Nothing;
    }
    // What is inlined into one of ours is not the program's either.
    let ours = functions.iter().rposition(is_ours).map_or(0, |last| last + 1);
    functions.drain(..ours);
    if functions.is_empty() { Known::Ours } else { Known::Functions(functions) }
}

/// Whether a function is the allocator's own, or stands between it and the program.
fn is_ours(function: &Function) -> bool {
    let sources = HERE.strip_suffix("profile/symbols.rs").unwrap_or(HERE);
    function.file.contains(sources)
        || ["strata_segregated::", "<strata_segregated::", "__rust_", "__rustc::"]
            .iter()
            .any(|start| function.name.starts_with(start))
}

#[cfg(feature = "symbols")]
fn resolve(address: usize) -> Vec<Function> {
    use std::string::ToString;

    let mut functions = Vec::new();
    // The call, not what comes after it, which may be another function's.
    let call = core::ptr::without_provenance_mut(address.wrapping_sub(1));
    backtrace::resolve(call, |symbol| {
        if let Some(name) = symbol.name() {
            let file = symbol.filename().map(|file| file.display().to_string());
            // Without the hash that tells crates of one name apart.
            let name = std::format!("{name:#}");
            let (file, line) = (file.unwrap_or_default(), symbol.lineno().unwrap_or(0));
            functions.push(Function { name, file, line });
        }
    });
    functions
}

#[cfg(not(feature = "symbols"))]
fn resolve(_address: usize) -> Vec<Function> {
    Vec::new()
}
