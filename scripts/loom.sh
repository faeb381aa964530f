#!/usr/bin/env bash
# Runs the models: the real queues, outboxes and wake-ups in all orders in which their threads may run, with loom. What each of
# them promises is said in docs/contributing/testing.md. Takes about two minutes once everything is built.
#   scripts/loom.sh                             all of them
#   scripts/loom.sh inbox::                     those whose names hold that
#   LOOM_MAX_PREEMPTIONS=4 scripts/loom.sh      with more interruptions than each asks for
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# So many at least, and all that are there: a model that is not run promises nothing.
least=68
models=$(find monocoque-core/src monocoque/src \( -name models.rs -o -path '*/models/*.rs' \) -exec cat {} + | grep -c '^#\[test\]$')

output=$(mktemp)
trap 'rm -f "$output"' EXIT
RUSTFLAGS="${RUSTFLAGS:-} --cfg monocoque_loom -D warnings" \
    cargo test --release --lib -p monocoque-zmq-core -p monocoque-zmq --target-dir target/loom -- "${@:-models::}" --skip tests:: --nocapture |
    tee "$output"

ran=$(awk '/^test result: ok\./ { ran += $4 } END { print ran + 0 }' "$output")
if [[ $# -eq 0 && ( $ran -ne $models || $ran -lt $least ) ]]; then
    echo "loom: $ran models ran, of $models, and at least $least are expected" >&2
    exit 1
fi
[[ $ran -gt 0 ]] || { echo "loom: no model ran" >&2; exit 1; }
echo "loom: $ran models hold"
