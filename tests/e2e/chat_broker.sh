#!/bin/sh
# Two servers of ternchat on one Redis: rooms, names and rights span both, whichever of the three dies.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"

# redis_up: Redis on its port, in its folder; the same again after it has died. Sets redis_pid and broker.
redis_up() {
    mkdir -p redis
    # What it has answered is in its file, even if it is killed then: with "everysec" it is only sometimes.
    "$redis" --port "$redis_port" --bind 127.0.0.1 --dir "$work/redis" --appendonly yes --appendfsync no --save '' \
        --requirepass 'a:b@c' --unixsocket "$work/redis/socket" --daemonize no >>redis.log 2>&1 3>&- 4>&- 5>&- 6>&- &
    redis_pid=$!
    pids="$pids $redis_pid"
    broker=redis://:a%3Ab%40c@127.0.0.1:$redis_port/3
    wait_for 20 redis_answers "$redis_pid" && ! is_gone "$redis_pid"
}

redis_answers() {
    is_gone "$1" || [ "$(ask_redis ping 2>/dev/null)" = PONG ]
}

ask_redis() {
    redis-cli -s "$work/redis/socket" -a 'a:b@c' --no-auth-warning -n 3 "$@"
}

need_broker() {
    redis=$(command -v redis-server) || skip 'no redis-server'
    command -v redis-cli >/dev/null || skip 'no redis-cli'
    "$ternchat" serve --listen 127.0.0.1:0 --broker nonsense >/dev/null 2>probe.log || true
    ! grep -q 'without hiredis' probe.log || skip 'built without hiredis'
    for _ in 1 2 3 4 5; do
        redis_port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))
        ! redis_up || return 0
    done
    fail 'no port for Redis'
}

# Sets one, two and their one_pid, two_pid.
two_servers() {
    need_broker
    chat_serve --broker "$broker"
    one=$server
    one_pid=$server_pid
    chat_serve --broker "$broker"
    two=$server
    two_pid=$server_pid
}

# Somebody at each: ann at the one, bob at the other, both in the lobby.
ann_and_bob() {
    mkdir -p down downs
    person ann "$one" --downloads downs
    ann_pid=$person_pid
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    person bob "$two" --downloads down
    bob_pid=$person_pid
    exec 4>"$work/bob.in"
    is_told bob 'in lobby are 2'
    sees ann 'bob came'
}

case_chat_broker_rooms_span_servers() {
    two_servers
    ann_and_bob
    echo 'hello from the one' >&3
    sees bob 'lobby <ann> hello from the one'
    echo 'and from the other' >&4
    sees ann 'lobby <bob> and from the other'
    echo '/topic trees' >&3
    sees bob 'ann set the topic: trees'
    echo '/nick robert' >&4
    sees ann 'robert was called bob'
    echo '/away' >&4
    is_told bob 'you are away'
    wait_for 20 knows_away ann robert || fail 'ann does not know that robert is away'
    echo '/join work' >&4
    is_told bob 'in work are 1'
    echo '/rooms' >&3
    echo '/list' >&3
    is_told ann 'work: 1 person'
    echo '/msg robert just you' >&3
    sees bob ' ann <ann> just you'
    echo '/go ann' >&4
    echo 'and you' >&4
    sees ann ' robert <robert> and you'
    echo '/quit' >&4
    exec 4>&-
    sees ann 'robert left'
    ends "$bob_pid" 0
    exec 3>&-
}

knows_away() {
    echo '/who' >&3
    has_line "$work/$1.log" "$2.*away"
}

# Who comes later gets what was said, from Redis; questions go there, too.
case_chat_broker_keeps_what_was_said() {
    two_servers
    person ann "$one"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    echo "/open wide" >&3
    is_told ann 'in wide are 1'
    say_lines ann 130 >&3
    sees ann '<ann> ann says 130'
    person bob "$two" --room wide
    exec 4>"$work/bob.in"
    sees bob '<ann> ann says 130'
    ! grep -q 'ann says 7$' "$work/bob.out" || fail "all is here: nothing to ask for"
    echo "/before" >&4
    echo "/before" >&4
    is_told bob '<ann> ann says 2$'
    echo "/search 7" >&4
    is_told bob 'broker, which does not search'
    exec 3>&- 4>&-
}

