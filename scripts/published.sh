#!/usr/bin/env bash
# Prints the names of the packages that are published, in the order in which they are: one a line.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

for folder in monocoque-core monocoque-zmtp monocoque monocoque-cli; do
    awk -F '"' '/^name = / { print $2; exit }' "$folder/Cargo.toml"
done
