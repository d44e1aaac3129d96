#!/bin/sh
# ternchat in plain lines and in batch: for screen readers, dumb terminals, pipes and bots.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"

case_chat_plain_talk() {
    chat_serve --motd 'be kind'
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'be kind'
    is_told ann 'in lobby are 1'
    person bob "$server"
    bob_pid=$person_pid
    exec 4>"$work/bob.in"
    sees ann 'bob came'
    echo "hello bob" >&3
    sees bob 'lobby <ann> hello bob'
    echo "/me waves" >&4
    sees ann 'lobby \* bob waves'
    echo "//etc/hosts" >&4
    sees ann 'lobby <bob> /etc/hosts'
    echo "/who" >&3
    is_told ann ' ann (moderator)$'
    is_told ann ' bob$'
    echo "/away" >&4
    is_told bob 'you are away'
    echo "/topic trees" >&4
    is_told bob 'only a moderator may set the topic'
    echo "/topic trees" >&3
    sees bob 'ann set the topic: trees'
    echo "/topic" >&4
    is_told bob ' trees$'
    echo "/join work" >&4
    is_told bob 'in work are 1'
    echo "in work" >&4
    sees bob 'work <bob> in work'
    echo "/rooms" >&4
    is_told bob '2 work: 1 person, .* (here)'
    echo "/leave" >&4
    echo "in lobby again" >&4
    sees ann 'lobby <bob> in lobby again'
    echo "/nick robert" >&4
    sees ann 'robert was called bob'
    echo "/help" >&4
    is_told bob '/search\|/join ROOM'
    ! grep -q '/theme' "$work/bob.log" || fail "/help tells of what is not there"
    echo "/quit" >&4
    exec 4>&-
    sees ann 'robert left'
    ends "$bob_pid" 1 # the topic was refused
    exec 3>&-
}

# A server without a key makes one at its first start, and is the same at the next.
case_chat_server_keeps_its_key() {
    for run in 1 2; do
        XDG_CONFIG_HOME="$work/config-server" "$ternchat" serve --listen 127.0.0.1:0 --no-history \
            --moderators "$work/nobody" >"$work/serve$run.log" 2>&1 &
        server_pid=$!
        pids="$pids $server_pid"
        wait_for 20 has_said "$work/serve$run.log" '^key ' "$server_pid" || fail "no key is told"
        murder "$server_pid"
    done
    grep -q 'a key was made: .*/tern/id$' "$work/serve1.log" || fail "nobody is told of the key"
    grep -q 'a key was made' "$work/serve2.log" && fail "it makes another"
    [ "$(grep '^key ' "$work/serve1.log")" = "$(grep '^key ' "$work/serve2.log")" ] ||
        fail "it has another key"
    grep -q 'nobody: .*nobody moderates' "$work/serve1.log" || fail "a file that is not there"
}

# With nothing to say, a server that is not there is an error all the same; another key is named as a cause.
case_chat_nothing_to_say() {
    chat_serve
    "$ternchat" --batch --accept-new "$server" work </dev/null >"$work/empty.log" 2>&1 ||
        fail "nothing to say, and it fails"
    murder "$server_pid"
    got=0
    "$ternchat" --batch --connect-timeout 300ms "$server" work </dev/null 2>"$work/gone.log" || got=$?
    [ "$got" = 3 ] || fail "exit code $got without a server"
    grep -q 'no answer; .*its key is still the one in .*known_hosts' "$work/gone.log" ||
        fail "the key is not named"
}

# Words for one alone, and what only the one may who made the room.
# Who may what comes with the states of all, which are told a little later than that somebody is there.
shows_ann_as_moderator() {
    echo "/who" >&4
    has_line "$work/bob.log" 'ann (moderator)'
}

