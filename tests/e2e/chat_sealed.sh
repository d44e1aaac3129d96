#!/bin/sh
# Sealed rooms and the client's memory, from outside: what the server keeps, restarts, words to compare.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"

# member NAME OPTIONS...: a person whose key stays, and so whose memory does; words from NAME.in.
member() {
    member_name=$1
    shift
    [ -f "$work/$member_name.id" ] || "$ternchat" keygen -f "$work/$member_name.id" >/dev/null 2>&1
    rm -f "$work/$member_name.in"
    person "$member_name" "$server" --key "$work/$member_name.id" "$@"
}

memory_of() {
    # shellcheck disable=SC2012
    ls "$XDG_STATE_HOME"/tern/chat-*.db 2>/dev/null | head -n 1
}

# What lies on the server's disk, its log with it.
lies_on_disk() {
    cat history.db history.db-wal 2>/dev/null | grep -a -q -e "$1"
}

case_chat_server_keeps_no_plain_words() {
    has_history
    chat_serve --history history.db
    member ann
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    member bob
    exec 4>"$work/bob.in"
    sees ann 'bob came'
    echo "the password is swordfish" >&3
    sees bob '<ann> the password is swordfish'
    echo "/me eats a swordfish" >&4
    sees ann 'bob eats a swordfish'
    echo "/msg bob swordfish for you alone" >&3
    sees bob 'swordfish for you alone'
    echo "/open wide" >&3
    is_told ann 'in wide are 1'
    echo "a herring for all" >&3
    sees ann 'a herring for all'
    kill "$server_pid"
    wait "$server_pid" || fail 'no graceful end'
    forget "$server_pid"
    lies_on_disk 'a herring for all' || fail 'the open room is not in the file: this test sees nothing'
    lies_on_disk lobby || fail 'the room is not in the file'
    ! lies_on_disk swordfish || fail 'the server has plain words of a sealed room'
    exec 3>&- 4>&-
}

# Killed in the midst: what was seen is seen again, and what was said is there once.
case_chat_goes_on_after_a_crash() {
    has_history
    chat_serve --history history.db
    member ann
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    member bob
    bob_pid=$person_pid
    exec 4>"$work/bob.in"
    sees ann 'bob came'
    echo "before the crash" >&3
    sees bob '<ann> before the crash'
    echo "bob was here" >&4
    sees ann '<bob> bob was here'
    murder "$bob_pid"
    exec 4>&-
    echo "while bob was gone" >&3
    sees ann 'while bob was gone'
    mv "$work/bob.out" "$work/bob.first"
    member bob
    exec 4>"$work/bob.in"
    sees bob '<ann> before the crash'
    sees bob '<bob> bob was here'
    sees bob '<ann> while bob was gone'
    echo "back again" >&4
    sees ann '<bob> back again'
    sees bob '<bob> back again'
    for words in 'before the crash' 'bob was here' 'while bob was gone' 'back again'; do
        [ "$(grep -c "$words" "$work/bob.out")" = 1 ] || fail "not once: $words"
    done
    [ "$(grep -c 'bob was here' "$work/ann.out")" = 1 ] || fail 'ann has it twice'
    ! grep -q 'WARNING\|did not come\|cannot be read' "$work/ann.out" "$work/bob.out" ||
        fail 'something was lost'
    echo "/search crash" >&4
    is_told bob '<ann> before the crash'
    echo "/search nonsense" >&4
    is_told bob 'nothing was found'
    exec 3>&- 4>&-
}

# Words that never reached the server are said at the next start.
case_chat_says_later_what_was_said_offline() {
    has_history
    chat_serve --history history.db
    member ann
    ann_pid=$person_pid
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    member bob
    exec 4>"$work/bob.in"
    sees ann 'bob came'
    echo "first" >&3
    sees bob '<ann> first'
    murder "$server_pid"
    echo "into the void" >&3
    echo "/who" >&3 # answered once the words before it were taken
    is_told ann ' bob$'
    murder "$ann_pid"
    exec 3>&-
    chat_listen=$server
    chat_serve --history history.db
    member ann
    exec 3>"$work/ann.in"
    sees bob '<ann> into the void'
    sees ann '<ann> into the void'
    echo "and on" >&3
    sees bob '<ann> and on'
    [ "$(grep -c 'into the void' "$work/bob.out")" = 1 ] || fail 'not once'
    exec 3>&- 4>&-
}

