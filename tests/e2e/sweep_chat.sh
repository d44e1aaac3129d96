#!/bin/sh
# The n-th call of ternchat and of ternperf fails, for one n after the other: what was acknowledged is kept, what was
# not is said, and the next start goes well.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/sweep_lib.sh
. "$(dirname "$0")/sweep_lib.sh"

ternchat=$TERN_BIN/ternchat
ternperf=$TERN_BIN/ternperf

need_history() {
    "$ternchat" serve --listen 127.0.0.1:0 --history /nowhere/at/all >/dev/null 2>probe.log || true
    ! grep -q 'without SQLite' probe.log || skip 'built without SQLite'
    for name in srv alice bob; do
        "$ternchat" keygen -f "$name.id" >/dev/null 2>&1
    done
    printf 'one\ntwo\nthree\n' >lines
}

# --- the server -------------------------------------------------------------------------------------

# Until all that was acknowledged is seen, or never will be.
wait_to_see() {
    tries=0
    while [ "$(grep -c '^alice: ' seen)" -lt $((3 * $(cat said))) ] && [ $tries -lt 2000 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}

# What the server has kept, as a newcomer is shown it by a server of a good system.
shown_of_history() {
    rm -f again.out
    "$ternchat" serve --key srv.id --listen 127.0.0.1:0 --history talk.db >again.out 2>again.log &
    again=$!
    pids="$pids $again"
    wait_for 20 has_said again.out '^key ' "$again" || true
    place=$(sed -n 's/^listening on //p' again.out)
    [ -n "$place" ] || fail_life "the history cannot be opened again: $(cat again.log)"
    : >seen
    wait_to_see | timeout --foreground "$patience" "$ternchat" --batch --open --accept-new --known-hosts guest \
        --no-memory --key bob.id --nick bob "${place:-127.0.0.1:9}" den >seen 2>seen.log || true
    forget "$again"
    kill "$again"
    wait "$again" || fail_life "the good server ends with $?"
}

chat_serve_reset() {
    rm -rf talk.db* config state guest said
    echo 0 >said
}
is_over_or_refused() {
    is_gone "$talker" || has_line err 'not now'
}

# What alice has to say. Who is told "not now" waits until there is room again, as they should: not for ever here.
say_to_server() {
    "$ternchat" --batch --open --accept-new --known-hosts guest.alice --no-memory --connect-timeout 15s \
        --key alice.id --nick alice "$server" den >out 2>err <lines &
    talker=$!
    wait_for 40 is_over_or_refused || { kill -9 "$talker" && fail_life "alice hangs"; }
    tries=0
    while ! is_gone "$talker" && [ $tries -lt 200 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    client=0
    if is_gone "$talker"; then
        wait "$talker" || client=$?
    else
        client=5
        kill -9 "$talker" 2>/dev/null || true
        wait "$talker" || true
    fi
    rm -f guest.alice
}

chat_serve_act() {
    serve_calls "$1" "$ternchat" serve --key srv.id --listen 127.0.0.1:0 --history talk.db
    client=0
    if [ -n "$server" ]; then
        say_to_server
        [ "$client" != 0 ] || echo $(($(cat said) + 1)) >said
    fi
    end_serve
}
# Whatever was acknowledged is there, each line as often as it was said, and nothing that nobody said.
chat_serve_held() {
    shown_of_history
    for line in one two three; do
        count=$(grep -c "^alice: $line\$" seen || true)
        [ "$count" -ge "$(cat said)" ] || fail_life "\"$line\" was acknowledged, and is not there: $(cat seen)"
    done
    ! grep -qv '^alice: \(one\|two\|three\)$' seen || fail_life "what nobody said: $(cat seen)"
}
chat_serve_done() {
    # A server whose standard output cannot be written serves all the same, at a place that we do not know.
    [ "$(cat said)" -ge 1 ] || [ -z "$server" ] || fail_life "nobody has heard it"
    chat_serve_held
}

case_sweep_chat_serve() {
    need_history
    sweep chat_serve
}

# --- a client with a memory --------------------------------------------------------------------------

chat_client_reset() {
    rm -rf config state
}
chat_client_act() {
    input=lines
    with_calls "$1" "$ternchat" --batch --open --accept-new --connect-timeout 15s --key alice.id \
        --nick alice "$server" den
    input=
}
chat_client_held() {
    :
}
chat_client_done() {
    :
}

case_sweep_chat_client() {
    need_history
    "$ternchat" serve --key srv.id --listen 127.0.0.1:0 --no-history >serve.out 2>serve.log &
    pids="$pids $!"
    wait_for 20 grep -q '^key ' serve.out || fail "the server does not start"
    server=$(sed -n 's/^listening on //p' serve.out)
    # Somebody stays in the room, or it is made anew each time: more often than one person may.
    mkfifo bob.in
    "$ternchat" --batch --open --accept-new --known-hosts guest --no-memory --key bob.id --nick bob "$server" den \
        <bob.in >bob.out 2>bob.log &
    pids="$pids $!"
    exec 9>bob.in
    sweep chat_client
    exec 9>&-
}

# --- ternperf ----------------------------------------------------------------------------------------

perf_reset() {
    rm -rf traces
    mkdir traces
}
perf_act() {
    with_calls "$1" "$ternperf" bulk --loopback -n 2M -C 3 --json --qlog traces
}
perf_held() {
    :
}
perf_done() {
    has_line "$work/out" '"bytes":2097152,' || fail_life "not all of it: $(cat "$work/out")"
}

case_sweep_perf() {
    sweep perf
}

perf_serve_reset() {
    :
}
perf_serve_act() {
    serve_calls "$1" "$ternperf" serve --listen 127.0.0.1:0
    client=0
    [ -z "$server" ] || ask_server "$ternperf" rr -n 50 "$server"
    end_serve
}
perf_serve_held() {
    :
}
perf_serve_done() {
    :
}

case_sweep_perf_serve() {
    sweep perf_serve
}

run_case "$@"
