#!/bin/sh
# terncp through a bottleneck that loses packets: goodput of each congestion controller.
# SPDX-License-Identifier: MIT
#
#   sh tests/bench/lossy.sh
#
# Real sockets, real time: one terncp serves, another pushes a file through ternlink. Prints a table of
# Mbit/s of file, from the command to the last word of progress, and their share of the link.
# Any of these may be set in the environment:
set -eu
unset CDPATH
export LC_ALL=C
controllers=${BENCH_CC:-cubic newreno bbr}
losses=${BENCH_LOSS:-0 0.1 1 5} # per cent, towards the server
rate=${BENCH_RATE:-100}         # Mbit/s, IP and UDP headers counted
rtt=${BENCH_RTT:-40}            # ms
queue=${BENCH_QUEUE:-500}       # units of 1000 bytes: one bandwidth-delay product
mtu=${BENCH_MTU:-1472}          # largest UDP payload: what Ethernet carries
seconds=${BENCH_SECONDS:-20}    # at the most for each copy
store=${BENCH_TMP:-/dev/shm}    # where the files are: a tmpfs

cd "$(dirname "$0")/../.."
. .ci/need.sh
stage_name=lossy.sh
. .ci/stage.sh

bin=build/release/bin
need_command cc gcc
need_command cmake cmake
need_command ninja ninja-build
need_command pkg-config pkg-config
need_library libsodium libsodium-dev
need_library cmocka libcmocka-dev
need_header ev.h libev-dev
need_install || exit 1
want_engines

build_release bench.log terncp ternlink

work=$(mktemp -d "$store/tern-lossy.XXXXXX")
export XDG_CONFIG_HOME="$work/config"
mkdir -p "$work/there" "$XDG_CONFIG_HOME"
# a tenth more than the link carries in the time
bytes=$((rate * 137500 * seconds))
room=$(df -Pk "$work" | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')
[ "$room" -gt $((2 * bytes)) ] ||
    fail "$store has too little room, this needs $((2 * bytes)) bytes: set BENCH_SECONDS lower, or BENCH_TMP"
head -c "$bytes" /dev/urandom >"$work/file"

"$bin/terncp" keygen >"$work/key.log" 2>&1
"$bin/terncp" serve --anonymous --root "$work/there" --listen 127.0.0.1:0 2>"$work/server.log" &
pids="$pids $!"
server=$(await_text "$work/server.log" '.*serving .* on \([0-9.]*:[0-9]*\).*' $!) ||
    fail "the server did not start"

# measure CC LOSS: Mbit/s. The progress lines come once a second and count what was acknowledged.
measure() {
    rm -f "$work/link.log" # or the last one's door would be found there
    "$bin/ternlink" udp --listen 127.0.0.1:0 --to "$server" --delay $((rtt / 2)) --rate "$rate" \
        --queue "$queue" --mtu "$mtu" --up-loss "$2" >/dev/null 2>"$work/link.log" &
    link=$!
    pids="$pids $link"
    door=$(await_text "$work/link.log" '.*listening on \([0-9.]*:[0-9]*\)$' "$link") ||
        fail "ternlink did not start"
    timeout -s INT "$seconds" "$bin/terncp" --accept-new --progress json --json --cc "$1" \
        "$work/file" "tern://$door/copy" >"$work/out.json" 2>"$work/err.log" ||
        [ $? = 124 ] || {
        cat "$work/err.log" >&2
        fail "terncp --cc $1 with $2 % of loss"
    }
    kill "$link"
    wait "$link" 2>/dev/null || true
    cat "$work/out.json" "$work/err.log" | awk -v rate="$rate" '
        function figure(name,    text) {
            text = $0
            if (!sub(".*\"" name "\":", "", text)) return 0
            sub("[,}].*", "", text)
            return text + 0
        }
        /"event":"progress"/ { acked = figure("bytes"); took = figure("seconds") }
        END {
            if (took == 0) exit 1
            mbit = acked * 8 / took / 1e6
            printf "%8.1f (%4.1f %%)", mbit, mbit * 100 / rate
        }' || fail "terncp said nothing of its progress"
}

echo "terncp over $rate Mbit/s, $rtt ms, a queue of ${queue}000 bytes: Mbit/s of file, at most $seconds s each"
printf '%-10s' loss
for cc in $controllers; do
    printf '%18s' "$cc"
done
printf '\n'
for loss in $losses; do
    printf '%-10s' "$loss %"
    for cc in $controllers; do
        printf '%18s' "$(measure "$cc" "$loss")"
    done
    printf '\n'
done
