#!/usr/bin/env bash
# Installs Debian packages: as root, in CI, and where MONOCOQUE_INSTALL is set. Otherwise it fails, and prints the command
# that would install them: nothing is installed by sudo unasked.
#   scripts/apt_install.sh PACKAGE...
set -euo pipefail

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
fi

if ! command -v apt-get >/dev/null; then
    echo "missing: $*. Install it with the package manager of this system, then try again." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ] && { [ -z "${CI:-}${MONOCOQUE_INSTALL:-}" ] || ! sudo -n true 2>/dev/null; }; then
    echo "missing: $*. Install it, then try again: sudo apt-get install $*" >&2
    exit 1
fi

"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
