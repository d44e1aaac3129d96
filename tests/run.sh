#!/bin/sh
# All tests, from a bare Debian or Ubuntu machine: installs what is missing, builds, runs, counts.
# SPDX-License-Identifier: MIT
#
#   sh tests/run.sh                    all that CI runs
#   sh tests/run.sh LAYER              one layer of it: lint, unit, sim, interop, e2e or install
#   sh tests/run.sh engines            the ciphers of other libraries, and that they understand each other
#   sh tests/run.sh docs               the site of docs/, with its links, into build/docs/site
#   sh tests/run.sh model [FAULTS]     every execution with so many lost, late or repeated packets (2)
#   sh tests/run.sh fuzz [SECONDS]     each fuzz target for that long (15), and what it covers
#   sh tests/run.sh package            Debian packages, used in a clean root; not in CI
#   sh tests/run.sh windows            the core and the driver for Windows, under wine; not in CI
#   sh tests/run.sh coverage           unit, sim and e2e with counters: a table, and whether its bars hold
#   sh tests/run.sh msan               unit and sim, for memory that is read and was never written
#   sh tests/run.sh tsan               where threads meet, for what they do to one another
#   sh tests/run.sh valgrind           a copy there and back under valgrind
#   sh tests/run.sh cross [ARCH|WHAT]...    under qemu: s390x, arm64, i386; sh tests/cross.sh -h
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
. .ci/need.sh

what=${1:-all}
seconds=${2:-15}
jobs=$(nproc 2>/dev/null || echo 2)
passed=0
failed=0
skipped=0
table=
alone= # tests that failed beside the others and passed alone
targets= # that a build makes; none: all

usage() {
    sed -n '/^set -eu/q; s/^#   //p' tests/run.sh
    exit "$1"
}

case $what in
all | lint | unit | sim | engines | docs | model | interop | e2e | install | fuzz | coverage) ;;
msan | tsan | valgrind | package | windows) ;;
cross)
    shift
    exec sh tests/cross.sh "$@"
    ;;
-h | --help) usage 0 ;;
*) usage 2 >&2 ;;
esac
case $seconds in
'' | *[!0-9]*) usage 2 >&2 ;;
esac

# --- counting -------------------------------------------------------------------------------------

# count NAME PASSED FAILED SKIPPED SECONDS
count() {
    passed=$((passed + $2))
    failed=$((failed + $3))
    skipped=$((skipped + $4))
    table="$table$(printf '%-10s %6d %6d %7d %6ss' "$1" "$2" "$3" "$4" "$5")
"
}

finish() {
    printf '\n%-10s %6s %6s %7s %7s\n%s' layer passed failed skipped time "$table"
    if [ "$skipped" -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
    [ -z "$alone" ] || printf 'passed at a second try only, with the machine to themselves; find out why:\n%s' "$alone"
    [ "$failed" = 0 ] || exit 1
    exit 0
}

# --- what the machine must have -------------------------------------------------------------------

install() {
    need_command gcc gcc
    need_command g++ g++
    need_command clang clang
    need_command cmake cmake
    need_command ninja ninja-build
    need_command pkg-config pkg-config
    need_command nm binutils
    need_library libsodium libsodium-dev
    need_library cmocka libcmocka-dev
    need_header ev.h libev-dev
    need_header stdlib.h libc6-dev
    case $what in
    all | lint)
        need_command clang-format clang-format
        need_command clang-tidy clang-tidy
        need_command cppcheck cppcheck
        need_command shellcheck shellcheck
        ;;
    esac
    case $what in
    all | interop)
        need_command python3 python3
        need_python cryptography python3-cryptography
        need_command tshark tshark
        ;;
    esac
    case $what in
    all | e2e | coverage | tsan | valgrind)
        need_command ip iproute2
        need_command tmux tmux
        need_command redis-server redis-server
        need_command redis-cli redis-tools
        need_command sshd openssh-server
        need_command ssh openssh-client
        need_command nft nftables
        need_command curl curl
        need_command tshark tshark
        ;;
    esac
    case $what in
    coverage) need_command gcovr gcovr ;;
    all | msan) need_command make make ;;
    esac
    case $what in
    all | valgrind) need_command valgrind valgrind ;;
    esac
    need_install || exit 1
    want_engines
    case $what in
    all | fuzz | msan) install_runtime ;;
    esac
}

