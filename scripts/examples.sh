#!/usr/bin/env bash
# Builds all examples and runs each of them. An example checks itself what it received; one that fails, or does not end
# within EXAMPLE_TIMEOUT seconds (default 60), fails the run. Services are interrupted, and must end with success then.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The libzmq that some of them talk to is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++

# From the folder, not from the manifests: an example that nobody declared is not to be forgotten.
shopt -s nullglob
files=(examples/*.rs examples/*/main.rs)
[[ ${#files[@]} -gt 0 ]] || { echo "examples: there are none" >&2; exit 1; }

cargo build --workspace --examples --all-features
built=${CARGO_TARGET_DIR:-target}/debug/examples

services=" service "
failed=()
for file in "${files[@]}"; do
    name=${file#examples/}
    name=${name%/main.rs}
    name=${name%.rs}
    printf '\n--- %s\n' "$name"
    limit=(--kill-after=5 "${EXAMPLE_TIMEOUT:-60}")
    [[ $services != *" $name "* ]] || limit=(--kill-after=10 --signal=INT --preserve-status 2)
    timeout "${limit[@]}" "$built/$name" </dev/null \
        || failed+=("$name (exit status $?)")
done

if [[ ${#failed[@]} -gt 0 ]]; then
    printf '\nexamples: failed:\n' >&2
    printf '  %s\n' "${failed[@]}" >&2
    exit 1
fi
printf '\nexamples: all %d passed\n' "${#files[@]}"
