#!/bin/sh
# The core's tests on other processors, under qemu: another order of octets (s390x), another instruction set
# (arm64), words of 32 bits (i386); and the simulator's packets, which must be the same on all.
# SPDX-License-Identifier: MIT
#
#   sh tests/cross.sh [ARCH]...     all three unless named
#   sh tests/cross.sh short         what CI runs: s390x and i386, the rooms where the order and size of words show most
#
# Debian's cross compilers and qemu come by apt-get, the libraries by tests/tools/cross-libs.sh. Not tried:
# the driver and the programs, whose socket options and locales qemu's user mode does not have. i386 runs on the
# machine itself, where that can.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
. .ci/need.sh
jobs=$(nproc 2>/dev/null || echo 2)
rooms='base wire crypto recovery stream trace conn endpoint sim'
controllers='newreno cubic bbr ledbat media prague'
seeds='1 2 3'
table=
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

# row ARCH WHAT PASSED FAILED SECONDS
row() {
    [ "$4" = 0 ] || failed=1
    text=$(printf '%-8s %-10s %6s %6s %6ss' "$1" "$2" "$3" "$4" "$5")
    echo "$text"
    table="$table$text
"
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
    since=$(date +%s)
    good=0
    bad=0
    for cc in $controllers; do
        for seed in $seeds; do
            here=$(hash_of "$cc" "$seed" build/cross/here/bin/ternsim)
            # The list splits on purpose.
            # shellcheck disable=SC2046
            there=$(hash_of "$cc" "$seed" $(cat "build/$1/emulator") "build/$1/bin/ternsim")
            if [ -n "$here" ] && [ "$here" = "$there" ]; then
                good=$((good + 1))
            else
                bad=$((bad + 1))
                echo "  $cc, seed $seed: trace hash ${there:-missing}, here it is ${here:-missing}"
            fi
        done
    done
    row "$1" hashes "$good" "$bad" $(($(date +%s) - since))
}

# build FOLDER TARGETS [cmake options]
build() {
    folder=build/$1
    targets=$2
    shift 2
    mkdir -p "$folder"
    since=$(date +%s)
    printf '%s: building ... ' "$folder"
    # The list splits on purpose.
    # shellcheck disable=SC2086
    if ! { cmake --preset release -B "$folder" -DTERN_SODIUM_ROOT=OFF -DTERN_APPS=OFF "$@" &&
        cmake --build "$folder" -j "$jobs" --target $targets; } >"$folder/run.log" 2>&1; then
        echo FAILED
        tail -n 20 "$folder/run.log" >&2
        echo "cross.sh: the whole log is $folder/run.log" >&2
        exit 1
    fi
    echo "done, $(($(date +%s) - since)) s"
}

one() {
    rc=0
    sh tests/tools/cross-libs.sh "$1" || rc=$?
    if [ "$rc" = 77 ]; then
        echo "$1: skipped: its libraries cannot be had here"
        table="$table$1 skipped
"
        return
    fi
    [ "$rc" = 0 ] || exit "$rc"
    targets=ternsim
    for room in $rooms; do
        targets="$targets tests/unit/$room/all"
    done
    build "$1" "$targets" -DCMAKE_TOOLCHAIN_FILE=.cmake/cross.cmake -DTERN_CROSS="$1" -DTERN_WERROR=ON
    for room in $rooms; do
        log=build/$1/ctest-$room.log
        since=$(date +%s)
        ctest --test-dir "build/$1/tests/unit/$room" --output-on-failure -j "$jobs" >"$log" 2>&1 || true
        summary=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests* failed out of \([0-9]*\).*/\1 \2/p' "$log")
        bad=${summary% *}
        total=${summary#* }
        row "$1" "$room" $((${total:-0} - ${bad:-0})) "${bad:-1}" $(($(date +%s) - since))
        grep -E '\((Failed|Timeout|SEGFAULT|Subprocess.*)\)' "$log" || true
    done
    same_packets "$1"
}

case ${1:-} in
short)
    shift
    rooms='base wire crypto'
    seeds=1
    set -- s390x i386 "$@"
    ;;
'') set -- s390x arm64 i386 ;;
esac
for arch in "$@"; do
    need_command "$(compiler "$arch")-linux-gnu-gcc" "gcc-$(compiler "$arch" | tr _ -)-linux-gnu"
done
need_build
need_command qemu-s390x qemu-user
need_install || exit 1
build cross/here ternsim
for arch in "$@"; do
    one "$arch"
done
printf '\n%-8s %-10s %6s %6s %7s\n%s' machine what passed failed time "$table"
exit $failed
