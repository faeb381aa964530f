#!/usr/bin/env bash
# Makes the packages that are published, and builds each from its archive. Warnings are errors.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

selected=()
for package in $(scripts/published.sh); do
    selected+=(--package "$package")
    # What an earlier run unpacked and built, which cargo takes for the archives of this one: they have the same version.
    rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/"$package"-[0-9]* \
        "${CARGO_TARGET_DIR:-target}"/debug/.fingerprint/"$package"-*
done
output=$(mktemp)
trap 'rm -f "$output"' EXIT
cargo package --locked --allow-dirty "${selected[@]}" 2>&1 | tee "$output"
! grep -E '^warning' "$output" || { echo "package: warnings" >&2; exit 1; }
