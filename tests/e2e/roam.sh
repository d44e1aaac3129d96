#!/bin/sh
# Copies that survive moves: the client's address changes under it, or a NAT forgets it.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
inner=
outer=

# Two network namespaces joined by a wire of 200 Mbit/s and 10 ms each way. Sets inner and outer.
need_namespaces() {
    [ "$(id -u)" = 0 ] || skip "not root"
    command -v ip >/dev/null || skip "no ip"
    [ -c /dev/net/tun ] || skip "no tun device"
    inner=tern-in-$$
    outer=tern-out-$$
    ip netns add "$inner" 2>/dev/null || skip "no network namespaces"
    ip netns add "$outer"
    "$ternlink" tun --netns-a "$inner" --netns-b "$outer" --rate 200 --delay 10 --queue 400 \
        --mtu 1472 >"$work/wire.log" 2>&1 &
    pids="$pids $!"
    wait_for 20 ip -n "$outer" route add 10.77.1.0/24 dev tern0 2>/dev/null ||
        fail "no wire between the namespaces"
    wait_for 20 ip -n "$inner" addr add 10.77.1.1/32 dev tern0 2>/dev/null ||
        fail "no wire between the namespaces"
    ip -n "$inner" addr del 10.77.0.1/30 dev tern0
    ip -n "$inner" route replace 10.77.0.2/32 dev tern0 src 10.77.1.1
}

drop_namespaces() {
    ip netns del "$inner" 2>/dev/null || true
    ip netns del "$outer" 2>/dev/null || true
}

# As `serve`, in the outer namespace.
serve_outside() {
    serve_log=$work/server.log
    ip netns exec "$outer" "$terncp" serve --root "$work/there" --listen 10.77.0.2:7437 -v \
        --anonymous >"$serve_log" 2>&1 &
    pids="$pids $!"
    wait_for 20 has_line "$serve_log" ' serving .* on ' || fail "the server does not start"
    server=10.77.0.2:7437
}

# milliseconds COMMAND...: how long it takes, in $took.
milliseconds() {
    begun=$(date +%s%3N)
    "$@"
    took=$(($(date +%s%3N) - begun))
}

inside() {
    expect 0 ip netns exec "$inner" "$terncp" --accept-new "$@"
}

# move_to NEW OLD: the address of the inner side becomes 10.77.1.NEW, and the one before is gone.
move_to() {
    ip -n "$inner" addr add "10.77.1.$1/32" dev tern0
    ip -n "$inner" route replace 10.77.0.2/32 dev tern0 src "10.77.1.$1"
    ip -n "$inner" addr del "10.77.1.$2/32" dev tern0
}

# wander TIMES SECONDS: moves as often, so many seconds apart.
wander() {
    place=${place:-1}
    left=$1
    while [ "$left" -gt 0 ]; do
        sleep "$2"
        move_to $((place + 1)) "$place"
        place=$((place + 1))
        left=$((left - 1))
    done
}

wandering() {
    wander 5 1.2 &
    wanderer=$!
    inside "$@"
    wait $wanderer
    place=$((${place:-1} + 5))
}

# A third more time at most, and half a second for a machine that is busy: with E2E_TIMING in the
# environment, for how fast a machine is at two moments is no matter for a test.
in_time() {
    echo "$1 ms at rest, $2 ms on the move"
    [ -z "${E2E_TIMING-}" ] || [ "$2" -le $(($1 * 13 / 10 + 500)) ] || fail "too slow on the move"
}

case_five_addresses() {
    need_namespaces
    trap 'code=$?; set +e; drop_namespaces; (exit $code); clean' EXIT
    serve_outside
    random here/file 204800
    milliseconds inside here/file "tern://$server/still"
    still=$took
    milliseconds wandering here/file "tern://$server/moved"
    same here/file there/still
    same here/file there/moved
    in_time "$still" "$took"
    milliseconds inside "tern://$server/still" here/still
    still=$took
    milliseconds wandering "tern://$server/still" here/moved
    same there/still here/moved
    in_time "$still" "$took"
}

# The interface is down for two seconds, twice, and its routes are gone with it: ENETUNREACH to whatever is
# sent. The copy goes on when it is back.
case_interface_down() {
    need_namespaces
    trap 'code=$?; set +e; drop_namespaces; (exit $code); clean' EXIT
    serve_outside
    random here/file 61440
    (
        for _ in 1 2; do
            sleep 0.8
            ip -n "$inner" link set tern0 down
            sleep 2
            ip -n "$inner" link set tern0 up
            ip -n "$inner" route replace 10.77.0.2/32 dev tern0 src 10.77.1.1
        done
    ) &
    breaker=$!
    milliseconds inside here/file "tern://$server/file"
    wait $breaker
    same here/file there/file
    [ "$took" -ge 2500 ] || fail "it was not in the middle of anything: $took ms"
    echo "$took ms with four seconds of silence"
}

