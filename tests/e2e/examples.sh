#!/bin/sh
# The examples: that they run, on bad networks too, and that what they say of it is plausible.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

game=$TERN_BIN/tern-game
media=$TERN_BIN/tern-media
if [ ! -x "$game" ] || [ ! -x "$media" ]; then
    skip "built without the examples"
fi

# within VALUE LEAST MOST
within() {
    awk -v value="$1" -v least="$2" -v most="$3" \
        'BEGIN { exit !(value ~ /^[0-9.]+$/ && value + 0 >= least && value + 0 <= most) }'
}

# figure FILE PATTERN: the number that the pattern's one group matches, of the first line that has it.
figure() {
    sed -n "s/$2/\\1/p" "$1" | head -n 1
}

# Figures in real time are those of the machine as well: one of three runs must be as it shall.
thrice() {
    for try in 1 2 3; do
        if "$@"; then
            return
        fi
        echo "try $try: $(tail -n 6 out)" >&2
    done
    fail "$*"
}

# plays LEAST_SNAPSHOTS SMOOTH DELAY OPTIONS...: four players for three seconds.
plays() {
    snapshots=$1 smooth=$2 delay=$3
    shift 3
    expect 0 "$game" demo --headless --seconds 3 "$@"
    [ ! -s err ] || fail "it complains: $(cat err)"
    [ "$(grep -c '^player [ABCD]: ' out)" = 4 ] || fail "not four players: $(cat out)"
    for player in A B C D; do
        within "$(figure out "^server: .* $player \([0-9]*\).*")" 90 181 || return 1
        line="^player $player: .*"
        within "$(figure out "$line, \([0-9]*\) snapshots.*")" "$snapshots" 91 || return 1
        within "$(figure out "$line smooth \([0-9.]*\) %.*")" "$smooth" 100 || return 1
        within "$(figure out "$line news \([0-9]*\),.*")" 1 4 || return 1
        within "$(figure out "$line p50 \([0-9.]*\) p99.*")" 1 "$delay" || return 1
    done
}

case_examples_game() {
    thrice plays 80 95 60
}

case_examples_game_network() {
    thrice plays 65 90 130 --loss 5 --delay 20
    within "$(figure out '^player A: rtt \([0-9.]*\) ms.*')" 40 80 || fail "no delay: $(cat out)"
}

# A server and two players of its own each.
case_examples_game_join() {
    port=$((20000 + $$ % 20000))
    "$game" serve --port $port --seconds 30 >game.log 2>&1 &
    server_pid=$!
    pids="$pids $server_pid"
    wait_for 20 has_said game.log ' serving on ' "$server_pid" || true
    has_line game.log ' serving on ' || skip "port $port is taken"
    "$game" join 127.0.0.1:$port --headless --seconds 3 >one.log 2>&1 &
    one=$!
    pids="$pids $one"
    expect 0 "$game" join "[::1]:$port" --headless --seconds 2
    within "$(figure out '^you: .*, \([0-9]*\) snapshots.*')" 20 61 || fail "no snapshots: $(cat out)"
    forget "$one"
    wait "$one" || fail "the other player failed"
    forget "$server_pid"
    kill -INT "$server_pid"
    wait "$server_pid" || fail "the server did not end in order"
    has_line game.log '^server: .* moves A [0-9]' || fail "no summary: $(cat game.log)"
    expect 1 "$game" join 127.0.0.1:$port --headless --seconds 20
    has_line out '^you: .*; ' || fail "it does not say why: $(cat out)"
}

# shows LEAST OPTIONS...: so much of the video in time, in per cent.
shows() {
    least=$1
    shift
    expect 0 "$media" demo --seconds 4 "$@"
    [ ! -s err ] || fail "it complains: $(cat err)"
    within "$(figure out '^sender: \([0-9]*\) frames,.*')" 100 120 || return 1
    within "$(figure out '^in time: \([0-9.]*\) %$')" "$least" 100
}

case_examples_media() {
    thrice shows 95
    within "$(figure out '^sender: .* \([0-9.]*\) Mbit.s at the end.*')" 1.5 5 || fail "the rate stays: $(cat out)"
}

case_examples_media_loss() {
    thrice shows 95 --loss 5 --delay 20
    within "$(figure out '^receiver: .* \([0-9]*\) repaired.*')" 1 120 || fail "no repairs: $(cat out)"
    within "$(figure out '^sender: .* \([0-9]*\) lost.*')" 1 10000 || fail "no losses: $(cat out)"
}

case_examples_media_narrow() {
    thrice shows 80 --rate 2 --delay 20
    within "$(figure out '^sender: .* \([0-9.]*\) Mbit.s at the end.*')" 0.2 2 || fail "not adapted: $(cat out)"
}

# The two halves in two processes, and one sender too many.
case_examples_media_send() {
    port=$((20000 + $$ % 20000))
    "$media" receive --port $port --seconds 30 >receive.log 2>&1 &
    receive_pid=$!
    pids="$pids $receive_pid"
    wait_for 20 has_said receive.log ' receiving on ' "$receive_pid" || true
    has_line receive.log ' receiving on ' || skip "port $port is taken"
    "$media" send 127.0.0.1:$port --seconds 4 >send.log 2>&1 &
    send_pid=$!
    pids="$pids $send_pid"
    wait_for 20 has_said receive.log ' played ' "$receive_pid" || true
    has_line receive.log ' played ' || fail "nothing comes"
    expect 1 "$media" send "[::1]:$port" --seconds 2
    forget "$send_pid"
    wait "$send_pid" || fail "the sender failed"
    forget "$receive_pid"
    kill -TERM "$receive_pid"
    wait "$receive_pid" || fail "the receiver did not end in order"
    sent=$(figure send.log '^sender: \([0-9]*\) frames,.*')
    within "$sent" 100 120 || fail "not sent: $(cat send.log)"
    within "$(figure receive.log '^receiver: .* frames, \([0-9]*\) in time.*')" 80 "$sent" ||
        fail "not in time: $(cat receive.log)"
}

case_examples_usage() {
    for arguments in '' 'nonsense' 'demo --loss 101' 'demo --loss' 'demo --loss x' 'demo --delay -1' \
        'demo --seconds 0' 'demo --seconds nan' 'demo --rate 0' 'demo where' 'demo --nonsense' '--loss 5' \
        'serve 127.0.0.1:1' 'serve --port 0' 'serve --port 65536' 'join' 'join nowhere' 'join 127.0.0.1' \
        'join 127.0.0.1:1 127.0.0.1:2'; do
        # shellcheck disable=SC2086
        expect 2 "$game" $arguments
        says '^tern-game: '
        [ ! -s out ] || fail "standard output on a usage error"
    done
    for arguments in '' 'nonsense' 'demo --loss 101' 'demo --top 0' 'demo --top' 'demo where' 'demo --headless' \
        'receive 127.0.0.1:1' 'receive --port x' 'send' 'send nowhere' 'send 127.0.0.1:99999'; do
        # shellcheck disable=SC2086
        expect 2 "$media" $arguments
        says '^tern-media: '
        [ ! -s out ] || fail "standard output on a usage error"
    done
    for program in game media; do
        expect 0 "$TERN_BIN/tern-$program" --help
        has_line out "^Usage: tern-$program" || fail "no help"
    done
}

run_case "$@"
