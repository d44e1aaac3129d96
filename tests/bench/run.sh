#!/bin/sh
# Every figure of docs/performance.md in one command: tern beside what it is to be compared with, by turns, as one
# table of ratios with what each is to reach; all of it as JSON and pictures; and a guard against getting worse.
# SPDX-License-Identifier: MIT
#
#   sh tests/bench/run.sh [--install] [--guard | --update] [--no-pictures]
#
#   --install       what the baselines need, by apt-get: OpenSSL's headers, ENet, gnuplot
#   --guard         exit code 1 when a ratio is worse than in tests/bench/baseline.json by more than the tolerance
#                   that stands there, and again when it was measured once more
#   --update        writes what was measured into that file
#
# Only ratios of things measured in the same minute are compared, never speeds: those are the machine's. A bar that is
# missed is said, but fails nothing. What is not installed is left out, and said so. Any of these may be set in the
# environment:
#
# Functions are called by the names of parts.
# shellcheck disable=SC2317
set -eu
unset CDPATH
export LC_ALL=C
parts=${BENCH_PARTS:-bulk tls rr handshakes many shards messages memory idle sizes scale} # and: copy latency
runs=${BENCH_RUNS:-5}       # of each, by turns; medians count
seconds=${BENCH_SECONDS:-1} # of each run; half of that where there are many
crowds=${BENCH_IDLE:-1000 10000 100000} # idle connections
keepalive=${BENCH_KEEPALIVE:-25}        # seconds, of idle connections: for so long they are watched, too
sizes=${BENCH_SIZES:-1200 1452 4096 9000 16384 65507} # of datagrams, for the picture
out=${BENCH_OUT:-build/bench}
build=${BENCH_BUILD:-build/release} # or a folder that you have configured, with other engines, say
kind=${BENCH_PICTURE:-svg}      # or png
priority=${BENCH_PRIORITY:-yes} # real-time priority where we may have it, so that others disturb less

# What each ratio is to reach: its name, "ratio" or "ours" (our own figure), and the bound.
bars='
bulk.aegis        ratio >= 0.75   tls.rate          ratio >= 1.35   tls.sender_cpu    ours  <= 0.60
bulk.aes          ratio >= 0.75   tls.receiver_cpu  ours  <= 0.45   rr.p50            ratio <= 1.25
bulk.chacha20     ratio >= 0.75   rr.p99            ratio <= 1.25   handshakes.x25519 ratio >= 0.60
many.100          ratio >= 0.80   many.1000         ratio >= 0.80   shards.2          ratio >= 0.80
messages.unreliable ratio >= 5    messages.reliable ratio >= 4      memory.window     ours  <= 32
idle.1000         ratio <= 1.00   idle.10000        ratio <= 1.00   idle.100000       ratio <= 1.00
copy.scp          ratio >= 1.30   rr.busy           ours  <= 15     aegis.beside      ratio >= 1.10
'
budget=4096 # bytes of heap of an idle connection

cd "$(dirname "$0")/../.."
. .ci/need.sh
stage_name=run.sh
. .ci/stage.sh

bin=$build/bin
baseline=tests/bench/baseline.json
guard=no
update=no
pictures=yes
for option in "$@"; do
    case $option in
    --install)
        need_library libssl libssl-dev
        need_library libenet libenet-dev
        need_command gnuplot gnuplot-nox
        ;;
    --guard) guard=yes ;;
    --update) update=yes ;;
    --no-pictures) pictures=no ;;
    *)
        echo "usage: sh tests/bench/run.sh [--install] [--guard | --update] [--no-pictures]" >&2
        exit 2
        ;;
    esac
done
need_build
need_command jq jq
need_install || exit 1
want_engines

mkdir -p "$build" "$out"
{
    case $build in
    build/release) cmake --preset release -DTERN_BENCH=ON ;;
    *) cmake -DTERN_BENCH=ON "$build" ;;
    esac && cmake --build "$build" --target run_bench
} >"$build/bench.log" 2>&1 || {
    tail -n 40 "$build/bench.log" >&2
    fail "the build failed; the whole log is $build/bench.log"
}
work=$(mktemp -d "${TMPDIR:-/tmp}/tern-bench.XXXXXX")
: >"$work/rows"

first=
if [ "$priority" = yes ] && chrt -f 1 true 2>/dev/null; then
    first='chrt -f 1'
fi
cores=$(nproc)
[ "$cores" -ge 2 ] || fail "two cores are the least: one for each side"

wants() {
    case " $parts " in
    *" $1 "* | ' all ') return 0 ;;
    esac
    return 1
}

left_out() {
    echo "left out: $*"
}