# clang's sanitizers and libFuzzer are a package of their own on some releases.
install_runtime() {
    probe=$(mktemp -d)
    printf '#include <stddef.h>\nint LLVMFuzzerTestOneInput(const unsigned char *, size_t);\n%s\n' \
        'int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n) { return !p && n; }' \
        >"$probe/probe.c"
    if ! clang -fsanitize=fuzzer,address -o "$probe/probe" "$probe/probe.c" >/dev/null 2>&1; then
        major=$(clang -dumpversion | cut -d . -f 1)
        need_list=" libclang-rt-$major-dev"
        need_install || exit 1
    fi
    rm -rf "$probe"
}

# --- building -------------------------------------------------------------------------------------

# made FOLDER COMPILER COMMAND...: build/FOLDER by a command. Ends the run when it does not build.
made() {
    folder=build/$1
    compiler=$2
    shift 2
    mkdir -p "$folder"
    since=$(date +%s)
    printf '%s: building with %s ... ' "$folder" "$compiler"
    if CC=$compiler "$@" >"$folder/run.log" 2>&1; then
        echo "done, $(($(date +%s) - since)) s"
        return
    fi
    echo "FAILED"
    grep -E 'error|Error|FAILED' "$folder/run.log" | head -n 40 || true
    echo "The whole log: $folder/run.log"
    count "build" 0 1 0 $(($(date +%s) - since))
    finish
}

# shellcheck disable=SC2317 # called by made
preset() {
    to=$1
    preset=$2
    shift 2
    # The list splits on purpose.
    # shellcheck disable=SC2086
    cmake --preset "$preset" -B "$to" -DTERN_SODIUM_ROOT=OFF "$@" &&
        cmake --build "$to" -j "$jobs" --target ${targets:-all}
}

# build FOLDER COMPILER PRESET [cmake options]
build() {
    to=$1
    compiler=$2
    shift 2
    made "$to" "$compiler" preset "build/$to" "$@"
}

# --- layers ---------------------------------------------------------------------------------------

# again FOLDER LOG: those that failed once more, one after the other. Real processes by the dozen on a machine that
# others use, too, may be late where nothing is wrong; what is wrong is so the second time, and more than three are
# no accident; nor is what a sanitizer found. It is told which they were: a test that needs this has a race, in itself
# or in what it tests. The number of those that passed is in $mended.
again() {
    mended=0
    ! grep -qE 'Sanitizer|runtime error:' "$2" || return 0
    ctest --test-dir "build/$1" --rerun-failed --output-on-failure -j 1 >"$2.again" 2>&1 || true
    names=$(sed -n 's|^ *[0-9]*/[0-9]* Test *#[0-9]*: \([^ ]*\) .* Passed .*|\1|p' "$2.again")
    for name_of_test in $names; do
        mended=$((mended + 1))
        alone="$alone  $name_of_test
"
    done
}

# layer LABEL FOLDER [NAME [CTEST OPTION...]]: the ctest entries of one label, counted from ctest's own summary.
layer() {
    log=build/$2/ctest-$1.log
    label=$1
    folder=$2
    name=${3:-$1}
    shift $(($# < 3 ? $# : 3))
    since=$(date +%s)
    printf '%s: running ... ' "$name"
    ctest --test-dir "build/$folder" -L "^$label\$" --output-on-failure -j "$jobs" "$@" >"$log" 2>&1 || true
    took=$(($(date +%s) - since))
    # "97% tests passed, 3 tests failed out of 120"; skipped entries count as passed there.
    summary=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests* failed out of \([0-9]*\).*/\1 \2/p' \
        "$log" | tail -n 1)
    bad=${summary% *}
    total=${summary#* }
    left_out=$(grep -cE '^[	 ]*[0-9]+ - .* \((Skipped|Disabled)\)' "$log" || true)
    if [ -z "$summary" ] || [ "$total" = 0 ]; then
        echo "NO RESULT: no test bears the label $label, or ctest did not run"
        tail -n 5 "$log"
        count "$name" 0 1 0 "$took"
        return
    fi
    mended=0
    [ "$bad" = 0 ] || [ "$bad" -gt 3 ] || again "$folder" "$log"
    took=$(($(date +%s) - since))
    bad=$((bad - mended))
    good=$((total - bad - left_out))
    echo "$good passed, $bad failed, $left_out skipped, $took s"
    if [ $((bad + mended)) -gt 0 ]; then
        # From the first output of a failed test on; the passed ones above it say nothing.
        grep -vE '^ *[0-9]+/[0-9]+ Test +#.* Passed |^ *Start +[0-9]+: ' "$log" | tail -n 400
        echo "The whole log: $log"
    elif [ "$left_out" -gt 0 ]; then
        grep -E '\((Skipped|Disabled)\)' "$log" | sort -u
    fi
    count "$name" "$good" "$bad" "$left_out" "$took"
}

# clang-tidy and cppcheck are slow, so they are no ctest entry.
tidy() {
    since=$(date +%s)
    printf 'tidy: running ... '
    rc=0
    tests/lint/tidy "build/$1" >"build/$1/tidy.log" 2>&1 || rc=$?
    took=$(($(date +%s) - since))
    case $rc in
    0) count tidy 1 0 0 "$took" && echo "passed, $took s" ;;
    77) count tidy 0 0 1 "$took" && echo "skipped: neither clang-tidy nor cppcheck is here" ;;
    *)
        echo "FAILED, $took s"
        head -n 100 "build/$1/tidy.log"
        echo "The whole log: build/$1/tidy.log"
        count tidy 0 1 0 "$took"
        ;;
    esac
}

