#!/usr/bin/env bash
# A mixed load with continuous churn, optimised and with overflow checks: fails if memory, descriptors, threads or latencies
# grow. See docs/contributing/testing.md.
#   scripts/soak.sh [MINUTES, default 10]
# SEED repeats what is decided by chance; SOAK_LEAK=memory|fds|threads|latency leaks on purpose, which must fail.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# libzmq is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++
SOAK_MINUTES="${1:-10}" exec cargo test --profile checked --package monocoque-interop --test soak -- --ignored --nocapture
