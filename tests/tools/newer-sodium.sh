#!/bin/sh
# Builds the newest libsodium that the distribution has into build/deps, where the build finds it: AEGIS,
# ML-KEM and a faster AES-GCM, on releases whose own is older. Nothing of the system is changed.
# SPDX-License-Identifier: MIT
#
#   sh tests/tools/newer-sodium.sh [FOLDER [OPTION...]]
#
# FOLDER: there instead; nothing is done when it is there. The options, and CC and CFLAGS of the environment, go
# to its configure.
# The source package comes by apt, from the mirror that the machine uses for its own packages, out of the
# suite where new ones appear first; apt checks its signature. Exit status 77: it cannot be had here.
set -eu
unset CDPATH
cd "$(dirname "$0")/../.."
. tests/tools/sources.sh
root=${1:-build/deps}
[ $# = 0 ] || shift
mkdir -p "$root"
root=$(cd "$root" && pwd)
work=$root/libsodium

if [ -f "$root/lib/pkgconfig/libsodium.pc" ]; then
    echo "libsodium $(sed -n 's/^Version: *//p' "$root/lib/pkgconfig/libsodium.pc") is in $root"
    exit 0
fi
source_need apt-get cc make tar
suite=$(source_newest) || source_skip "this is neither Debian nor Ubuntu"
rm -rf "$work"
mkdir -p "$work"
source_open "$work" "$suite" || source_skip "apt has no entry for the main archive"
echo "fetching libsodium from $(source_id) $suite"
source_log=$work/log
source_fetch "$work" libsodium "$work/code" >"$source_log" 2>&1 ||
    source_skip "its source package could not be fetched"
echo "building it"
# Not shared: programs that are built with it run without being told where it is.
(cd "$work/code" && ./configure --prefix="$root" --disable-shared --with-pic "$@" &&
    make -j "$(nproc 2>/dev/null || echo 2)" && make install) >>"$source_log" 2>&1 ||
    source_fail "it does not build"
rm -rf "$work/code" "$work/lists" "$work/cache"
echo "libsodium $(sed -n 's/^Version: *//p' "$root/lib/pkgconfig/libsodium.pc") is in $root"
