#!/bin/sh
# The tests on other processors, under qemu: another order of octets (s390x), another instruction set (arm64), words
# of 32 bits (i386); the simulator's packets, which must be the same on all; and copies between each and this machine.
# SPDX-License-Identifier: MIT
#
#   sh tests/cross.sh [ARCH]... [WHAT]...   all three ARCH unless named; all WHAT but model and sim unless named
#   sh tests/cross.sh short                 CI's: s390x and i386, where order and size of words show most
#
#   unit            the unit tests, room by room; unit/conn: of one room
#   vectors fuzz    published vectors of Noise; each fuzz target over its corpus
#   hashes          transfers in the simulator: their packets are those of this machine
#   e2e             programs there and here talk and copy, either serving
#   model sim       what needs an hour and more: every execution with two faults; the simulator's tests
#   unit.inbuf sim.transfer ...    one program of those
#
# TERN_PATIENCE=N: tests may take N times as long (10). OMP_NUM_THREADS=N: so many at a time (the processors).
# Debian's cross compilers and qemu come by apt-get, the libraries by tests/tools/cross-libs.sh. i386 runs on the
# machine itself, where that can. A test that finds out that qemu's user mode cannot do what it needs (openat2,
# to steer datagrams) is skipped, and says so; numbers in ancillary data are turned by tests/tools/emulated.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
. .ci/need.sh
jobs=$(nproc 2>/dev/null || echo 2)
patience=${TERN_PATIENCE:-10}
rooms='base wire crypto recovery stream trace conn endpoint sim driver apps'
controllers='newreno cubic bbr ledbat media prague'
seeds='1 2 3'
machines=
what=
table=
failed=0

usage() {
    sed -n '/^set -eu/q; s/^#   //p' tests/cross.sh
    exit "$1"
}

# compiler ARCH: what Debian calls its processor in names of compilers; false for what is no ARCH.
compiler() {
    case $1 in
    s390x) echo s390x ;;
    arm64) echo aarch64 ;;
    i386) echo i686 ;;
    *) return 1 ;;
    esac
}

# row ARCH WHAT PASSED FAILED SKIPPED SECONDS
row() {
    [ "$4" = 0 ] || failed=1
    text=$(printf '%-8s %-15s %6s %6s %7s %6ss' "$@")
    echo "$text"
    table="$table$text
"
}

# --- building -------------------------------------------------------------------------------------

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
    if ! { cmake --preset release -B "$folder" -DTERN_SODIUM_ROOT=OFF -DTERN_EXAMPLES=OFF "$@" &&
        cmake --build "$folder" -j "$jobs" --target $targets; } >"$folder/run.log" 2>&1; then
        echo FAILED
        tail -n 20 "$folder/run.log" >&2
        echo "cross.sh: the whole log is $folder/run.log" >&2
        exit 1
    fi
    echo "done, $(($(date +%s) - since)) s"
}

# targets_of WHAT: what it needs built; false for what is no WHAT.
targets_of() {
    case $1 in
    vectors) echo noise_vectors ;;
    fuzz) echo fuzz/all ;;
    hashes) echo ternsim ;;
    e2e) echo terncp ternperf ;;
    model) echo explore ;;
    sim) echo tests/sim/all ;;
    unit/*) [ -f "tests/$1/CMakeLists.txt" ] && echo "tests/$1/all" ;;
    unit.*) [ -n "$(find tests/unit -name "test_${1#*.}.c")" ] && echo "test_${1#*.}" ;;
    sim.*) [ -f "tests/sim/test_${1#*.}.c" ] && echo "test_${1#*.}" ;;
    *) return 1 ;;
    esac
}

# --- running --------------------------------------------------------------------------------------

# entries ARCH WHAT FOLDER [CTEST OPTION]...: the ctest entries of build/ARCH/FOLDER
entries() {
    arch=$1
    name=$2
    log=build/$1/ctest-$(echo "$2" | tr / -).log
    folder=build/$1/$3
    shift 3
    since=$(date +%s)
    ctest --test-dir "$folder" --output-on-failure -j "$jobs" "$@" >"$log" 2>&1 || true
    summary=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests* failed out of \([0-9]*\).*/\1 \2/p' "$log")
    bad=${summary% *}
    total=${summary#* }
    # Which count as passed there.
    left_out=$(grep -cE '^[	 ]*[0-9]+ - .* \((Skipped|Disabled)\)' "$log" || true)
    row "$arch" "$name" $((${total:-0} - ${bad:-0} - left_out)) "${bad:-1}" "$left_out" $(($(date +%s) - since))
    grep -E '^[	 ]*[0-9]+ - .* \([A-Z]' "$log" | grep -vF '(Skipped)' || true
    sed -n 's/^skipped: /skipped: /p' "$folder/Testing/Temporary/LastTest.log" | sort | uniq -c
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
    row "$1" hashes "$good" "$bad" 0 $(($(date +%s) - since))
}

