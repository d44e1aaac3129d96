#!/bin/sh
# Thousands of connections for as long as you like, over links that lose, forget and fall silent; they move and change
# keys, and whatever they say comes back. Memory and descriptors of all processes must stay as they are.
# SPDX-License-Identifier: MIT
#
#   sh tests/soak.sh [MINUTES]      30 unless told otherwise; 1 to 2 cores
#
# A line a minute, then a verdict: whether all contents were equal, nothing was lost, nothing grew from minute 5 to the end
# (from half of the time on, where that is sooner), and whether there was anything to judge at all. In the environment:
#
#   SOAK_CONNECTIONS=2000           at any time; each lives for 10 to 60 seconds, then another comes
#   SOAK_SECONDS=20                 instead of minutes
#   SOAK_BIN=build/release/bin      programs that you have built: soak and ternlink
set -eu
unset CDPATH
export LC_ALL=C
connections=${SOAK_CONNECTIONS:-2000}
seconds=${SOAK_SECONDS:-$((${1:-30} * 60))}
bin=${SOAK_BIN:-}

cd "$(dirname "$0")/.."
. .ci/need.sh
stage_name=soak.sh
. .ci/stage.sh

[ -r /proc/self/status ] || fail "it looks at processes by /proc, which this system has not"
[ "$seconds" -ge 10 ] || fail "less than ten seconds show nothing"
if [ -z "$bin" ]; then
    need_command cc gcc
    need_command cmake cmake
    need_command ninja ninja-build
    need_command pkg-config pkg-config
    need_library libsodium libsodium-dev
    need_header ev.h libev-dev
    need_library cmocka libcmocka-dev
    need_install || exit 1
    build_release soak.log soak ternlink
    bin=build/release/bin
fi
for program in soak ternlink; do
    [ -x "$bin/$program" ] || fail "no $program in $bin"
done
work=$(mktemp -d "${TMPDIR:-/tmp}/tern-soak.XXXXXX")

# --- the processes --------------------------------------------------------------------------------

server=
links=
crowds=

# begin NAME PATTERN COMMAND...: in the background; what its log says by the pattern is in $said.
begin() {
    name=$1
    pattern=$2
    shift 2
    "$@" >"$work/$name.out" 2>"$work/$name.log" &
    begun=$!
    pids="$pids $begun"
    said=
    if [ -n "$pattern" ]; then
        tries=0
        while [ -z "$said" ] && [ $tries -lt 1000 ]; do
            sleep 0.1
            said=$(cat "$work/$name.out" "$work/$name.log" | sed -n "s/$pattern/\\1/p" | head -n 1)
            tries=$((tries + 1))
        done
        [ -n "$said" ] || fail "$name does not start: $(cat "$work/$name.log")"
    fi
}

# crowd LINK OPTIONS...: a quarter of the connections, over a link with these options.
crowd() {
    number=$1
    shift
    begin "link$number" '.*listening on \([0-9.:]*\)$' \
        "$bin/ternlink" udp --listen 127.0.0.1:0 --to "$address" --seed "$number" "$@"
    links="$links $begun"
    begin "crowd$number" '' "$bin/soak" crowd "$said" $(((connections + 3) / 4)) "$seconds" "$number"
    crowds="$crowds $begun"
}

# --- looking --------------------------------------------------------------------------------------

# of_all KIND PID...: "rss" in KiB or "fds", of all of them together.
of_all() {
    kind=$1
    shift
    for pid in "$@"; do
        if [ "$kind" = rss ]; then
            sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$pid/status"
        else
            find "/proc/$pid/fd" -type l | wc -l
        fi
    done 2>/dev/null | awk '{ n += $1 } END { print n + 0 }'
}

# said NAME: the sum over the crowds of what they said last.
said() {
    for log in "$work"/crowd*.out; do
        tail -n 1 "$log"
    done | awk -v name="$1" '{ for (i = 1; i < NF; i += 2) if ($i == name) n += $(i + 1) }
        END { printf "%.0f\n", n }'
}

look() {
    # Lists of processes split on purpose.
    # shellcheck disable=SC2086
    {
        server_rss=$(of_all rss $server)
        crowds_rss=$(of_all rss $crowds)
        links_rss=$(of_all rss $links)
        fds=$(of_all fds $server $crowds)
        links_fds=$(of_all fds $links)
    }
    items=$(said items)
}

row() {
    printf '%7s %7s %8s %9s %9s %8s %8s %9s %9s %9s %4s %8s\n' "$@"
}

problems=
problem() {
    problems="$problems  $*
"
}

