#!/bin/sh
# terncp beside scp, rsync over ssh, the rsync daemon and bare TCP: the same files over the same links.
# SPDX-License-Identifier: MIT
#
#   sh tests/bench/copy.sh [--install]     --install: ssh and rsync by apt-get
#
# From memory to memory: over loopback, and through `ternlink tun` between two network namespaces (which
# needs root), where every program, TCP included, meets the same delay, rate, queue and losses. All servers
# are started for this alone, with settings of their own; the programs take turns, each copy is compared
# with its original, and medians count. Prints a table (seconds, the share of the line, ratios) and what
# terncp is to reach; every run is in build/copy/copy.json. One row alone, quickly:
#
#   BENCH_ROWS=l50-1 BENCH_PEERS='terncp rsyncd' BENCH_RUNS=1 sh tests/bench/copy.sh
#
# Any of these may be set in the environment:
set -eu
unset CDPATH
export LC_ALL=C
# large: one file over loopback; small: many; small-50: the same over 100 Mbit/s and 50 ms; lRTT-LOSS: 100 MB
# over 100 Mbit/s; gRTT-LOSS: 1 GB over 1 Gbit/s; start: 100 MB over 1 Gbit/s and 50 ms to a server that
# knows nothing of us; byte: one byte over 200 ms. again, byte-again, l50-0-again and so on: the second copy within the
# hour, of a file that is not there. RTT in ms, LOSS in per cent.
rows=${BENCH_ROWS:-large small small-50 l50-0 l50-0-again l50-0.1 l50-1 l50-2 l200-0 l200-0-again l200-1 l200-1-again
    g50-0 g50-0-again g50-0.1 g50-1 start again byte byte-again}
peers=${BENCH_PEERS:-terncp scp rsync rsyncd tcp} # terncp/cubic: under another controller; rsync: over ssh
runs=${BENCH_RUNS:-3}
mib=${BENCH_MIB:-2048}                         # of the large file
count=${BENCH_COUNT:-10000}                    # of the small ones, 4 KiB each
cipher=${BENCH_CIPHER:-aes128-gcm@openssh.com} # of ssh; this is its fastest
tcp=${BENCH_TCP-}                               # congestion control of TCP on the links; empty: the system's
store=${BENCH_TMP:-/dev/shm}                   # where the files are: a tmpfs
json=${BENCH_JSON:-build/copy/copy.json}       # one row a line
priority=${BENCH_PRIORITY:-yes}                # real-time, for all of them alike and the link before them
longest=${BENCH_TIMEOUT:-120}                  # seconds of one copy; who needs more is left out of the row

cd "$(dirname "$0")/../.."
. .ci/need.sh
stage_name=copy.sh
. .ci/stage.sh

bin=$PWD/build/release/bin
# --- install and build ----------------------------------------------------------------------------

need_build
case ${1:-} in
--install)
    need_command ssh-keygen openssh-client
    [ -x /usr/sbin/sshd ] || need_list="$need_list openssh-server"
    need_command rsync rsync
    need_command ip iproute2
    ;;
'') ;;
*)
    echo "usage: sh tests/bench/copy.sh [--install]" >&2
    exit 2
    ;;
esac
need_install || exit 1
want_engines
build_release bench.log terncp ternlink copy_tcp

first=
before=
if [ "$priority" = yes ] && chrt -f 2 true 2>/dev/null; then
    first='chrt -f 1'
    before='chrt -f 2'
fi

# --- what can run here ----------------------------------------------------------------------------

left_out() {
    echo "left out: $*"
}

