#!/usr/bin/env bash
# Checks everything that can be checked without running it: format, lints, documentation, and the rules of the house.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

heading() { printf '\n--- %s\n' "$*"; }
fail() { printf 'check: %s\n' "$*" >&2; exit 1; }

# The lines of code (not of comments) of the given files that hold the word.
code_lines_with() {
    local word=$1
    shift
    awk -v word="(^|[^[:alnum:]_])$word([^[:alnum:]_]|$)" '{
        code = $0
        sub(/(^|[[:space:]])\/\/.*/, "", code)
        if (code ~ word) print FILENAME ":" FNR ": " $0
    }' "$@"
}

heading "unsafe code is in monocoque-core/src/alloc.rs only"
allowed=monocoque-core/src/alloc.rs
[[ -n "$(code_lines_with unsafe "$allowed")" ]] || fail "found no unsafe code in $allowed: has it moved?"
mapfile -t sources < <(find . \( -name target -o -name .git \) -prune -o -name '*.rs' ! -path "./$allowed" -print)
[[ ${#sources[@]} -gt 20 ]] || fail "found only ${#sources[@]} sources"
found=$(code_lines_with unsafe "${sources[@]}")
[[ -z "$found" ]] || fail "unsafe code elsewhere:"$'\n'"$found"

heading "locks come from monocoque-core/src/sync, so that models see them"
shim=monocoque-core/src/sync/mod.rs
[[ -n "$(code_lines_with parking_lot "$shim")" ]] || fail "found no locks in $shim: have they moved?"
mapfile -t sources < <(find monocoque*/src -name '*.rs' ! -path "$shim" -print)
found=$(code_lines_with parking_lot "${sources[@]}")
[[ -z "$found" ]] || fail "locks from elsewhere:"$'\n'"$found"

heading "durations are added to instants in monocoque-core/src/deadline.rs only"
# Sums that panic, and products, of what is named like an instant or a duration. Tests begin at their module.
durations_without_bound() {
    awk '
        FNR == 1 { in_tests = 0 }
        /^#\[cfg\((all\()?test/ { in_tests = 1 }
        in_tests { next }
        {
            code = $0
            sub(/(^|[[:space:]])\/\/.*/, "", code)
            if (code ~ /Instant::now\(\)[[:space:]]*[+]|[+][[:space:]]*Duration::|[+][[:space:]]*([a-z_.]*[._])?(timeout|interval|limit|linger|delay|ttl|duration|lateness)[^a-z_(]/ ||
                code ~ /(timeout|interval|linger|delay|ttl|duration)[[:space:]]*[*][[:space:]]/ ||
                code ~ /(now|at|since|started|heard|deadline|last|answered)(\(\))?[?]?\.checked_add\(/ ||
                code ~ /time::(sleep|timeout|interval)\([^)]*(timeout|interval|limit|linger|delay|duration)/)
                print FILENAME ":" FNR ": " $0
        }' "$@"
}
caught=$(durations_without_bound - <<'END'
    let end = Instant::now() + timeout;
    let end = now + self.options.linger;
    let end = started + Duration::from_secs(3);
    let step = interval * 2;
    let end = now.checked_add(limit);
    compio::time::sleep(delay).await;
    compio::time::timeout(self.limit, future).await
END
)
[[ $(wc -l <<<"$caught") -eq 7 ]] || fail "of seven sums and products of durations it catches:"$'\n'"$caught"
mapfile -t sources < <(find monocoque monocoque-core monocoque-zmtp -path '*/src/*' -name '*.rs' ! -name tests.rs ! -path monocoque-core/src/deadline.rs -print)
[[ ${#sources[@]} -gt 20 ]] || fail "found only ${#sources[@]} sources"
found=$(durations_without_bound "${sources[@]}")
[[ -z "$found" ]] || fail "these panic where a duration is for ever; use deadline::after, home::sleep or saturating_mul:"$'\n'"$found"

heading "monocoque-core knows no protocol"
[[ -d monocoque-core/src ]] || fail "there is no monocoque-core/src"
if grep -rniE 'zmtp|zeromq|zmq|0mq' monocoque-core/src; then
    fail "monocoque-core names a protocol"
fi

heading "the example in the README is examples/hello_dealer.rs"
diff <(awk '/^```rust$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md) \
    <(awk '!/^\/\/!/ && (NF || started) { started = 1; print }' examples/hello_dealer.rs) \
    || fail "README.md and examples/hello_dealer.rs differ"

heading "docs/OPTIONS.md lists the options of builders"
# Each method that sets one, with the first name of libzmq's in its documentation, or a dash.
options_in_code() {
    awk '
        /^impl.* Builder</ { inside = 1 }
        /^}/ { inside = 0 }
        !inside { next }
        /^    \/\/\// { if (libzmq == "-" && match($0, /ZMQ_[A-Z0-9_]+/)) libzmq = substr($0, RSTART, RLENGTH); next }
        /^    pub fn / { name = $3; sub(/[(<].*/, "", name); if (name !~ /^build(_in)?$/) print name, libzmq }
        { libzmq = "-" }
    ' libzmq=- monocoque/src/zmq/*.rs | sort
}
# The rows of the first table: its first two columns.
options_in_table() {
    awk -F ' *[|] *' '
        /^## / { inside = $0 == "## What a builder takes" }
        inside && $2 ~ /^`/ { gsub(/`/, ""); print $2, $3 }
    ' docs/OPTIONS.md | sort
}
[[ $(options_in_code | wc -l) -gt 20 ]] || fail "found few options: have builders moved?"
diff <(options_in_code) <(options_in_table) || fail "options of builders (<) are not those of docs/OPTIONS.md (>)"
twice=$(grep -oE '^\| .*' docs/OPTIONS.md | grep -v ' of an open socket ' | grep -oE 'ZMQ_[A-Z0-9_]+' | sort | uniq -d)
[[ -z "$twice" ]] || fail "docs/OPTIONS.md lists twice:"$'\n'"$twice"
mapfile -t methods < <(grep -oE '`[A-Z][A-Za-z]+::[a-z_]+`' docs/OPTIONS.md | tr -d '`')
[[ ${#methods[@]} -gt 5 ]] || fail "found only ${#methods[@]} methods in docs/OPTIONS.md"
for method in "${methods[@]}"; do
    grep -rqE "pub (async )?fn ${method#*::}\b" monocoque/src || fail "docs/OPTIONS.md names $method, which there is not"
done

heading "the examples in examples/README.md are those that there are, with a line each"
shopt -s nullglob
examples=(examples/*.rs examples/*/main.rs)
shopt -u nullglob
[[ ${#examples[@]} -gt 0 ]] || fail "found no examples"
diff <(grep -oE '^\| `[^`]+` \| [^|]+ \|$' examples/README.md | cut -d'`' -f2 | LC_ALL=C sort) \
    <(printf '%s\n' "${examples[@]}" | sed -E 's/^examples\///; s/(\/main)?\.rs$//' | LC_ALL=C sort) \
    || fail "examples/README.md and examples/ differ"

heading "the chapters of docs/guide are in its contents, and their programs are run"
chapters=$(find docs/guide -name '*.md' -printf '%f\n' | LC_ALL=C sort)
diff <(grep -oE 'docs/guide/[A-Za-z0-9-]+\.md' monocoque/src/guide.rs | sed 's/.*\///' | LC_ALL=C sort -u) \
    <(printf '%s\n' "$chapters") || fail "the pages of monocoque/src/guide.rs (<) are not those of docs/guide (>)"
diff <(awk -F '[()]' '/^\| \[/ { print $2 }' docs/guide/README.md | LC_ALL=C sort) \
    <(grep -vxF README.md <<<"$chapters") || fail "the contents in docs/guide/README.md (<) are not the chapters of docs/guide (>)"

heading "links in the documentation"
broken=0
while IFS= read -r file; do
    while IFS= read -r link; do
        target=$(dirname "$file")/${link%%#*}
        [[ -e "$target" ]] || { echo "$file: $link"; broken=1; }
    done < <(grep -oE '\]\([^)[:space:]]+\)' "$file" | sed -E 's/^\]\((.*)\)$/\1/' | grep -vE '^(https?:|mailto:|#)' || true)
done < <(find . \( -name target -o -name .git -o -name .venv \) -prune -o -name '*.md' -print)
[[ $broken -eq 0 ]] || fail "these links lead nowhere"

heading "tests that docs/RELIABILITY.md and the safety audit name in their tables"
missing=0
while IFS= read -r name; do
    grep -rqE "(fn|mod) $name\b" --include='*.rs' monocoque*/src monocoque*/tests || { echo "there is no test $name"; missing=1; }
done < <(grep -hE '^[|]' docs/RELIABILITY.md docs/blueprints/06-safety-audit.md | grep -oE '`[a-z0-9]+(_[a-z0-9]+){2,}`' | tr -d '`' | sort -u)
[[ $missing -eq 0 ]] || fail "the documents name tests that are not there"

heading "cargo fmt"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check

heading "cargo clippy"
# The libzmq that tests and examples talk to is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++
cargo clippy --workspace --all-targets --all-features -- -D warnings

heading "cargo doc"
RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings" cargo doc --workspace --no-deps --all-features

heading "monocoque-zmtp needs no runtime, and no operating system"
cargo clippy -p monocoque-zmtp -p monocoque-zmq-core --no-default-features -- -D warnings
if [[ -d "$(rustc --print target-libdir --target wasm32-unknown-unknown)" ]]; then
    cargo build -p monocoque-zmtp --target wasm32-unknown-unknown
else
    echo "not built for wasm32: install the target with: rustup target add wasm32-unknown-unknown"
fi
