#!/usr/bin/env bash
# Makes a Python environment with a package under target/, unless it is there, and prints the path of its interpreter:
#   scripts/python_env.sh MODULE REQUIREMENT
# What is missing for that is installed as scripts/apt_install.sh says.
set -euo pipefail

module=$1 requirement=$2
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
mkdir -p "$target"
env="$(cd "$target" && pwd)/python-$module"

if ! "$env/bin/python" -c "import $module" 2>/dev/null; then
    # `venv` alone may be there without what puts pip into an environment.
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        scripts/apt_install.sh python3 python3-venv >&2
    fi
    python3 -m venv --clear "$env" >&2
    "$env/bin/python" -m pip install --quiet --disable-pip-version-check "$requirement" >&2
    "$env/bin/python" -c "import $module"
fi

echo "$env/bin/python"
