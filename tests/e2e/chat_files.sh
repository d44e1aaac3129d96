#!/bin/sh
# Files between people who talk: offered, fetched, cut off, taken back, and what a hostile side can do to them.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"

# ann_and_bob ADDRESS-OF-ANN ADDRESS-OF-BOB: their words are read from 3 and 4; what bob gets is in $work/down. He is
# the same at each start if bobs_key is set.
ann_and_bob() {
    mkdir -p "$work/down"
    person ann "$1"
    ann_pid=$person_pid
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    person bob "$2" --downloads "$work/down" ${bobs_key:+--key "$bobs_key"}
    bob_pid=$person_pid
    exec 4>"$work/bob.in"
    sees ann 'bob came'
}

# ann_offers FILE: and bob knows it.
ann_offers() {
    echo "/send $1" >&3
    sees bob "<*ann>* offers ${1##*/} "
}

# Large files take their time under sanitizers.
is_told_late() {
    wait_for 120 has_line "$work/$1.log" "$2" || fail "$1 is not told: $2"
}

has_no_part() {
    [ -z "$(find "$1" -name '.ternchat-*')" ]
}

no_parts_left() {
    wait_for 5 has_no_part "$1" || fail "an unfinished file was left in $1"
}

# As few processes as can be: it must be seen in time.
part_is() {
    [ -n "$(find "$1" -name '.ternchat-*' -size +$(($2 - 1))c 2>/dev/null)" ]
}

# A hundred million bytes to two people, while the three of them talk.
case_chat_file_beside_talk() {
    chat_serve
    ann_and_bob "$server" "$server"
    mkdir carls
    person carl "$server" --downloads carls
    exec 5>"$work/carl.in"
    sees ann 'carl came'
    random big.bin 97657
    echo mine >down/big.bin
    ann_offers big.bin
    sees carl 'ann offers big.bin (100 MB): /get 1'
    echo "/get" >&4
    echo "/get 1" >&5
    n=0
    while [ $n -lt 40 ]; do
        n=$((n + 1))
        echo "ann says $n" >&3
        echo "bob says $n" >&4
        sees carl "<bob> bob says $n\$"
        sees bob "<ann> ann says $n\$"
    done
    is_told_late bob 'big.bin (1) is here: .*/down/big (1).bin'
    is_told_late carl 'big.bin (1) is here: carls/big.bin'
    same big.bin "down/big (1).bin"
    same big.bin carls/big.bin
    [ "$(cat down/big.bin)" = mine ] || fail "a file was overwritten"
    is_told_late ann 'big.bin (1) was sent to bob'
    is_told_late ann 'big.bin (1) was sent to carl'
    no_parts_left down
    exec 3>&- 4>&- 5>&-
}

# Several at a time, both ways, in a conversation of two and with names that are none for a file.
case_chat_files_of_all_sorts() {
    chat_serve
    ann_and_bob "$server" "$server"
    : >empty
    random '-rf .hidden' 70
    for i in 1 2 3 4 5 6; do
        random "part$i" 200
    done
    echo "/msg bob for you" >&3
    sees bob ' ann <ann> for you'
    echo "/send empty" >&3
    sees bob 'ann + ann offers empty (0 bytes): /get 1'
    echo "/get 1" >&4
    is_told bob 'empty (1) is here'
    echo "/send $work/-rf .hidden" >&3
    sees bob 'offers _rf .hidden (72 kB): /get 2'
    echo "/get 2" >&4
    is_told bob '_rf .hidden (2) is here'
    same './-rf .hidden' 'down/_rf .hidden'
    for i in 1 2 3 4 5 6; do
        echo "/send part$i" >&3
        sees bob "offers part$i "
        echo "/get $((i + 2))" >&4
    done
    for i in 1 2 3 4 5 6; do
        is_told bob "part$i .* is here"
        same "part$i" "down/part$i"
    done
    echo "/files" >&4
    is_told bob '8 part6 (205 kB) of ann, in ann'
    echo "/get 99" >&4
    is_told bob 'no file of that number'
    echo "/get x" >&4
    is_told bob 'a number is wanted'
    echo "/send nowhere" >&3
    is_told ann 'nowhere: No such file'
    echo "/send down" >&3
    is_told ann 'down: a folder'
    mkfifo pipe
    echo "/send pipe" >&3
    is_told ann 'pipe: not a file'
    echo "/get 1" >&3
    is_told ann 'that one is yours'
    exec 3>&- 4>&-
}

# What is not what was offered is not sent, and who is away sends nothing.
case_chat_file_not_as_offered() {
    chat_serve
    ann_and_bob "$server" "$server"
    random gone 10
    random changed 10
    random back 10
    for name in gone changed back; do
        ann_offers $name
    done
    rm gone
    echo more >>changed
    echo "/get 1" >&4
    is_told bob 'gone (1) did not come: .*not there'
    is_told ann 'gone (1) was not sent to bob: it is not there any more'
    echo "/get 2" >&4
    is_told bob 'changed (2) did not come: the file was changed'
    echo "/cancel 3" >&3
    is_told ann 'back (3) is not offered any more'
    echo "/get 3" >&4
    is_told bob 'back (3) did not come: they do not offer it any more'
    murder "$ann_pid"
    echo "/get 3" >&4
    is_told_late bob 'back (3) did not come: .*\(not connected\|does not answer\)'
    no_parts_left down
    exec 3>&- 4>&-
    ends "$bob_pid" 1
}

