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
                code ~ /(^|[^n])time::(sleep|timeout|interval)\([^)]*(timeout|interval|limit|linger|delay|duration)/)
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
mapfile -t sources < <(find monocoque monocoque-core monocoque-zmtp -path '*/src/*' -name '*.rs' ! -name tests.rs ! -path '*/tests/*' ! -path monocoque-core/src/deadline.rs -print)
[[ ${#sources[@]} -gt 20 ]] || fail "found only ${#sources[@]} sources"
found=$(durations_without_bound "${sources[@]}")
[[ -z "$found" ]] || fail "these panic where a duration is for ever; use deadline::after, runtime::sleep or saturating_mul:"$'\n'"$found"

heading "monocoque-core knows no protocol"
[[ -d monocoque-core/src ]] || fail "there is no monocoque-core/src"
if grep -rniE 'zmtp|zeromq|zmq|0mq' monocoque-core/src; then
    fail "monocoque-core names a protocol"
fi

heading "the example in the README is examples/hello_dealer.rs"
diff <(awk '/^### On compio$/ { section = 1 } section && /^```rust$/ { inside = 1; next }
            /^```$/ { if (inside) exit } inside' README.md) \
    <(awk '!/^\/\/!/ && (NF || started) { started = 1; print }' examples/hello_dealer.rs) \
    || fail "README.md and examples/hello_dealer.rs differ"

heading "docs/reference/options.md lists the options of builders"
# Each method that sets one, with the first name of libzmq's in its documentation, or a dash.
options_in_code() {
    awk '
        /^impl.* Builder</ { inside = 1 }
        /^}/ { inside = 0 }
        !inside { next }
        /^    \/\/\// { if (libzmq == "-" && match($0, /ZMQ_[A-Z0-9_]+/)) libzmq = substr($0, RSTART, RLENGTH); next }
        /^    #\[/ { next }
        /^    pub fn / { name = $3; sub(/[(<].*/, "", name); if (name !~ /^build(_in)?$/) print name, libzmq }
        { libzmq = "-" }
    ' libzmq=- monocoque/src/zmq/*.rs monocoque/src/zmq/builder/*.rs | sort
}
# The rows of the first table: its first two columns.
options_in_table() {
    awk -F ' *[|] *' '
        /^## / { inside = $0 == "## Builder options" }
        inside && $2 ~ /^`/ { gsub(/`/, ""); print $2, $3 }
    ' docs/reference/options.md | sort
}
[[ $(options_in_code | wc -l) -gt 20 ]] || fail "found few options: have builders moved?"
diff <(options_in_code) <(options_in_table) || fail "options of builders (<) are not those of docs/reference/options.md (>)"
# All but secrets, authenticators and properties can be read from a file.
options_of_files() {
    sed -nE 's/^        ([a-z_0-9]+)\(.*\),$/\1/p; s/^            "([a-z_]+)" =>.*/\1/p' \
        monocoque/src/zmq/builder/deserialize.rs | sort -u
}
by_methods_only='authenticator|curve_client|curve_server|metadata|plain_client|plain_server|socks_login'
diff <(options_in_table | cut -d ' ' -f 1 | grep -vxE "$by_methods_only") <(options_of_files) ||
    fail "options of docs/reference/options.md (<) are not those of builder/deserialize.rs (>)"
twice=$(grep -oE '^\| .*' docs/reference/options.md | grep -v ' of an open socket ' | grep -oE 'ZMQ_[A-Z0-9_]+' | sort | uniq -d)
[[ -z "$twice" ]] || fail "docs/reference/options.md lists twice:"$'\n'"$twice"
mapfile -t methods < <(grep -oE '`[A-Z][A-Za-z]+::[a-z_]+`' docs/reference/options.md | tr -d '`')
[[ ${#methods[@]} -gt 5 ]] || fail "found only ${#methods[@]} methods in docs/reference/options.md"
for method in "${methods[@]}"; do
    grep -rqE "(pub|\\\$vis) (async )?fn ${method#*::}\b" monocoque/src || fail "docs/reference/options.md names $method, which there is not"
done

heading "the examples in examples/README.md are those that there are, with a line each"
shopt -s nullglob
examples=(examples/*.rs examples/*/main.rs)
shopt -u nullglob
[[ ${#examples[@]} -gt 0 ]] || fail "found no examples"
diff <(grep -oE '^\| `[^`]+` \| [^|]+ \|$' examples/README.md | cut -d'`' -f2 | LC_ALL=C sort) \
    <(printf '%s\n' "${examples[@]}" | sed -E 's/^examples\///; s/(\/main)?\.rs$//' | LC_ALL=C sort) \
    || fail "examples/README.md and examples/ differ"

heading "the chapters of docs/guide are in its contents and in rustdoc, and their programs are run"
diff <(grep -oE 'docs/guide/[A-Za-z0-9/-]+\.md' monocoque/src/guide.rs | LC_ALL=C sort -u) \
    <(find docs/guide -name '*.md' | LC_ALL=C sort) || fail "the pages of monocoque/src/guide.rs (<) are not those of docs/guide (>)"
# The targets of the first column of the tables in the given page.
contents_of() {
    local label
    while IFS= read -r label; do
        sed -nE "s/^\[$label\]: (.*)/\1/p" "$1"
    done < <(grep -oE '^\| \[[^]]*\]\[[a-z-]+\]' "$1" | sed -E 's/.*\[([a-z-]+)\]$/\1/') | LC_ALL=C sort
}
diff <(contents_of docs/guide/README.md) \
    <(find docs/guide -maxdepth 1 -name '*.md' ! -name README.md -printf '%f\n' -o -mindepth 1 -type d -printf '%f/README.md\n' | LC_ALL=C sort) \
    || fail "the contents in docs/guide/README.md (<) are not the chapters of docs/guide (>)"
diff <(contents_of docs/guide/recipes/README.md) \
    <(find docs/guide/recipes -name '*.md' ! -name README.md -printf '%f\n' | LC_ALL=C sort) \
    || fail "the contents in docs/guide/recipes/README.md (<) are not the recipes (>)"

heading "the pages of the guide have links that rustdoc can replace"
# The label and the target of each link that the given pages define, the target as rustdoc names it.
links_in_pages() {
    local page label target
    for page in "$@"; do
        while IFS=' ' read -r label target; do
            target=$(realpath -m --relative-to=. "$(dirname "$page")/$target")
            case $target in
                docs/guide/README.md*) target=crate::guide${target#docs/guide/README.md} ;;
                docs/guide/recipes/README.md*) target=crate::guide::recipes${target#docs/guide/recipes/README.md} ;;
                docs/guide/recipes/*)
                    name=${target##*/}
                    anchor=${name#*.md}
                    name=${name%%.md*}
                    target=crate::guide::recipes::${name//-/_}$anchor ;;
                docs/guide/* | docs/reference/options.md | docs/reference/differences.md*)
                    name=${target##*/}
                    anchor=${name#*.md}
                    name=${name%%.md*}
                    target=crate::guide::${name//-/_}$anchor ;;
            esac
            echo "$label $target"
        done < <(sed -nE 's/^\[([a-z-]+)\]: ([^ ]+)$/\1 \2/p' "$page")
    done | LC_ALL=C sort -u
}
mapfile -t pages < <(grep -oE 'docs/(guide|reference)/[A-Za-z0-9/-]+\.md' monocoque/src/guide.rs)
[[ ${#pages[@]} -gt 10 ]] || fail "found only ${#pages[@]} pages in monocoque/src/guide.rs"
if grep -nE '\]\([^#h]' "${pages[@]}"; then
    fail "these links are not defined at the end of their page, so rustdoc cannot replace them"
fi
diff <(sed -nE 's/^ *"\[([a-z-]+)\]: ([^"\\]+).*/\1 \2/p; s/^ *repository!\("([^"]+)", "([^"]+)"\).*/\1 \2/p' monocoque/src/links.rs | LC_ALL=C sort) \
    <(links_in_pages "${pages[@]}") || fail "the links of monocoque/src/links.rs (<) are not those of the pages (>)"

mapfile -t documents < <(find . \( -name target -o -name .git -o -name .venv \) -prune -o -name '*.md' -type f -print)
[[ ${#documents[@]} -gt 30 ]] || fail "found only ${#documents[@]} documents"

heading "links in the documentation"
# The anchors of a page: its headings in lower case, without punctuation, with hyphens for spaces.
anchors_of() {
    awk '/^```/ { code = !code } !code && /^#+ / { sub(/^#+ /, ""); print tolower($0) }' "$1" |
        sed -E 's/\[([^]]*)\](\([^)]*\)|\[[^]]*\])/\1/g; s/[^[:alnum:] _-]//g; s/ /-/g'
}
broken=0
for document in "${documents[@]}"; do
    # Those in the text, those defined apart, and labels without a definition.
    while IFS= read -r link; do
        page=${link%%#*}
        target=$document
        [[ -z $page ]] || target=$(dirname "$document")/$page
        if [[ ! -e $target ]]; then
            echo "$document: $link"
            broken=1
        elif [[ $link == *'#'* ]] && ! grep -qxF -- "${link#*#}" <<<"$(anchors_of "$target")"; then
            echo "$document: $link: there is no such heading"
            broken=1
        fi
    done < <(grep -oE '\]\([^)[:space:]]+\)|^\[[^]]+\]: [^[:space:]]+$' "$document" |
        sed -E 's/^\]\((.*)\)$/\1/; s/^\[[^]]+\]: //' | grep -vE '^(https?:|mailto:)' || true)
    while IFS= read -r label; do
        grep -qF "[$label]: " "$document" || { echo "$document: [$label] is not defined"; broken=1; }
    done < <(grep -oE '\]\[[a-z-]+\]' "$document" | sed -E 's/^\]\[(.*)\]$/\1/' | sort -u || true)
done
[[ $broken -eq 0 ]] || fail "these links lead nowhere"

heading "lines of documents have at most 120 columns"
# Rows of tables, pictures and single words cannot be broken.
long=$(LC_ALL=C.UTF-8 grep -nE '^.{121,}$' "${documents[@]}" |
    grep -vE '^[^:]+:[0-9]+:(\||!\[|[[:space:]]*([*-] )?[^[:space:]]+$|\[[^]]+\]: )' || true)
[[ -z "$long" ]] || fail "these are longer:"$'\n'"$long"

heading "tests and files that documents name"
missing=0
# One of the names is that of a lint.
named=(docs/reference/reliability.md docs/design/safety-audit.md docs/contributing/testing.md)
while IFS= read -r name; do
    grep -rqE "(fn|mod) $name\b" --include='*.rs' monocoque*/src monocoque*/tests || { echo "there is no test $name"; missing=1; }
done < <(grep -ohE '`[a-z0-9]+(_[a-z0-9]+){2,}`' "${named[@]}" | tr -d '`' | grep -vx cast_possible_truncation | sort -u)
sources=$(find . \( -name target -o -name .git \) -prune -o -name '*.rs' -print)
while IFS= read -r name; do
    grep -qE "/${name//./\\.}$" <<<"$sources" || { echo "there is no file $name"; missing=1; }
done < <(find docs -name '*.md' -exec grep -ohE '`[a-z][a-z0-9_/-]*\.rs`' {} + | tr -d '`' | sort -u)
[[ $missing -eq 0 ]] || fail "the documents name what is not there"

heading "figures that documents quote are those of docs/reference/benchmarks"
missing=0
while IFS= read -r figure; do
    grep -qF "| $figure" docs/reference/benchmarks/README.md || { echo "not measured: $figure"; missing=1; }
done < <(grep -ohE '[0-9.]+ [Mk] msg/s' README.md docs/reference/performance.md | sed 's, msg/s,,' | sort -u)
[[ $missing -eq 0 ]] || fail "README.md or docs/reference/performance.md quote figures that are not in the tables"

heading "docs/reference/dependencies.md has a reason for each crate"
scripts/dependencies.sh

heading "scripts/style.sh measures what it says"
scripts/style.sh --self-test

heading "lines of comments have at most 100 columns"
long=$(scripts/style.sh --list comments)
[[ -z "$long" ]] || fail "these comments are longer:"$'\n'"$long"

heading "cargo fmt"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check

heading "cargo clippy"
# The libzmq that tests and examples talk to is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++
cargo clippy --workspace --all-targets --all-features -- -D warnings

heading "cargo doc"
RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings" cargo doc --workspace --no-deps --all-features

# A link to another crate that rustdoc cannot find has an address of its own.
dead=$(grep -rohE --include=index.html '<dd>[^<]*(<[^>]*>[^<]*)?\[<code>[^<]*</code>\]' "${CARGO_TARGET_DIR:-target}/doc/monocoque" || true)
[[ -z "$dead" ]] || fail "these links of rustdoc lead nowhere:"$'\n'"$dead"

heading "cargo doc, as docs.rs does it"
nightly=${NIGHTLY:-nightly}
if cargo "+$nightly" --version >/dev/null 2>&1; then
    RUSTDOCFLAGS="${RUSTDOCFLAGS:-} --cfg docsrs -D warnings" cargo "+$nightly" doc --package monocoque-zmq --no-deps \
        --all-features --target-dir "${CARGO_TARGET_DIR:-target}/docsrs"
    page=${CARGO_TARGET_DIR:-target}/docsrs/doc/monocoque/security/struct.CurveKeyPair.html
    grep -q 'Available on .*feature .*curve' "$page" || fail "$page does not say that it needs the feature curve"
else
    echo "not made as docs.rs does it: install the toolchain with: rustup toolchain install nightly"
fi

heading "the pages of the socket types list the methods that the types have"
scripts/check_socket_pages.py "${CARGO_TARGET_DIR:-target}/doc/monocoque/zmq"

heading "monocoque-zmtp needs no runtime, and no operating system"
cargo clippy -p monocoque-zmtp -p monocoque-zmq-core --no-default-features -- -D warnings
if [[ -d "$(rustc --print target-libdir --target wasm32-unknown-unknown)" ]]; then
    cargo build -p monocoque-zmtp --no-default-features --target wasm32-unknown-unknown
else
    echo "not built for wasm32: install the target with: rustup target add wasm32-unknown-unknown"
fi