has_peer() {
    case $1 in
    scp | rsync) [ -x /usr/sbin/sshd ] && command -v ssh >/dev/null || return 1 ;;
    esac
    case $1 in
    scp) command -v scp >/dev/null ;;
    rsync | rsyncd) command -v rsync >/dev/null ;;
    terncp | terncp/* | tcp) ;;
    *) fail "$1 is none of: terncp terncp/CC scp rsync rsyncd tcp" ;;
    esac
}

present=
for peer in $peers; do
    if has_peer "$peer"; then
        present="$present $peer"
    else
        left_out "$peer (not installed; --install does it)"
    fi
done
peers=$present
may_link=no
if [ "$(id -u)" = 0 ] && [ -c /dev/net/tun ] && command -v ip >/dev/null; then
    may_link=yes
fi

wants() {
    case " $peers " in
    *" $1 "*) return 0 ;;
    esac
    return 1
}

# describe ROW: sets source, bytes (of contents), rate (Mbit/s; 0: as fast as it goes), rtt (ms), loss (%),
# measure (percent, ratio or rtts) and bars.
describe() {
    link_row=${1%-again} # what is to be reached does not say which copy
    source=f100 bytes=100000000 rate=0 rtt=0 loss=0 measure=percent bars=''
    case $1 in
    large) source=large bytes=$((mib * 1048576)) measure=ratio bars='scp>=1.3 rsyncd>=1' ;;
    small) source=small bytes=$((count * 4096)) measure=ratio bars='rsyncd>=1' ;;
    # a fifth more than the line needs, and four round trips
    small-50) source=small bytes=$((count * 4096)) rate=100 rtt=50 bars='bound>=1' ;;
    l*-*) rate=100 rtt=${link_row#l} rtt=${rtt%-*} loss=${link_row#*-} ;;
    g*-*) source=f1000 bytes=1000000000 rate=1000 rtt=${link_row#g} rtt=${rtt%-*} loss=${link_row#*-} ;;
    start) rate=1000 rtt=50 bars='percent>=45' ;;
    again) rate=1000 rtt=50 bars='percent>=60' ;;
    # a tenth for what the programs take besides
    byte) source=byte bytes=1 rtt=200 measure=rtts bars='rtts<=3.1' ;;
    byte-again) source=byte bytes=1 rtt=200 measure=rtts bars='rtts<=2.1' ;;
    *) fail "there is no row $1" ;;
    esac
    case $link_row in
    l50-0) bars='percent>=93' ;;
    l50-0.1 | l200-0 | g50-0) bars='percent>=90' ;;
    l50-1 | g50-0.1) bars='percent>=85' ;;
    l50-2) bars='percent>=75' ;;
    l200-1) bars='percent>=80' ;;
    g50-1) bars='percent>=70' ;;
    esac
}

# --- files ----------------------------------------------------------------------------------------

work=$(mktemp -d "$store/tern-bench.XXXXXX")
mkdir "$work/there" "$work/here"
: >"$work/all"

make_source() {
    [ ! -e "$work/here/$source" ] || return 0
    room=$(df -Pk "$store" | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')
    [ "$room" -gt $((3 * bytes + 100000000)) ] ||
        fail "$store has too little room for row $1: set BENCH_MIB lower, or BENCH_TMP"
    if [ "$source" = small ]; then
        mkdir "$work/here/small"
        head -c "$bytes" /dev/urandom | (cd "$work/here/small" && split -a 5 -d -b 4096)
    else
        head -c "$bytes" /dev/urandom >"$work/here/$source"
    fi
}

# --- servers --------------------------------------------------------------------------------------

settings() {
    export XDG_CONFIG_HOME="$work/config" XDG_STATE_HOME="$work/state"
    mkdir -p "$XDG_CONFIG_HOME"
    "$bin/terncp" keygen >/dev/null 2>&1
    if wants scp || wants rsync; then
        ssh-keygen -q -t ed25519 -N '' -f "$work/host"
        ssh-keygen -q -t ed25519 -N '' -f "$work/user"
        [ "$(id -u)" != 0 ] || mkdir -p /run/sshd # where sshd, started as root, drops its rights to
    fi
    cat >"$work/ssh_config" <<EOF
Host *
IdentityFile $work/user
IdentitiesOnly yes
BatchMode yes
StrictHostKeyChecking no
UserKnownHostsFile $work/known
LogLevel ERROR
Ciphers $cipher
Compression no
EOF
    cat >"$work/rsyncd.conf" <<EOF
use chroot = no
pid file = $work/rsyncd.pid
[there]
path = $work/there
read only = no
$([ "$(id -u)" != 0 ] || printf 'uid = 0\ngid = 0\n')
EOF
}

here= # runs a command on the sending side, there on the receiving one
there=
serving=

# background LOG COMMAND...: on the receiving side; its number is among those to be ended.
background() {
    log=$1
    shift
    # shellcheck disable=SC2086
    $there $first "$@" >/dev/null 2>"$log" &
    serving="$serving $!"
    pids="$pids $!"
}

stop_servers() {
    for pid in $serving; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    serving=
}

# sshd and the like cannot be asked for a free port; try some.
start_sshd() {
    for port in 47022 47122 47222 47322 47422; do
        cat >"$work/sshd_config" <<EOF
ListenAddress $address:$port
HostKey $work/host
AuthorizedKeysFile $work/user.pub
PidFile none
StrictModes no
UsePAM no
MaxStartups 100
PermitRootLogin prohibit-password
Ciphers $cipher
Subsystem sftp internal-sftp
EOF
        background "$work/sshd.log" /usr/sbin/sshd -D -e -f "$work/sshd_config"
        if await_text "$work/sshd.log" '.*\(Server listening\).*' $! >/dev/null 2>&1; then
            ssh_port=$port
            return 0
        fi
    done
    sed 's/^/    /' "$work/sshd.log" >&2
    fail "sshd did not start"
}

start_rsyncd() {
    for port in 47023 47123 47223 47323 47423; do
        rm -f "$work/rsyncd.pid"
        background "$work/rsyncd.log" rsync --daemon --no-detach --address="$address" --port=$port \
            --config="$work/rsyncd.conf" --log-file="$work/rsyncd.words"
        if await_text "$work/rsyncd.words" ".*listening on port \\($port\\).*" $! >/dev/null 2>&1; then
            rsync_port=$port
            return 0
        fi
    done
    fail "the rsync daemon did not start"
}

start_servers() {
    background "$work/terncp.log" "$bin/terncp" serve --anonymous --root "$work/there" --listen "$address:0"
    tern=$(await_text "$work/terncp.log" '.*serving .* on \([0-9.]*:[0-9]*\).*' $!) ||
        fail "terncp serve did not start"
    # The server's key is learnt outside of what is measured.
    echo hello >"$work/hello"
    tries=0
    # shellcheck disable=SC2086
    until $here $first "$bin/terncp" --quiet --accept-new "$work/hello" "tern://$tern/hello"; do
        tries=$((tries + 1)) # a machine that is busy otherwise may take its time
        [ $tries -lt 3 ] || fail "the server does not answer"
    done
    if wants scp || wants rsync; then
        start_sshd
    fi
    if wants rsyncd; then
        start_rsyncd
    fi
    if wants tcp; then
        for port in 47024 47124 47224 47324 47424; do
            background "$work/tcp.log" "$bin/copy_tcp" serve "$address" $port "$work/there/copy"
            if await_text "$work/tcp.log" '.*\(listening\).*' $! >/dev/null 2>&1; then
                tcp_port=$port
                break
            fi
        done
    fi
}

# --- links ----------------------------------------------------------------------------------------

link=
now=none
spaces=

unlink_sides() {
    stop_servers
    if [ -n "$link" ]; then
        kill "$link" 2>/dev/null || true
        wait "$link" 2>/dev/null || true
        link=
    fi
    for space in $spaces; do
        ip netns del "$space" 2>/dev/null || true
    done
    spaces=
}
trap 'unlink_sides; stage_clean' EXIT

# Both sides of the described row are there, with their servers. The queue holds a product of rate and round trip.
# In the namespaces TCP may have buffers for all of these links, which a system by itself may not give.
connect_sides() {
    wanted="$rate $rtt $loss"
    [ "$now" != "$wanted" ] || return 0
    unlink_sides
    now=$wanted
    if [ "$rtt" = 0 ]; then
        here='' there='' address=127.0.0.1
        start_servers
        return 0
    fi
    spaces="tern-a-$$ tern-b-$$"
    for space in $spaces; do
        ip netns add "$space"
        ip -n "$space" link set lo up
        ip netns exec "$space" sh -c 'echo "4096 131072 67108864" >/proc/sys/net/ipv4/tcp_rmem
            echo "4096 131072 67108864" >/proc/sys/net/ipv4/tcp_wmem'
        [ -z "$tcp" ] || ip netns exec "$space" sh -c "echo $tcp >/proc/sys/net/ipv4/tcp_congestion_control"
    done
    options="--delay $(echo "$rtt" | awk '{ print $1 / 2 }') --up-loss $loss --mtu 1500"
    [ "$rate" = 0 ] || options="$options --rate $rate --queue $((rate * rtt / 8))"
    rm -f "$work/link.log"
    # shellcheck disable=SC2086
    $before "$bin/ternlink" tun --netns-a "tern-a-$$" --netns-b "tern-b-$$" $options \
        >/dev/null 2>"$work/link.log" &
    link=$!
    pids="$pids $link"
    await_text "$work/link.log" '.*\(forwarding\).*' "$link" >/dev/null || fail "ternlink did not start"
    here="ip netns exec tern-a-$$" there="ip netns exec tern-b-$$" address=10.77.0.2
    start_servers
}

# --- copies ---------------------------------------------------------------------------------------

# send PEER NAME: the described source, under that name there.
send() {
    peer=$1
    name=$2
    recursive=
    slash=
    [ "$source" != small ] || recursive=-r slash=/
    case $peer in
    terncp | terncp/*)
        cc=${peer#terncp}
        # shellcheck disable=SC2086
        set -- "$bin/terncp" --quiet --accept-new $recursive ${cc:+--cc "${cc#/}"} "$work/here/$source" \
            "tern://$tern/$name"
        ;;
    scp)
        # shellcheck disable=SC2086
        set -- scp -q $recursive -F "$work/ssh_config" -P "$ssh_port" "$work/here/$source" \
            "$address:$work/there/$name"
        ;;
    rsync)
        # shellcheck disable=SC2086
        set -- rsync $recursive -e "ssh -F $work/ssh_config -p $ssh_port" "$work/here/$source$slash" \
            "$address:$work/there/$name"
        ;;
    rsyncd)
        # shellcheck disable=SC2086
        set -- rsync $recursive "$work/here/$source$slash" "rsync://$address:$rsync_port/there/$name"
        ;;
    tcp) set -- "$bin/copy_tcp" send "$address" "$tcp_port" "$work/here/$source" ;;
    esac
    # shellcheck disable=SC2086
    $here $first timeout "$longest" "$@" || {
        code=$?
        case $code:$peer in
        124:terncp*) fail "$peer took more than $longest s in row $row" ;;
        124:*) ;;
        *) fail "$peer ended with $code in row $row" ;;
        esac
        left_out "$peer in row $row (more than $longest s)"
        late="$late $peer "
        return 1
    }
}

# measure ROW PEER: a line "row peer seconds" in all.
measure() {
    rm -rf "$work/there/copy" "$work/there/before"
    case $2:$1 in
    terncp*:*again)
        send "$2" before
        rm -f "$work/there/before" "$XDG_STATE_HOME/tern/sent"
        ;;
    terncp*) rm -rf "$XDG_STATE_HOME" ;; # nothing is known but the server's key
    esac
    began=$(date +%s%N)
    send "$2" copy || return 0
    took=$(($(date +%s%N) - began))
    diff -rq "$work/here/$source" "$work/there/copy" >/dev/null || fail "$2: the copy differs from the original"
    echo "$1 $2 $took" | awk '{ printf "%s %s %.4f\n", $1, $2, $3 / 1e9 }' >>"$work/all"
    printf '  %-12s %-14s %9s s\n' "$1" "$2" "$(tail -n 1 "$work/all" | cut -d ' ' -f 3)"
}

settings
echo "by turns, $runs runs each; ssh with ${cipher%@*}; TCP with ${tcp:-$(cat /proc/sys/net/ipv4/tcp_congestion_control)}"
measured=
for row in $rows; do
    describe "$row"
    if [ "$rtt" != 0 ] && [ $may_link = no ]; then
        left_out "$row (it needs root, iproute2 and /dev/net/tun)"
        continue
    fi
    make_source "$row"
    connect_sides
    run=0
    late=
    while [ $run -lt "$runs" ]; do
        for peer in $peers; do
            case $peer:$source:$row in
            tcp:small:* | scp:*:*again | rsync*:*again | tcp:*again) continue ;;
            esac
            case $late in
            *" $peer "*) continue ;;
            esac
            measure "$row" "$peer"
        done
        run=$((run + 1))
    done
    measured="$measured $row"
    rm -rf "$work/there/copy"
done
unlink_sides

# --- what came of them ----------------------------------------------------------------------------

# Everything in one awk: medians, the table, the bars and the JSON.
for row in $measured; do
    describe "$row"
    echo "$row $bytes $rate $rtt $loss $measure $bars"
done >"$work/rows"
mkdir -p "$(dirname "$json")"
awk -v peers="$peers" -v json="$json" -v count="$count" '
    function median(key,    n, i, j, t, v) {
        n = split(times[key], v, " ")
        for (i = 2; i <= n; i++) {
            for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        }
        return n == 0 ? 0 : (v[int((n + 1) / 2)] + v[int(n / 2) + 1]) / 2
    }
    function percent(s) { return rate > 0 ? bytes * 800 / s / rate / 1e6 : 0 }
    function cell(s) {
        if (s == 0) return "-"
        if (measure == "rtts") return sprintf("%.2f RTT", s * 1000 / rtt)
        if (rate > 0) return sprintf("%.3f s, %.1f %%", s, percent(s))
        return sprintf("%.3f s", s)
    }
    function ratio(a, b) { return a > 0 && b > 0 ? sprintf("%.2f", b / a) : "-" }
    FNR == NR { times[$1 " " $2] = times[$1 " " $2] " " $3; next }
    FNR == 1 {
        n = split(peers, peer, " ")
        head = "| row |"
        rule = "| --- |"
        for (i = 1; i <= n; i++) { head = head " " peer[i] " |"; rule = rule " ---: |" }
        print ""
        print head " scp/terncp | rsync/terncp | rsyncd/terncp |"
        print rule " ---: | ---: | ---: |"
    }
    {
        row = $1; bytes = $2; rate = $3; rtt = $4; loss = $5; measure = $6
        line = "| " row " |"
        object = sprintf("{\"bench\":\"copy\",\"row\":\"%s\",\"bytes\":%s,\"mbit\":%s,\"rtt_ms\":%s,\"loss_pct\":%s", \
            row, bytes, rate, rtt, loss)
        for (i = 1; i <= n; i++) {
            s = median(row " " peer[i])
            line = line " " cell(s) " |"
            if (s == 0) continue
            list = times[row " " peer[i]]
            sub(/^ /, "", list)
            gsub(/ /, ",", list)
            object = object sprintf(",\"%s\":{\"seconds\":%.4f,\"runs\":[%s],\"mib_s\":%.2f,\"percent\":%.2f}", \
                peer[i], s, list, bytes / s / 1048576, percent(s))
        }
        ours = median(row " terncp")
        print line " " ratio(ours, median(row " scp")) " | " ratio(ours, median(row " rsync")) " | " \
            ratio(ours, median(row " rsyncd")) " |"
        for (i = 7; i <= NF && ours > 0; i++) {
            split($i, bar, /[<>]=/)
            is_most = index($i, "<=") > 0
            value = bar[1] == "percent" ? percent(ours) : bar[1] == "rtts" ? ours * 1000 / rtt : \
                bar[1] == "bound" ? (1.2 * bytes * 8 / rate / 1e6 + 4 * rtt / 1000) / ours : \
                median(row " " bar[1]) / ours
            if (value == 0) continue
            is_met = is_most ? value <= bar[2] : value >= bar[2]
            bars = bars sprintf("%-8s%s: %s %.2f, %s %s\n", is_met ? "reached" : "MISSED", row, bar[1], value, \
                is_most ? "at most" : "at least", bar[2])
            object = object sprintf(",\"%s\":%.3f", "bar_" bar[1], value)
        }
        print object "}" >json
    }
    END { print ""; printf "%s", bars }' "$work/all" "$work/rows"
echo "$json"
