#!/bin/sh
# The examples of one file, which the guide explains: each does what its pages say.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

[ -x "$TERN_BIN/tern-echo" ] || skip "built without the examples"
own_address

# begin NAME WORD ARGUMENTS...: one in the background, until it has said the word. Sets begun.
begin() {
    name=$1 word=$2
    shift 2
    "$TERN_BIN/$name" "$@" >"$name.log" 2>"$name.err.log" &
    begun=$!
    pids="$pids $begun"
    wait_for 20 has_said "$name.log" "$word" "$begun" || true
    has_line "$name.err.log" 'Address already in use' && forget "$begun" && skip "$at is taken"
    has_line "$name.log" "$word" || fail "$name does not say \"$word\""
}

# ends PID: well, and by itself.
ends() {
    forget "$1"
    wait "$1" || fail "it ended with $?"
}

# printed LINE...: these, and nothing else.
printed() {
    printf '%s\n' "$@" >wanted
    diff wanted out || fail "it does not print what it shall"
}

case_sample_echo() {
    begin tern-echo '^serving, with the key ' serve "$at"
    key=$(sed -n 's/^serving, with the key //p' tern-echo.log)
    expect 0 "$TERN_BIN/tern-echo" "$at" "$key" "hello, hello"
    printed "hello, hello"
    expect 0 "$TERN_BIN/tern-echo" "$at" - "who are you?"
    printed "who are you?"
    # With another server's key nobody answers.
    case $key in
    tern:a*) other=tern:b${key#tern:?} ;;
    *) other=tern:a${key#tern:?} ;;
    esac
    timeout 2 "$TERN_BIN/tern-echo" "$at" "$other" hello >out 2>&1 && fail "it takes any key"
    ! has_line out 'hello\|Usage' || fail "it talks to whoever answers, or not at all: $(cat out)"
}

# The same on libev, which the signal ends in order.
case_sample_libev() {
    begin tern-libev '^0 there, 0 came so far' "$at"
    expect 0 "$TERN_BIN/tern-echo" "$at" - "hello, libev"
    printed "hello, libev"
    wait_for 20 has_line tern-libev.log ' 1 came so far' || fail "it has not seen anybody"
    kill -TERM "$begun"
    ends "$begun"
}

# Its calls have a second; a busy machine may be late: one of five times must be as it shall.
calls_well() {
    for _ in 1 2 3 4 5; do
        expect 0 "$TERN_BIN/tern-rpc" "$at" "wait 300" "sum 1 2 3" dance "wait 60000"
        sort out >sorted
        ! cmp -s wanted sorted || return 0
    done
    diff wanted sorted
}

case_sample_rpc() {
    begin tern-rpc '^serving' serve "$at"
    printf '%s\n' "call 1: done" "call 2: 6" "call 3: refused with code 1" "call 4: timed out" >wanted
    calls_well || fail "the calls end otherwise"
    # The slow ones hold up none.
    [ "$(sed -n '3,4p' out)" = "call 1: done${newline}call 4: timed out" ] || fail "not in that order: $(cat out)"
    # The server is as it was.
    expect 0 "$TERN_BIN/tern-rpc" "$at" "sum 40 2"
    printed "call 1: 42"
}

case_sample_bulk() {
    random big 20000
    begin tern-bulk '^receiving' receive "$at" copy
    expect 0 "$TERN_BIN/tern-bulk" "$at" big
    ends "$begun"
    same big copy
    : >big # nothing at all, too
    begin tern-bulk '^receiving' receive "$at" copy
    expect 0 "$TERN_BIN/tern-bulk" "$at" big
    ends "$begun"
    same big copy
}

case_sample_cat() {
    random big 5000
    echo "this way, too" >small
    "$TERN_BIN/tern-cat" listen "$at" <small >copy 2>cat.log &
    begun=$!
    pids="$pids $begun"
    wait_for 20 is_bound "$at" || fail "it does not listen" # which it does not tell
    "$TERN_BIN/tern-cat" "$at" <big >back 2>err || fail "nothing comes through: $(cat err)"
    ends "$begun"
    same big copy
    same small back
}

# In real time: one of five times the machine must have it.
case_sample_player() {
    begin tern-player '^serving' serve "$at"
    for _ in 1 2 3 4 5; do
        expect 0 "$TERN_BIN/tern-player" "$at" 2
        awk '$1 < 60 || $1 > 140 || $3 != 1 || $6 == "0,0" { exit 1 }' out && return
        echo "not so: $(cat out)"
    done
    fail "it never plays"
}

case_sample_memory() {
    expect 0 "$TERN_BIN/tern-memory"
    has_line out '"hello"' || fail "no hello: $(cat out)"
    has_line out '^ *20 ms  server  connected$' || fail "time is not ours: $(cat out)"
    cp out first
    expect 0 "$TERN_BIN/tern-memory"
    same first out
}

case_sample_simtest() {
    expect 0 "$TERN_BIN/tern-simtest"
    has_line out '^100 networks, 0 broken; .* the same packets$' || fail "not so: $(cat out)"
    expect 0 "$TERN_BIN/tern-simtest" 17
    has_line out '^1 networks, 0 broken; .* the same packets$' || fail "not so: $(cat out)"
}

case_sample_usage() {
    for name in bulk cat echo libev player rpc; do
        for arguments in '' nonsense 'serve nowhere' 'listen receive 127.0.0.1:1 2 3 4'; do
            # shellcheck disable=SC2086
            expect 2 "$TERN_BIN/tern-$name" $arguments
            says "^Usage: tern-$name "
            [ ! -s out ] || fail "standard output on a usage error"
        done
    done
}

run_case "$@"
