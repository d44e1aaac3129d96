#!/bin/sh
# ternchat on a terminal, driven by tmux: keys are sent, and the screen is read until it shows what it should.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"

# The first start asks for a nick and nothing else, makes a key, and the next start asks for nothing.
case_chat_first_start() {
    need_screens
    chat_serve
    screen ann 100 20
    types ann "clear; $ternchat $server; echo ended \$?" Enter
    shows ann '^Your nick \[.*\]:'
    types ann "two words" Enter
    shows ann '^That is not a nick'
    types ann "ann" Enter
    shows ann '^lobby>'
    shows ann 'a key was made for you'
    shows ann 'is now trusted'
    lacks ann 'ternchat: '
    shows ann ' ann in lobby (1)'
    types ann /quit Enter
    shows ann '^ended 0'
    [ -s "$work/config-ann/tern/id" ] || fail "no key was made"
    grep -qx 'nick ann' "$work/config-ann/tern/chat" || fail "the nick is not remembered"
    types ann "clear; $ternchat $server; echo ended \$?" Enter
    shows ann '^lobby>'
    shows ann ' ann in lobby (1)'
    lacks ann 'a key was made'
    questions=$(tm capture-pane -p -t ann | grep -c 'Your nick' || true)
    [ "$questions" = 0 ] || fail "it asks again"
    types ann "/nick anna" Enter
    shows ann 'anna was called ann'
    types ann /quit Enter
    shows ann '^ended 0'
    grep -qx 'nick anna' "$work/config-ann/tern/chat" || fail "the new nick is not remembered"
}

case_chat_talk() {
    need_screens
    chat_serve
    screen ann 100 20
    screen bob 100 20
    joins ann
    joins bob
    shows ann 'bob came'
    types ann "hello b" Tab "how are you?" Enter
    shows bob 'ann  hello bob how are you?$\|ann  hello bob how are you? '
    types bob "b" BSpace "/me waves" Enter
    shows ann '\*  bob waves'
    types bob "typi"
    shows ann 'bob is typing'
    types bob C-u
    lacks ann 'is typing'
    types ann /away Enter
    shows bob 'ann (away)'
    types ann /back Enter
    lacks bob 'ann (away)'
    types ann "who reads this?" Enter
    shows ann 'read by bob'
    types bob /quit Enter
    shows bob '^ended 0'
    is_restored bob
    shows ann 'bob left'
}

case_chat_characters() {
    need_screens
    chat_serve
    screen ann 100 20
    joins ann
    types ann "gruen漢字x"
    shows ann '^lobby> gruen漢字x$'
    types ann Left BSpace "語" Home Delete "G" End "!" C-w
    shows ann '^lobby>$\|^lobby> $'
    types ann C-y Enter
    shows ann 'ann  Gruen漢語x!'
    types ann Up "?" Enter
    shows ann 'ann  Gruen漢語x!?'
    types ann Up Up
    shows ann '^lobby> Gruen漢語x!$'
}

case_chat_rooms_on_screen() {
    need_screens
    chat_serve
    screen ann 100 20
    screen bob 100 20
    joins ann
    joins bob
    types ann "/join work" Enter
    shows ann '^work>'
    shows ann '^ 1 lobby  2 work'
    types bob "for all" Enter
    shows ann '1 lobby (1)'
    types bob "ann: for you" Enter
    shows ann '1 lobby (2!)'
    types ann M-1
    shows ann '^lobby>'
    shows ann -e '- new -'
    shows ann 'ann: for you'
    lacks ann '(2!)'
    types ann "/leave work" Enter
    lacks ann '2 work'
    types ann "/list" Enter
    shows ann 'lobby: 2 people'
    types ann "/leave" Enter
    shows ann 'no room: /join one'
    types ann "words" Enter
    shows ann 'you are in no room'
}