# talk FOLDER FOLDER: the programs of two builds with each other.
talk() {
    since=$(date +%s)
    log=build/$2/talk-$1.log
    printf '%s with %s: running ... ' "$1" "$2"
    rc=0
    TERN_BIN=$PWD/build/$1/bin TERN_PEER_BIN=$PWD/build/$2/bin \
        sh tests/e2e/engines.sh engines_of_two_builds >"$log" 2>&1 || rc=$?
    took=$(($(date +%s) - since))
    if [ $rc = 0 ]; then
        echo "passed, $took s"
        count talk 1 0 0 "$took"
        return
    fi
    echo "FAILED"
    tail -n 100 "$log"
    count talk 0 1 0 "$took"
}

# Builds with other ciphers: without the libraries that are only faster, and with the newest libsodium,
# whose AEGIS then ranks first and whose ML-KEM is that of the hybrids.
engines() {
    build plain gcc release -DTERN_WERROR=ON -DTERN_IPSEC_MB=OFF -DTERN_NETTLE=OFF
    layer unit plain plain
    talk release-clang plain
    rc=0
    sh tests/tools/newer-sodium.sh || rc=$?
    case $rc in
    0)
        build newer clang release -DTERN_WERROR=ON -DTERN_IPSEC_MB=OFF -DTERN_SODIUM_ROOT=build/deps
        layer unit newer newer
        layer interop newer newer
        talk release-clang newer
        talk plain newer
        ;;
    77)
        echo "newer: skipped: the source of a newer libsodium cannot be had here"
        count newer 0 0 1 0
        ;;
    *) count newer 0 1 0 0 ;;
    esac
}

# The same seed must give the same packets, whatever the compiler and its flags: every scenario once with
# each of two builds, their trace hashes compared.
same_packets() {
    since=$(date +%s)
    printf 'hashes: running ... '
    for preset in "$1" "$2"; do
        "build/$preset/bin/ternsim" list | while read -r scenario _; do
            for cc in newreno cubic bbr ledbat media prague; do
                echo "$scenario $cc $("build/$preset/bin/ternsim" run "$scenario" --cc "$cc" 2>/dev/null |
                    sed -n 's/^ *trace hash //p')"
            done
        done >"build/$preset/hashes.txt"
    done
    took=$(($(date +%s) - since))
    total=$(wc -l <"build/$1/hashes.txt")
    bad=$(diff "build/$1/hashes.txt" "build/$2/hashes.txt" | grep -c '^<' || true)
    if grep -qvE '^[^ ]+ [^ ]+ [0-9a-f]{16}$' "build/$1/hashes.txt"; then
        bad=$((bad + 1))
    fi
    echo "$((total - bad)) equal, $bad not, $took s"
    [ "$bad" = 0 ] || diff "build/$1/hashes.txt" "build/$2/hashes.txt" | head -n 20
    count hashes $((total - bad)) "$bad" 0 "$took"
}

# As OSS-Fuzz builds, but with all libraries that are here.
# shellcheck disable=SC2317 # called by made
fuzz_build() {
    OUT=build/fuzz/out WORK=build/fuzz OPTIONS=-DTERN_SODIUM_ROOT=OFF CMAKE_GENERATOR=Ninja sh fuzz/build.sh
}

# One fuzz target from its committed corpus; what it finds on the way goes to build/.
fuzz_one() {
    mkdir -p "build/fuzz/corpus/$1" "build/fuzz/crashes"
    dict=
    [ ! -f "build/fuzz/out/$1.dict" ] || dict=-dict=build/fuzz/out/$1.dict
    "build/fuzz/out/$1" ${dict:+"$dict"} -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="build/fuzz/crashes/$1-" "build/fuzz/corpus/$1" "fuzz/corpus/$1" \
        >"build/fuzz/$1.log" 2>&1
}

