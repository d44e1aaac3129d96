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

# talk NAME: says what comes in, ends once the server has all of it. In a subshell it is the program itself.
talk() {
    exec env XDG_CONFIG_HOME="$work/config-$1" XDG_STATE_HOME="$work/state-$1" "$ternchat" --batch --open \
        --accept-new --key "$1.id" --nick "$1" "$server" den 2>>"$1.log"
}

numbered() {
    awk -v from="$1" -v to="$2" 'BEGIN { for (n = from; n <= to; n++) print "line " n }'
}

# shown LAST: what alice has said, as bob is shown it, up to that line.
shown() {
    rm -rf state-bob config-bob
    listen_to bob den "^alice: $1\$"
    sed -n 's/^alice: //p' seen >heard
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
    shown 'line 60'
    numbered 1 60 >expected
    cmp -s expected heard || { diff expected heard >&2; fail "seed $seed: not once each, in order"; }
    echo "seed $seed: $kills kills"
}

# The memory opens each time, nothing is said twice, and what was said at last arrives.
case_chat_client_killed_at_random() {
    has_history
    keys alice bob
    chat_serve --history talk.db
    begun=$(date +%s%3N)
    numbered 1 6 | talk alice >alice.out || fail "seed $seed: the first start fails: $(cat alice.log)"
    # Some of the moments must come when something was heard, however slow the machine is.
    longest=$(awk -v took=$(($(date +%s%3N) - begun)) 'BEGIN { print took > 300 ? 2 * took / 1000 : 0.6 }')
    round=0
    for moment in $(moments 0.02 "$longest"); do
        round=$((round + 1))
        mkfifo "lines$round"
        talk alice <"lines$round" >alice.out &
        talker=$!
        pids="$pids $talker"
        exec 9>"lines$round"
        numbered $((100 * round)) $((100 * round + 5)) >&9
        sleep "$moment"
        # On a machine that is slow enough all of them die before a word has left; one does not.
        [ $round != 1 ] || shown "line 105"
        murder "$talker"
        exec 9>&-
        ! grep -q 'damaged\|nothing is remembered' alice.log || fail "seed $seed: the memory: $(cat alice.log)"
    done
    numbered 9000 9005 | talk alice >alice.out || fail "seed $seed: the last start fails: $(cat alice.log)"
    shown 'line 9005'
    [ -z "$(sort heard | uniq -d)" ] || fail "seed $seed: said twice: $(sort heard | uniq -d)"
    [ "$(tail -n 6 heard)" = "$(numbered 9000 9005)" ] || fail "seed $seed: not at last: $(tail -n 8 heard)"
    sort -c -s -t ' ' -k 2 -n heard || fail "seed $seed: not in order"
    [ "$(wc -l <heard)" -ge 18 ] || fail "seed $seed: only $(wc -l <heard) lines came through: it shows nothing"
    echo "seed $seed: $kills kills, $(wc -l <heard) lines came through"
}

run_case "$@"