# flat WHAT THEN NOW: no more than a twentieth and 2 MiB beyond what it was.
flat() {
    [ "$3" -le $(($2 + $2 / 20 + 2048)) ] || problem "$1 grew: $2 KiB, then $3 KiB"
}

# --- the run --------------------------------------------------------------------------------------

begin server 'listening on \(.*\)' "$bin/soak" serve 127.0.0.1:0
server=$begun
address=$said
crowd 1 --delay 15 --jitter 5 --loss 3
crowd 2 --delay 20 --loss 1 --rebind 7
crowd 3 --delay 10 --blackout 6,2,15 --reorder 2 --dup 1
crowd 4 --delay 30 --burst-loss 1,25 --corrupt 1

step=60
[ "$seconds" -ge 240 ] || step=$((seconds / 4))
warm=300 # seconds until memory has its size
[ "$seconds" -gt 360 ] || warm=$((seconds / 2))
echo "soak: $connections connections at a time, $seconds s, over four bad links"
row second alive gone items MB moves keys server-KB crowds-KB links-KB fds link-fds
begun_at=$(date +%s)
before=0
warm_at=
at=$step
while [ $at -lt "$seconds" ]; do
    now=$(($(date +%s) - begun_at))
    [ $at -le $now ] || sleep $((at - now))
    look
    row $at "$(said alive)" "$(said gone)" "$items" $(($(said bytes) / 1000000)) "$(said moves)" \
        "$(said updates)" "$server_rss" "$crowds_rss" "$links_rss" "$fds" "$links_fds"
    [ "$items" -gt "$before" ] || problem "nothing moved before second $at"
    before=$items
    if [ -z "$warm_at" ] && [ $at -ge $warm ]; then
        warm_at=$at
        warm_server=$server_rss
        warm_crowds=$crowds_rss
        warm_links=$links_rss
        warm_fds=$fds
    fi
    at=$((at + step))
done

# --- the end --------------------------------------------------------------------------------------

# ended NAME PID: well.
ended() {
    rc=0
    wait "$2" || rc=$?
    [ $rc = 0 ] || problem "$1 ended with $rc: $(tail -n 3 "$work/$1.log" | tr '\n' ' ')"
}

number=1
for pid in $crowds; do
    ended "crowd$number" "$pid"
    number=$((number + 1))
done
number=1
for pid in $links; do
    kill -INT "$pid" 2>/dev/null || true
    ended "link$number" "$pid"
    number=$((number + 1))
done
kill -TERM "$server" 2>/dev/null || true
ended server "$server"
pids=

# counted LINK KEY: all of that in what a link says at its end.
counted() {
    grep -o "\"$2\":[0-9]*" "$work/link$1.out" | awk -F : '{ n += $2 } END { printf "%.0f\n", n }'
}

for what in wrong late lost; do
    [ "$(said $what)" = 0 ] || problem "$what: $(said $what)"
done
for what in gone items moves rekeys updates; do
    [ "$(said $what)" -gt 0 ] || problem "no $what: it shows nothing"
done
# Who is forgotten in the middle of a handshake cannot go on with it (RFC 9000, section 9).
[ "$(said refused)" -le $(($(said gone) / 50)) ] || problem "$(said refused) could not connect"
[ "$(counted 2 rebinds)" -gt 0 ] || problem "no link has forgotten anything: it shows nothing"
[ "$(counted 1 lost)" -gt 0 ] || problem "no link has lost anything: it shows nothing"
[ "$(counted 3 blacked_out)" -gt 0 ] || problem "no link was silent: it shows nothing"
if [ -n "$warm_at" ]; then
    flat "the server" "$warm_server" "$server_rss"
    flat "the crowds" "$warm_crowds" "$crowds_rss"
    flat "the links" "$warm_links" "$links_rss"
    [ "$fds" -le "$warm_fds" ] || problem "descriptors: $warm_fds, then $fds"
    # A link has one for each address that the crowd has been seen at: 8, and 16 for itself is more than enough.
    [ "$links_fds" -le 96 ] || problem "descriptors of the links: $links_fds"
    echo "memory at second $warm_at: server $warm_server, crowds $warm_crowds, links $warm_links KiB;" \
        "at the end $server_rss, $crowds_rss, $links_rss; descriptors $warm_fds, $fds"
else
    problem "too short to compare memory"
fi
echo "$(($(said gone))) connections came and went, $(said items) contents equal, $(said bytes) bytes," \
    "$(said wrong) wrong, $(said late) late, $(said lost) lost, $(said refused) not connected;" \
    "$(said moves) moves, $(said rekeys) fresh keys, $(said updates) key updates"
if [ -n "$problems" ]; then
    printf 'soak: FAILED\n%s' "$problems"
    exit 1
fi
echo "soak: passed"