# What the last status line of a log says: edges, features, files of the corpus; and the runs in all.
fuzz_row() {
    awk -v name="$1" '
        / cov: [0-9]+ ft: / {
            for (i = 1; i < NF; i++) {
                if ($i == "cov:") edges = $(i + 1)
                if ($i == "ft:") features = $(i + 1)
            }
        }
        /(INITED|DONE) +cov: / {
            split(substr($0, index($0, "corp: ") + 6), part, "/")
            files = part[1]
        }
        /^Done / { runs = $2 }
        END { printf "  %-24s %8d %8d %8d %10d\n", name, edges, features, files, runs }' "build/fuzz/$1.log"
}

fuzz() {
    made fuzz clang fuzz_build
    targets=$(cd fuzz && find . -maxdepth 1 -name 'fuzz_*.c' | sed 's|^\./||; s|\.c$||' | LC_ALL=C sort)
    good=0
    bad=0
    since=$(date +%s)
    echo "fuzz: $(echo "$targets" | wc -l) targets, $seconds s each, $jobs at a time"
    printf '  %-24s %8s %8s %8s %10s\n' target edges features corpus runs
    # shellcheck disable=SC2086
    set -- $targets
    while [ $# -gt 0 ]; do
        running=
        batch=0
        while [ $# -gt 0 ] && [ "$batch" -lt "$jobs" ]; do
            fuzz_one "$1" &
            running="$running $1=$!"
            batch=$((batch + 1))
            shift
        done
        for pair in $running; do
            if wait "${pair#*=}"; then
                good=$((good + 1))
                fuzz_row "${pair%=*}"
            else
                bad=$((bad + 1))
                echo "  ${pair%=*}: FAILED"
                tail -n 40 "build/fuzz/${pair%=*}.log"
            fi
        done
    done
    count fuzz "$good" "$bad" 0 $(($(date +%s) - since))
}

# Scenarios of the simulator are left out: a hundred seeds of each cover what one does; and how flows share a link,
# long transfers that run through nothing else than the short ones do. So is what makes calls of the programs fail:
# among them would be those that write the counters.
coverage() {
    targets="apps/all tests/unit/all tests/vectors/all tests/sim/all tests/e2e/all tests/tools/all"
    targets="$targets tests/soak/all tests/bench/chat/all"
    rm -rf build/coverage # what it made of other sources would be counted, too
    build coverage gcc coverage
    targets=
    # Where the counters cannot be written, by a program that may not, say, its own words are all that it says.
    export GCOV_ERROR_FILE="$PWD/build/coverage/gcov.log"
    layer unit coverage
    layer sim coverage sim -E '^sim\.(scenario|fairness)\.'
    layer e2e coverage e2e -LE '^faults$'
    if tests/tools/coverage build/coverage; then
        count bars 1 0 0 0
    else
        count bars 0 1 0 0
    fi
}

# MemorySanitizer must see every write: the library is built for it with a libsodium that is, too, and without
# the engines and the programs, whose libraries are not.
msan() {
    since=$(date +%s)
    rc=0
    flags='-O2 -g -fsanitize=memory -fno-omit-frame-pointer'
    # It cannot look into assembly. Without that libsodium does not ask for the processor's instructions either,
    # whose intrinsics it does look into, and which make the simulator's tests many times as fast.
    case $(uname -m) in
    x86_64 | amd64) flags="$flags -DHAVE_CPUID=1 -DHAVE__XGETBV=1 -mxsave -include immintrin.h" ;;
    esac
    CC=clang CFLAGS=$flags sh tests/tools/newer-sodium.sh build/deps-msan --disable-asm || rc=$?
    case $rc in
    0) ;;
    77)
        echo "msan: skipped: the source of libsodium cannot be had here"
        count msan 0 0 1 0
        return
        ;;
    *)
        count msan 0 1 0 $(($(date +%s) - since))
        return
        ;;
    esac
    targets="tests/unit/all noise_vectors $*"
    build msan clang msan -DTERN_SODIUM_ROOT=build/deps-msan
    targets=
    layer unit msan "msan unit"
}

tsan() {
    targets="apps/all tests/tools/all tests/e2e/all test_engine test_survey test_work test_chat_memory test_chat_takes"
    build tsan gcc tsan
    targets=
    layer threads tsan tsan
}

