#!/bin/sh
# Coming back to a server: tickets, early data, and what they cost in round trips.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

now_ms() {
    echo $(($(date +%s%N) / 1000000))
}

# Sets rtt_ms: a round trip so long that what programs take besides does not count as one, on this machine; but not
# so long that a server is taken for a silent one.
measure_machine() {
    rtt_ms=600
    random here/measure 1
    for _ in 1 2 3; do
        began=$(now_ms)
        "$terncp" --accept-new --known-hosts measured here/measure "tern://$server/measure" >out 2>err ||
            fail "exit code $?"
        took=$(($(now_ms) - began))
        rm -rf "$XDG_STATE_HOME"
        [ $((2 * took)) -le $rtt_ms ] || rtt_ms=$((2 * took))
    done
    [ $rtt_ms -le 2400 ] || rtt_ms=2400
    rm -f here/measure there/measure measured
    [ $rtt_ms = 600 ] || echo "a slow machine: a round trip is $rtt_ms ms"
}

# round_trips MOST COMMAND...: it must go well and not take more round trips. What takes longer may be a busy machine's
# fault: one of six times must be as it shall. Adds to `tried` how often that was.
tried=0
round_trips() {
    most=$1
    shift
    for _ in 1 2 3 4 5 6; do
        began=$(now_ms)
        expect 0 "$@"
        took=$((($(now_ms) - began) / rtt_ms))
        tried=$((tried + 1))
        [ $took -ge 1 ] || fail "the link is too fast to tell"
        [ $took -gt "$most" ] || return 0
        echo "$took round trips, not $most: $*"
        "${between:-true}"
    done
    fail "$took round trips, not $most: $*"
}

forget_all() {
    rm -rf "$XDG_STATE_HOME"
}

tickets() {
    find "$XDG_STATE_HOME/tern/resume" -type f 2>/dev/null
}

tickets_used() {
    [ "$(grep -c 'by a ticket' "${serve_log:?}")" -ge "$1" ]
}

no_tickets() {
    [ -z "$(tickets)" ]
}

case_round_trips() {
    serve
    measure_machine
    link --delay $((rtt_ms / 2))
    printf x >here/one
    between=forget_all
    round_trips 3 "$terncp" --accept-new here/one "tern://$link/first"
    between=
    same here/one there/first
    [ "$(tickets | wc -l)" = 1 ] || fail "no ticket was kept"
    [ "$(tickets | xargs stat -c %a)" = 600 ] || fail "others can read the ticket"
    [ "$(stat -c %a "$XDG_STATE_HOME/tern")" = 700 ] || fail "others can look into the folder"
    ! has_line "$serve_log" 'by a ticket' || fail "a ticket out of nowhere"
    # The answer comes with the server's first datagram, and a ticket for the next time with it.
    tried=0
    for i in 1 2 3; do
        round_trips 1 "$terncp" here/one "tern://$link/again$i"
        same here/one there/again$i
        wait_for 5 tickets_used $tried || fail "the ticket was of no use"
    done
    round_trips 1 "$terncp" "tern://$link/first" here/back
    same here/one here/back
    round_trips 1 "$terncp" ls "tern://$link/"
    has_line out 'again3' || fail "no list of names"
    # Without anything kept a known server takes one more.
    forget_all
    between=forget_all
    round_trips 2 "$terncp" here/one "tern://$link/third"
}

# More than fits into what leaves early, of both kinds of entries.
case_resumed_much() {
    serve
    mkdir here/tree
    for i in 1 2 3 4 5 6 7 8 9; do
        random here/tree/$i $((i * 40))
    done
    random here/tree/large 3000
    copy here/tree/1 "tern://$server/first"
    copy -r here/tree "tern://$server/tree"
    same_tree here/tree there/tree
    copy -r "tern://$server/tree" here/back
    same_tree here/tree here/back
    wait_for 5 tickets_used 2 || fail "tickets were of no use"
}

