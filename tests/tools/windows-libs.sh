#!/bin/sh
# Builds libsodium and cmocka for Windows into build/windows-libs, where .cmake/windows.cmake finds them.
# SPDX-License-Identifier: MIT
#
#   sh tests/tools/windows-libs.sh     does nothing when they are there
#
# Their source packages come by apt: libsodium's newest, and the cmocka of the release that the machine runs. Exit
# status 77: they cannot be had here.
set -eu
unset CDPATH
cd "$(dirname "$0")/../.."
. tests/tools/sources.sh
root=$PWD/build/windows-libs
work=$root/work
jobs=$(nproc 2>/dev/null || echo 2)
host=x86_64-w64-mingw32
toolchain=$PWD/.cmake/windows.cmake

if [ -f "$root/complete" ]; then
    exit 0
fi
source_need apt-get $host-gcc cmake make tar
suite=$(source_newest) || source_skip "this is neither Debian nor Ubuntu"
rm -rf "$root"
mkdir -p "$work"
source_log=$work/log
own=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
echo "fetching libsodium from $(source_id) $suite, cmocka from $own"
for pair in "libsodium:$suite" "cmocka:$own"; do
    package=${pair%:*}
    { source_open "$work/${pair#*:}" "${pair#*:}" &&
        source_fetch "$work/${pair#*:}" "$package" "$work/$package"; } >>"$source_log" 2>&1 ||
        source_skip "$package could not be fetched"
done
echo "building them for Windows"
(cd "$work/libsodium" && ./configure --host=$host --prefix="$root" --disable-shared && make -j "$jobs" &&
    make install) >>"$source_log" 2>&1 || source_fail "libsodium does not build"
# The release of 2020 would take an older CMake's rules.
(cmake -S "$work/cmocka" -B "$work/cmocka-build" -DCMAKE_TOOLCHAIN_FILE="$toolchain" -DCMAKE_INSTALL_PREFIX="$root" \
    -DBUILD_SHARED_LIBS=OFF -DWITH_STATIC_LIB=ON -DWITH_EXAMPLES=OFF -DCMAKE_POLICY_VERSION_MINIMUM=3.5 &&
    cmake --build "$work/cmocka-build" && cmake --install "$work/cmocka-build") >>"$source_log" 2>&1 ||
    source_fail "cmocka does not build"
if [ -f "$root/lib/libcmocka-static.a" ]; then # its older releases make both kinds
    rm -f "$root"/lib/libcmocka.dll.a "$root"/bin/cmocka.dll
    mv "$root/lib/libcmocka-static.a" "$root/lib/libcmocka.a"
fi
rm -rf "$work"
: >"$root/complete"