# Programs that are run by valgrind, in a folder that the end-to-end tests take for that of the programs.
under_valgrind() {
    since=$(date +%s)
    log=build/valgrind/log
    printf 'valgrind: running ... '
    rm -rf build/valgrind
    mkdir -p build/valgrind/bin
    for program in terncp ternlink; do
        printf '#!/bin/sh\nexec valgrind -q --error-exitcode=99 --leak-check=full %s "$@"\n' \
            "--errors-for-leak-kinds=definite '$PWD/build/$1/bin/$program'" >"build/valgrind/bin/$program"
        chmod +x "build/valgrind/bin/$program"
    done
    good=0
    bad=0
    if TERN_BIN=$PWD/build/valgrind/bin TERN_PATIENCE=6 sh tests/e2e/copy.sh there_and_back >"$log" 2>&1; then
        good=1
    else
        bad=1
        tail -n 100 "$log"
    fi
    took=$(($(date +%s) - since))
    echo "$good passed, $bad failed, $took s"
    count valgrind "$good" "$bad" 0 "$took"
}

# The documents as a site: warnings of its generator and links that lead nowhere are failures.
docs() {
    since=$(date +%s)
    mkdir -p build
    printf 'docs: building ... '
    rc=0
    sh docs/build.sh >build/docs.log 2>&1 || rc=$?
    took=$(($(date +%s) - since))
    case $rc in
    0)
        echo "$(tail -n 1 build/docs.log | sed 's/^docs: //'), $took s"
        count docs 1 0 0 "$took"
        ;;
    77)
        echo "skipped: mkdocs and its theme cannot be had here"
        count docs 0 0 1 "$took"
        ;;
    *)
        echo "FAILED"
        tail -n 60 build/docs.log
        count docs 0 1 0 "$took"
        ;;
    esac
}

# Other processors, by a script that has its own table.
cross() {
    since=$(date +%s)
    printf 'cross: running ... '
    mkdir -p build/cross
    if sh tests/cross.sh "$@" >build/cross/log 2>&1; then
        echo "done"
        sed -n '/^machine /,$p' build/cross/log
        # Rows, and machines whose libraries cannot be had.
        sums=$(awk '/^machine /{ on = 1; next } on && NF == 6 { n += $3; left += $5 } on && /skipped$/ { left++ }
            END { print n + 0, left + 0 }' build/cross/log)
        count cross "${sums% *}" 0 "${sums#* }" $(($(date +%s) - since))
        return
    fi
    echo FAILED
    tail -n 60 build/cross/log
    count cross 0 1 0 $(($(date +%s) - since))
}

# --- the run --------------------------------------------------------------------------------------

if [ "$what" = docs ]; then # needs no compiler
    docs
    finish
fi
install
export UBSAN_OPTIONS=print_stacktrace=1
case $what in
all)
    build asan-ubsan gcc asan-ubsan
    build release-clang clang release -DTERN_WERROR=ON
    for label in lint unit sim model interop e2e; do
        layer "$label" asan-ubsan
    done
    layer install release-clang
    layer install asan-ubsan "install asan"
    layer fuzz asan-ubsan replay
    engines
    same_packets asan-ubsan release-clang
    docs
    tidy release-clang
    under_valgrind release-clang
    fuzz
    # What takes another ten minutes on four cores would be half an hour on two.
    if [ "$jobs" -ge 4 ]; then
        tsan
        msan
        cross short
    else
        echo "left out with fewer than four cores: sh tests/run.sh tsan, msan and cross"
    fi
    ;;
lint)
    build asan-ubsan gcc asan-ubsan
    build release-clang clang release -DTERN_WERROR=ON
    layer lint asan-ubsan
    tidy release-clang
    ;;
engines)
    build release-clang clang release -DTERN_WERROR=ON
    engines
    ;;
package | windows) exec sh "tests/$what.sh" ;;
unit | sim | interop | e2e)
    build asan-ubsan gcc asan-ubsan
    layer "$what" asan-ubsan
    ;;
install)
    build release-clang clang release -DTERN_WERROR=ON
    layer install release-clang
    ;;
model)
    # Three faults are a hundred times the executions of two: without sanitizers, and for some minutes.
    if [ "${2:-2}" = 2 ]; then
        build asan-ubsan gcc asan-ubsan
        layer model asan-ubsan
    else
        build release-clang clang release -DTERN_WERROR=ON
        export TERN_MODEL_FAULTS="$seconds"
        layer model release-clang
    fi
    ;;
fuzz) fuzz ;;
coverage) coverage ;;
msan)
    msan tests/sim/all
    [ ! -d build/msan ] || layer sim msan "msan sim" -E '^sim\.scenario'
    ;;
tsan) tsan ;;
valgrind)
    targets="terncp ternlink"
    build release-clang clang release -DTERN_WERROR=ON
    under_valgrind release-clang
    ;;
esac
finish
