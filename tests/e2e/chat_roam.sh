#!/bin/sh
# ternchat on the move: addresses that change, networks that lose a part or go away, in namespaces of their own.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"
spaces=
movers=

need_spaces() {
    [ "$(id -u)" = 0 ] || skip "not root"
    command -v ip >/dev/null || skip "no ip"
    [ -c /dev/net/tun ] || skip "no tun device"
    trap 'code=$?; set +e; drop_spaces; (exit $code); clean' EXIT
    space server
}

# space NAME: a network namespace; it goes away at the end.
space() {
    ip netns add "tern-$1-$$" 2>/dev/null || skip "no network namespaces"
    spaces="$spaces tern-$1-$$"
    ip -n "tern-$1-$$" link set lo up
}

drop_spaces() {
    for mover in $movers; do
        kill "$mover" 2>/dev/null
        wait "$mover" 2>/dev/null
    done
    for name in $spaces; do
        ip netns del "$name" 2>/dev/null
    done
}

# in_space NAME COMMAND...
in_space() {
    where=tern-$1-$$
    shift
    ip netns exec "$where" "$@"
}

# The server, at port 7438 of its space.
serve_in_space() {
    "$ternchat" keygen -f "$work/server.key" >"$work/keygen.log" 2>&1
    ip netns exec "tern-server-$$" "$ternchat" serve --key "$work/server.key" \
        --listen 0.0.0.0:7438 >"$work/server.log" 2>&1 &
    pids="$pids $!"
    wait_for 20 has_line "$work/server.log" '^key ' || fail "the server does not start"
}

# nat_space NAME NET: a space on a wire to the server's, and in it a NAT at 127.0.0.1:7000 that loses 5 of a
# hundred and forgets every 3 s. Its address on the wire becomes another as often.
nat_space() {
    space "$1"
    ip -n "tern-$1-$$" link add wire type veth peer name "$1" netns "tern-server-$$"
    ip -n "tern-server-$$" addr add "10.88.$2.1/24" dev "$1"
    ip -n "tern-server-$$" link set "$1" up
    ip -n "tern-$1-$$" addr add "10.88.$2.2/24" dev wire
    ip -n "tern-$1-$$" link set wire up
    in_space "$1" sysctl -qw net.ipv4.conf.all.promote_secondaries=1
    ip netns exec "tern-$1-$$" "$ternlink" udp --listen 127.0.0.1:7000 --to "10.88.$2.1:7438" \
        --loss 5 --delay 10 --rebind 3 --seed "$2" >"$work/nat-$1.log" 2>&1 &
    pids="$pids $!"
    wait_for 20 has_line "$work/nat-$1.log" 'listening on ' || fail "no NAT"
    (
        place=2
        while sleep 3; do
            ip -n "tern-$1-$$" addr add "10.88.$2.$((place + 1))/24" dev wire
            ip -n "tern-$1-$$" addr del "10.88.$2.$place/24" dev wire
            place=$((place + 1))
        done
    ) &
    movers="$movers $!"
}

# tun_space NAME OPTIONS...: a space on a bad wire to the server's, 10.77.0.2, from 10.77.1.1.
tun_space() {
    name=$1
    shift
    space "$name"
    "$ternlink" tun --netns-a "tern-$name-$$" --netns-b "tern-server-$$" --mtu 1472 "$@" \
        >"$work/wire.log" 2>&1 &
    pids="$pids $!"
    wait_for 20 ip -n "tern-server-$$" route add 10.77.1.0/24 dev tern0 2>/dev/null ||
        fail "no wire between the namespaces"
    wait_for 20 ip -n "tern-$name-$$" addr add 10.77.1.1/32 dev tern0 2>/dev/null ||
        fail "no wire between the namespaces"
    ip -n "tern-$name-$$" addr del 10.77.0.1/30 dev tern0
    ip -n "tern-$name-$$" route replace 10.77.0.2/32 dev tern0 src 10.77.1.1
}

# wander NAME: a tun space's address becomes another every 3 s.
wander() {
    (
        place=1
        while sleep 3; do
            ip -n "tern-$1-$$" addr add "10.77.1.$((place + 1))/32" dev tern0
            ip -n "tern-$1-$$" route replace 10.77.0.2/32 dev tern0 src "10.77.1.$((place + 1))"
            ip -n "tern-$1-$$" addr del "10.77.1.$place/32" dev tern0
            place=$((place + 1))
        done
    ) &
    movers="$movers $!"
}

