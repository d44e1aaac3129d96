# What the tests of ternchat share, on top of lib.sh: a server, people with plain lines, and screens.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck source=tests/e2e/lib.sh

ternchat=${TERN_BIN:?}/ternchat
screens=

# chat_serve OPTIONS...: a server that keeps its key over restarts. Sets server and server_pid.
chat_serve() {
    serve_count=$((${serve_count:-0} + 1))
    serve_log=$work/server$serve_count.log
    [ -f "$work/server.key" ] || "$ternchat" keygen -f "$work/server.key" >"$work/keygen.log" 2>&1
    "$ternchat" serve --key "$work/server.key" --listen "${chat_listen:-127.0.0.1:0}" "$@" \
        >"$serve_log" 2>&1 &
    server_pid=$!
    pids="$pids $server_pid"
    wait_for 20 has_said "$serve_log" '^key ' "$server_pid" || true
    has_line "$serve_log" '^key ' || fail "the server does not start"
    server=$(sed -n 's/^listening on //p' "$serve_log")
}

has_history() {
    "$ternchat" serve --listen 127.0.0.1:0 --history /nowhere/at/all >/dev/null 2>probe.log || true
    ! grep -q 'without SQLite' probe.log || skip 'built without SQLite'
}

# The same server again, where it was.
chat_serve_again() {
    murder "$server_pid"
    chat_listen=$server
    chat_serve "$@"
}

# person NAME ADDRESS OPTIONS...: somebody with plain lines, whose words come from the pipe NAME.in. Sets pid.
# What they see is in NAME.out, what they are told in NAME.log.
person() {
    name=$1
    address=$2
    shift 2
    mkfifo "$work/$name.in"
    XDG_CONFIG_HOME="$work/config-$name" "$ternchat" --accept-new --nick "$name" "$@" "$address" \
        <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.log" &
    person_pid=$!
    pids="$pids $person_pid"
}

# sees NAME PATTERN: in the words that come to them.
sees() {
    wait_for 20 has_line "$work/$1.out" "$2" || fail "$1 does not see: $2"
}

is_told() {
    wait_for 20 has_line "$work/$1.log" "$2" || fail "$1 is not told: $2"
}

# ends PID CODE
ends() {
    forget "$1"
    got=0
    wait "$1" || got=$?
    [ $got = "$2" ] || fail "exit code $got, not $2"
}

# listen_to NAME ROOM LINE: what they are shown of the room, into `seen`; they go once they have seen a line like that,
# and a second later, for what should not follow. Uses the script's `talk`.
listen_to() {
    : >seen
    { wait_for 30 has_line seen "$3" || true; sleep 1; } | talk "$1" "$2" >seen
}

# --- talks ----------------------------------------------------------------------------------------

# talkers ADDRESS...: as many programs, p1 and so on, whose words are read from descriptors 3 and so on.
talkers() {
    count=0
    for address in "$@"; do
        count=$((count + 1))
        person "p$count" "$address" --batch --room talk
        eval "pid$count=$person_pid"
    done
    i=1
    while [ $i -le $count ]; do
        eval "exec $((i + 2))>\"\$work/p$i.in\""
        i=$((i + 1))
    done
}

# say_lines NAME COUNT
say_lines() {
    n=1
    while [ $n -le "$2" ]; do
        echo "$1 says $n"
        n=$((n + 1))
    done
}

has_lines() {
    [ "$(grep -c "^$2: $2 says" "$work/$1.out")" -ge "$3" ]
}

# The last line may be written in two parts: it is looked at again until it is whole.
has_wanted() {
    grep "^$2: $2 says" "$work/$1.out" | diff - "$work/wanted" >"$work/difference.log"
}

# heard WHO FROM LINES: each line once, in order.
heard() {
    wait_for 120 has_lines "$1" "$2" "$3" || fail "$1 did not hear all of $2"
    say_lines "$2" "$3" | sed "s/^/$2: /" >"$work/wanted"
    wait_for 1 has_wanted "$1" "$2" || fail "$1 heard something else of $2"
}

both_are_here() {
    echo "here" >&3
    echo "here" >&4
    has_line "$work/p1.out" '^p2: here' && has_line "$work/p2.out" '^p1: here'
}

# Everybody is in the room: who comes later cannot read what was said before.
waits_for_each_other() {
    wait_for 60 both_are_here || fail "they do not hear each other"
}

# --- screens --------------------------------------------------------------------------------------

need_screens() {
    command -v tmux >/dev/null || skip "no tmux"
    "$ternchat" --help | grep -q -e --theme || skip "no screens"
    trap 'code=$?; tmux -S "$work/tmux" kill-server 2>/dev/null; (exit $code); clean' EXIT
}

tm() {
    tmux -S "$work/tmux" -f /dev/null "$@"
}

# screen NAME COLUMNS ROWS: a shell on a terminal of that size, in which programs are started by `types`.
screen() {
    tm new-session -d -s "$1" -x "$2" -y "$3" -e "XDG_CONFIG_HOME=$work/config-$1" \
        -e LC_ALL=C.UTF-8 sh
    screens="$screens $1"
    tm set-option -t "$1" status off
    tm resize-window -t "$1" -x "$2" -y "$3"
    types "$1" "PS1='ready> '; clear" Enter
    shows "$1" '^ready>'
}

# types NAME KEY...: as tmux names keys; text as it is.
types() {
    to=$1
    shift
    tm send-keys -t "$to" "$@"
}

# joins NAME OPTIONS...: starts ternchat there, with the server for known, and waits for the room. The prompt is there
# at once, who is in the room when the server has said so.
joins() {
    who=$1
    shift
    types "$who" "clear; $ternchat --accept-new --nick $who $* $server 2>$work/$who.log; echo ended \$?" Enter
    shows "$who" "^lobby>"
    shows "$who" " in lobby ([1-9]"
}

has_screen() {
    tm capture-pane -p -t "$1" | grep -q -e "$2"
}

# shows NAME PATTERN: within a few seconds.
shows() {
    if ! wait_for 15 has_screen "$1" "$2"; then
        tm capture-pane -p -t "$1" >&2
        fail "$1's screen does not show: $2"
    fi
}

lacks_screen() {
    ! has_screen "$1" "$2"
}

lacks() {
    if ! wait_for 15 lacks_screen "$1" "$2"; then
        tm capture-pane -p -t "$1" >&2
        fail "$1's screen still shows: $2"
    fi
}

has_plain_screen() {
    [ "$(tm display-message -p -t "$1" '#{alternate_on} #{cursor_flag} #{keypad_cursor_flag}')" = "0 1 0" ]
}

# By its modes as seen from outside: what is typed before the shell has them back would be lost.
has_plain_modes() {
    modes=$(stty -a -F "$(tm display-message -p -t "$1" '#{pane_tty}')") || return 1
    case $modes in
    *-icanon* | *-echo\ * | *-isig*) return 1 ;;
    esac
}

# is_restored NAME: the terminal is as a shell wants it.
is_restored() {
    wait_for 15 has_plain_screen "$1" || fail "$1's terminal is not restored"
    wait_for 15 has_plain_modes "$1" || fail "$1's terminal has not its modes again"
    types "$1" "clear; stty -a | tr ' ' '\n' | grep -x -e '-*echo;*' -e '-*icanon;*' -e '-*isig;*'" Enter
    shows "$1" '^isig'
    shows "$1" '^icanon'
    shows "$1" '^echo'
}
