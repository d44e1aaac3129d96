#!/bin/sh
# How many small messages a second one connection carries over the loopback: tern beside ENet, which does not
# encrypt, and beside sendmmsg of the same messages, by turns.
# SPDX-License-Identifier: MIT
#
#   sh tests/bench/message_rate.sh [--install]     --install: libenet-dev by apt-get
#
# Sender and receiver are two processes on two cores. Prints the medians of several runs, what tern reaches of what
# it is to reach, and the ratios. Processor time is told beside the rates: on a machine that others use too it is
# what says most. Any of these may be set in the environment:
set -eu
unset CDPATH
export LC_ALL=C
runs=${BENCH_RUNS:-5}
seconds=${BENCH_SECONDS:-3}
size=${BENCH_SIZE:-64}
mtu=${BENCH_MTU:-1452} # of tern
rows='tern/unreliable tern/reliable tern/ordered enet/unreliable enet/reliable raw/unreliable'

cd "$(dirname "$0")/../.."
. .ci/need.sh
stage_name=message_rate.sh
. .ci/stage.sh

bin=build/release/bin
need_build
case ${1:-} in
--install) need_library libenet libenet-dev ;;
'') ;;
*)
    echo "usage: sh tests/bench/message_rate.sh [--install]" >&2
    exit 2
    ;;
esac
need_install || exit 1

mkdir -p build/release
cmake --preset release -DTERN_BENCH=ON >build/release/rate.log 2>&1 || {
    tail -n 40 build/release/rate.log >&2
    fail "cmake failed; the whole log is build/release/rate.log"
}
build_release rate.log rate_bench
work=$(mktemp -d "${TMPDIR:-/tmp}/tern-rate.XXXXXX")

if [ ! -x "$bin/rate_enet" ]; then
    echo "skipped: enet (libenet-dev is not installed; --install does it)"
    rows=$(echo "$rows" | sed 's|enet/[a-z]*||g')
fi

# --- runs ---

measure() {
    mode=${1#*/}
    case $1 in
    tern/*) "$bin/ternperf" messages --loopback -q --json -t "${seconds}s" --size "$size" --mtu "$mtu" "--$mode" ;;
    *) "$bin/rate_${1%%/*}" "$mode" "$seconds" "$size" ;;
    esac
}

turn=0
while [ "$turn" -lt "$runs" ]; do
    turn=$((turn + 1))
    for row in $rows; do
        measure "$row" >>"$work/$(echo "$row" | tr / +)" || fail "$row: its run $turn failed"
    done
done

# --- what came of them ---

# median ROW EXPRESSION: of an awk expression of r (a second), n (messages), s and t (processor seconds of the
# sender and the receiver)
median() {
    sed -n 's/.*"sender_cpu_s":\([0-9.]*\).*"receiver_cpu_s":\([0-9.]*\).*/\1 \2 &/p' \
        "$work/$(echo "$1" | tr / +)" |
        sed 's/^\([^ ]* [^ ]*\) .*"per_second":\([0-9.e+]*\).*/\1 \2 &/' |
        sed 's/^\([^ ]* [^ ]* [^ ]*\) .*"count":\([0-9.e+]*\).*/\1 \2/' |
        awk "{ s = \$1; t = \$2; r = \$3; n = \$4; print $2 }" | sort -n |
        awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'
}

echo
echo "$size-byte messages, $runs runs of $seconds s by turns, medians; ns: processor time of a message"
echo
echo "| transport, mode | received a second | sender ns | receiver ns |"
echo "|---|---|---|---|"
for row in $rows; do
    printf '| %s | %.0f | %.0f | %.0f |\n' "$(echo "$row" | tr / ' ')" "$(median "$row" r)" \
        "$(median "$row" 's * 1e9 / n')" "$(median "$row" 't * 1e9 / n')"
done
echo

# ratio ROW OTHER: of the rates, and of the processor time
ratio() {
    case " $rows " in
    *" $2 "*) ;;
    *) return 0 ;;
    esac
    echo "$(median "$1" r) $(median "$2" r) $(median "$1" '(s + t) / n') $(median "$2" '(s + t) / n')" |
        awk -v what="$1 to $2" '{ printf "%s: %.2f times the rate, %.2f of the processor time\n", what, $1 / $2, $3 / $4 }'
}

ratio tern/unreliable enet/unreliable
ratio tern/reliable enet/reliable
ratio tern/ordered enet/reliable
ratio tern/unreliable raw/unreliable
ratio tern/reliable raw/unreliable
echo

# target ROW LEAST
target() {
    echo "$(median "$1" r) $2" |
        awk -v what="$1" '{ printf "%-8s%s %.0f a second, at least %.0f\n", ($1 >= $2 ? "reached" : "MISSED"), what, $1, $2 }'
}

if [ "$size" = 64 ]; then
    target tern/unreliable 1500000
    target tern/reliable 1000000
fi