case_chat_scrollback() {
    need_screens
    chat_serve
    screen ann 80 12
    joins ann
    person bob "$server" --plain
    exec 3>"$work/bob.in"
    i=1
    while [ $i -le 60 ]; do
        echo "line $i ends." >&3
        i=$((i + 1))
    done
    shows ann 'line 60 ends'
    types ann PPage
    shows ann 'scrolled back'
    lacks ann 'line 60 ends'
    echo "while scrolled" >&3
    sees bob 'while scrolled'
    lacks ann 'while scrolled'
    types ann 'M-<'
    shows ann 'ann came'
    types ann 'M->'
    shows ann 'while scrolled'
    types ann "/search LINE 7 ends" Enter
    shows ann 'line 7 ends'
    lacks ann 'line 60 ends'
    types ann "/search nonsense" Enter
    shows ann 'not found'
    types ann NPage NPage NPage NPage NPage NPage NPage NPage
    shows ann 'while scrolled'
    exec 3>&-
}

# Somebody alone begins to talk: it is seen at once, and who it is with is said. What a command answers is seen
# from wherever one has scrolled to, and why a room is gone, too.
case_chat_what_concerns_us_is_seen() {
    need_screens
    chat_serve
    screen ann 100 12
    screen bob 100 12
    joins ann
    joins bob
    shows ann 'bob came'
    types bob "/msg ann for you alone" Enter
    shows bob 'bob, with ann alone'
    shows ann '2 bob (1!)'
    types ann M-2
    shows ann 'bob  for you alone'
    types ann M-1 "/help" Enter
    shows ann 'All else that you type'
    types ann PPage
    shows ann 'scrolled back'
    types ann "/verify bob" Enter
    shows ann 'bob sees the same words'
    lacks ann 'scrolled back'
    types bob M-1
    shows bob '^lobby>'
    types ann "/ban bob" Enter
    shows bob 'lobby: you are no longer in that room'
    types bob "/join lobby" Enter
    shows bob 'lobby: refused: you were put out of it for good'
}

case_chat_help() {
    need_screens
    chat_serve
    screen ann 110 60
    joins ann
    types ann "/help" Enter
    for command in /help /keys /join /open /leave /go /rooms /list /who /me /msg /topic /kick /ban /pardon \
        /invite /nick /away /back /search /before /send /get /files /cancel /members /theme /quit; do
        shows ann " $command "
    done
    types ann "/keys" Enter
    shows ann 'Tab, Shift-Tab'
    types ann "/nonsense" Enter
    shows ann 'there is no such command'
    types ann "/members" Enter
    lacks ann '| ann'
    for theme in light mono dark; do
        types ann "/theme $theme" Enter
    done
    types ann "/theme pink" Enter
    shows ann 'themes are dark, light and mono'
}

# What peers send cannot move the cursor or turn text round, and the screen stays in order.
case_chat_hostile_words() {
    need_screens
    chat_serve
    screen ann 80 20
    joins ann
    person bob "$server" --plain
    exec 3>"$work/bob.in"
    printf 'clear \033[2J\033[H and title \033]0;owned\007 end1\n' >&3
    printf 'turned \342\200\256gnp.exe end2\n' >&3
    printf 'invalid \377\376 end3\n' >&3
    {
        printf 'marks a'
        printf '\314\201%.0s' $(seq 2000)
        printf ' end4\n'
    } >&3
    {
        printf 'zero '
        printf '\342\200\213%.0s' $(seq 2000)
        printf 'end5\n'
    } >&3
    head -c 1000000 /dev/zero | tr '\0' x >&3
    printf '\nafter the long one\n' >&3
    shows ann 'end1'
    shows ann 'turned gnp.exe end2'
    shows ann 'end3'
    shows ann 'marks .* end4'
    shows ann 'zero end5'
    shows ann 'after the long one'
    is_told bob 'a line is longer than 65536 bytes'
    shows ann '^ 1 lobby'
    shows ann '^lobby>'
    head -c 60000 /dev/zero | tr '\0' y >&3
    printf '\n' >&3
    shows ann 'yyyyyyyyyy'
    types ann PPage
    shows ann 'yyyyyyyyyy'
    exec 3>&-
    ends "$person_pid" 1 # for what was too long
}