case_chat_broker_names_and_rights_are_one() {
    two_servers
    ann_and_bob
    person ANN "$two"
    exec 5>"$work/ANN.in"
    is_told ANN 'that name is taken; trying ANN-2'
    sees ann 'ANN-2 came'
    echo '/kick ann' >&4
    is_told bob 'only a moderator'
    echo '/ban bob' >&3
    is_told bob 'you are no longer in that room'
    sees ann 'ann put out bob'
    echo '/join lobby' >&4
    is_told bob 'lobby: refused: you were put out of it for good'
    echo '/pardon bob' >&3
    echo '/kick bob' >&3
    is_told ann 'nobody of that name is in this room'
    echo '/join lobby' >&4
    wait_for 20 has_line "$work/bob.log" 'in lobby are 3' || fail 'bob is not let in again'
    exec 3>&- 4>&- 5>&-
}

# One key at both servers is one person: in a room as long as one of them is.
case_chat_broker_one_person_at_both() {
    two_servers
    "$ternchat" keygen -f ann.id >ann.keygen.log 2>&1
    person bob "$one"
    exec 3>"$work/bob.in"
    is_told bob 'in lobby are 1'
    person first "$one" --key ann.id --nick ann
    first_pid=$person_pid
    exec 4>"$work/first.in"
    sees bob 'ann came'
    person second "$two" --key ann.id --nick ann
    exec 5>"$work/second.in"
    is_told second 'in lobby are 2'
    echo '/quit' >&4
    ends "$first_pid" 0
    echo '/nick anna' >&5
    sees bob 'anna was called ann'
    [ "$(grep -c 'ann came' "$work/bob.out")" = 1 ] || fail 'ann came twice'
    ! grep -q 'left' "$work/bob.out" || fail 'ann left too early'
    echo '/quit' >&5
    sees bob 'anna left'
    exec 3>&- 4>&- 5>&-
}

# Who types, and how far they have read, is seen at the other server.
case_chat_broker_shows_what_people_do() {
    need_screens
    two_servers
    screen ann 80 20
    screen bob 80 20
    server=$one
    joins ann
    server=$two
    joins bob
    shows ann 'bob'
    types bob 'so I think'
    shows ann 'bob is typing'
    types bob Enter
    shows ann 'so I think'
    lacks ann 'bob is typing'
    wait_for 20 is_read || fail 'nobody has read it'
    types ann /quit Enter
    types bob /quit Enter
    shows ann '^ended 0'
    shows bob '^ended 0'
}

# Each of these is a question for every seat of theirs: they are not asked without end.
case_chat_broker_away_and_back_has_a_limit() {
    two_servers
    ann_and_bob
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        printf '/away\n/back\n' >&4
    done
    is_told bob 'away and back too often'
    echo 'still here' >&4
    sees ann '<bob> still here'
    exec 3>&- 4>&-
}

# Who has used up a limit does not have it anew by coming again. A name more is allowed every ten seconds: on a slow
# machine it takes more of them, yet fewer than who comes for the first time may have.
case_chat_broker_limits_outlive_a_goodbye() {
    two_servers
    "$ternchat" keygen -f ann.key >/dev/null 2>&1
    person ann "$one" --key ann.key
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    for n in 1 2 3 4 5; do
        echo "/nick ann$n" >&3
    done
    sees ann 'ann5 was called ann4'
    exec 3>&-
    ends "$person_pid" 0
    rm -f ann.in
    person ann "$one" --key ann.key
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    for name in anna anne anni anno; do
        echo "/nick $name" >&3
    done
    is_told ann 'too many names'
    exec 3>&-
}

is_read() {
    [ "$(ask_redis hlen tern:3:read:lobby)" -ge 1 ]
}

# Both say their lines, each at a server of their own, while a third listens.
two_talk() {
    talkers "$one,$two" "$two,$one" "$two,$one"
    exec 5>"$work/p3.in"
    wait_for 60 all_are_here || fail 'they do not hear each other'
    (slowly p1 500 >&3) &
    first=$!
    (slowly p2 500 >&4) &
    second=$!
}

# Who comes later cannot read what was said before.
all_are_here() {
    echo "here" >&3
    echo "here" >&4
    has_line "$work/p1.out" '^p2: here' && has_line "$work/p2.out" '^p1: here' &&
        has_line "$work/p3.out" '^p1: here' && has_line "$work/p3.out" '^p2: here'
}

