#!/bin/sh
# Latency of messages through bad networks: every mode of tern beside its peers, in one run.
# SPDX-License-Identifier: MIT
#
#   sh tests/bench/messages.sh [--install]     --install: the peers' libraries and gnuplot by apt-get
#
# Real sockets, real time, the same machine at both ends, so the same clock: messages of 100 bytes, 60 a
# second, both ways, through ternlink. Prints medians of several seeds as one table, then what a blackout,
# a NAT that forgets, and losses on other channels do; keeps every run in build/messages/messages.json and
# draws the distributions beside it. A single cell is a command of its own, for example:
#
#   build/release/bin/messages_tern --mode reliable --network '--delay 20 --loss 5'
#
# Any of these may be set in the environment:
set -eu
unset CDPATH
export LC_ALL=C
losses=${BENCH_LOSS:-0 1 5 10} # per cent, each way
delay=${BENCH_DELAY:-20}       # ms one way
seeds=${BENCH_SEEDS:-1 2 3 4 5}
seconds=${BENCH_SECONDS:-15} # of messages that count, in each run
rate=${BENCH_RATE:-60}
size=${BENCH_SIZE:-100}
jobs=${BENCH_JOBS:-24} # runs at a time; what oversleeps more than 0.5 ms is told of
out=${BENCH_OUT:-build/messages}
kind=${BENCH_PICTURE:-svg} # or png
parts=${BENCH_PARTS:-loss blackout rebind channels}
# transport/mode
rows=${BENCH_ROWS:-tern/reliable tern/reliable-off tern/reliable-copy1 tern/reliable-copy2
    tern/unordered tern/unreliable tern/latest tern/deadline tern/stream
    enet/reliable enet/unreliable enet/unsequenced sctp/reliable sctp/reliable-tuned sctp/unordered
    sctp/unreliable sctp/deadline srt/reliable srt/playout kcp/reliable tcp/reliable udp/unreliable}
# those of them that deliver everything, in order: for what is beside the table, and for the picture
reliable=${BENCH_RELIABLE:-tern/reliable tern/reliable-off tern/stream enet/reliable sctp/reliable
    sctp/reliable-tuned srt/reliable kcp/reliable tcp/reliable}
channels=${BENCH_CHANNELS:-60}
channels_loss=5

cd "$(dirname "$0")/../.."
. .ci/need.sh
stage_name=messages.sh
. .ci/stage.sh

bin=build/release/bin
need_build
case ${1:-} in
--install)
    need_library libenet libenet-dev
    need_library usrsctp libusrsctp-dev
    need_library srt libsrt-gnutls-dev
    need_command gnuplot gnuplot-nox
    ;;
'') ;;
*)
    echo "usage: sh tests/bench/messages.sh [--install]" >&2
    exit 2
    ;;
esac
need_install || exit 1

mkdir -p build/release "$out"
cmake --preset release -DTERN_BENCH=ON >build/release/messages.log 2>&1 || {
    tail -n 40 build/release/messages.log >&2
    fail "cmake failed; the whole log is build/release/messages.log"
}
build_release messages.log messages_bench
work=$(mktemp -d "${TMPDIR:-/tmp}/tern-messages.XXXXXX")
mkdir "$work/runs" "$work/samples"

# --- what can run here ---

# has ROW: its program was built, and may do what it needs.
has() {
    case $1 in
    tcp/*) [ "$(id -u)" = 0 ] && [ -c /dev/net/tun ] ;;
    *) [ -x "$bin/messages_${1%%/*}" ] ;;
    esac
}

keep_present() {
    for row in $1; do
        ! has "$row" || printf '%s ' "$row"
    done
}

for name in $(for row in $rows; do echo "${row%%/*}"; done | sort -u); do
    has "$name/" || case $name in
    enet) echo "skipped: enet (libenet-dev is not installed; --install does it)" ;;
    sctp) echo "skipped: sctp (libusrsctp-dev is not installed; --install does it)" ;;
    srt) echo "skipped: srt (libsrt-gnutls-dev is not installed; --install does it)" ;;
    kcp) echo "skipped: kcp (no package of Debian has it: build its ikcp.c as libkcp, name the folder in CMAKE_PREFIX_PATH)" ;;
    tcp) echo "skipped: tcp (it needs root and /dev/net/tun, for ternlink tun)" ;;
    *) echo "skipped: $name" ;;
    esac
done
rows=$(keep_present "$rows")
reliable=$(keep_present "$reliable")

# --- runs ---

# run PART KEY ROW SEED NETWORK [OPTION...]: a line of JSON in runs/PART:KEY:ROW:SEED
run() {
    part=$1 key=$2 row=$3 seed=$4 network=$5
    shift 5
    name=$(echo "$part:$key:$row:$seed" | tr / +)
    samples=
    [ "$part" != loss ] || samples="--samples $work/samples/$name"
    # Both lists split on purpose.
    # shellcheck disable=SC2086
    "$bin/messages_${row%%/*}" --mode "${row#*/}" --network "$network" --seconds "$seconds" \
        --rate "$rate" --size "$size" --seed "$seed" $samples "$@" \
        >"$work/runs/$name" 2>"$work/$name.err" || {
        rm -f "$work/runs/$name"
        echo "failed: $row, $network, seed $seed: $(head -n 1 "$work/$name.err")" >&2
    }
}

