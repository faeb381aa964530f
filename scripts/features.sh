#!/usr/bin/env bash
# Builds each package without features, with each feature alone, and with all of them; warnings are errors.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A line for each package and set of features: its name, then what cargo is told.
sets() {
    cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    features = sorted(set(package["features"]) - {"default"})
    print(package["name"], "--no-default-features")
    for feature in features:
        print(package["name"], "--no-default-features", "--features", feature)
    if len(features) > 1:
        print(package["name"], "--all-features")
'
}

# The libzmq of some of them is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++

count=0
while read -r package features; do
    printf -- '--- %s %s\n' "$package" "$features"
    # shellcheck disable=SC2086
    cargo clippy --quiet --package "$package" $features -- -D warnings
    count=$((count + 1))
done < <(sets)
[[ $count -ge 10 ]] || { echo "features: found only $count sets of features" >&2; exit 1; }
printf 'features: %d sets build\n' "$count"