# --- measuring ------------------------------------------------------------------------------------

# take KEY COMMAND...: one run; its line of JSON goes to the others of the key. Whoever else has real-time priority on
# a core may keep us off it for as long as a run lasts: then once more.
take() {
    key=$1
    tries=0
    shift
    # shellcheck disable=SC2086
    until $first "$@" >"$work/line" 2>"$work/err"; do
        tries=$((tries + 1))
        [ $tries -lt 3 ] || {
            tail -n 5 "$work/err" >&2
            fail "this failed: $*"
        }
        sleep 1
    done
    cat "$work/line" >>"$work/$key.runs"
}

ternperf() {
    mode=$2
    key=$1
    shift 2
    take "$key" "$bin/ternperf" "$mode" --loopback -q --json "$@"
}

# median KEY EXPRESSION: of what jq makes of each run.
median() {
    jq -s "map($2) | sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2" "$work/$1.runs"
}

# row NAME WHAT OURS AGAINST THEIRS UNIT BETTER [BAR]: a line of the table; BETTER is higher or lower.
row() {
    jq -cn --arg name "$1" --arg what "$2" --argjson ours "$3" --arg against "$4" --argjson theirs "$5" \
        --arg unit "$6" --arg better "$7" --arg bar "$(find_bar "${8:-$1}")" '
        ($ours / $theirs) as $ratio | ($bar | split(" ")) as $b
        | (if $b[0] == "ours" then $ours else $ratio end) as $value
        | {name: $name, what: $what, ours: $ours, against: $against, theirs: $theirs, unit: $unit, ratio: $ratio,
           better: $better, bar: (if $bar == "" then null else $bar end),
           met: (if $bar == "" then null elif $b[1] == ">=" then $value >= ($b[2] | tonumber)
                 else $value <= ($b[2] | tonumber) end)}' >>"$work/rows"
}

find_bar() {
    echo "$bars" | awk -v name="$1" '{ for (i = 1; i + 3 <= NF; i += 4) {
        if ($i == name) { print $(i + 1), $(i + 2), $(i + 3) } } }'
}

# Runs of a part by turns: `turns FUNCTION`, which measures each once.
turns() {
    turn=0
    while [ "$turn" -lt "$runs" ]; do
        turn=$((turn + 1))
        "$@"
    done
}

whole=$(echo "$seconds" | awk '{ printf "%.0fms", $1 * 1000 }')
half=$(echo "$seconds" | awk '{ printf "%.0fms", $1 * 500 }')
third=$(echo "$seconds" | awk '{ printf "%.0fms", $1 * 300 }')

# The suites of this build on this machine, preferred first, each with the engine that tern takes: "suite/engine".
$first "$bin/ciphers" --json >"$work/ciphers" || fail "ciphers failed"
suites=$(jq -rs 'reduce .[] as $c ([]; if any(.[]; .cipher == $c.cipher) then . else . + [$c] end)
    | .[] | "\(.cipher)/\(.engine | gsub(" "; "-"))"' "$work/ciphers")
aes=$(echo "$suites" | sed -n 's|^aes-256-gcm/||p') # empty: this processor has none

# --- the parts ------------------------------------------------------------------------------------

bulk_turn() {
    for suite in $suites; do
        take "bulk.${suite%/*}" "$bin/ternperf" limit -q --json -t "$third" --cipher "${suite%/*}"
    done
}

part_bulk() {
    turns bulk_turn
    for suite in $suites; do
        key=bulk.${suite%/*}
        row "bulk.$(echo "$suite" | tr / .)" "one connection, ${suite%/*} by ${suite#*/}" \
            "$(median "$key" '.goodput_bps / 1e9')" "UDP by GSO with that cipher" \
            "$(median "$key" '.limit_bps / 1e9')" Gbit/s higher "${key%%-*}"
    done
    beside_aes
}

# The one that libsodium is newest for, beside the fastest that is in every Debian, in the same runs.
beside_aes() {
    case " $(echo "$suites" | tr '\n' ' ')" in
    *" aegis-128l/"*)
        [ -z "$aes" ] || row "bulk.aegis-128l.beside.$aes" "one connection, aegis-128l" \
            "$(median bulk.aegis-128l '.goodput_bps / 1e9')" "... aes-256-gcm by $aes" \
            "$(median bulk.aes-256-gcm '.goodput_bps / 1e9')" Gbit/s higher aegis.beside
        ;;
    *) left_out "AEGIS-128L beside AES-256-GCM (this libsodium has none; sh tests/tools/newer-sodium.sh builds one)" ;;
    esac
}