# Either side stops it in the middle.
case_chat_file_cancelled() {
    chat_serve
    link --rate 20 --delay 5
    ann_and_bob "$server" "$link"
    random big.bin 20000
    ann_offers big.bin
    echo "/get" >&4
    wait_for 60 part_is down 500000 || fail "nothing comes"
    echo "/cancel 1" >&4
    is_told bob 'big.bin (1) is not wanted any more'
    is_told ann 'big.bin (1) was not sent to bob: they have stopped it'
    no_parts_left down
    echo "/get" >&4
    wait_for 60 part_is down 500000 || fail "nothing comes the second time"
    echo "/cancel 1" >&3
    is_told bob 'big.bin (1) did not come: who offers it has stopped it; what is here'
    random other.bin 20000
    ann_offers other.bin
    echo "/get 2" >&4
    is_told ann 'sending other.bin (2) to bob'
    echo "/leave" >&4
    is_told bob 'other.bin (2) did not come'
    is_told ann 'other.bin (2) was not sent'
    exec 4>&-
    ends "$bob_pid" 1
    exec 3>&-
}

# The server dies in the middle, and so does who gets it: what was there is not sent again, and what was offered
# is remembered.
case_chat_file_goes_on() {
    has_history
    chat_serve --history talk.db
    link --rate 30 --delay 5
    "$ternchat" keygen -f bob.id >bob.id.log 2>&1
    bobs_key=$work/bob.id
    ann_and_bob "$server" "$link"
    random big.bin 40000
    ann_offers big.bin
    echo "/get" >&4
    wait_for 60 part_is down 3000000 || fail "nothing comes"
    chat_serve_again --history talk.db
    is_told_late bob 'big.bin (1) waits at [1-9][0-9]* %: '
    wait_for 120 part_is down 8000000 || fail "it does not go on after a new start of the server"
    murder "$bob_pid"
    person bob2 "$server" --downloads "$work/down" --nick bob --key "$bobs_key"
    exec 4>"$work/bob2.in"
    sees bob2 'ann offers big.bin (41 MB): /get 1'
    echo "/get" >&4
    is_told bob2 'getting big.bin (1; 41 MB, [1-9][0-9]* % of which is here) of ann'
    is_told_late bob2 'big.bin (1) is here'
    same big.bin down/big.bin
    no_parts_left down
    murder "$ann_pid" # she still sends to the bob who is gone
    exec 3>&- 4>&-
}

# One who takes nothing any more is no matter to others to whom the same person sends.
case_chat_file_slow_taker() {
    chat_serve
    link --rate 30 --delay 5
    ann_and_bob "$server" "$server"
    mkdir carls
    person carl "$link" --downloads carls
    carl_pid=$person_pid
    exec 5>"$work/carl.in"
    sees ann 'carl came'
    for i in 1 2 3 4; do
        random "big$i" 8000
        ann_offers "big$i"
        sees carl "offers big$i "
        echo "/get $i" >&5
    done
    for i in 1 2 3 4; do
        is_told ann "sending big$i ($i) to carl"
    done
    wait_for 60 part_is carls 500000 || fail "nothing comes"
    kill -STOP "$carl_pid"
    echo "/get 1" >&4
    is_told bob 'big1 (1) is here'
    echo "words meanwhile" >&3
    sees bob '<ann> words meanwhile'
    kill -CONT "$carl_pid"
    for i in 1 2 3 4; do
        is_told_late carl "big$i ($i) is here"
        same "big$i" "carls/big$i"
    done
    same big1 down/big1
    sees carl '<ann> words meanwhile'
    exec 3>&- 4>&- 5>&-
}

# Who sends it loses the network for a while.
case_chat_file_outlives_a_lost_network() {
    chat_serve
    link --rate 30 --delay 5 --loss 1 --rebind 2 --blackout 6,3
    ann_and_bob "$link" "$server"
    random big.bin 20000
    ann_offers big.bin
    echo "/get" >&4
    is_told_late bob 'big.bin (1) is here'
    same big.bin down/big.bin
    exec 3>&- 4>&-
}

