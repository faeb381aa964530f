#!/usr/bin/env bash
# Compares the public API of the libraries with the files in api/, and fails with what differs.
# Needs the nightly toolchain, for the documentation as JSON.
#   scripts/api.sh             compares
#   scripts/api.sh --write     makes the API of today the one to compare with
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'api: %s\n' "$*" >&2; exit 1; }

nightly=${NIGHTLY:-nightly}
cargo "+$nightly" --version >/dev/null 2>&1 ||
    fail "the nightly toolchain is missing; install it with: rustup toolchain install nightly"
tools=${CARGO_TARGET_DIR:-$PWD/target}/tools
# It reads the JSON of some versions of the compiler only: this one those since 2026.
version=0.52.0
[[ "$("$tools/bin/cargo-public-api" --version 2>/dev/null)" == "cargo-public-api $version" ]] ||
    cargo install --quiet --locked --debug --root "$tools" "cargo-public-api@$version"

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
for library in monocoque monocoque-core monocoque-zmtp; do
    PATH=$tools/bin:$PATH cargo "+$nightly" public-api --manifest-path "$library/Cargo.toml" --all-features \
        -sss --target-dir "${CARGO_TARGET_DIR:-$PWD/target}/api" >"$new/$library.txt"
    [[ $(wc -l <"$new/$library.txt") -gt 50 ]] || fail "found hardly any API of $library"
done

if [[ ${1:-} == --write ]]; then
    mkdir -p api
    cp "$new"/*.txt api/
    echo "Written to api/."
elif ! diff --unified=0 api "$new"; then
    fail "the public API differs from api/. If that is as it should be: scripts/api.sh --write"
fi
