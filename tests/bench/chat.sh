#!/bin/sh
# ternchat under load, how quick it is, and what a dead network costs: figures beside the bars that they are to reach.
# SPDX-License-Identifier: MIT
#
#   sh tests/bench/chat.sh
#
# Ten thousand people in a thousand rooms, all of whom come at once, and a thousand words a second for ten each; lines
# from one program's input to another's output through a link of 20 ms, also while a file is sent on the same
# connection; and lines said by both sides into a minute without a network. Two minutes and a half. Where it may, what
# is timed in ms runs with real-time priority, for some seconds: what others do on the machine is not to be measured.
# Keeps all in build/chat/chat.json. Any of these may be set in the environment:
set -eu
unset CDPATH
export LC_ALL=C
parts=${BENCH_PARTS:-load talk file blackout}
connections=${BENCH_CONNECTIONS:-10000}
rooms=${BENCH_ROOMS:-1000}
rate=${BENCH_RATE:-1000}
seconds=${BENCH_SECONDS:-20}
load=${BENCH_LOAD:-} # more for chat_load, such as --reads or --open
delay=${BENCH_DELAY:-20} # ms one way
lines=${BENCH_LINES:-400}
dark=${BENCH_BLACKOUT:-60} # s
pairs=${BENCH_PAIRS:-12}
megabytes=${BENCH_FILE:-100}
out=${BENCH_OUT:-build/chat}

cd "$(dirname "$0")/../.."
. .ci/need.sh
stage_name=chat.sh
. .ci/stage.sh

bin=build/release/bin
need_build
need_install || exit 1
build_release chat.log chat_bench
work=$(mktemp -d "${TMPDIR:-/tmp}/tern-chat.XXXXXX")
export XDG_CONFIG_HOME="$work" XDG_STATE_HOME="$work"
mkdir -p "$out"
: >"$work/chat.json"
is_met=true

wants() {
    case " $parts " in
    *" $1 "*) return 0 ;;
    esac
    return 1
}

# serve PRIORITY: a server with a history, by a command such as chrt, or "". Sets address, key and server.
# The command splits on purpose.
# shellcheck disable=SC2086
serve() {
    rm -f "$work"/talk.db*
    $1 "$bin/ternchat" serve --key "$work/id" --listen 127.0.0.1:0 --history "$work/talk.db" \
        >"$work/server.log" 2>&1 &
    server=$!
    pids="$pids $server"
    key=$(await_text "$work/server.log" '^key \(.*\)' "$server") || fail "the server does not start"
    address=$(await_text "$work/server.log" '^listening on \(.*\)' "$server")
}

stop() {
    kill "$server"
    wait "$server" || fail "the server did not end well"
    pids=
}

# keep NAME COMMAND...: its line of JSON
keep() {
    name=$1
    shift
    "$@" >"$work/$name" || {
        cat "$work/$name" >&2
        fail "$name: something was lost, came twice or did not work"
    }
    sed "s/^{/{\"part\":\"$name\",/" "$work/$name" >>"$work/chat.json"
}

# figure NAME OBJECT KEY: OBJECT "" for what is in no object
figure() {
    if [ -n "$2" ]; then
        sed -n "s/.*\"$2\":{\([^}]*\)}.*/,\1/p" "$work/$1"
    else
        cat "$work/$1"
    fi | sed -n "s/.*[{,]\"$3\":\([^,}]*\).*/\1/p"
}

# bar WHAT FIGURE MOST UNIT
bar() {
    awk -v what="$1" -v got="$2" -v most="$3" -v unit="$4" 'BEGIN {
        printf "%-8s%s: %.1f %s, at most %s\n", got + 0 <= most + 0 ? "reached" : "MISSED", what, got, unit, most
        exit !(got + 0 <= most + 0) }' || is_met=false
}

quick=
! chrt -f 5 true 2>/dev/null || quick='chrt -f 5'

"$bin/ternchat" keygen -f "$work/id" >/dev/null 2>&1
if wants load; then
    serve ''
    # The words split on purpose.
    # shellcheck disable=SC2086
    keep load "$bin/chat_load" --server "$address" --key "$key" --pid "$server" --connections "$connections" \
        --rooms "$rooms" --rate "$rate" --seconds "$seconds" $load
    stop
    echo "$connections people in $rooms rooms, $rate words a second: all in after $(figure load '' join_s) s," \
        "words heard after $(figure load latency_ms p50) ms (p99 $(figure load latency_ms p99))"
    bar "the server's share of a core" "$(figure load '' server_cpu_pct)" 50 %
    bar "the server's memory" "$(figure load '' server_peak_mib)" 400 MiB
fi

# talk_bars NAME: of both directions
talk_bars() {
    bar "$1: a line out, p99" "$(figure "$1" out_ms p99)" $((delay + 2)) ms
    bar "$1: a line in, p99" "$(figure "$1" in_ms p99)" $((delay + 2)) ms
}

if wants talk || wants file || wants blackout; then
    serve "$quick"
    # The command splits on purpose.
    # shellcheck disable=SC2086
    if wants talk; then
        keep talk $quick "$bin/chat_people" --bin "$bin" --server "$address" --link "--delay $delay" \
            --lines "$lines" --every 20
        talk_bars talk
    fi
    if wants file && "$bin/ternchat" --help | grep -q -e --files; then
        mkdir "$work/sent" # the parts' figures have their names in $work
        head -c "${megabytes}M" /dev/urandom >"$work/sent/file"
        for way in file file_back; do
            back=
            [ $way = file ] || back=--backward
            # shellcheck disable=SC2086
            keep $way $quick "$bin/chat_people" --bin "$bin" --server "$address" --link "--delay $delay" \
                --lines 2000 --every 10 --file "$work/sent/file" $back
            talk_bars $way
        done
    fi
    if wants blackout; then
        # shellcheck disable=SC2086
        keep blackout $quick "$bin/chat_people" --bin "$bin" --server "$address" --link "--delay $delay" \
            --blackout "$dark" --pairs "$pairs"
        echo "after $dark s without a network all lines of the far side were there in" \
            "$(figure blackout out_after_ms p50) ms (p50), all for it in $(figure blackout in_after_ms p50)"
        bar "... out, p90" "$(figure blackout out_after_ms p90)" $((2 * delay + 2)) ms
        bar "... in, p90" "$(figure blackout in_after_ms p90)" $((2 * delay + 2)) ms
    fi
    stop
fi
{
    echo "["
    sed '$!s/$/,/' "$work/chat.json"
    echo "]"
} >"$out/chat.json"
echo "$out/chat.json"
$is_met
