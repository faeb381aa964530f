#!/usr/bin/env bash
# Fuzzes the parsers and state machines: each target of fuzz/ for so many seconds, as many at a time as there are
# processors. Fails on a crash, on an input that takes too long or too much memory, and if a target hardly ran.
# Needs the nightly toolchain. What each target promises is said in docs/contributing/testing.md.
#   scripts/fuzz.sh [--keep] [SECONDS] [TARGET...]     default: 20 seconds, all targets
#   --keep    adds to fuzz/corpus what was found to reach new code
set -euo pipefail

nightly=${NIGHTLY:-nightly}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'fuzz: %s\n' "$*" >&2; exit 1; }

cargo_fuzz=0.13.2
# Larger inputs reach nothing more: what is large is announced, or made of a few bytes.
max_len=4096
# Of one input, in seconds; of the process, and of one allocation, in megabytes.
timeout=5 rss_limit=1024 malloc_limit=16
# How many runs a second are enough to have checked anything.
min_rate=25

keep=false seconds=20 targets=()
for argument in "$@"; do
    case $argument in
        --keep) keep=true ;;
        *[!0-9]*) targets+=("$argument") ;;
        *) seconds=$argument ;;
    esac
done
if [[ ${#targets[@]} -eq 0 ]]; then
    for file in fuzz/fuzz_targets/*.rs; do
        file=${file##*/}
        targets+=("${file%.rs}")
    done
fi
[[ $seconds -gt 0 ]] || fail "a target needs at least a second"
for target in "${targets[@]}"; do
    [[ -f fuzz/fuzz_targets/$target.rs ]] || fail "there is no target $target in fuzz/fuzz_targets"
    [[ -n "$(find "fuzz/corpus/$target" -type f 2>/dev/null)" ]] || fail "fuzz/corpus/$target has no seeds"
done

cargo "+$nightly" --version >/dev/null 2>&1 ||
    fail "the nightly toolchain is missing; install it with: rustup toolchain install nightly"
# libFuzzer is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++

out="${CARGO_TARGET_DIR:-$PWD/target}"
tools=$out/tools
out=$out/fuzz
if [[ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $cargo_fuzz" ]]; then
    cargo install --quiet --locked --root "$tools" "cargo-fuzz@$cargo_fuzz"
fi

# cargo-fuzz, with a verb, options and a target. Two targets need the facade, and with it a runtime.
cargo_fuzz() {
    local verb=$1 features=()
    shift
    case " $* " in
        *' envelope '*) features=(--features envelope) ;;
        *' zap '*) features=(--features zap) ;;
    esac
    RUSTFLAGS="${RUSTFLAGS:-} -D warnings" CARGO_TERM_QUIET=true PATH="$tools/bin:$PATH" \
        cargo "+$nightly" fuzz "$verb" --fuzz-dir fuzz --target-dir "$out" "${features[@]}" "$@"
}

bin=$out/$(rustc -vV | sed -n 's/^host: //p')/release

# One target, for its time. It starts from the seeds and from what was found before.
run() {
    local target=$1 status=0
    mkdir -p "$out/corpus/$target" "$out/findings/$target"
    # Freed memory is kept for a while to find its uses: a little of it will do.
    ASAN_OPTIONS=quarantine_size_mb=16:${ASAN_OPTIONS:-} RUST_BACKTRACE=0 "$bin/$target" \
        -max_total_time="$seconds" -max_len=$max_len -timeout=$timeout \
        -rss_limit_mb=$rss_limit -malloc_limit_mb=$malloc_limit \
        -artifact_prefix="$out/findings/$target/" -print_final_stats=1 \
        "$out/corpus/$target" "fuzz/corpus/$target" >"$out/$target.log" 2>&1 || status=$?
    echo "$status" >"$out/$target.status"
}

# Says how it went.
report() {
    local target=$1 status runs
    status=$(<"$out/$target.status")
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$target.log")
    runs=${runs:-0}
    printf '%-10s %12d runs  %8d a second\n' "$target" "$runs" $((runs / seconds))
    if [[ $status -ne 0 ]]; then
        grep -A3 -E 'panicked at|ERROR: |Test unit written' "$out/$target.log" | grep -vE '^ *#' | head -n 40 || true
        echo "exit status $status; more in $out/$target.log; once more: $bin/$target INPUT"
        return 1
    fi
    if [[ $runs -lt $((seconds * min_rate)) ]]; then
        echo "fewer than $((seconds * min_rate)) runs: this has checked nothing"
        return 1
    fi
}

for target in "${targets[@]}"; do
    cargo_fuzz build "$target"
done

rm -f "$out"/*.status
for target in "${targets[@]}"; do
    while [[ $(jobs -rp | wc -l) -ge $(nproc) ]]; do wait -n; done
    run "$target" &
done
wait

failed=()
for target in "${targets[@]}"; do
    report "$target" || failed+=("$target")
done
[[ ${#failed[@]} -eq 0 ]] || fail "failed: ${failed[*]}"

if $keep; then
    for target in "${targets[@]}"; do
        cargo_fuzz cmin "$target" "$out/corpus/$target" >"$out/$target.log" 2>&1 || fail "see $out/$target.log"
        # Only what the seeds do not reach: they keep their names.
        "$bin/$target" -merge=1 -max_len=$max_len "fuzz/corpus/$target" "$out/corpus/$target" >"$out/$target.log" 2>&1 ||
            fail "see $out/$target.log"
    done
    git status --short fuzz/corpus
fi