case_chat_moderator_and_private_words() {
    chat_serve
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    person bob "$server"
    exec 4>"$work/bob.in"
    sees ann 'bob came'
    echo "/msg bob just you" >&3
    sees bob ' ann <ann> just you'
    echo "/go ann" >&4
    echo "and you" >&4
    sees ann ' bob <bob> and you'
    echo "/go lobby" >&3
    echo "/go lobby" >&4
    echo "/kick ann" >&4
    is_told bob 'only a moderator'
    wait_for 20 shows_ann_as_moderator || fail "bob does not see who moderates"
    ! has_line "$work/bob.log" 'bob (moderator)' || fail 'bob is no moderator'
    echo "/invite" >&3
    is_told ann 'only a moderator of the server may invite'
    echo "/ban bob" >&3
    is_told bob 'you are no longer in that room'
    sees ann 'ann put out bob'
    echo "/join lobby" >&4
    is_told bob 'lobby: refused: '
    echo "/pardon bob" >&3
    echo "/kick bob" >&3
    is_told ann 'nobody of that name is in this room'
    echo "/go lobby" >&3
    echo "pardoned" >&3
    sees ann '<ann> pardoned'
    echo "/join lobby" >&4
    is_told bob 'in lobby are 2'
    exec 3>&- 4>&-
}

# What is not here any more, or never was, the server still has.
case_chat_asks_the_server() {
    has_history
    chat_serve
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    echo "/open wide" >&3
    is_told ann 'in wide are 1'
    say_lines ann 130 >&3
    sees ann '<ann> ann says 130'
    person bob "$server" --room wide
    exec 4>"$work/bob.in"
    sees bob '<ann> ann says 130'
    ! grep -q 'ann says 7$' "$work/bob.out" || fail "all is here: nothing to ask for"
    echo "/list" >&4
    is_told bob 'wide: 2 people, open'
    echo "/search 7" >&4
    is_told bob '<ann> ann says 7$'
    echo "/before" >&4
    is_told bob '<ann> ann says 2$'
    echo "/before" >&4
    is_told bob 'there is nothing older'
    exec 3>&- 4>&-
}

# The end of the input is the end, once the server has all of it.
case_chat_input_closed() {
    chat_serve
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    person bob "$server"
    bob_pid=$person_pid
    printf 'first\nlast without a line feed' >"$work/bob.in"
    ends "$bob_pid" 0
    sees ann '<bob> first'
    sees ann '<bob> last without a line feed'
    person eve "$server"
    eve_pid=$person_pid
    : >"$work/eve.in"
    ends "$eve_pid" 0
    got=0
    XDG_CONFIG_HOME="$work/config-dan" "$ternchat" --accept-new --nick dan "$server" \
        <&- >"$work/dan.out" 2>"$work/dan.log" || got=$?
    [ $got = 0 ] || fail "exit code $got without a standard input"
    exec 3>&-
}

# A terminal that cannot be drawn on gets plain lines, without a single escape sequence.
case_chat_dumb_terminal() {
    need_screens
    chat_serve
    screen ann 80 20
    types ann "TERM=dumb $ternchat --accept-new --nick ann $server; echo ended \$?" Enter
    shows ann 'in lobby are 1'
    types ann "plain words" Enter
    shows ann 'lobby <ann> plain words'
    [ "$(tm display-message -p -t ann '#{alternate_on}')" = 0 ] || fail "it draws"
    types ann /quit Enter
    shows ann '^ended 0'
    types ann "clear; $ternchat --plain --nick ann $server; echo ended \$?" Enter
    shows ann 'in lobby are 1'
    types ann C-d
    shows ann '^ended 0'
}

# Somebody who comes again is the same person: a key is made at the first start, but for programs.
case_chat_plain_first_start() {
    chat_serve
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'a key was made for you'
    is_told ann 'in lobby are 1'
    [ -s "$work/config-ann/tern/id" ] || fail "no key was made"
    person bot "$server" --batch --room lobby
    echo "beep" >"$work/bot.in"
    sees ann '<bot> beep'
    ends "$person_pid" 0
    [ ! -e "$work/config-bot/tern/id" ] || fail "a program's key was made"
    exec 3>&-
}

# The unit as it is installed: systemd takes it, and it closes what a chat does not need.
case_chat_unit() {
    command -v systemd-analyze >/dev/null || skip "there is no systemd-analyze"
    command -v cmake >/dev/null || skip "there is no cmake to install with"
    cmake "-DCMAKE_INSTALL_PREFIX=$work/inst" -P "$TERN_BIN/../apps/ternchat/cmake_install.cmake" \
        >"$work/install.log" 2>&1 || fail "it cannot be installed"
    unit=$work/inst/lib/systemd/system/ternchat.service
    has_line "$unit" "^ExecStart=$work/inst/bin/ternchat serve" || fail "another prefix"
    systemd-analyze verify --man=no "$unit" >"$work/verify.log" 2>&1 || fail "systemd does not take it"
    [ ! -s "$work/verify.log" ] || fail "systemd-analyze complains"
    for file in man/man1/ternchat.1 bash-completion/completions/ternchat zsh/site-functions/_ternchat \
        fish/vendor_completions.d/ternchat.fish; do
        [ -s "$work/inst/share/$file" ] || fail "no $file"
    done
    # 0 is closed, 10 open. Older ones have no such check of a file.
    if ! systemd-analyze security --offline=true --threshold=25 "$unit" >"$work/judgement.log" 2>&1; then
        has_line "$work/judgement.log" 'unrecognized option' || fail "the sandbox has holes"
    fi
}

