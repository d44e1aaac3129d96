#!/bin/sh
# The core's tests on other processors, under qemu: another order of octets (s390x), another instruction set
# (arm64), words of 32 bits (i386); and the simulator's packets, which must be the same on all.
# SPDX-License-Identifier: MIT
#
#   sh tests/cross.sh [ARCH]...     all three unless named; each takes some five minutes on two cores
#
# Debian's cross compilers and qemu come by apt-get, the libraries by tests/tools/cross-libs.sh. Not tried:
# the driver and the programs, whose socket options and locales qemu's user mode does not have.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
. .ci/need.sh
jobs=$(nproc 2>/dev/null || echo 2)
rooms='base wire crypto recovery stream conn endpoint sim trace'
controllers='newreno cubic bbr ledbat media prague'
seeds='1 2 3'
failed=0

compiler() {
    case $1 in
    s390x) echo s390x ;;
    arm64) echo aarch64 ;;
    i386) echo i686 ;;
    *)
        echo "cross.sh: \"$1\" is none of s390x, arm64, i386" >&2
        exit 2
        ;;
    esac
}

# The trace hash of a transfer by the ternsim that the rest of the arguments start. ChaCha20, because who has no
# instructions for AES would not choose that.
hash_of() {
    cc=$1
    seed=$2
    shift 2
    "$@" run chacha20 --cc "$cc" --seed "$seed" 2>/dev/null | sed -n 's/^ *trace hash //p'
}

# Other orders of octets, other units of floating point: the same packets.
same_packets() {
    equal=0
    all=0
    for cc in $controllers; do
        for seed in $seeds; do
            all=$((all + 1))
            here=$(hash_of "$cc" "$seed" build/release/bin/ternsim)
            # The list splits on purpose.
            # shellcheck disable=SC2046
            there=$(hash_of "$cc" "$seed" $(cat "build/$1/emulator") "build/$1/bin/ternsim")
            if [ -n "$here" ] && [ "$here" = "$there" ]; then
                equal=$((equal + 1))
            else
                echo "  $cc, seed $seed: trace hash ${there:-missing}, here it is ${here:-missing}"
                failed=1
            fi
        done
    done
    echo "$1: $equal of $all trace hashes as on this machine"
}

build() {
    mkdir -p "build/$1"
    folder=build/$1
    shift
    if ! { cmake --preset release -B "$folder" -DTERN_SODIUM_ROOT=OFF "$@" && cmake --build "$folder" -j "$jobs"; } \
        >"$folder/run.log" 2>&1; then
        tail -n 20 "$folder/run.log" >&2
        echo "cross.sh: $folder does not build; the whole log is $folder/run.log" >&2
        exit 1
    fi
}

one() {
    rc=0
    sh tests/tools/cross-libs.sh "$1" || rc=$?
    if [ "$rc" = 77 ]; then
        echo "$1: skipped: its libraries cannot be had here"
        return
    fi
    [ "$rc" = 0 ] || exit "$rc"
    build "$1" -DCMAKE_TOOLCHAIN_FILE=.cmake/cross.cmake -DTERN_CROSS="$1" -DTERN_WERROR=ON
    for room in $rooms; do
        log=build/$1/ctest-$room.log
        ctest --test-dir "build/$1/tests/unit/$room" --output-on-failure -j "$jobs" >"$log" 2>&1 || failed=1
        echo "$1: $room: $(grep 'tests passed' "$log" || echo "no result: see $log")"
        grep -E '\((Failed|Timeout|SEGFAULT|Subprocess.*)\)' "$log" || true
    done
    same_packets "$1"
}

[ $# -gt 0 ] || set -- s390x arm64 i386
for arch in "$@"; do
    need_command "$(compiler "$arch")-linux-gnu-gcc" "gcc-$(compiler "$arch" | tr _ -)-linux-gnu"
done
need_build
need_command qemu-s390x qemu-user
need_install || exit 1
build release
for arch in "$@"; do
    one "$arch"
done
exit $failed
