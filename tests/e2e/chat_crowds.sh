#!/bin/sh
# Many at once at the door of ternchat, and people who want to be taken for others.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"

server_key() {
    sed -n 's/^key //p' "$serve_log"
}

# Hundreds come at once, into rooms of a hundred, and talk: who was there before is not disturbed, and every word
# arrives once and in order.
case_chat_flood_of_joins() {
    chat_serve
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    "$TERN_BIN/chat_load" --server "$server" --key "$(server_key)" --connections 300 --rooms 3 --rate 100 \
        --warmup 0 --seconds 2 >"$work/flood.json" 2>"$work/flood.log" &
    flood=$!
    echo "during the flood" >&3
    sees ann '<ann> during the flood'
    wait $flood || fail "the flood: $(cat "$work/flood.json")"
    grep -q '"joined":300,.*"lost":0,"wrong":0,"closed":0' "$work/flood.json" ||
        fail "the flood: $(cat "$work/flood.json")"
    echo "after the flood" >&3
    sees ann '<ann> after the flood'
    exec 3>&-
    ! grep -q 'connection lost' "$work/ann.log" || fail "ann was lost"
}

# What waits behind a server's limit when somebody says goodbye is not taken all at once.
case_chat_goodbye_brings_no_flood() {
    chat_serve
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    person bob "$server"
    exec 4>"$work/bob.in"
    is_told bob 'in lobby are 2'
    begun=$(date +%s)
    seq -f 'line %g' 900 >&4
    sees ann '<bob> line 210$'
    forget "$person_pid"
    kill -INT "$person_pid"
    wait "$person_pid" || true
    sees ann 'bob left'
    most=$((200 + 50 * ($(date +%s) - begun + 1)))
    got=$(grep -c '<bob> line' "$work/ann.out")
    [ "$got" -le $most ] || fail "$got lines, and not at most $most"
    exec 3>&- 4>&-
}

# Names that look like another's: digits for letters, letters of other alphabets, marks and what cannot be seen.
case_chat_lookalikes() {
    chat_serve
    person alice "$server"
    exec 3>"$work/alice.in"
    is_told alice 'in lobby are 1'
    count=0
    for nick in ALICE a1ice "$(printf '\320\260lice')" "$(printf 'al\303\255ce')" \
        "$(printf '\357\275\201lice')" "$(printf 'ali\314\201ce')"; do
        count=$((count + 1))
        person "p$count" "$server" --nick "$nick"
        exec 4>"$work/p$count.in"
        is_told "p$count" 'that name is taken'
        exec 4>&-
    done
    for nick in "$(printf 'al\342\200\213ice')" "$(printf '\342\200\256ecila')" 'al ice' \
        "$(printf 'al\033[7mice')"; do
        count=$((count + 1))
        person "p$count" "$server" --nick "$nick"
        : >"$work/p$count.in"
        got=0
        forget "$person_pid"
        wait "$person_pid" || got=$?
        [ $got != 0 ] || ! grep -q 'in lobby are' "$work/p$count.log" || fail "$nick is let in"
    done
    exec 3>&-
}

# What readers of lines get: no control character, nothing that turns text round or hides it, whole UTF-8, and
# lines that are too long said to be so.
case_chat_plain_hostile_words() {
    chat_serve
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    person bob "$server"
    bob_pid=$person_pid
    exec 4>"$work/bob.in"
    sees ann 'bob came'
    printf 'clear \033[2J\033[H and title \033]0;owned\007 end1\n' >&4
    printf 'turned \342\200\256gnp.exe\342\200\254 end2\n' >&4
    printf 'invalid \377\376\300\200 end3\n' >&4
    {
        printf 'marks a'
        printf '\314\201%.0s' $(seq 2000)
        printf ' end4\n'
    } >&4
    {
        printf 'zero '
        printf '\342\200\213%.0s' $(seq 2000)
        printf ' end5\n'
    } >&4
    head -c 1000000 /dev/zero | tr '\0' x >&4
    printf '\nafter the long one\n' >&4
    sees ann 'after the long one'
    is_told bob 'a line is longer than 65536 bytes: not said'
    for i in 1 2 3 4 5; do
        sees ann "end$i"
    done
    ! LC_ALL=C tr -d '\n' <"$work/ann.out" | LC_ALL=C grep -q '[[:cntrl:]]' || fail "control characters"
    ! grep -q "$(printf '\342\200\256')" "$work/ann.out" || fail "an override"
    iconv -f UTF-8 -t UTF-8 "$work/ann.out" >"$work/again" || fail "not UTF-8"
    ! grep -q xxxx "$work/ann.out" || fail "the long line was said"
    exec 3>&- 4>&-
    ends "$bob_pid" 1
}

run_case "$@"
