#!/usr/bin/env bash
# Prints figures of the source code beside those of well-kept codebases: duplication, lengths, circles of imports,
# the wording of documentation and the names of tests. A thermometer for reviewers, not a gate. With --list NAME it
# prints the places behind a figure; --help has the names.
set -euo pipefail

exec python3 -B "$(dirname "${BASH_SOURCE[0]}")/style" "$@"