# A NAT that forgets every two seconds: the port that the server sees changes.
case_forgetful_nat() {
    serve
    random here/file 122880
    link --rate 160 --delay 10 --queue 400
    milliseconds copy here/file "tern://$link/still"
    still=$took
    milliseconds copy "tern://$link/still" here/still
    back=$took
    link --rate 160 --delay 10 --queue 400 --rebind 2
    milliseconds copy here/file "tern://$link/moved"
    same here/file there/moved
    in_time "$still" "$took"
    milliseconds copy "tern://$link/moved" here/moved
    same here/file here/moved
    in_time "$back" "$took"
}

# Two servers behind a balancer that knows nothing but docs/steering.md.
need_cluster() {
    [ "$(id -u)" = 0 ] || skip "not root"
    for tool in ip tc nft; do
        command -v $tool >/dev/null || skip "no $tool"
    done
    inner=tern-in-$$
    outer=tern-out-$$
    ip netns add "$inner" 2>/dev/null || skip "no network namespaces"
    ip netns add "$outer"
    ip -n "$inner" link add wire type veth peer name wire netns "$outer"
    ip -n "$outer" addr add 10.80.0.1/16 dev wire
    ip -n "$inner" addr add 10.80.1.1/16 dev wire
    ip -n "$outer" link set wire up
    ip -n "$inner" link set wire up
    ip netns exec "$inner" tc qdisc add dev wire root tbf rate 200mbit burst 64kb latency 50ms ||
        skip "no tbf"
    for n in 1 2; do
        ip netns add "tern-s$n-$$"
        ip -n "tern-s$n-$$" link add wire type veth peer name "s$n" netns "$outer"
        ip -n "$outer" addr add "10.81.$n.1/24" dev "s$n"
        ip -n "tern-s$n-$$" addr add "10.81.$n.2/24" dev wire
        ip -n "$outer" link set "s$n" up
        ip -n "tern-s$n-$$" link set wire up
        ip -n "tern-s$n-$$" route add default via "10.81.$n.1"
    done
    ip netns exec "$outer" sysctl -qw net.ipv4.ip_forward=1
    ip netns exec "$inner" sysctl -qw net.ipv4.conf.all.promote_secondaries=1
    sed -n '/^    table ip tern/,/^    }/s/^    //p' "$here/../../docs/steering.md" >balancer.nft
    ip netns exec "$outer" nft -f balancer.nft || skip "nft cannot do it"
}

drop_cluster() {
    drop_namespaces
    ip netns del "tern-s1-$$" 2>/dev/null || true
    ip netns del "tern-s2-$$" 2>/dev/null || true
}

serve_number() {
    ip netns exec "tern-s$1-$$" "$terncp" serve --root "$work/there" --listen 0.0.0.0:7437 -v \
        --anonymous --server-id "$1" >"$work/server$1.log" 2>&1 &
    pids="$pids $!"
    wait_for 20 has_line "$work/server$1.log" ' serving .* on ' || fail "server $1 does not start"
}

# Eight copies and more, until somebody came to each server, each of which moves four times: without steering each move
# has an even chance to end at the other server.
case_steered_cluster() {
    trap 'code=$?; set +e; drop_cluster; (exit $code); clean' EXIT
    need_cluster
    "$terncp" keygen # the servers have one key between them
    serve_number 1
    serve_number 2
    random here/file 61440
    place=1
    n=0
    while [ $n -lt 8 ] || { [ $n -lt 30 ] && ! has_both; }; do
        n=$((n + 1))
        (
            for step in 1 2 3 4; do
                sleep 0.5
                ip -n "$inner" addr add "10.80.1.$((place + step))/16" dev wire
                ip -n "$inner" addr del "10.80.1.$((place + step - 1))/16" dev wire
            done
        ) &
        wanderer=$!
        inside here/file "tern://10.80.0.1/copy$n"
        wait $wanderer
        place=$((place + 4))
        same here/file "there/copy$n"
    done
    wait_for 5 has_both || fail "nobody came to one of the servers"
}

has_both() {
    has_line "$work/server1.log" 'copy' && has_line "$work/server2.log" 'copy'
}

run_case "$@"
