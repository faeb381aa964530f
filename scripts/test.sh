#!/usr/bin/env bash
# Runs all tests: those of the crates, the examples in their documentation, and the exchange with libzmq and pyzmq.
# Needs a C++ compiler, tmux and Python. Puts pyzmq into an environment under target/.
#   scripts/test.sh              prints the command for Debian packages that are missing
#   scripts/test.sh --install    installs them, by sudo if needed; so it does as root, and where CI is set
set -euo pipefail

case ${1:-} in
    '') ;;
    --install) export MONOCOQUE_INSTALL=1 ;;
    *) echo "test: unknown argument $1: try --install" >&2; exit 2 ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The libzmq that the tests talk to is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++
# Tests of `mq top` look at a terminal.
command -v tmux >/dev/null || scripts/apt_install.sh tmux
MONOCOQUE_PYTHON="$(scripts/pyzmq_env.sh)"
export MONOCOQUE_PYTHON

# Everything at once, so that each crate is built once: cargo chooses features by what it is asked for. All but the
# examples, which scripts/examples.sh builds and runs.
tests() { cargo test --workspace --all-features --lib --bins --tests "$@"; }

# The program of the integration test of that name, as `tests` has built it.
program() {
    tests --no-run --quiet --message-format=json | python3 -c '
import json, sys
found = [m["executable"] for m in map(json.loads, sys.stdin)
         if m.get("executable") and m["target"]["kind"] == ["test"] and m["target"]["name"] == sys.argv[1]]
sys.exit(f"found {found} for {sys.argv[1]}") if len(found) != 1 else print(found[0])' "$1"
}

tests
cargo test --workspace --all-features --doc

# What `cargo test` ignores: the tests with pyzmq, and the one with an /etc/hosts of its own. Not the soak, which takes
# minutes.
for name in interop cli dns; do
    program=$(program $name)
    alone=()
    [[ $name != dns ]] || alone=(unshare --map-root-user --mount)
    printf -- '--- %s, what is ignored else\n' "$name"
    "${alone[@]}" "$program" --ignored
done
