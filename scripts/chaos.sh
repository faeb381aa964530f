#!/usr/bin/env bash
# The chaos test in its full form: optimised, with overflow checks, and with peers that leave a million topics behind.
# See docs/contributing/testing.md.
#   scripts/chaos.sh [SECONDS, default 60] [ARGUMENTS OF CARGO, default --profile checked]
# SEED repeats what is decided by chance; CHAOS_TOPICS is how many topics one hostile peer subscribes to.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds="${1:-60}"
shift || true
[ $# -gt 0 ] || set -- --profile checked
# libzmq is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++
# Few arenas: what the allocator keeps is about what was in use at one time, and what grows is a leak.
MALLOC_ARENA_MAX=2 CHAOS_SECONDS="$seconds" CHAOS_TOPICS="${CHAOS_TOPICS:-1000000}" \
    exec cargo test "$@" --package monocoque-interop --test chaos -- --nocapture
