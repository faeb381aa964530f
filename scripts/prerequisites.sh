#!/usr/bin/env bash
# Installs what the tests need besides Rust, where it is missing: a C++ compiler (the libzmq that the tests talk to is
# built from source) and Python with venv (for the tests against pyzmq). Called by the other scripts.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
command -v c++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)

if [[ ${#missing[@]} -eq 0 ]]; then
    exit 0
fi

echo "prerequisites: installing ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    echo "prerequisites: there is no apt-get here; please install: ${missing[*]}" >&2
    exit 1
fi
if [[ $EUID -eq 0 ]]; then
    as_root=()
elif command -v sudo >/dev/null; then
    as_root=(sudo)
else
    echo "prerequisites: neither root nor sudo; please install: ${missing[*]}" >&2
    exit 1
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