# talker NAME SPACE ADDRESS: a bot there.
talker() {
    mkfifo "$work/$1.in"
    ip netns exec "tern-$2-$$" env XDG_CONFIG_HOME="$work/config-$1" XDG_STATE_HOME="$work/state-$1" \
        "$ternchat" --batch --accept-new --nick "$1" "$3" talk \
        <"$work/$1.in" >"$work/$1.out" 2>"$work/$1.log" &
    person_pid=$!
    pids="$pids $person_pid"
}

# Everybody's word has come to everybody: who comes later cannot read what was said before.
all_are_here() {
    for i in 3 4 5; do
        eval "echo here >&$i"
    done
    for i in 1 2 3; do
        for j in 1 2 3; do
            [ $i = $j ] || has_line "$work/p$i.out" "^p$j: here" || return 1
        done
    done
}

# The one is on a NAT that forgets and whose own address changes, so is the second, and the third moves itself. A
# thousand lines of each arrive at the others once and in order.
case_chat_three_on_the_move() {
    need_spaces
    serve_in_space
    nat_space north 1
    nat_space west 2
    tun_space south --loss 5 --delay 10 --seed 3
    wander south
    talker p1 north 127.0.0.1:7000
    exec 3>"$work/p1.in"
    pid1=$person_pid
    talker p2 west 127.0.0.1:7000
    exec 4>"$work/p2.in"
    pid2=$person_pid
    talker p3 south 10.77.0.2:7438
    exec 5>"$work/p3.in"
    pid3=$person_pid
    wait_for 60 all_are_here || fail "they do not hear each other"
    say_lines p1 1000 >&3 &
    say_lines p2 1000 >&4 &
    say_lines p3 1000 >&5 &
    for i in 1 2 3; do
        for j in 1 2 3; do
            [ $i = $j ] || heard p$i p$j 1000
        done
    done
    exec 3>&- 4>&- 5>&-
    ends "$pid1" 0
    ends "$pid2" 0
    ends "$pid3" 0
    ! grep -l 'connection lost' "$work"/p?.log || fail "a connection did not live through it"
}

# The interface is down for a while, and its routes are gone with it. Nobody has to connect again, and what
# both have said meanwhile is there once.
case_chat_interface_down() {
    need_spaces
    serve_in_space
    tun_space south --delay 10
    talker p1 south 10.77.0.2:7438
    exec 3>"$work/p1.in"
    pid1=$person_pid
    talker p2 server 127.0.0.1:7438
    exec 4>"$work/p2.in"
    pid2=$person_pid
    waits_for_each_other
    ip -n "tern-south-$$" link set tern0 down
    say_lines p1 20 >&3
    say_lines p2 20 >&4
    sleep 8
    ! has_lines p2 p1 1 || fail "the interface is not down"
    ip -n "tern-south-$$" link set tern0 up
    ip -n "tern-south-$$" route replace 10.77.0.2/32 dev tern0 src 10.77.1.1
    heard p2 p1 20
    heard p1 p2 20
    exec 3>&- 4>&-
    ends "$pid1" 0 # both know that the server has all
    ends "$pid2" 0
    ! grep -l 'connection lost' "$work"/p?.log || fail "a connection did not live through it"
}

# All is lost for a while, as in a tunnel; and again later, for a machine that has missed the first one.
case_chat_tunnel() {
    chat_serve
    link --delay 10 --blackout 4,20,40
    talkers "$link" "$server"
    waits_for_each_other
    wait_for 60 is_dark || fail "the link is never dark"
    say_lines p1 20 >&3
    say_lines p2 20 >&4
    ! has_lines p2 p1 1 || fail "the link is not dark"
    heard p2 p1 20
    heard p1 p2 20
    exec 3>&- 4>&-
    ends "$pid1" 0
    ends "$pid2" 0
    ! grep -l 'connection lost' "$work"/p?.log || fail "a connection did not live through it"
}

# What p1 says, p2 does not hear.
is_dark() {
    dark=$((${dark:-0} + 1))
    echo "light $dark" >&3
    sleep 0.5
    ! has_line "$work/p2.out" "^p1: light $dark"
}

run_case "$@"