case_chat_file_on_a_full_disk() {
    chat_serve
    mkdir -p down
    mount -t tmpfs -o size=3m tmpfs down 2>/dev/null || skip "cannot mount a tmpfs"
    mounts="$mounts $work/down"
    link --rate 10
    ann_and_bob "$server" "$server"
    person carl "$link" --downloads down
    carl_pid=$person_pid
    exec 5>"$work/carl.in"
    sees ann 'carl came'
    random big.bin 4000
    random fits.bin 2000
    ann_offers big.bin
    ann_offers fits.bin
    echo "/get 1" >&4
    is_told bob 'big.bin (1) did not come: there is not enough room'
    no_parts_left down
    sees carl 'offers fits.bin'
    echo "/get 2" >&5
    wait_for 60 part_is down 100000 || fail "nothing comes"
    kill -STOP "$carl_pid" # or he could have it before there is no room
    head -c 2000000 /dev/zero >down/fill || true
    kill -CONT "$carl_pid"
    is_told carl 'fits.bin (2) did not come: No space left on device; what is here'
    echo "/get 2" >&5
    is_told carl 'fits.bin (2) did not come: there is not enough room for it on the disk; what is here'
    part_is down 100000 || fail "what was there is gone"
    rm down/fill
    echo "/get 2" >&5
    is_told carl 'is here) of ann'
    is_told carl 'fits.bin (2) is here'
    same fits.bin down/fits.bin
    exec 4>&- 5>&-
    ends "$carl_pid" 1 # who holds bob's pipe as well
    ends "$bob_pid" 1
    exec 3>&-
}

# What comes through a hostile server, or of a hostile program.
case_chat_file_hostile() {
    [ -x "${TERN_CHAT_HOSTILE:-}" ] || skip "no hostile program"
    random big.bin 400
    good=$ternchat
    for how in flip stump; do
        ternchat=$TERN_CHAT_HOSTILE
        export HOSTILE=$how
        chat_serve --no-history
        ternchat=$good
        unset HOSTILE
        ann_and_bob "$server" "$server"
        ann_offers big.bin
        echo "/get 1" >&4
        if [ $how = flip ]; then
            is_told bob 'big.bin (1) did not come: it was changed on its way'
        else
            is_told bob 'big.bin (1) did not come: it \(ends too early\|was not sent as it should be\)'
        fi
        absent down/big.bin
        murder "$ann_pid"
        murder "$bob_pid"
        exec 3>&- 4>&-
        rm -rf ann.* bob.* down
    done
    for how in more lie; do
        chat_serve --no-history
        ternchat=$TERN_CHAT_HOSTILE
        export HOSTILE=$how
        mkdir -p down
        person ann "$server"
        ann_pid=$person_pid
        exec 3>"$work/ann.in"
        is_told ann 'in lobby are'
        ternchat=$good
        unset HOSTILE
        person bob "$server" --downloads "$work/down"
        bob_pid=$person_pid
        exec 4>"$work/bob.in"
        is_told bob 'in lobby are'
        ann_offers big.bin
        echo "/get" >&4
        if [ $how = more ]; then
            is_told bob 'big.bin .* is here'
            same big.bin down/big.bin
        else
            is_told bob 'big.bin .* did not come: it is not the file that was offered'
            absent down/big.bin
        fi
        no_parts_left down
        murder "$ann_pid"
        murder "$bob_pid"
        exec 3>&- 4>&-
        rm -rf ann.* bob.* down
    done
}

# As programs see it.
case_chat_file_for_programs() {
    chat_serve
    mkdir down
    random big.bin 100
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    person bot "$server" --batch --room lobby
    exec 4>"$work/bot.in"
    sees ann 'bot came'
    person json "$server" --json --downloads down
    json_pid=$person_pid
    exec 5>"$work/json.in"
    sees ann 'json came'
    echo "/send big.bin" >&3
    sees bot '^ann offers file 1, 102400 bytes: big.bin$'
    sees json '"event":"file".*"number":1,"bytes":102400,"name":"big.bin"}'
    echo "/get 1" >&5
    exec 5>&-
    ends "$json_pid" 0 # it waits for the file
    sees json '"event":"transfer","state":"done","own":false,"number":1,"done":102400,"bytes":102400,"name":"big.bin".*"path":"down/big.bin"}'
    same big.bin down/big.bin
    exec 3>&- 4>&-
}

case_chat_file_on_screens() {
    need_screens
    chat_serve
    link --rate 10
    mkdir down
    random big.bin 12000
    screen ann 100 24
    screen bob 100 24
    joins ann
    # shellcheck disable=SC2154
    direct=$server
    server=$link
    joins bob --downloads "$work/down"
    server=$direct
    shows ann 'bob came'
    types ann "/send $work/big.bin" Enter
    shows bob 'ann offers big.bin (12 MB): /get 1'
    types bob "/get" Enter
    shows bob 'bob in lobby (2) | big.bin [0-9]* %'
    kill -STOP "$link_pid" # both are somewhere in the middle
    shows ann 'big.bin to bob: [0-9]* %'
    kill -CONT "$link_pid"
    types bob "still talking" Enter
    shows ann 'still talking'
    shows bob 'big.bin (1) is here'
    lacks bob '| big.bin'
    same big.bin down/big.bin
    types bob /quit Enter
    shows bob '^ended 0'
}

run_case "$@"
