#!/usr/bin/env bash
# Makes a Python environment with pyzmq under target/, unless it is there, and prints the path of its interpreter:
#   export MONOCOQUE_PYTHON="$(scripts/pyzmq_env.sh)"
set -euo pipefail

exec "$(dirname "${BASH_SOURCE[0]}")/python_env.sh" zmq 'pyzmq>=26'
