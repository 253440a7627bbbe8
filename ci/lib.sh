# Sourced by the scripts of this folder: they work from any folder, and say what they skip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Incremental files help nobody here and cost disk and time.
export CARGO_INCREMENTAL=0
# No step needs a C compiler, and a change of CC between steps would build things twice.
export CC=/bin/false CXX=/bin/false
target=${CARGO_TARGET_DIR:-target}

say() { printf '\n== %s\n' "$*"; }
skip() { printf 'skipped: %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

# The crates below allocators/, bottom first.
allocators() { for manifest in allocators/*/Cargo.toml; do crate_of "$manifest"; done; }
crate_of() { sed -n '/^name = /{s/^name = "\(.*\)"/\1/p;q}' "$1"; }
