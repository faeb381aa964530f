#!/usr/bin/env bash
# Checks the dependencies of the published packages by deny.toml: licences, sources, and crates that are banned or twice there.
#   scripts/deny.sh                the same on each run
#   scripts/deny.sh advisories     known vulnerabilities, by the database of today, which has to be fetched from GitHub
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=${CARGO_TARGET_DIR:-$PWD/target}/tools
version=0.20.2
[[ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" == "cargo-deny $version" ]] ||
    cargo install --quiet --locked --debug --root "$tools" "cargo-deny@$version"

[[ $# -gt 0 ]] || set -- bans licenses sources
exec "$tools/bin/cargo-deny" --all-features check "$@"