tls_turn() {
    ternperf tls.tern bulk -t "$whole" --cipher aes-256-gcm
    take tls.openssl "$bin/rate_tls" aes-256-gcm "$seconds"
}

part_tls() {
    if [ ! -x "$bin/rate_tls" ]; then
        left_out "TLS (libssl-dev is not installed; --install does it)"
        return 0
    fi
    if [ -z "$aes" ]; then
        left_out "TLS (no AES-256-GCM here)"
        return 0
    fi
    turns tls_turn
    row "tls.rate.$aes" "one connection, aes-256-gcm" "$(median tls.tern '.goodput_bps / 1e9')" \
        "TLS 1.3 over TCP, OpenSSL" "$(median tls.openssl '.per_second * 8 / 1e9')" Gbit/s higher tls.rate
    for side in sender receiver; do
        row "tls.${side}_cpu.$aes" "processor of the $side" "$(median tls.tern ".${side}_cpu_s * 1e9 / .bytes")" \
            "TLS 1.3 over TCP, OpenSSL" "$(median tls.openssl ".${side}_cpu_s * 1e9 / .count")" s/GB lower \
            "tls.${side}_cpu"
    done
}

# Each run measures bare UDP with the same cipher as well, before and after.
rr_turn() {
    ternperf rr.tern rr -t "$whole" --size 128
    ternperf rr.busy rr -t "$whole" --size 128 --busy-poll
}

part_rr() {
    turns rr_turn
    for p in p50 p99; do
        row "rr.$p" "128 bytes there and back, $p" "$(median rr.tern ".latency_ms.$p * 1e3")" \
            "UDP with the cipher, epoll" "$(median rr.tern ".raw_latency_ms.$p * 1e3")" us lower
    done
    row rr.busy "... without sleep, p50" "$(median rr.busy '.latency_ms.p50 * 1e3')" \
        "UDP with the cipher, without sleep" "$(median rr.busy '.raw_latency_ms.p50 * 1e3')" us lower
}

handshakes_turn() {
    ternperf handshakes handshakes -t "$whole"
}

part_handshakes() {
    turns handshakes_turn
    row handshakes.x25519 "handshakes of a server's core" "$(median handshakes '1e6 / .cpu_us_each')" \
        "its four X25519 alone" "$(median handshakes '1e6 / (4 * .x25519_us)')" /s higher
}

many_turn() {
    for connections in 1 100 1000; do
        ternperf "many.$connections" bulk -t "$whole" -C "$connections"
    done
}

part_many() {
    turns many_turn
    for connections in 100 1000; do
        row "many.$connections" "$connections connections together" "$(median "many.$connections" '.goodput_bps / 1e9')" \
            "one connection" "$(median many.1 '.goodput_bps / 1e9')" Gbit/s higher
    done
}

shards_turn() {
    ternperf shards.1 bulk -t "$whole" -C 2
    ternperf shards.2 bulk -t "$whole" -C 2 --shards 2
}

part_shards() {
    if [ "$cores" -lt 4 ]; then
        left_out "shards (two of them and two clients want four cores)"
        return 0
    fi
    turns shards_turn
    row shards.2 "two shards" "$(median shards.2 '.goodput_bps / 1e9')" "twice one shard" \
        "$(median shards.1 '.goodput_bps * 2 / 1e9')" Gbit/s higher
}

messages_turn() {
    ternperf messages.unreliable messages -t "$whole" --unreliable
    ternperf messages.reliable messages -t "$whole" --reliable
    take messages.raw "$bin/rate_raw" unreliable "$seconds" 64
}

part_messages() {
    turns messages_turn
    for how in unreliable reliable; do
        row "messages.$how" "messages of 64 bytes, $how" "$(median "messages.$how" '.per_second / 1e6')" \
            "sendmmsg, a datagram each" "$(median messages.raw '.per_second / 1e6')" M/s higher
    done
}

memory_turn() {
    ternperf memory bulk -t "$whole" --window 64M --cc bbr --delay 10ms
}

part_memory() {
    turns memory_turn
    row memory.window "receiver's process, 20 ms, nothing lost" "$(median memory '.server_rss_bytes / 1048576')" \
        "its window" 64 MiB lower
}

# Counted, not timed: once is enough.
part_idle() {
    for count in $crowds; do
        ternperf "idle.$count" idle -n "$count" --keepalive "${keepalive}s" -t "${keepalive}s"
        row "idle.$count" "heap of each of $count idle connections" "$(median "idle.$count" .heap_bytes_per_conn)" \
            "a page" "$budget" bytes lower
    done
}

