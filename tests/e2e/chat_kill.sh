#!/bin/sh
# kill -9 at moments drawn by a seed (TERN_SEED): a chat server's history, and a client's memory.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"
seed=${TERN_SEED:-1}
kills=${TERN_KILLS:-12}

# moments LEAST MOST: so many of them, in seconds, from the seed.
moments() {
    awk -v seed="$seed" -v count="$kills" -v least="$1" -v most="$2" 'BEGIN {
        srand(seed)
        for (i = 0; i < count; i++) printf "%.3f\n", least + rand() * (most - least)
    }'
}

keys() {
    for name in "$@"; do
        "$ternchat" keygen -f "$name.id" >keygen.log 2>&1
    done
}

# talk NAME: says what comes in, ends once the server has all of it.
talk() {
    XDG_CONFIG_HOME="$work/config-$1" XDG_STATE_HOME="$work/state-$1" "$ternchat" --batch --open \
        --accept-new --key "$1.id" --nick "$1" "$server" den 2>>"$1.log"
}

numbered() {
    awk -v from="$1" -v to="$2" 'BEGIN { for (n = from; n <= to; n++) print "line " n }'
}

# What bob is shown of the room, within SECONDS.
shown() {
    rm -rf state-bob config-bob
    sleep "$1" | talk bob | sed -n 's/^alice: //p' >seen
}

# A newcomer is shown the latest hundred events, comings and goings included, so there are few lines.
# Every line that was acknowledged is there, once, in its order.
case_chat_server_killed_at_random() {
    has_history
    keys alice bob
    chat_serve --history talk.db
    (
        n=0
        while [ $n -lt 60 ]; do
            n=$((n + 1))
            echo "line $n"
            sleep 0.12
        done
    ) | talk alice >alice.out &
    talker=$!
    for moment in $(moments 0.05 0.7); do
        sleep "$moment"
        chat_serve_again --history talk.db
    done
    wait $talker || fail "seed $seed: not all was heard: $(cat alice.log)"
    shown 3
    numbered 1 60 >expected
    cmp -s expected seen || { diff expected seen >&2; fail "seed $seed: not once each, in order"; }
    echo "seed $seed: $kills kills"
}

# The memory opens each time, nothing is said twice, and what was said at last arrives.
case_chat_client_killed_at_random() {
    has_history
    keys alice bob
    chat_serve --history talk.db
    round=0
    for moment in $(moments 0.02 0.6); do
        round=$((round + 1))
        mkfifo "lines$round"
        talk alice <"lines$round" >alice.out &
        talker=$!
        pids="$pids $talker"
        exec 9>"lines$round"
        numbered $((100 * round)) $((100 * round + 5)) >&9
        sleep "$moment"
        client=$(ps -o pid= --ppid "$talker" | tr -d ' ')
        murder "${client:-$talker}"
        murder "$talker"
        exec 9>&-
        ! grep -q 'damaged\|nothing is remembered' alice.log || fail "seed $seed: the memory: $(cat alice.log)"
    done
    numbered 9000 9005 | talk alice >alice.out || fail "seed $seed: the last start fails: $(cat alice.log)"
    shown 3
    [ -z "$(sort seen | uniq -d)" ] || fail "seed $seed: said twice: $(sort seen | uniq -d)"
    [ "$(tail -n 6 seen)" = "$(numbered 9000 9005)" ] || fail "seed $seed: not at last: $(tail -n 8 seen)"
    sort -c -s -t ' ' -k 2 -n seen || fail "seed $seed: not in order"
    [ "$(wc -l <seen)" -ge 12 ] || fail "seed $seed: only $(wc -l <seen) lines came through: it shows nothing"
    echo "seed $seed: $kills kills, $(wc -l <seen) lines came through"
}

run_case "$@"
