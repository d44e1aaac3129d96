#!/bin/sh
# Links that lose, turn round, double and change packets, and addresses that move.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

case_bad_link() {
    serve
    link --delay 5 --jitter 2 --loss 5 --reorder 10 --dup 3 --corrupt 2
    random here/file 4000
    mkdir here/tree
    for i in 1 2 3 4 5 6 7 8 9; do
        random here/tree/$i $i
    done
    copy here/file "tern://$link/file"
    same here/file there/file
    copy "tern://$link/file" here/back
    same here/file here/back
    copy -r here/tree "tern://$link/tree"
    same_tree here/tree there/tree
}

# Seconds of a copy: the address of the client changes every one of them.
case_rebind() {
    serve
    link --rebind 1 --rate 16 --delay 5
    random here/file 8000
    copy here/file "tern://$link/file"
    same here/file there/file
    copy "tern://$link/file" here/back
    same here/file here/back
    forget "$link_pid"
    kill "$link_pid"
    wait "$link_pid" || fail "the link ended with $?"
    rebinds=$(sed -n 's/.*"rebinds":\([0-9]*\).*/\1/p' "$link_log")
    [ "$rebinds" -ge 3 ] || fail "only $rebinds changes of address"
}

# Where an answer takes two and a half seconds, a server whose key is known is not taken for a silent one.
case_far_away() {
    serve
    link --delay 1250
    random here/file 10
    copy here/file "tern://$link/first"
    rm -r "$XDG_STATE_HOME"
    copy here/file "tern://$link/known"
    copy here/file "tern://$link/by-ticket"
    same here/file there/known
    same here/file there/by-ticket
}

case_blackout() {
    serve
    link --rate 20 --blackout 1,3
    random here/file 6000
    copy here/file "tern://$link/file"
    same here/file there/file
}

case_small_mtu() {
    serve
    link --mtu 1280
    random here/file 3000
    copy here/file "tern://$link/file"
    same here/file there/file
}

# SIGUSR1 asks the link what it has done so far; it goes on.
case_link_figures() {
    serve
    link --delay 1
    random here/file 100
    copy here/file "tern://$link/file"
    kill -USR1 "$link_pid"
    wait_for 10 has_line "$link_log" '"packets_in":[1-9]' || fail "the link told nothing"
    copy "tern://$link/file" here/back
    same here/file here/back
}

# Each suite and each congestion control carries a copy.
case_choices() {
    serve
    random here/file 1500
    for suite in chacha20-poly1305 aes-256-gcm aegis-128l aegis-256; do
        got=0
        "$terncp" --accept-new --cipher $suite here/file "tern://$server/$suite" \
            >out 2>err || got=$?
        if [ $got = 0 ]; then
            same here/file there/$suite
        elif [ $suite = chacha20-poly1305 ]; then
            fail "$suite: exit code $got"
        fi # the others need a newer library or processor
    done
    for cc in bbr cubic newreno; do
        copy --cc $cc here/file "tern://$server/$cc"
        same here/file there/$cc
    done
}

run_case "$@"