slowly() {
    say_lines "$1" "$2" | while read -r line; do
        echo "$line"
        sleep 0.02
    done
}

# Words that Redis has twice: of one number, and of one person. Sealed ones, a client would show once.
count_twice() {
    ask_redis eval "local seen, count = {}, 0
        for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
            local e = entry[2][6]
            local id = e:sub(1, 8) .. e:sub(10, 41)
            if e:sub(1, 8) ~= string.rep(string.char(0), 8) then
                count = count + (seen[id] and 1 or 0)
                seen[id] = true
            end
        end
        return count" 1 tern:3:log:talk
}

# Everybody has all of it, once and in the same order.
all_heard() {
    wait "$first" "$second"
    heard p1 p2 500
    heard p2 p1 500
    heard p3 p1 500
    heard p3 p2 500
    grep ' says ' "$work/p3.out" >order
    grep -c . order | grep -qx 1000 || fail 'not 1000 lines'
    [ "$(count_twice)" = 0 ] || fail 'Redis has words twice'
    exec 3>&- 4>&- 5>&-
    # shellcheck disable=SC2154
    ends "$pid1" 0
    # shellcheck disable=SC2154
    ends "$pid2" 0
}

case_chat_broker_survives_a_server() {
    two_servers
    person watch "$two" --room talk
    exec 6>"$work/watch.in"
    is_told watch 'in talk are 1'
    two_talk
    sees p3 'p1 says 150$'
    murder "$one_pid"
    all_heard
    sees watch 'p1 says 500'
    [ "$(grep -c 'p1 came' "$work/watch.out")" = 1 ] || fail 'p1 came again'
    exec 6>&-
}

case_chat_broker_survives_its_redis() {
    two_servers
    two_talk
    sees p3 'p1 says 150$'
    murder "$redis_pid"
    sees p1 'p2 says 1'
    redis_up || fail 'Redis does not come back'
    all_heard
}

# All connections to Redis end, again and again, whatever was on its way.
case_chat_broker_connections_break() {
    two_servers
    two_talk
    for line in 50 100 150 200 250 300 350 400; do
        sees p3 "p1 says $line\$"
        ask_redis client kill type pubsub >>kill.log
        ask_redis client kill type normal skipme yes >>kill.log
    done
    all_heard
}

# A server can end while it waits for an answer.
case_chat_broker_end_without_an_answer() {
    two_servers
    ann_and_bob
    kill -STOP "$redis_pid"
    echo 'into the void' >&3
    echo '/join elsewhere' >&3
    echo '/nick other' >&4
    is_told ann 'not now: the server does not reach its broker'
    kill "$one_pid" "$two_pid"
    ends "$one_pid" 0
    ends "$two_pid" 0
    kill -CONT "$redis_pid"
    murder "$ann_pid"
    murder "$bob_pid"
    exec 3>&- 4>&-
}

# The servers are there first.
case_chat_broker_comes_later() {
    need_broker
    murder "$redis_pid"
    chat_serve --broker "$broker"
    wait_for 20 has_line "$serve_log" 'the broker: ' || fail 'the server does not tell'
    person ann "$server"
    exec 3>"$work/ann.in"
    wait_for 20 has_line "$work/ann.log" 'trying again' || fail 'ann is let in without a broker'
    redis_up || fail 'no Redis'
    is_told ann 'in lobby are 1'
    exec 3>&-
}

# It neither answers nor ends: words are refused, said again, and there once.
case_chat_broker_that_hangs() {
    two_servers
    two_talk
    sees p3 'p1 says 100$'
    kill -STOP "$redis_pid"
    wait_for 30 has_line "$work/p1.log" 'not now: the server does not reach its broker' || {
        kill -CONT "$redis_pid"
        fail 'p1 is not told'
    }
    kill -CONT "$redis_pid"
    all_heard
}

# Who does not return leaves, once, though their server cannot say so: here the ten minutes are over.
case_chat_broker_lost_members_leave() {
    two_servers
    ann_and_bob
    murder "$bob_pid"
    murder "$two_pid"
    wait_for 40 is_lost || fail 'bob is not lost'
    ask_redis eval "for _, m in ipairs(redis.call('zrange', KEYS[1], 0, -1)) do
        redis.call('zadd', KEYS[1], 1, m) end" 1 tern:3:gone >lost.log
    sees ann 'bob was lost'
    wait_for 20 is_alone || fail 'bob is a member still'
    exec 3>&- 4>&-
}

