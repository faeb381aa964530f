#!/usr/bin/env bash
# Builds `mq` as `cargo install --path monocoque-cli` does, and checks that it has no symbols and is below 6 MB.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

most=6000000

cargo build --locked --release -p monocoque-cli
program=${CARGO_TARGET_DIR:-target}/release/mq
bytes=$(stat -c %s "$program")
# The section with symbols, by its name in the table of names.
if grep -qaF '.symtab' "$program"; then
    echo "size: $program has symbols" >&2
    exit 1
fi
[[ $bytes -lt $most ]] || { echo "size: $program has $bytes bytes, more than $most" >&2; exit 1; }
printf 'size: mq has %d bytes, of at most %d\n' "$bytes" "$most"