# wrap FOLDER SERVER CLIENT: a terncp that is one program where it serves, another where it asks.
wrap() {
    mkdir -p "$1"
    # shellcheck disable=SC2016 # for that script to expand
    printf '#!/bin/sh\ncase $1 in\nserve) exec %s "$@" ;;\n*) exec %s "$@" ;;\nesac\n' "$2" "$3" >"$1/terncp"
    chmod +x "$1/terncp"
}

# e2e_one ARCH BIN SCRIPT CASE: one case with the programs of a folder below build/ARCH.
e2e_one() {
    log=build/$1/e2e-$2.log
    if TERN_BIN=$PWD/build/$1/$2 TERN_PEER_BIN=$PWD/build/cross/here/bin TERN_PATIENCE=$patience \
        sh "tests/e2e/$3.sh" "$4" >"$log" 2>&1; then
        good=$((good + 1))
    else
        bad=$((bad + 1))
        echo "  $2, $4: FAILED, log $log"
        tail -n 20 "$log"
    fi
}

# Programs of both machines by real sockets: what one writes, the other reads.
talk() {
    since=$(date +%s)
    good=0
    bad=0
    here=$PWD/build/cross/here/bin/terncp
    emulator=$(cat "build/$1/emulator")
    wrap "build/$1/serves" "$emulator $PWD/build/$1/bin/terncp" "$here"
    wrap "build/$1/asks" "$here" "$emulator $PWD/build/$1/bin/terncp"
    mkdir -p "build/$1/talks"
    printf '#!/bin/sh\nexec %s "$@"\n' "$emulator $PWD/build/$1/bin/ternperf" >"build/$1/talks/ternperf"
    chmod +x "build/$1/talks/ternperf"
    e2e_one "$1" serves copy there_and_back
    e2e_one "$1" asks copy there_and_back
    e2e_one "$1" talks engines engines_of_two_builds
    row "$1" e2e "$good" "$bad" 0 $(($(date +%s) - since))
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
    build "$1" "$all_targets" -DCMAKE_TOOLCHAIN_FILE=.cmake/cross.cmake -DTERN_CROSS="$1" -DTERN_WERROR=ON \
        -DTERN_PATIENCE="$patience"
    for it in $what; do
        case $it in
        vectors) entries "$1" "$it" tests/vectors ;;
        hashes) same_packets "$1" ;;
        e2e) talk "$1" ;;
        *.*) entries "$1" "$it" . -R "^${it%%.*}\\.${it#*.}\\." ;;
        fuzz) entries "$1" "$it" fuzz ;;
        *) entries "$1" "$it" "tests/$it" ;;
        esac
    done
}

# --- the run --------------------------------------------------------------------------------------

for word in "$@"; do
    case $word in
    -h | --help) usage 0 ;;
    short)
        machines="$machines s390x i386"
        what="$what unit/base unit/wire unit/crypto hashes"
        seeds=1
        ;;
    unit)
        for room in $rooms; do
            what="$what unit/$room"
        done
        ;;
    *)
        if compiler "$word" >/dev/null; then
            machines="$machines $word"
        elif targets_of "$word" >/dev/null; then
            what="$what $word"
        else
            echo "cross.sh: \"$word\" is no machine, and nothing that is run on one" >&2
            usage 2 >&2
        fi
        ;;
    esac
done
machines=${machines:-s390x arm64 i386}
if [ -z "$what" ]; then
    for room in $rooms; do
        what="$what unit/$room"
    done
    what="$what vectors fuzz hashes e2e"
fi
for arch in $machines; do
    need_command "$(compiler "$arch")-linux-gnu-gcc" "gcc-$(compiler "$arch" | tr _ -)-linux-gnu"
done
need_build
need_command qemu-s390x qemu-user
need_install || exit 1
all_targets=
for it in $what; do
    all_targets="$all_targets $(targets_of "$it")"
done
here=
for it in $what; do
    case $it in
    hashes | e2e) here="$here $(targets_of "$it")" ;;
    esac
done
[ -z "$here" ] || build cross/here "$here"
for arch in $machines; do
    one "$arch"
done
printf '\n%-8s %-15s %6s %6s %7s %7s\n%s' machine what passed failed skipped time "$table"
exit $failed
