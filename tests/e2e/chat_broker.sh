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
    "$redis" --port "$redis_port" --bind 127.0.0.1 --dir "$work/redis" --appendonly yes --save '' \
        --requirepass 'a:b@c' --unixsocket "$work/redis/socket" --daemonize no >>redis.log 2>&1 &
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

# two_servers OPTIONS...: sets one, two and their one_pid, two_pid.
two_servers() {
    need_broker
    chat_serve --broker "$broker" "$@"
    one=$server
    one_pid=$server_pid
    chat_serve --broker "$broker" "$@"
    two=$server
    two_pid=$server_pid
}

case_chat_broker_rooms_span_servers() {
    two_servers
    person ann "$one" --plain
    exec 3>"$work/ann.in"
    is_told ann 'in lobby are 1'
    person bob "$two" --plain
    exec 4>"$work/bob.in"
    is_told bob 'in lobby are 2'
    is_told ann 'bob'
    echo 'hello from the one' >&3
    sees bob '<ann> hello from the one'
    echo 'and from the other' >&4
    sees ann '<bob> and from the other'
    exec 3>&- 4>&-
}

run_case "$@"
