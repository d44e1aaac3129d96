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

# Figures in real time are those of the machine as well: one of many runs must be as it shall. Where it says of each that
# the machine itself was late, that is nothing to judge by.
once_of_many() {
    was_in_time=
    for try in 1 2 3 4 5 6 7 8 9 10; do
        if "$@"; then
            return
        fi
        echo "try $try: $(tail -n 6 out)" >&2
        late=$(figure out '^this machine: late by \([0-9.]*\) ms.*')
        [ -n "$late" ] && ! within "$late" 0 10 || was_in_time=yes
    done
    [ -n "$was_in_time" ] || skip "this machine is always late, by $late ms at last"
    fail "$*"
}

# at_a_port WORD PROGRAM ARGUMENTS...: in the background, with a port that was free, until it says the word. Sets port
# and begun; what it says is in $work/begun.log.
at_a_port() {
    word=$1
    shift
    for try in 1 2 3 4 5 6 7 8; do
        port=$((20000 + ($$ + 977 * try) % 12000))
        "$@" --port $port >begun.log 2>&1 &
        begun=$!
        wait_for 20 has_said begun.log "$word" "$begun" || true
        if has_line begun.log "$word"; then
            pids="$pids $begun"
            return
        fi
        kill "$begun" 2>/dev/null || true
        wait "$begun" || true
    done
    fail "it does not say \"$word\": $(cat begun.log)"
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
    once_of_many plays 80 95 60
}

case_examples_game_network() {
    once_of_many plays 65 90 130 --loss 5 --delay 20
    within "$(figure out '^player A: rtt \([0-9.]*\) ms.*')" 40 80 || fail "no delay: $(cat out)"
}

joins() {
    expect 0 "$game" join "[::1]:$port" --headless --seconds 2
    within "$(figure out '^you: .*, \([0-9]*\) snapshots.*')" 20 61
}

# A server and two players of its own each.
case_examples_game_join() {
    at_a_port ' serving on ' "$game" serve --seconds 3000
    "$game" join 127.0.0.1:$port --headless --seconds 3 >one.log 2>&1 &
    one=$!
    pids="$pids $one"
    once_of_many joins
    forget "$one"
    wait "$one" || fail "the other player failed"
    forget "$begun"
    kill -INT "$begun"
    wait "$begun" || fail "the server did not end in order"
    has_line begun.log '^server: .* moves A [0-9]' || fail "no summary: $(cat begun.log)"
    expect 1 "$game" join 127.0.0.1:$port --headless --seconds 100
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
    once_of_many shows 95
    within "$(figure out '^sender: .* \([0-9.]*\) Mbit.s at the end.*')" 1.5 5 || fail "the rate stays: $(cat out)"
}

case_examples_media_loss() {
    once_of_many shows 95 --loss 5 --delay 20
    within "$(figure out '^receiver: .* \([0-9]*\) repaired.*')" 1 120 || fail "no repairs: $(cat out)"
    within "$(figure out '^sender: .* \([0-9]*\) lost.*')" 1 10000 || fail "no losses: $(cat out)"
}

case_examples_media_narrow() {
    once_of_many shows 80 --rate 2 --delay 20
    within "$(figure out '^sender: .* \([0-9.]*\) Mbit.s at the end.*')" 0.2 2 || fail "not adapted: $(cat out)"
}

# The two halves in two processes, and one sender too many.
case_examples_media_send() {
    once_of_many is_in_time
}

is_in_time() {
    at_a_port ' receiving on ' "$media" receive --seconds 3000
    "$media" send 127.0.0.1:$port --seconds 4 >send.log 2>&1 &
    send_pid=$!
    pids="$pids $send_pid"
    wait_for 20 has_said begun.log ' played ' "$begun" || true
    has_line begun.log ' played ' || fail "nothing comes"
    refused=0
    "$media" send "[::1]:$port" --seconds 2 >out 2>err || refused=$?
    [ "$refused" = 1 ] || is_gone "$send_pid" || fail "a second sender ends with $refused"
    forget "$send_pid"
    wait "$send_pid" || fail "the sender failed"
    forget "$begun"
    kill -TERM "$begun"
    wait "$begun" || fail "the receiver did not end in order"
    sent=$(figure send.log '^sender: \([0-9]*\) frames,.*')
    [ "$refused" = 1 ] || return 1 # the first had ended before
    within "$sent" 100 120 || return 1
    within "$(figure begun.log '^receiver: .* frames, \([0-9]*\) in time.*')" 80 "$sent"
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