case_chat_sizes() {
    need_screens
    chat_serve
    screen ann 100 30
    joins ann
    types ann "typed"
    for size in "10 3" "1 1" "200 60" "40 5" "10 3"; do
        # Two numbers, on purpose.
        # shellcheck disable=SC2086
        set -- $size
        tm resize-window -t ann -x "$1" -y "$2"
    done
    shows ann '^typed'
    i=0
    while [ $i -lt 100 ]; do # a storm
        tm resize-window -t ann -x $((10 + i % 90)) -y $((3 + i % 40))
        i=$((i + 1))
    done
    tm resize-window -t ann -x 80 -y 20
    shows ann '^lobby> typed'
    shows ann 'ann in lobby (1)'
    types ann Enter
    shows ann 'ann  typed'
}

# However it ends, the terminal is as it was.
case_chat_restores_terminal() {
    need_screens
    chat_serve
    screen ann 80 20
    for signal in TERM INT HUP QUIT SEGV ABRT; do
        joins ann
        # shellcheck disable=SC2009
        victim=$(tm list-panes -t ann -F '#{pane_pid}' | xargs -n 1 ps -o pid= --ppid | tr -d ' ')
        [ -n "$victim" ] || fail "no such program"
        kill -$signal "$victim"
        shows ann '^ended '
        is_restored ann
        rm -f "$work/ann.log" core
    done
    joins ann
    types ann C-c
    shows ann '^ended 0'
    is_restored ann
}

case_chat_suspended() {
    need_screens
    chat_serve
    screen ann 80 20
    types ann "set -m" Enter
    joins ann
    types ann C-z
    shows ann 'ready>'
    is_restored ann
    types ann "fg" Enter
    shows ann '^lobby>'
    types ann "back again" Enter
    shows ann 'ann  back again'
}

# The server is gone for a while: what is typed meanwhile is kept, shown, and said once.
case_chat_reconnects() {
    need_screens
    chat_serve
    link --delay 1
    direct=$server
    screen ann 90 20
    server=$link
    joins ann
    types ann "before" Enter
    shows ann 'ann  before'
    murder "$server_pid"
    types ann "meanwhile" Enter
    shows ann '\.\.\.  *ann  meanwhile'
    kill -STOP "$link_pid" # bob comes first: what was said before he could not read
    chat_listen=$direct
    chat_serve
    person bob "$server" --plain
    exec 3>"$work/bob.in"
    is_told bob 'in lobby are 1'
    kill -CONT "$link_pid"
    wait_for 120 has_line "$work/bob.out" '<ann> meanwhile' || fail "it did not come back"
    shows ann '[0-9]  *ann  meanwhile'
    shows ann 'ms, .* % lost'
    exec 3>&-
}

case_chat_server_refuses_nick() {
    need_screens
    chat_serve
    person ann "$server" --plain
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are'
    screen eve 80 20
    types eve "$ternchat --accept-new --nick ann $server 2>$work/eve.log" Enter
    shows eve 'that name is taken; trying ann-2'
    shows eve ' ann-2 in lobby (2)'
    types eve "/nick eve" Enter
    shows eve ' eve in lobby (2)'
    exec 3>&-
}

# Before there is a screen, errors are lines as of any program.
case_chat_no_server() {
    need_screens
    screen ann 80 20
    types ann "$ternchat --accept-new --nick ann --connect-timeout 500ms 127.0.0.1:9; echo ended \$?" Enter
    shows ann 'ternchat: 127.0.0.1:9: '
    shows ann '^ended 3'
    is_restored ann
    types ann "clear; TERM=nonsense-of-a-terminal $ternchat --nick ann 127.0.0.1:9 'no room'; echo ended \$?" Enter
    shows ann '^ended 2'
}

# NO_COLOR and --color never: attributes, but not one colour.
case_chat_without_colors() {
    need_screens
    chat_serve
    screen ann 80 20
    types ann "export NO_COLOR=1" Enter
    joins ann
    types ann "words" Enter
    shows ann 'ann  words'
    ! tm capture-pane -e -p -t ann | tail -n 3 | grep -q "$(printf '\033\\[[0-9;]*[34][0-7]m')" ||
        fail "there are colours"
    types ann /quit Enter
    shows ann '^ended 0'
    types ann "unset NO_COLOR" Enter
    joins ann --theme light
    types ann "words" Enter
    shows ann 'ann  words'
    tm capture-pane -e -p -t ann | grep -q "$(printf '\033\\[[0-9;]*[34][0-7]m')" ||
        fail "there are no colours"
}

run_case "$@"