# What a server has given before it was started anew is worth nothing, and does no harm.
case_resumed_restart() {
    "$terncp" keygen -q -f host >host.txt
    serve --key host
    random here/file 10
    expect 0 "$terncp" --pin "$(head -n 1 host.txt)" here/file "tern://$server/one"
    forget "$server_pid"
    kill "$server_pid"
    wait "$server_pid" || true
    serve --key host
    expect 0 "$terncp" --pin "$(head -n 1 host.txt)" here/file "tern://$server/two"
    same here/file there/two
    ! has_line "$serve_log" 'by a ticket' || fail "a ticket of the server before"
    expect 0 "$terncp" --pin "$(head -n 1 host.txt)" here/file "tern://$server/three"
    wait_for 5 has_line "$serve_log" 'by a ticket' || fail "the new ticket was of no use"
}

# A ticket is no way past the list of who may come in.
case_resumed_not_authorized() {
    "$terncp" keygen -q -f me | head -n 1 >allowed
    serve --authorized-keys "$work/allowed"
    random here/file 10
    copy --key me here/file "tern://$server/one"
    expect 0 "$terncp" --key me here/file "tern://$server/two"
    wait_for 5 has_line "$serve_log" 'by a ticket' || fail "the ticket was of no use"
    echo '# nobody' >allowed
    expect 4 "$terncp" --key me here/file "tern://$server/three"
    absent there/three
    # Nor may another key of ours use it, which has none of its own.
    "$terncp" keygen -q -f other | head -n 1 >allowed
    expect 0 "$terncp" --key other here/file "tern://$server/four"
    [ "$(grep -c 'by a ticket' "$serve_log")" = 1 ] || fail "a ticket of another key"
}

case_resumed_damage() {
    serve
    random here/file 10
    copy here/file "tern://$server/one"
    for at in $(tickets); do
        random "$at" 1
    done
    expect 0 "$terncp" here/file "tern://$server/two"
    for at in $(tickets); do
        dd if=/dev/urandom of="$at" bs=1 seek=70 count=8 conv=notrunc 2>/dev/null
    done
    expect 0 "$terncp" here/file "tern://$server/three"
    same here/file there/three
    # Where nothing can be kept, copies go on.
    rm -r "$XDG_STATE_HOME"
    : >"$XDG_STATE_HOME"
    expect 0 "$terncp" here/file "tern://$server/four"
    same here/file there/four
}

# A first flight that comes late, from a client that is gone: it is heeded if that was its last word. If the same
# client has come once more since, it must not undo what that did.
case_resumed_held_back() {
    "$terncp" keygen -q -f me >me.txt
    serve
    link --delay 1
    printf old >here/old
    printf new >here/new
    for last in old new; do
        expect 0 "$terncp" --key me --accept-new here/old "tern://$link/first"
        held_back --key me here/old "tern://$link/$last"
        absent there/$last
        [ $last = old ] || expect 0 "$terncp" --key me --accept-new here/new "tern://$server/$last"
        let_go
        [ $last = new ] || wait_for 10 cmp -s here/old there/old || fail "the last word is not heeded"
        same here/$last there/$last
    done
}

# held_back ARGS...: somebody with a ticket, whose first flight stays at the link, and who is gone then.
held_back() {
    kill -STOP "$link_pid"
    "$terncp" "$@" 2>late.log &
    late=$!
    wait_for 10 has_mail "$link" || fail "nothing is sent"
    sleep 0.3 # all of it
    no_tickets || fail "the ticket is not used"
    murder $late
}

# let_go: the link goes on, and the server has had a second and more for what comes.
let_go() {
    kill -CONT "$link_pid"
    wait_for 10 is_taken || fail "the link takes nothing"
    sleep 1.5
}

is_taken() {
    ! has_mail "$link" && ! has_mail "$server"
}

has_parts() {
    ! has_no_parts "$1"
}

