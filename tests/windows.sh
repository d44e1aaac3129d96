#!/bin/sh
# tern on Windows, as far as wine is that: built with mingw-w64, the tests of the core one program after the other,
# the simulator's packets, which must be those of this machine, and transfers over Windows' sockets.
# SPDX-License-Identifier: MIT
#
#   sh tests/windows.sh
#
# The compiler and wine come by apt-get, libsodium and cmocka by tests/tools/windows-libs.sh. The programs in apps/ are
# POSIX's; not tried. Exit status 77: the libraries cannot be had here.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
. .ci/need.sh
stage_name=windows.sh
. .ci/stage.sh
jobs=$(nproc 2>/dev/null || echo 2)
controllers='newreno cubic bbr ledbat media prague'
passed=0
failed=0

# count NAME STATUS
count() {
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "windows: $1: FAILED"
    fi
}

build() {
    mkdir -p "build/$1"
    folder=build/$1
    shift
    { cmake --preset release -B "$folder" -DTERN_SODIUM_ROOT=OFF "$@" && cmake --build "$folder" -j "$jobs"; } \
        >"$folder/run.log" 2>&1 || {
        grep -E 'error|FAILED' "$folder/run.log" | head -n 40 >&2 || true
        fail "$folder does not build; the whole log is $folder/run.log"
    }
}

hash_of() {
    cc=$1
    shift
    "$@" run chacha20 --cc "$cc" --seed 1 2>/dev/null | tr -d '\r' | sed -n 's/^ *trace hash //p'
}

# Each whole program at once, several side by side.
unit_tests() {
    find build/windows/tests -name 'test_*.exe' | LC_ALL=C sort >"$work/programs"
    # shellcheck disable=SC2016 # the inner shell's
    xargs -P "$jobs" -I '{}' sh -c 'name=${1##*/}; timeout 3600 wine "$1" >"$2/$name.log" 2>&1; echo "$? $name"' \
        - '{}' "$work" <"$work/programs" >"$work/results"
    while read -r status name; do
        count "$name" "$status"
        [ "$status" = 0 ] || tail -n 15 "$work/$name.log" | sed 's/^/    /'
    done <"$work/results"
    echo "windows: $(cat "$work"/*.exe.log | grep -ac '^\[ *OK \]') unit tests passed in $(wc -l <"$work/programs") programs"
}

same_packets() {
    for cc in $controllers; do
        here=$(hash_of "$cc" build/release/bin/ternsim)
        there=$(hash_of "$cc" wine build/windows/bin/ternsim.exe)
        [ -n "$here" ] && [ "$here" = "$there" ] && rc=0 || rc=1
        count "the packets of $cc, ${there:-none}, here ${here:-none}" $rc
    done
}

# Two processes, over sockets of Windows.
echo_of_two() {
    wine build/windows/bin/win_echo.exe serve >"$work/echo.log" 2>&1 &
    server=$!
    pids="$pids $server"
    said=$(await_text "$work/echo.log" '^\([0-9.:]* [0-9a-f]*\).*' "$server") || fail "the echo did not start"
    rc=0
    # The address and the key.
    # shellcheck disable=SC2086
    wine build/windows/bin/win_echo.exe ask $said || rc=1
    wait "$server" || rc=1
    count "an echo between two processes" $rc
}

need_command x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64-posix
need_command x86_64-w64-mingw32-g++ g++-mingw-w64-x86-64-posix
need_command wine wine
need_command make make
need_build
need_install || exit 1
sh tests/tools/windows-libs.sh || exit $?
build release -DTERN_TESTS=ON
build windows -DCMAKE_TOOLCHAIN_FILE="$PWD/.cmake/windows.cmake" -DTERN_APPS=OFF -DTERN_WERROR=ON
work=$(mktemp -d)
export WINEPREFIX="$work/wine" WINEDEBUG=-all
wine cmd /c exit >/dev/null 2>&1 || fail "wine does not run here: $(wine cmd /c exit 2>&1 | head -n 3)"

since=$(date +%s)
for program in transfer world service; do
    rc=0
    wine "build/windows/bin/win_$program.exe" || rc=$?
    count "$program" $rc
done
echo_of_two
same_packets
unit_tests
wineserver -k 2>/dev/null || true
echo "windows: $passed passed, $failed failed, $(($(date +%s) - since)) s"
[ "$failed" = 0 ]