batch=
batch_count=0
finish_batch() {
    for pid in $batch; do
        wait "$pid" || true
    done
    batch=
    batch_count=0
    pids=
}

start() {
    run "$@" &
    batch="$batch $!"
    pids="$pids $!"
    batch_count=$((batch_count + 1))
    [ "$batch_count" -lt "$jobs" ] || finish_batch
}

wants() {
    case " $parts " in
    *" $1 "*) return 0 ;;
    esac
    return 1
}

for seed in $seeds; do
    for loss in $losses; do
        for row in $rows; do
            ! wants loss || start loss "$loss" "$row" "$seed" "--delay $delay --loss $loss"
        done
    done
    for row in $reliable; do
        ! wants blackout || start blackout 2 "$row" "$seed" "--delay $delay --blackout 8,2"
        ! wants channels || start channels 1 "$row" "$seed" "--delay $delay --loss $channels_loss"
        case $row in
        tcp/*) continue ;; # neither has another address in the same namespace, nor channels
        esac
        ! wants rebind || start rebind 5 "$row" "$seed" "--delay $delay --rebind 5"
        ! wants rebind || start rebind 0 "$row" "$seed" "--delay $delay"
        case $row in
        srt/* | kcp/*) continue ;;
        esac
        ! wants channels || start channels "$channels" "$row" "$seed" \
            "--delay $delay --loss $channels_loss" --channels "$channels"
    done
done
finish_batch

# --- what came of them ---

{
    echo "["
    find "$work/runs" -type f | sort | while read -r file; do
        cat "$file"
    done | sed '$!s/$/,/'
    echo "]"
} >"$out/messages.json"

# figure PART KEY ROW NAME: the median of the seeds' figures; nothing if no run succeeded.
figure() {
    cat "$work/runs/$(echo "$1:$2:$3:" | tr / +)"* 2>/dev/null |
        sed -n "s/.*\"$4\":\([^,}]*\).*/\1/p" | sort -n |
        awk '{ v[NR] = $1 }
            END { if (NR > 0) { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 } }'
}

# with FORMAT VALUE: a dash for nothing
with() {
    # The format is the first argument on purpose.
    # shellcheck disable=SC2059
    if [ -n "$2" ]; then
        printf "$1" "$2"
    else
        echo -
    fi
}

delivered() {
    received=$(figure "$1" "$2" "$3" received)
    sent=$(figure "$1" "$2" "$3" sent)
    [ -n "$received" ] && echo "$received of $sent" || echo -
}

if wants loss; then
    echo
    echo "$size-byte messages, $rate a second each way, $((2 * delay)) ms of round trip: ms from send to receipt"
    echo
    echo "| loss | transport, mode | p50 | p95 | p99 | max | delivered | wire bytes | packets |"
    echo "|---|---|---|---|---|---|---|---|---|"
    for loss in $losses; do
        for row in $rows; do
            printf '| %s %% | %s |' "$loss" "$(echo "$row" | tr / ' ')"
            for name in p50 p95 p99 max; do
                printf ' %s |' "$(with %.1f "$(figure loss "$loss" "$row" "$name")")"
            done
            printf ' %s | %s | %s |\n' "$(delivered loss "$loss" "$row")" \
                "$(with %.0f "$(figure loss "$loss" "$row" wire_bytes)")" \
                "$(with %.2f "$(figure loss "$loss" "$row" wire_packets)")"
        done
    done
fi

