#!/usr/bin/env bash
# Builds the packages that are published with the oldest dependencies that their manifests allow.
# Needs the nightly toolchain. The lock file stays as it is: the build is that of a copy under target/.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

nightly=${NIGHTLY:-nightly}
if ! cargo "+$nightly" --version >/dev/null 2>&1; then
    echo "minimal_versions: the nightly toolchain is missing; install it with: rustup toolchain install nightly" >&2
    exit 1
fi

target=${CARGO_TARGET_DIR:-$PWD/target}
copy=$target/minimal-versions/source
rm -rf "$copy"
mkdir -p "$copy"
# Whatever git knows, or would add.
git ls-files -z --cached --others --exclude-standard | xargs -0 -I{} sh -c 'test ! -e "$1" -a ! -L "$1" || cp --parents --no-dereference "$1" "$2"' _ {} "$copy"

selected=()
for package in $(scripts/published.sh); do
    selected+=(--package "$package")
done
cd "$copy"
rm -f Cargo.lock
cargo "+$nightly" generate-lockfile -Z direct-minimal-versions --quiet
cargo "+$nightly" check --locked --all-features --target-dir "$target/minimal-versions" "${selected[@]}"