is_alone() {
    [ "$(ask_redis hlen tern:3:members:lobby)" = 1 ]
}

# A server that is told to end says so to the others, and its clients: nobody leaves, all is there.
case_chat_broker_server_ends() {
    two_servers
    ann_and_bob
    person cat "$one,$two"
    exec 5>"$work/cat.in"
    sees bob 'cat came'
    kill "$one_pid"
    ends "$one_pid" 0
    echo 'who is there?' >&4
    sees cat '<bob> who is there?'
    echo 'I am' >&5
    sees bob '<cat> I am'
    ! grep -q 'cat left' "$work/bob.out" || fail 'cat has left'
    [ "$(grep -c 'cat came' "$work/bob.out")" = 1 ] || fail 'cat came twice'
    exec 3>&- 4>&- 5>&-
}

# Who comes in by a code at the one server may come to the other.
case_chat_broker_guests_may_come_everywhere() {
    need_broker
    : >first.keys
    : >second.keys
    chat_serve --broker "$broker" --authorized-keys first.keys --invite
    wait_for 20 has_line "$serve_log" '^code ' || fail 'no code'
    code=$(sed -n 's/^code //p' "$serve_log")
    chat_serve --broker "$broker" --authorized-keys second.keys
    for name in ann bob; do
        "$ternchat" keygen -f "$name.id" >"$name.keygen.log" 2>&1
    done
    ! echo hi | "$ternchat" --batch --accept-new --key ann.id --nick ann "$server" den 2>err.log ||
        fail 'let in without a code'
    echo hi | "$ternchat" --batch --key ann.id --nick ann "${code%%@*}@127.0.0.1:${code##*:}" den
    echo hi | "$ternchat" --batch --accept-new --key ann.id --nick ann "$server" den || fail 'not let in'
    ! echo hi | "$ternchat" --batch --accept-new --key bob.id --nick bob "$server" den 2>err.log ||
        fail 'bob is let in'
}

# ended PID...: however they end, since they were told that something is lost.
ended() {
    for one_of in "$@"; do
        forget "$one_of"
        wait "$one_of" || true
    done
}

# Redis comes back without what it heard last, as after a power failure: the talk goes on behind a gap, and
# no new word is taken for one that was forgotten.
case_chat_broker_that_forgets_its_end() {
    two_servers
    ann_and_bob
    echo 'kept' >&3
    sees bob '<ann> kept'
    cp -r redis/appendonlydir kept
    for i in 1 2 3 4 5; do
        echo "forgotten $i" >&3
    done
    sees bob '<ann> forgotten 5'
    murder "$redis_pid"
    rm -r redis/appendonlydir
    mv kept redis/appendonlydir
    redis_up || fail 'Redis does not come back'
    echo 'after' >&3
    sees bob '<ann> after'
    echo 'and after that' >&4
    sees ann '<bob> and after that'
    person cat "$one"
    exec 5>"$work/cat.in"
    sees ann 'cat came'
    echo 'for cat' >&4
    sees cat '<bob> for cat'
    is_told bob 'events are lost\|has lost what was said here before' # if the room is older than a second
    exec 3>&- 4>&- 5>&-
    ended "$ann_pid" "$bob_pid" "$person_pid"
}

# Redis forgets everything: rooms are made anew, by those who were in them, and the talk goes on.
case_chat_broker_that_forgets() {
    two_servers
    ann_and_bob
    echo 'before' >&3
    sees bob '<ann> before'
    ask_redis flushall >flush.log
    echo 'after' >&3
    sees bob '<ann> after'
    echo 'and after that' >&4
    sees ann '<bob> and after that'
    exec 3>&- 4>&-
    ended "$ann_pid" "$bob_pid"
}

# --- files ------------------------------------------------------------------------------------------

# Large files take their time under sanitizers.
is_told_late() {
    wait_for 120 has_line "$work/$1.log" "$2" || fail "$1 is not told: $2"
}

part_is() {
    [ -n "$(find "$1" -name '.ternchat-*' -size +$(($2 - 1))c 2>/dev/null)" ]
}