if wants blackout || wants rebind || wants channels; then
    echo
    echo "A blackout of 2 s: the worst delay in ms. A NAT that forgets every 5 s: what came, and p99 over"
    echo "that without. $channels_loss % of loss: per cent that come late (lost, or behind one that was), all on one"
    echo "channel, and on $channels by turns, where none but the lost may be late."
    echo
    echo "| transport, mode | blackout: worst | delivered | rebinding: delivered | added p99 | late, 1 channel | late, $channels channels |"
    echo "|---|---|---|---|---|---|---|"
    for row in $reliable; do
        before=$(figure rebind 0 "$row" p99)
        after=$(figure rebind 5 "$row" p99)
        added=
        [ -z "$before" ] || [ -z "$after" ] || added=$(echo "$after $before" |
            awk '{ d = $1 - $2; print (d > -0.05 && d < 0.05) ? 0 : d }')
        printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$(echo "$row" | tr / ' ')" \
            "$(with %.0f "$(figure blackout 2 "$row" max)")" "$(delivered blackout 2 "$row")" \
            "$(delivered rebind 5 "$row")" "$(with %.1f "$added")" \
            "$(with %.1f "$(figure channels 1 "$row" late_pct)")" \
            "$(with %.1f "$(figure channels "$channels" "$row" late_pct)")"
    done
fi

# --- what tern is to reach ---

# target PART KEY ROW NAME LIMIT
target() {
    wants "$1" || return 0
    got=$(figure "$1" "$2" "$3" "$4")
    [ -n "$got" ] || return 0
    echo "$got $5" | awk -v what="$3, $1 $2: $4" '{
        printf "%-8s%s %.1f, at most %s\n", $1 <= $2 ? "reached" : "MISSED", what, $1, $2 }'
}

echo
target loss 0 tern/reliable p99 21
target loss 1 tern/reliable p99 38
target loss 5 tern/reliable p99 40
target loss 10 tern/reliable p99 60
target loss 10 tern/reliable max 160
target loss 0 tern/reliable wire_bytes 170
target loss 5 tern/reliable wire_bytes 350
target loss 5 tern/reliable-off p99 80
target loss 10 tern/reliable-off p99 130
target blackout 2 tern/reliable max 2100
target rebind 5 tern/reliable p99 25.2 # 5 above what it is without

# The machine's own part in it.
cat "$work/runs/"* 2>/dev/null | sed -n 's/.*"real_time":\([a-z]*\),"oversleep_p99":\([0-9.]*\).*/\1 \2/p' |
    awk '$2 > worst { worst = $2 }
        $2 > 0.5 { noisy++ }
        $1 == "true" { real++ }
        END {
            printf "\n%d runs, %d of them with real-time priority; messages left at most %.3f ms late (p99 of a run)\n",
                NR, real, worst
            if (noisy > 0) {
                printf "%d runs overslept by more than 0.5 ms: less of them at a time (BENCH_JOBS) would be better\n",
                    noisy
            }
        }'

# --- pictures ---

# The share that is later than so many ms, a line for each reliable transport.
draw() {
    {
        echo "set terminal $([ "$kind" = png ] && echo pngcairo || echo svg) size 1000,500 background '#ffffff' font 'sans,12'"
        echo "set output '$out/loss_$1.$kind'"
        echo "set title '$1 % of loss, $((2 * delay)) ms of round trip' noenhanced"
        echo "set grid; set key outside right; set logscale x; set logscale y"
        echo "set xlabel 'ms from send to receipt'; set ylabel 'share that comes later'"
        echo "set xrange [$delay:1000]; set yrange [0.0005:1]"
        line=plot
        for row in $reliable; do
            points=$work/$(echo "$1.$row" | tr / +).points
            cat "$work/samples/$(echo "loss:$1:$row:" | tr / +)"* 2>/dev/null | sort -n |
                awk '{ v[NR] = $1 } END { for (i = 1; i <= NR; i++) { print v[i], 1 - (i - 1) / NR } }' \
                    >"$points"
            [ -s "$points" ] || continue
            printf "%s '%s' using 1:2 with steps title '%s' noenhanced" "$line" "$points" \
                "$(echo "$row" | tr / ' ')"
            line=','
        done
        echo
    } >"$work/$1.gp"
    gnuplot "$work/$1.gp"
    echo "$out/loss_$1.$kind"
}

if ! wants loss; then
    :
elif ! command -v gnuplot >/dev/null 2>&1; then
    echo "no pictures: gnuplot is not installed (--install does it)"
else
    for loss in $losses; do
        draw "$loss"
    done
fi
echo "$out/messages.json"