# early_and_gone NAME: somebody with a ticket and our key asks for here/old to be put there, and is gone before he has
# shown that he has the key.
early_and_gone() {
    expect 0 "$terncp" --key me --accept-new here/new "tern://$link/first"
    "$terncp" --key me here/old "tern://$link/$1" 2>late.log &
    late=$!
    wait_for 5 no_tickets || fail "the ticket is not used"
    sleep 0.3
    murder $late
    absent "there/$1"
}

# The same, with a disk that takes so long that the later visit is over first: what was begun gets no name any more.
case_resumed_overtaken() {
    "$terncp" keygen -q -f me >me.txt
    mkdir there/slow
    printf old >here/old
    printf new >here/new
    begin_faults 0 /slow/ 0
    export FAULTY_WRITE=1 FAULTY_SLEEP=$((6 * ${TERN_PATIENCE:-1}))
    serve
    end_faults
    unset FAULTY_WRITE FAULTY_SLEEP
    link --delay 700
    early_and_gone slow/file
    wait_for 5 has_parts there || fail "nothing is written for who has come with a ticket"
    expect 0 "$terncp" --key me --accept-new here/new "tern://$server/slow/file"
    same here/new there/slow/file
    has_parts there || fail "the disk was not slow"
    wait_for 30 has_no_parts there || fail "a temporary file is left"
    same here/new there/slow/file
}

# A server that is to end does not wait for somebody who will never show a key.
case_resumed_server_ends() {
    "$terncp" keygen -q -f me >me.txt
    serve
    link --delay 700
    printf old >here/old
    printf new >here/new
    early_and_gone file
    wait_for 5 test -e there/file || fail "nothing was done for who has come with a ticket"
    since=$(date +%s)
    kill "$server_pid"
    wait "$server_pid" || fail "the server ended with $?"
    forget "$server_pid"
    [ $(($(date +%s) - since)) -le 7 ] || fail "it took $(($(date +%s) - since)) s"
}

# What removes names waits until the client is there itself, and is done then.
case_resumed_mirror() {
    serve
    measure_machine
    mkdir here/tree
    printf x >here/tree/one
    printf x >here/tree/two
    copy -r here/tree "tern://$server/"
    rm here/tree/two
    link --delay $((rtt_ms / 2))
    expect 0 "$terncp" --accept-new here/tree/one "tern://$link/other"
    round_trips 2 "$terncp" -r --delete here/tree "tern://$link/"
    same_tree here/tree there/tree
}

# Nor is a name removed or made for somebody who has a ticket and shows no key.
case_resumed_names() {
    serve
    link --delay 1
    random here/file 10
    copy here/file "tern://$server/file"
    for verb in "rm $link/file" "mkdir $link/folder"; do
        expect 0 "$terncp" --accept-new here/file "tern://$link/other"
        held_back "${verb% *}" "tern://${verb#* }"
        let_go
    done
    same here/file there/file
    absent there/folder
    expect 0 "$terncp" ls "tern://$link/"
    expect 0 "$terncp" rm "tern://$link/file"
    absent there/file
    wait_for 5 has_line "$serve_log" 'by a ticket' || fail "the ticket was of no use"
}

case_resumed_not_wanted() {
    serve --no-tickets
    random here/file 10
    for i in 1 2; do
        copy here/file "tern://$server/file$i"
        same here/file there/file$i
    done
    ! grep -q 'by a ticket' "$serve_log" || fail "a ticket was given"
}

# Many at once: each ticket is used by one of them.
case_resumed_crowd() {
    serve
    random here/file 10
    copy here/file "tern://$server/first"
    crowd=
    for i in 1 2 3 4 5 6 7 8; do
        "$terncp" -q here/file "tern://$server/crowd$i" 2>"crowd$i.log" &
        crowd="$crowd $!"
    done
    for pid in $crowd; do
        wait "$pid" || fail "exit code $?"
    done
    for i in 1 2 3 4 5 6 7 8; do
        same here/file there/crowd$i
    done
}

run_case "$@"
