#!/usr/bin/env bash
# Builds each package that is published with the oldest compiler that its `rust-version` promises.
# A compiler that is missing is installed by rustup, or else, where Debian has it, unpacked under target/.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'msrv: %s\n' "$*" >&2; exit 1; }

target=${CARGO_TARGET_DIR:-$PWD/target}

# Unpacks Debian's rustc-web and cargo-web beside the toolchain in use: installed, they would conflict with it.
unpack_debian() {
    local version=$1 folder=$2 debs=$2.debs
    rm -rf "$folder" "$debs"
    mkdir -p "$debs"
    apt-cache show "libstd-rust-web-$version" >/dev/null 2>&1 || apt-get update -qq
    (cd "$debs" && apt-get download -qq rustc-web cargo-web libstd-rust-web-dev "libstd-rust-web-$version" \
        libllvm19 libpcre3 libhttp-parser2.9)
    for deb in "$debs"/*.deb; do
        dpkg -x "$deb" "$folder"
    done
    rm -rf "$debs"
}

# Calls cargo of that version.
cargo_of() {
    local version=$1 folder=$target/rust-$1
    shift
    if [[ $(rustc --version) == "rustc $version."* ]]; then
        cargo "$@"
    elif [[ -x $folder/usr/bin/cargo ]]; then
        LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu \
            RUSTC=$folder/usr/bin/rustc "$folder/usr/bin/cargo" "$@"
    else
        cargo "+$version" "$@"
    fi
}

# Makes sure that there is a cargo of that version.
provide() {
    local version=$1
    cargo_of "$version" --version >/dev/null 2>&1 && return
    timeout 300 rustup toolchain install "$version" --profile minimal --no-self-update && return
    unpack_debian "$version" "$target/rust-$version"
}

# Checks a package with its oldest compiler; further arguments go to cargo.
check() {
    local package=$1 version
    shift
    version=$(cargo metadata --no-deps --format-version 1 |
        python3 -c 'import json, sys
print(*(p["rust_version"] or "" for p in json.load(sys.stdin)["packages"] if p["name"] == sys.argv[1]))' "$package")
    [[ -n $version ]] || fail "$package has no rust-version"
    provide "$version"
    printf '%s: %s\n' "$package" "$(cargo_of "$version" --version)"
    [[ $(cargo_of "$version" --version) == "cargo $version."* ]] || fail "this is not $version"
    cargo_of "$version" check --locked --package "$package" --target-dir "$target/msrv-$version" "$@"
}

mapfile -t published < <(scripts/published.sh)
core=${published[0]} zmtp=${published[1]}
# With the feature `runtime` the core needs what compio needs, and with `curve` ZMTP what dryoc needs: those are built
# with the others.
check "$core" --no-default-features
check "$zmtp" --no-default-features
for package in "${published[@]:2}"; do
    check "$package" --all-features
done
