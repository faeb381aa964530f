#!/usr/bin/env bash
# Makes a Python environment with pyzmq under target/, unless it is there, and prints the path of its interpreter:
#   export MONOCOQUE_PYTHON="$(scripts/pyzmq_env.sh)"
# On Debian it installs what is missing, as root or through sudo; elsewhere it says what that is.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

env="${CARGO_TARGET_DIR:-$PWD/target}/pyzmq"
mkdir -p "$(dirname "$env")"
env="$(cd "$(dirname "$env")" && pwd)/pyzmq"

if ! "$env/bin/python" -c 'import zmq' 2>/dev/null; then
    # `venv` alone may be there without what puts pip into an environment.
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        scripts/apt_install.sh python3 python3-venv >&2
    fi
    python3 -m venv --clear "$env" >&2
    "$env/bin/python" -m pip install --quiet --disable-pip-version-check 'pyzmq>=26' >&2
    "$env/bin/python" -c 'import zmq'
fi

echo "$env/bin/python"