case_chat_json() {
    chat_serve
    person ann "$server" --json
    exec 3>"$work/ann.in"
    sees ann '"event":"note","room":"lobby"'
    printf 'a "quoted" \033 word\n' >&3
    sees ann '"event":"text".*"own":true,"replay":false,"text":"a \\"quoted\\" \\u001b word"'
    exec 3>&-
}

case_chat_batch() {
    chat_serve
    talkers "$server" "$server"
    waits_for_each_other
    say_lines p1 200 >&3
    say_lines p2 200 >&4
    heard p1 p2 200
    heard p2 p1 200
    exec 3>&- 4>&-
    # shellcheck disable=SC2154
    ends "$pid1" 0
    # shellcheck disable=SC2154
    ends "$pid2" 0
}

# Loss, reordering, duplicates and a client whose address is another one every three seconds.
case_chat_rough_network() {
    chat_serve
    link --loss 5 --delay 5 --jitter 5 --dup 2 --rebind 3 --seed 7
    talkers "$link" "$server"
    waits_for_each_other
    say_lines p1 600 >&3
    say_lines p2 600 >&4
    heard p1 p2 600
    heard p2 p1 600
    exec 3>&- 4>&-
    ends "$pid1" 0
    ends "$pid2" 0
}

# Who is there already is told that another key answers where their server was, once; and goes on with the right one.
case_chat_tells_of_a_changed_key() {
    chat_serve
    person ann "$server" --connect-timeout 4s
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    kill "$server_pid"
    ends "$server_pid" 0
    mv server.key right.key
    chat_listen=$server
    chat_serve
    wait_for 60 has_line "$work/ann.log" "WARNING: $server has another key now: $(sed -n 's/^key //p' "$serve_log") " ||
        fail 'ann is not told of the key'
    kill "$server_pid"
    ends "$server_pid" 0
    mv right.key server.key
    chat_serve
    person bob "$server"
    exec 4>"$work/bob.in"
    wait_for 60 are_together || fail 'ann is not back' # what was said before bob came he could not read
    echo 'still here' >&3
    sees bob '<ann> still here'
    [ "$(grep -c 'has another key now' "$work/ann.log")" = 1 ] || fail 'ann is told again and again'
    exec 3>&- 4>&-
}

are_together() {
    has_line "$work/bob.log" 'in lobby are 2' || has_line "$work/bob.out" 'ann came'
}

# A batch that is run again with the same input, since it failed, says its words once.
case_chat_batch_is_run_again() {
    chat_serve
    "$ternchat" keygen -f bot.key >/dev/null 2>&1
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    batch() {
        printf 'one\ntwo\n' |
            "$ternchat" --batch --accept-new --key bot.key --nick bot --connect-timeout "$1" "$server" lobby 2>bot.log
    }
    kill "$server_pid"
    ends "$server_pid" 0
    ! batch 2s || fail 'there is no server'
    ! batch 2s || fail 'there is no server'
    chat_listen=$server
    chat_serve
    wait_for 60 is_back || fail 'ann is not back'
    batch 60s || fail 'it fails with a server'
    sees ann '<bot> two'
    batch 60s || fail 'it fails again'
    wait_for 20 two_of_two || fail 'it says nothing the second time'
    [ "$(grep -c '<bot> one' "$work/ann.out")" = 2 ] || fail 'words came twice'
    [ "$(grep -c '<bot> two' "$work/ann.out")" = 2 ] || fail 'words came twice'
    exec 3>&-
}

is_back() {
    [ "$(grep -c 'in lobby are' "$work/ann.log")" -ge 2 ]
}

two_of_two() {
    [ "$(grep -c '<bot> two' "$work/ann.out")" -ge 2 ]
}

run_case "$@"
