#!/bin/sh
# Programs of two builds, whose ciphers come from different libraries, talk to each other.
# TERN_PEER_BIN is the folder of the other build's programs; without it this is skipped.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# serve_perf FOLDER: its ternperf, serving on $server.
serve_perf() {
    serve_count=$((${serve_count:-0} + 1))
    serve_log=$work/server$serve_count.log
    "$1/ternperf" serve --listen 127.0.0.1:0 >"$serve_log" 2>&1 &
    server_pid=$!
    pids="$pids $server_pid"
    wait_for 20 has_said "$serve_log" ' serving on ' "$server_pid" || true
    server=$(sed -n 's/.* serving on \([0-9.]*:[0-9]*\)$/\1/p' "$serve_log")
    [ -n "$server" ] || fail "the server does not start"
}

# knows FOLDER CIPHER: a build whose both ends agree on it.
knows() {
    "$1/ternperf" rr --loopback -n 1 --cipher "$2" -q >/dev/null 2>&1
}

# talk FOLDER CIPHER: both ways, from there to $server.
talk() {
    for way in '' -R; do
        # shellcheck disable=SC2086
        expect 0 "$1/ternperf" bulk $way -n 3M --cipher "$2" --json "$server"
        has_line out '"bytes":3145728,' || fail "not all of it: $(cat out)"
        has_line out "\"cipher\":\"$2\"" || fail "not $2: $(cat out)"
    done
}

case_engines_of_two_builds() {
    [ -n "${TERN_PEER_BIN:-}" ] || skip "TERN_PEER_BIN names no other build"
    serve_perf "$TERN_PEER_BIN"
    theirs=$server
    serve_perf "$TERN_BIN"
    ours=$server
    for cipher in aes-256-gcm aegis-128l aegis-256 chacha20-poly1305; do
        if ! knows "$TERN_BIN" $cipher || ! knows "$TERN_PEER_BIN" $cipher; then
            echo "not both builds have $cipher"
            [ $cipher != chacha20-poly1305 ] || fail "which is always there"
            continue
        fi
        server=$theirs
        talk "$TERN_BIN" $cipher
        server=$ours
        talk "$TERN_PEER_BIN" $cipher
        echo "both ways, each serving: $cipher"
    done
}

run_case "$@"
