#!/bin/sh
# Standard input and output as source and destination.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# put FILE ARGS...: a copy with the file as standard input, through a pipe.
put() {
    from=$1
    shift
    got=0
    # shellcheck disable=SC2002
    cat "$from" | "$terncp" --accept-new "$@" >"$work/out" 2>"$work/err" || got=$?
    [ $got = 0 ] || fail "exit code $got: $*"
}

case_stdin() {
    serve
    for bytes in 0 1 1048575 1048576 1048577 5000000; do
        head -c $bytes /dev/urandom >here/file
        put here/file - "tern://$server/file"
        same here/file there/file
    done
    [ "$(stat -c %a there/file)" = 644 ] || fail "mode $(stat -c %a there/file)"
    "$terncp" --accept-new - "tern://$server/plain" <here/file 2>err # a file is not a pipe
    same here/file there/plain
    mkdir there/folder
    put here/file - "tern://$server/folder"
    same here/file there/folder/stdin
    put here/file here/file - "tern://$server/folder"
    same here/file there/folder/file
    expect 0 "$terncp" - "tern://$server/empty" # from /dev/null
    [ -f there/empty ] || fail "no empty file"
    [ ! -s there/empty ] || fail "something in it"
}

case_stdout() {
    serve
    for bytes in 0 1 1023 262143 262144 1048575 1048576 1048577 5000000; do
        head -c $bytes /dev/urandom >there/file
        copy "tern://$server/file" -
        same there/file out
    done
    truncate -s 3000000 there/sparse
    printf 'end' >>there/sparse
    copy "tern://$server/sparse" -
    same there/sparse out
    copy --no-verify "tern://$server/sparse" -
    same there/sparse out
    printf 'one' >there/one
    printf 'two' >there/two
    copy "tern://$server/one" "tern://$server/two" -
    [ "$(cat out)" = onetwo ] || fail "not one after another: $(cat out)"
    "$terncp" "tern://$server/file" - 2>err | cat >piped
    same there/file piped
}

# A filter between two servers, as people do it with tar.
case_stdin_and_stdout() {
    serve
    random there/file 5000
    "$terncp" --accept-new -q "tern://$server/file" - 2>err |
        "$terncp" --accept-new -q - "tern://$server/back" 2>err2
    same there/file there/back
}

case_pipe_failures() {
    serve
    random there/file 3000
    expect 6 "$terncp" --accept-new "tern://$server/absent" -
    says 'No such file'
    [ ! -s out ] || fail "something on standard output"
    mkdir there/folder
    expect 6 "$terncp" "tern://$server/folder" -
    expect 2 "$terncp" -r "tern://$server/folder" -
    expect 2 "$terncp" --json "tern://$server/file" -
    expect 2 "$terncp" - -
    expect 2 "$terncp" - here/file
    says 'both sides are local'
    # Whoever reads ends early: that is told, and nothing hangs.
    got=0
    { "$terncp" "tern://$server/file" - 2>err || echo $? >code; } | head -c 10 >/dev/null
    [ "$(cat code)" = 5 ] || fail "exit code $(cat code)"
    [ ! -e /dev/full ] || { "$terncp" "tern://$server/file" - >/dev/full 2>err || got=$?; }
    [ $got = 5 ] || fail "exit code $got with a full disk"
}

# Nothing comes, and nobody takes: an interrupt ends it at once.
case_pipe_interrupted() {
    serve
    copy - "tern://$server/known"
    mkfifo input output
    exec 8<>input 9<>output # open at both ends, by us: nothing is written or read
    "$terncp" - "tern://$server/file" <input >out 2>err &
    client_pid=$!
    pids="$pids $client_pid"
    wait_for 20 has_line "$serve_log" 'wants to send to file' || fail "it does not begin"
    kill -INT "$client_pid"
    end_copy 130
    absent there/file
    random there/large 20000
    "$terncp" "tern://$server/large" - >output 2>err &
    client_pid=$!
    pids="$pids $client_pid"
    wait_for 20 has_line "$serve_log" 'wants to have large' || fail "it does not begin"
    kill -INT "$client_pid"
    end_copy 130
    exec 8>&- 9>&-
}

case_stdin_slow() {
    serve
    {
        head -c 700000 /dev/urandom | tee -a here/file
        sleep 0.5
        head -c 700000 /dev/urandom | tee -a here/file
    } | "$terncp" --accept-new - "tern://$server/file" 2>err || fail "exit code $?"
    same here/file there/file
}

run_case "$@"
