#!/bin/sh
# Fetches libsodium, libev, cmocka, zstd, SQLite and locales for another processor into build/cross/ARCH, where
# .cmake/cross.cmake finds them. Nothing of the system is changed: no foreign architecture is added to it.
# SPDX-License-Identifier: MIT
#
#   sh tests/tools/cross-libs.sh ARCH     Debian's name: s390x, arm64, i386; does nothing when they are there
#
# The packages come by apt from where the machine has its own; apt checks their signatures. Exit status 77:
# they cannot be had here.
set -eu
unset CDPATH
cd "$(dirname "$0")/../.."
. tests/tools/sources.sh
arch=${1:?usage: sh tests/tools/cross-libs.sh ARCH}
root=$PWD/build/cross/$arch
packages="libsodium23 libsodium-dev libev4 libev-dev libcmocka0 libcmocka-dev libzstd1 libzstd-dev
libsqlite3-0 libsqlite3-dev libc-bin"

if [ "$(cat "$root/complete" 2>/dev/null)" = "$packages" ]; then
    exit 0
fi
source_need apt-get dpkg-deb
rm -rf "$root"
mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial" "$root/apt/packages"
: >"$root/apt/status"
source_log=$root/log

apt_alone() {
    apt-get -q -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o Dir::State::status="$root/apt/status" \
        -o Dir::State::Lists="$root/apt/lists" -o Dir::Cache="$root/apt/cache" -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

echo "fetching libraries for $arch"
# An index that is being renewed just now is not missed, if the packages are in another. The list splits on purpose.
# shellcheck disable=SC2086
{ apt_alone update || true; (cd "$root/apt/packages" && apt_alone download $packages); } >"$source_log" 2>&1 ||
    source_skip "they could not be fetched for $arch"
for package in "$root"/apt/packages/*.deb; do
    dpkg-deb -x "$package" "$root"
done
rm -rf "$root/apt"
echo "$packages" >"$root/complete"
