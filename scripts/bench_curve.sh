#!/usr/bin/env bash
# Compares CURVE with that of the system's libzmq, which has it by libsodium; the one that the zmq crate builds does not.
# Wants a machine that does nothing else.
#   scripts/bench_curve.sh [ROUNDS]     default: 5 rounds, about two minutes
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v cc >/dev/null || scripts/apt_install.sh gcc libc6-dev
[[ -f /usr/include/zmq.h ]] || scripts/apt_install.sh libzmq3-dev

LIBZMQ_END="${CARGO_TARGET_DIR:-$PWD/target}/curve_libzmq"
mkdir -p "${LIBZMQ_END%/*}"
cc -O2 -Wall -Wextra -Werror -o "$LIBZMQ_END" benches/curve/libzmq.c -lzmq
export LIBZMQ_END
cargo bench --quiet -p monocoque-bench --bench curve -- "$@"
