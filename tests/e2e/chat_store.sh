#!/bin/sh
# The history and the door of a chat server, from outside: kill -9, a full disk, a damaged file, invitations.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"

# start_chat OPTIONS: a server; $address and $server are set.
start_chat() {
    : >chat.log
    "$ternchat" serve --key srv.id --listen "127.0.0.1:${port:-0}" "$@" >chat.log 2>>chat.err.log &
    server=$!
    pids="$pids $server"
    wait_for 20 has_said chat.log '^key ' "$server" || true
    has_line chat.log '^key ' || fail 'the server does not start'
    address=$(sed -n 's/^listening on //p' chat.log)
    port=${address##*:}
}

keys() {
    for name in srv "$@"; do
        "$ternchat" keygen -f "$name.id" >/dev/null 2>&1
    done
}

# talk NAME ROOM: says what comes in, ends once the server has all of it.
talk() {
    "$ternchat" --batch --open --accept-new --key "$1.id" --nick "$1" "$address" "$2" 2>>"$1.log"
}

case_chat_survives_a_killed_server() {
    has_history
    keys alice bob
    start_chat --history talk.db
    (
        i=0
        while [ $i -lt 40 ]; do
            i=$((i + 1))
            echo "line $i"
            sleep 0.1
        done
    ) | talk alice den &
    talker=$!
    for _ in 1 2 3; do
        sleep 1
        murder "$server"
        start_chat --history talk.db
    done
    wait $talker || fail 'not all was heard'
    listen_to bob den '^alice: line 40$'
    i=0
    while [ $i -lt 40 ]; do
        i=$((i + 1))
        echo "alice: line $i"
    done >expected
    cmp -s expected seen || { diff expected seen >&2; fail 'not once each, in order'; }
}

case_chat_waits_for_a_full_disk() {
    has_history
    mkdir disk
    mount -t tmpfs -o size=200k tmpfs disk 2>/dev/null || skip 'needs root, to mount a small disk'
    mounts="$mounts $PWD/disk"
    keys alice bob
    start_chat --history disk/talk.db
    dd if=/dev/zero of=disk/filler bs=1k count=400 2>/dev/null || true
    (
        i=0
        while [ $i -lt 30 ]; do
            i=$((i + 1))
            printf '%s %s\n' "$i" "$(head -c 1500 /dev/zero | tr '\0' x)"
        done
        sleep 2
    ) | talk alice den >/dev/null &
    talker=$!
    wait_for 20 has_line alice.log 'not now' || fail 'alice is not told'
    wait_for 20 has_line chat.err.log 'make room on the disk' || fail 'the server does not say so'
    mount -o remount,size=20M disk
    wait $talker || fail 'not all was heard'
    listen_to bob den '^alice: 30 x'
    cut -d ' ' -f 1,2 <seen >heard
    i=0
    while [ $i -lt 30 ]; do
        i=$((i + 1))
        echo "alice: $i"
    done >expected
    cmp -s expected heard || { diff expected heard >&2; fail 'not once each, in order'; }
    kill "$server"
    wait "$server"
    forget "$server"
}

case_chat_refuses_a_damaged_history() {
    has_history
    keys
    start_chat --history talk.db
    kill "$server"
    wait "$server" || fail 'no graceful end'
    forget "$server"
    dd if=/dev/urandom of=talk.db bs=4096 seek=1 count=4 conv=notrunc 2>/dev/null
    cp talk.db before.db
    code=0
    "$ternchat" serve --listen 127.0.0.1:0 --history talk.db >/dev/null 2>refusal || code=$?
    [ $code = 5 ] || fail "code $code"
    grep -q 'damaged; put back a copy' refusal || fail 'it does not say what to do'
    cmp talk.db before.db || fail 'the file was changed'
}

case_chat_invitations_are_good_for_once() {
    keys alice bob
    : >authorized
    start_chat --no-history --authorized-keys authorized --invite
    wait_for 20 has_line chat.log '^code ' || fail 'no code'
    code=$(sed -n 's/^code //p' chat.log)
    code=${code%%@*}@127.0.0.1:${code##*:}
    ! echo hi | talk alice den || fail 'let in without a code'
    echo hi | "$ternchat" --batch --key alice.id --nick alice --known-hosts guest "$code" den
    [ "$(wc -l <authorized)" = 1 ] || fail 'the key is not in the list'
    grep -q "127.0.0.1:$port" guest || fail "the server's key is not known"
    echo hi | talk alice den || fail 'not let in by the key'
    ! echo hi | "$ternchat" --batch --key bob.id --connect-timeout 3s "$code" den 2>bob.log ||
        fail 'let in twice'
    [ "$(wc -l <authorized)" = 1 ] || fail 'a second key is in the list'
}

run_case "$@"
