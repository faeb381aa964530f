#!/usr/bin/env bash
# Compares the crates that a program compiles for the library with docs/reference/dependencies.md, and fails with what
# differs: crates without a reason, reasons without a crate, other numbers.
#   scripts/dependencies.sh            compares
#   scripts/dependencies.sh --print    prints the trees
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

page=docs/reference/dependencies.md
fail() { printf 'dependencies: %s\n' "$*" >&2; exit 1; }

# A program beside the workspace, whose tests would add features.
program=$(mktemp -d)
trap 'rm -rf "$program"' EXIT
mkdir "$program/src"
echo 'fn main() {}' >"$program/src/main.rs"
tree() {
    local features=$1
    shift
    printf '%s\n' '[package]' 'name = "program"' 'edition = "2024"' '[workspace]' '[dependencies]' \
        "monocoque-zmq = { path = \"$PWD/monocoque\", $features }" >"$program/Cargo.toml"
    cp Cargo.lock "$program/"
    cargo tree --quiet --manifest-path "$program/Cargo.toml" --target x86_64-unknown-linux-gnu --edges normal,build "$@"
}
# The names of the crates, one a line.
crates() { tree "$@" --prefix none --no-dedupe --format '{p}' | awk '$1 != "program" { print $1 }' | LC_ALL=C sort -u; }
# The crates of those with a macro that the compiler runs, one a line.
macros() { tree "$@" --prefix none --no-dedupe --format '{p}' | awk '/\(proc-macro\)/ { print $1 }' | LC_ALL=C sort -u; }

if [[ ${1:-} == --print ]]; then
    tree 'default-features = true'
    tree 'default-features = false'
    exit
fi

# The crates of the tables under the given heading.
listed() {
    awk -v heading="$1" '/^## / { inside = $0 == heading } inside && /^\| `/ { print }' "$page" |
        cut -d'|' -f2 | grep -oE '`[^`]+`' | tr -d '`' | LC_ALL=C sort
}
# Fails if the row of the first table with that label has other numbers.
number() {
    grep -qF "| $1 | $2 | $3 |" "$page" || fail "$page: the row \"$1\" should be: | $1 | $2 | $3 |"
}
default=$(crates 'default-features = true')
least=$(crates 'default-features = false')
[[ $(wc -l <<<"$least") -gt 20 ]] || fail "found hardly any crate"

diff <(listed '## Always') <(printf '%s\n' "$least") ||
    fail "the crates under \"Always\" in $page (<) are not those of a program without default features (>)"
diff <(listed '## For CURVE') <(LC_ALL=C comm -13 <(printf '%s\n' "$least") <(printf '%s\n' "$default")) ||
    fail "the crates under \"For CURVE\" in $page (<) are not those that the feature curve adds (>)"
for features in true false; do
    label='default features'
    [[ $features == true ]] || label='`default-features = false`'
    number "$label" "$(tree "default-features = $features" --prefix none --no-dedupe --format '{p}' |
        sed 's/ (.*//' | grep -v '^program ' | LC_ALL=C sort -u | wc -l)" "$(macros "default-features = $features" | wc -l)"
done