sizes_turn() {
    for size in $sizes; do
        for suite in $suites; do
            ternperf "sizes.${suite%/*}.$size" bulk -t "$half" --mtu "$size" --cipher "${suite%/*}"
        done
    done
}

part_sizes() {
    [ "$pictures" = yes ] || return 0
    turns sizes_turn
}

part_scale() {
    # shellcheck disable=SC2086
    take scale "$bin/bench_scale" $crowds
}

part_copy() {
    if [ ! -x /usr/sbin/sshd ]; then
        left_out "copying (openssh-server is not installed)"
    elif BENCH_RUNS=$runs BENCH_JSON=$work/copy.runs BENCH_ROWS=large BENCH_MIB=1024 \
        BENCH_PEERS='terncp scp' sh tests/bench/copy.sh >"$work/copy.log" 2>&1; then
        row copy.scp "terncp, 1 GiB from memory to memory" "$(median copy .terncp.mib_s)" scp \
            "$(median copy .scp.mib_s)" MiB/s higher
    else
        tail -n 5 "$work/copy.log" >&2
        fail "tests/bench/copy.sh failed"
    fi
}

# Its own table, with its own targets.
part_latency() {
    BENCH_OUT=$out sh tests/bench/messages.sh || fail "tests/bench/messages.sh failed"
}

# measure PART...
measure() {
    for part in "$@"; do
        rm -f "$work/$part."*runs "$work/$part.runs"
        jq -c --arg part "$part." 'select(.name | startswith($part) | not)' "$work/rows" >"$work/others"
        mv "$work/others" "$work/rows"
        "part_$part"
    done
}

# --- what came of them ----------------------------------------------------------------------------

print_table() {
    echo
    echo "Medians of $runs runs of $seconds s by turns; load $(cut -d ' ' -f 1-3 /proc/loadavg) on $cores cores"
    echo
    echo "| | tern | | | ratio | bar | |"
    echo "| --- | ---: | --- | ---: | ---: | ---: | --- |"
    jq -r 'def short: if . >= 100 then round elif . >= 10 then . * 10 | round / 10 else . * 100 | round / 100 end;
        "| \(.what) | \(.ours | short) \(.unit) | \(.against) | \(.theirs | short) | \(.ratio * 1000 | round / 1000)"
        + " | \(.bar // "-" | sub("ratio "; "") | sub("ours "; "tern ")) |"
        + " \(if .met == null then "" elif .met then "met" else "not met" end) |"' "$work/rows"
    echo
}

