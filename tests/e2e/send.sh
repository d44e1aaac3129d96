#!/bin/sh
# Codes instead of names: send and receive, on one machine and between two networks of our own.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# offer [RUNNER... --] FILES...: terncp send in the background. Sets code and sender_pid.
offer() {
    rm -f code send.log # of the one before
    "$@" >code 2>send.log &
    sender_pid=$!
    pids="$pids $sender_pid"
    wait_for 20 has_said code '-' "$sender_pid" || true
    code=$(cat code)
    [ -n "$code" ] || fail "the sender prints no code"
}

# sender_ends CODE
sender_ends() {
    forget "$sender_pid"
    wait_for 30 is_gone "$sender_pid" || fail "the sender does not end"
    got=0
    wait "$sender_pid" || got=$?
    [ $got = "$1" ] || fail "the sender ends with $got, not $1"
}

# Where the sender listens: the port of the first address that it prints.
sender_port() {
    sed -n 's/.*@[^ ]*:\([0-9]*\)$/\1/p' send.log | head -n 1
}

case_send_and_receive() {
    random here/file 3000
    mkdir -p here/tree/sub
    random here/tree/sub/one 20
    offer "$terncp" send here/file here/tree
    echo "$code" | grep -qE '^[1-9][0-9]?-[a-z]+-[a-z]+$' || fail "a strange code: $code"
    expect 0 "$terncp" receive "$code" there
    same here/file there/file
    same_tree here/tree there/tree
    sender_ends 0
    has_line send.log 'sent and verified' || fail "the sender does not say so"
    expect 3 "$terncp" receive --connect-timeout 1s "$code" there # it works once
}

# However a person types it, and into the current folder.
case_send_typed() {
    random here/file 1
    offer "$terncp" send here/file
    (cd there && expect 0 "$terncp" receive "$(echo "$code" | tr 'a-z-' 'A-Z ')")
    same here/file there/file
    sender_ends 0
}

case_send_to_address() {
    random here/file 10
    offer "$terncp" send --port 60900-60999 here/file
    expect 0 "$terncp" receive "$code@127.0.0.1:$(sender_port)" there
    same here/file there/file
    sender_ends 0
    offer "$terncp" send here/file # without the port: that host is asked
    expect 0 "$terncp" receive "$code@localhost" .
    same here/file file
    sender_ends 0
}

case_send_wrong_codes() {
    random here/file 1
    offer "$terncp" send here/file
    slot=${code%%-*}
    expect 4 "$terncp" receive "$slot-wrong-guess" there
    says 'code is wrong'
    expect 4 "$terncp" receive "$slot-wrong-again" there
    absent there/file
    expect 4 "$terncp" receive "$slot-third-wrong" there
    sender_ends 4
    has_line send.log 'worthless' || fail "the sender does not say so"
    absent there/file
}

case_send_wrong_then_right() {
    random here/file 1
    offer "$terncp" send here/file
    expect 4 "$terncp" receive "${code%%-*}-wrong-guess" there
    expect 0 "$terncp" receive "$code" there
    same here/file there/file
    sender_ends 0
    has_line send.log 'a wrong code; 2 more' || fail "the sender does not tell of the guess"
}

case_send_usage() {
    expect 2 "$terncp" send
    expect 2 "$terncp" receive
    expect 2 "$terncp" receive orbit-salmon
    expect 2 "$terncp" receive 7-orbit-salmon a b
    expect 5 "$terncp" send here/absent
    expect 5 "$terncp" receive 7-orbit-salmon here/absent
    expect 3 "$terncp" receive --connect-timeout 1s 100-no-sender there
    says 'nobody'
    mkdir here/one here/two
    : >here/one/same
    : >here/two/same
    expect 2 "$terncp" send here/one/same here/two/same
}

case_send_interrupted() {
    random here/file 1
    offer "$terncp" send here/file
    kill -INT "$sender_pid"
    sender_ends 130
}

# Somebody who is told a code must not lose what he has.
case_send_replaces_nothing() {
    random here/file 10
    random here/large 1000
    random here/other 10
    echo mine >there/file
    echo mine >there/large
    offer "$terncp" send here/file here/large here/other
    expect 1 "$terncp" receive "$code" there
    says 'File exists'
    same here/other there/other
    [ "$(cat there/file there/large)" = "mine${newline}mine" ] || fail "a file was replaced"
    has_no_parts there || fail "a temporary file is left"
    sender_ends 1
}

# A receiver that is killed: the sender says so, and does not wait for ever.
case_send_receiver_dies() {
    random here/file 200000
    offer "$terncp" send here/file
    begin_copy receive "$code" there
    wait_for 20 part_has there 1 || fail "nothing arrives"
    murder "$client_pid"
    sender_ends 3
}

# two_networks: processes that hold two network namespaces with a cable in between. Sets ns_a and ns_b.
two_networks() {
    [ "$(id -u)" = 0 ] || skip "not root"
    unshare -n true 2>/dev/null || skip "no namespaces here"
    unshare -n sleep 3000 &
    ns_a=$!
    unshare -n sleep 3000 &
    ns_b=$!
    pids="$pids $ns_a $ns_b"
    wait_for 10 has_own_network "$ns_a" || fail "no namespace"
    wait_for 10 has_own_network "$ns_b" || fail "no namespace"
    in_a ip link add ve0 type veth peer name ve1 netns "$ns_b" || skip "no veth devices here"
    for at in a b; do
        in_$at ip link set lo up
    done
    in_a ip link set ve0 up
    in_b ip link set ve1 up
}

has_own_network() {
    [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

in_a() {
    nsenter -t "$ns_a" -n "$@"
}

in_b() {
    nsenter -t "$ns_b" -n "$@"
}

# An address that may be used: no duplicate was found.
is_settled() {
    ! in_a ip -6 addr show tentative | grep -q inet6 &&
        ! in_b ip -6 addr show tentative | grep -q inet6
}

case_send_between_networks() {
    two_networks
    in_a ip addr add 10.99.0.1/24 dev ve0
    in_b ip addr add 10.99.0.2/24 dev ve1
    random here/file 3000
    offer nsenter -t "$ns_a" -n "$terncp" send -4 here/file
    expect 0 in_b "$terncp" receive -4 "$code" there
    same here/file there/file
    sender_ends 0
    offer nsenter -t "$ns_a" -n "$terncp" send here/file
    has_line send.log "$code@10.99.0.1:" || fail "the address is not shown"
    expect 0 in_b "$terncp" receive "$(sed -n 's/.*receive \(.*@10.99.0.1.*\)/\1/p' send.log)" .
    same here/file file
    sender_ends 0
}

# No addresses but those that the machines give themselves.
case_send_link_local() {
    two_networks
    in_a ip -6 addr show dev ve0 | grep -q fe80 || skip "no IPv6 here"
    wait_for 20 is_settled || fail "no address of their own"
    random here/file 300
    offer nsenter -t "$ns_a" -n "$terncp" send here/file
    expect 0 in_b "$terncp" receive "$code" there
    same here/file there/file
    sender_ends 0
}

run_case "$@"