case_chat_words_to_compare() {
    has_history
    chat_serve
    member ann
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    member bob
    exec 4>"$work/bob.in"
    sees ann 'bob came'
    is_told bob 'in lobby are 2' # or he does not know her yet
    echo "/verify bob" >&3
    echo "/verify ann" >&4
    is_told ann ' bob: [a-z]'
    is_told bob ' ann: [a-z]'
    here=$(sed -n 's/.* bob: \([a-z ]*\)$/\1/p' "$work/ann.log")
    there=$(sed -n 's/.* ann: \([a-z ]*\)$/\1/p' "$work/bob.log")
    [ "$(echo "$here" | wc -w)" = 8 ] || fail "not eight words: $here"
    [ "$here" = "$there" ] || fail "they do not see the same: $here; $there"
    echo "/verified bob" >&3
    is_told ann 'bob is marked'
    echo "/who" >&3
    is_told ann 'bob (verified)'
    exec 3>&- 4>&-
}

case_chat_another_key_is_told_loudly() {
    has_history
    chat_serve --no-history
    member ann
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    member bob
    exec 4>"$work/bob.in"
    sees ann 'bob came'
    echo "/verified bob" >&3
    is_told ann 'bob is marked'
    exec 4>&-
    sees ann 'bob left'
    rm "$work/bob.id" "$work/bob.id.pub"
    member bob
    exec 4>"$work/bob.in"
    sees ann 'WARNING: bob has another key than the one whose words you compared'
    exec 3>&- 4>&-
}

case_chat_damaged_memory() {
    has_history
    chat_serve
    member ann
    ann_pid=$person_pid
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    echo "first" >&3
    sees ann 'first'
    exec 3>&-
    ends "$ann_pid" 0
    [ "$(stat -c %a "$(memory_of)")" = 600 ] || fail 'others can read it'
    dd if=/dev/urandom of="$(memory_of)" bs=512 seek=1 count=40 conv=notrunc 2>/dev/null
    member ann
    exec 3>"$work/ann.in"
    is_told ann 'the memory was damaged; it is set aside as '
    echo "second" >&3
    sees ann '<ann> second'
    ls "$XDG_STATE_HOME"/tern/chat-*.db.damaged-* >/dev/null || fail 'it was not set aside'
    exec 3>&-
}

case_chat_without_a_memory() {
    has_history
    chat_serve
    member ann --no-memory
    ann_pid=$person_pid
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    echo "nobody remembers" >&3
    sees ann 'nobody remembers'
    echo "/search nobody" >&3
    is_told ann 'there is no memory of it'
    exec 3>&-
    ends "$ann_pid" 0
    [ -z "$(memory_of)" ] || fail 'there is a memory'
}

case_chat_full_disk_under_the_memory() {
    has_history
    mkdir disk
    mount -t tmpfs -o size=300k tmpfs disk 2>/dev/null || skip 'needs root, to mount a small disk'
    mounts="$mounts $PWD/disk"
    chat_serve --no-history
    XDG_STATE_HOME=$PWD/disk member ann
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    XDG_STATE_HOME=$PWD/state member bob
    exec 4>"$work/bob.in"
    sees ann 'bob came'
    n=0
    while [ $n -lt 30 ]; do
        n=$((n + 1))
        printf '%s %s\n' "$n" "$(head -c 20000 /dev/zero | tr '\0' x)"
    done >&3
    is_told ann 'the memory cannot be written'
    sees bob '<ann> 30 x'
    echo "talk goes on" >&3
    sees bob '<ann> talk goes on'
    exec 3>&- 4>&-
}

# The same on a screen.
case_chat_screen_after_a_restart() {
    need_screens
    has_history
    chat_serve
    screen ann 90 20
    joins ann
    types ann 'remember the heron' Enter
    shows ann 'ann  remember the heron'
    member bob
    exec 4>"$work/bob.in"
    shows ann 'bob came'
    types ann '/verify bob' Enter
    shows ann ' bob: [a-z]* [a-z]* [a-z]* [a-z]* '
    types ann '/verified bob' Enter
    shows ann '| bob+'
    types ann '/quit' Enter
    shows ann '^ended 0'
    joins ann
    shows ann 'ann  remember the heron'
    types ann '/search heron' Enter
    shows ann 'found'
    types ann '/quit' Enter
    shows ann '^ended 0'
    exec 4>&-
}

run_case "$@"