write_json() {
    for file in "$work"/*.runs; do
        jq -cs --arg key "$(basename "$file" .runs)" '{key: $key, runs: .}' "$file"
    done >"$work/all"
    jq -n --slurpfile rows "$work/rows" --slurpfile all "$work/all" --slurpfile ciphers "$work/ciphers" \
        --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" --arg kernel "$(uname -r)" \
        --arg load "$(cut -d ' ' -f 1-3 /proc/loadavg)" --argjson cores "$cores" --argjson runs "$runs" \
        --argjson seconds "$seconds" '
        {machine: {cpu: $cpu, cores: $cores, kernel: $kernel, load: $load}, runs: $runs, seconds: $seconds,
         rows: $rows, ciphers: $ciphers, samples: ($all | map({(.key): .runs}) | add)}' >"$out/bench.json"
    echo "$out/bench.json"
}

# By how much a ratio may be worse: what is counted does not vary, what is timed does, and what sleeps most of all.
tolerances='{"idle": 0.03, "handshakes": 0.1, "bulk": 0.15, "tls": 0.2, "rr": 0.3, "rr.p99": 1, "many": 0.25, "many.1000": 0.4, "shards": 0.15,
    "messages": 0.3, "memory": 0.3, "copy": 0.3}'

update_baseline() {
    [ -f "$baseline" ] || echo '{}' >"$baseline"
    jq --slurpfile rows "$work/rows" --argjson tolerances "$tolerances" '
        .about = "Ratios of tests/bench/run.sh, for its --guard; written by --update. Speeds are not in it."
        | .ratios = ((.ratios // {}) + ($rows | map({(.name): {ratio: (.ratio * 1000 | round / 1000), better,
            tolerance: ($tolerances[.name] // $tolerances[.name | split(".")[0]])}}) | add // {}))' "$baseline" >"$work/baseline"
    cp "$work/baseline" "$baseline"
    echo "$baseline"
}

# The rows that are worse than the baseline allows, one JSON object a line in $work/worse.
find_worse() {
    jq -c --slurpfile base "$baseline" '. as $row | ($base[0].ratios[.name] // empty) as $b
        | (if .better == "higher" then 1 - .ratio / $b.ratio else .ratio / $b.ratio - 1 end) as $by
        | select($by > $b.tolerance)
        | {part: (.name | split(".")[0]), line: ("\(.name): \(.ratio * 1000 | round / 1000), it was \($b.ratio);"
           + " worse by \($by * 100 | round) %, more than \($b.tolerance * 100) %")}' "$work/rows" >"$work/worse" ||
        fail "$baseline cannot be read"
}

guard_ratios() {
    [ -f "$baseline" ] || fail "there is no $baseline: --update writes it"
    find_worse
    again=$(jq -r .part "$work/worse" | sort -u)
    if [ -n "$again" ]; then
        echo "worse than the baseline; once more: $(echo "$again" | tr '\n' ' ')"
        # shellcheck disable=SC2086
        measure $again
        print_table
        find_worse
    fi
    jq -r '"worse: " + .line' "$work/worse"
    jq -r --slurpfile base "$baseline" '.name as $n | select($base[0].ratios[$n] == null)
        | "not in the baseline: \($n)"' "$work/rows"
    [ ! -s "$work/worse" ] || return 1
    echo "no ratio is worse than in $baseline"
}

# --- pictures -------------------------------------------------------------------------------------

# begin_picture NAME HEIGHT
begin_picture() {
    echo "set terminal $([ "$kind" = png ] && echo pngcairo || echo svg) size 900,$2 background '#ffffff' font 'sans,12'"
    echo "set output '$out/$1.$kind'"
    echo "set grid; set lmargin 11"
}

draw_sizes() {
    for suite in $suites; do
        for size in $sizes; do
            echo "$size $(median "sizes.${suite%/*}.$size" '.goodput_bps / 1e9')"
        done >"$work/${suite%/*}.points"
    done
    {
        begin_picture goodput 450
        echo "set key top left; set logscale x 2; set xrange [1000:80000]; set yrange [0:*]"
        echo "set xtics rotate by -40 ($(echo "$sizes" | tr -s ' ' ','))"
        echo "set xlabel 'bytes of a datagram'; set ylabel 'Gbit/s, one connection, loopback'"
        line=plot
        for suite in $suites; do
            printf "%s '%s' using 1:2 with linespoints lw 2 pt 7 title '%s'" "$line" \
                "$work/${suite%/*}.points" "${suite%/*} ($(echo "${suite#*/}" | sed 's/-\([0-9]\)/ \1/'))"
            line=','
        done
        echo
    } >"$work/goodput.gp"
    gnuplot "$work/goodput.gp"
    echo "$out/goodput.$kind"
}

draw_scale() {
    for count in $crowds; do
        echo "$count $(median "idle.$count" .heap_bytes_per_conn) $(median "idle.$count" '.receiver_cpu_share * 100')" \
            "$(jq -r "select(.connections == $count) | \"\(.lookup_ns) \(.timer_ns)\"" "$work/scale.runs")"
    done >"$work/scale.points"
    {
        begin_picture scale 640
        echo "set multiplot layout 2,2; unset key; set logscale x; set yrange [0:*]; set xlabel 'connections'"
        echo "set lmargin 10; set xrange [700:*]; set format x '%.0s%c'"
        column=2
        for label in 'bytes of heap of each, server' "% of a core, keepalives every $keepalive s" \
            'ns to find one by its identifier' 'ns to move a deadline'; do
            echo "set ylabel '$label'"
            echo "plot '$work/scale.points' using 1:$column with linespoints lw 2 pt 7"
            column=$((column + 1))
        done
        echo "unset multiplot"
    } >"$work/scale.gp"
    gnuplot "$work/scale.gp"
    echo "$out/scale.$kind"
}

draw_all() {
    if ! command -v gnuplot >/dev/null 2>&1; then
        left_out "pictures (gnuplot is not installed; --install does it)"
        return 0
    fi
    ! wants sizes || draw_sizes
    { ! wants idle || ! wants scale; } || draw_scale
}

# --- all of it ------------------------------------------------------------------------------------

for part in $parts; do
    case $part in
    bulk | tls | rr | handshakes | many | shards | messages | memory | idle | sizes | scale | copy | latency) ;;
    all) parts='bulk tls rr handshakes many shards messages memory idle sizes scale copy latency' ;;
    *) fail "no such part: $part" ;;
    esac
done
[ -n "$first" ] || echo "no real-time priority: others on this machine show in the figures"
# shellcheck disable=SC2086
measure $parts
print_table
[ "$pictures" = no ] || draw_all
code=0
[ "$guard" = no ] || guard_ratios || code=1
write_json
[ "$update" = no ] || update_baseline
exit $code