# From one server to the other and back, while they talk; the bytes and the words are all there.
case_chat_broker_files_span_servers() {
    two_servers
    ann_and_bob
    random big.bin 20000
    : >empty
    echo '/send big.bin' >&3
    sees bob 'ann offers big.bin (20 MB): /get 1'
    echo '/get' >&4
    is_told bob 'getting big.bin (1; 20 MB) of ann'
    n=0
    while [ $n -lt 20 ]; do
        n=$((n + 1))
        echo "ann says $n" >&3
        echo "bob says $n" >&4
        sees bob "<ann> ann says $n\$"
        sees ann "<bob> bob says $n\$"
    done
    is_told_late bob 'big.bin (1) is here: down/big.bin'
    is_told_late ann 'big.bin (1) was sent to bob'
    same big.bin down/big.bin
    echo '/send empty' >&3
    sees bob 'ann offers empty '
    echo '/get' >&4
    is_told bob 'empty (2) is here: down/empty'
    cp down/big.bin back.bin
    echo '/send back.bin' >&4
    sees ann 'bob offers back.bin '
    echo '/get' >&3
    is_told_late ann 'back.bin (3) is here: '
    same big.bin downs/back.bin
    say_lines ann 300 >&3 # its event is not in the servers' memory any more
    sees bob '<ann> ann says 300'
    echo '/get 1' >&4
    is_told_late bob 'big.bin (1) is here: down/big (1).bin'
    same big.bin 'down/big (1).bin'
    echo '/cancel 1' >&3
    is_told ann 'big.bin (1) is not offered any more'
    echo '/get 1' >&4
    is_told bob 'they do not offer it any more'
    exec 4>&-
    ends "$bob_pid" 1
    exec 3>&-
}

# What is on its way when a connection to Redis ends, or Redis itself, goes on by itself from where it is.
case_chat_broker_files_go_on() {
    two_servers
    ann_and_bob
    random big.bin 120000
    echo '/send big.bin' >&3
    sees bob 'ann offers big.bin '
    echo '/get' >&4
    is_told bob 'getting big.bin '
    wait_for 20 part_is down 1000000 || fail 'nothing comes'
    ask_redis client kill type pubsub >/dev/null
    is_told bob 'big.bin (1) waits at .* it goes on by itself'
    wait_for 60 part_is down 60000000 || fail 'it does not go on'
    murder "$redis_pid"
    redis_up || fail 'Redis does not come back'
    is_told_late bob 'big.bin (1) is here: down/big.bin'
    same big.bin down/big.bin
    exec 3>&- 4>&-
}

# Who fetches goes: the server of who offers hears of it, and has room for others.
case_chat_broker_files_end_with_who_fetches() {
    two_servers
    ann_and_bob
    random big.bin 120000
    echo '/send big.bin' >&3
    sees bob 'ann offers big.bin '
    echo '/get' >&4
    wait_for 20 part_is down 1000000 || fail 'nothing comes'
    echo '/cancel 1' >&4
    is_told ann 'big.bin (1) was not sent to bob'
    echo '/get 1' >&4
    is_told_late bob 'big.bin (1) is here: down/big.bin'
    same big.bin down/big.bin
    exec 3>&- 4>&-
}

is_lost() {
    [ "$(ask_redis zcard tern:3:gone)" = 1 ]
}

case_chat_broker_url_is_checked() {
    need_broker
    for url in "redis://:wrong@127.0.0.1:$redis_port" "redis://127.0.0.1:$redis_port"; do
        "$ternchat" serve --listen 127.0.0.1:0 --broker "$url" >broker.log 2>&1 &
        url_pid=$!
        pids="$pids $url_pid"
        wait_for 20 has_line broker.log 'the broker: \(WRONGPASS\|NOAUTH\)' || fail "no word of $url"
        kill "$url_pid" # before another one writes there
        ends "$url_pid" 0
    done
    for url in rediss://host http://host redis:// redis://host:99999 redis://host/x unix:relative; do
        code=0
        "$ternchat" serve --listen 127.0.0.1:0 --broker "$url" >/dev/null 2>url.log || code=$?
        [ $code = 2 ] || fail "$url: $code"
        has_line url.log 'ternchat: --broker: ' || fail "$url is not explained"
    done
    code=0
    "$ternchat" serve --broker "$broker" --history x.db >/dev/null 2>url.log || code=$?
    [ $code = 2 ] || fail "with a history: $code"
    chat_serve --broker "unix://:a%3Ab%40c@$work/redis/socket?db=3"
    person ann "$server"
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    exec 3>&-
}

run_case "$@"
