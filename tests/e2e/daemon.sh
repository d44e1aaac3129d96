#!/bin/sh
# terncp serve as a service: its log, its limits, its threads, its end, and what a manager gives and gets.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# logged PATTERN: the server has said so, or will within a few seconds.
logged() {
    wait_for 10 has_line "$serve_log" "$1" || fail "the server's log has no \"$1\""
}

# --- the log --------------------------------------------------------------------------------------

case_daemon_log() {
    "$terncp" keygen -f mine >out
    { head -n 1 out | tr -d '\n' && echo ' alice@laptop'; } >allowed
    serve --authorized-keys "$work/allowed"
    random here/file 3
    mkdir here/tree
    random here/tree/one 1
    random here/tree/two 2
    copy --key mine here/file "tern://$server/file"
    logged '127.0.0.1:[0-9]* ([a-z-]*; alice@laptop): push file: done: 1 file, 3.0 KiB in [0-9.]* s$'
    copy --key mine -r here/tree "tern://$server/"
    logged 'push /: done: 2 files, 3.0 KiB in '
    copy --key mine "tern://$server/file" here/again
    logged '(.*alice@laptop): pull file: done: 1 file, 3.0 KiB in '
    expect 6 "$terncp" --key mine "tern://$server/missing" here/missing
    logged 'pull missing: refused: 0 files, 0 B in .*: No such file or directory$'
    copy --key mine -r "tern://$server/tree" here/back
    logged 'pull tree: done: 2 files'
    "$terncp" keygen -f other >stranger
    expect 4 "$terncp" --key other here/file "tern://$server/other"
    logged "([a-z ]*-.*): refused: its key is not in .*: $(head -n 1 stranger)"
    absent there/other
}

# A line of the list that is no key is told, at the start and when the list changes; once.
case_daemon_list() {
    "$terncp" keygen -f mine >out
    { echo '# clients' && echo 'ssh-ed25519 AAAA bob'; } >allowed
    serve --authorized-keys "$work/allowed"
    logged "$work/allowed:2: no key: lets nobody in"
    head -n 1 out >>allowed
    echo 'tern:abc ann' >>allowed
    logged "$work/allowed:4: no key"
    random here/file 3
    copy --key mine here/file "tern://$server/file"
    sleep 1
    [ "$(grep -c 'allowed:4:' "$serve_log")" = 1 ] || fail "it was said more than once"
}

case_daemon_log_json() {
    "$terncp" serve --anonymous --root there --listen 127.0.0.1:0 --json >json 2>server.log &
    server_pid=$!
    pids="$pids $server_pid"
    wait_for 20 has_line json '^{"event":"serving","root":"there","listen":"127.0.0.1:[0-9]*","key":"tern:' ||
        fail "it does not say where it is"
    server=$(sed -n 's/.*"listen":"\([0-9.:]*\)".*/\1/p' json)
    random here/file 3
    copy here/file "tern://$server/$(printf 'a\033b')"
    wait_for 10 has_line json '"event":"request"' || fail "no line for the request"
    line=$(grep '"event":"request"' json)
    for part in '"peer":"127.0.0.1:' '"key":"tern:' '"known":false' '"request":"push"' \
        '"path":"a\u001bb"' '"files":1' '"folders":0' '"failed":0' '"bytes":3072' \
        '"result":"done"' '"time":"20'; do
        case $line in
        *"$part"*) ;;
        *) fail "no $part in $line" ;;
        esac
    done
    has_line json '"seconds":[0-9][0-9]*\.[0-9]' || fail "no seconds in $line"
}

case_daemon_broken_off() {
    serve
    link --rate 10
    random here/file 20000
    begin_copy here/file "tern://$link/file"
    wait_for 60 part_has there 262144 || fail "no temporary file grows"
    kill "$client_pid"
    end_copy 130
    logged 'push file: broken off: .*: interrupted$'
}

# In the journal lines bear their priority, and the name is its own.
case_daemon_journal() {
    mkfifo pipe
    cat pipe >journal &
    reader=$!
    # The pipe stands for the journal's stream: same device, same inode.
    stream=$(stat -L -c %d:%i pipe)
    JOURNAL_STREAM=$stream "$terncp" serve --anonymous --root there \
        --listen 127.0.0.1:0 2>pipe &
    server_pid=$!
    pids="$pids $server_pid"
    wait_for 20 has_line journal '^<6>serving there on 127' || fail "no priority"
    kill "$server_pid"
    wait "$server_pid" || fail "the server ended with $?"
    forget "$server_pid"
    wait "$reader"
    ! grep -q 'terncp: ' journal || fail "the program's name is said twice"
}

# --- shards and limits ----------------------------------------------------------------------------

has_threads() {
    [ "$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l)" -ge "$2" ]
}

case_daemon_shards() {
    serve --shards 3 --server-id 7
    wait_for 10 has_threads "$server_pid" 9 ||
        fail "three shards have not three threads with two workers each"
    for i in 1 2 3 4 5 6; do
        random "here/file$i" 700
    done
    copy here/file1 "tern://$server/"
    started=
    for i in 2 3 4 5 6; do
        "$terncp" --quiet "here/file$i" "tern://$server/" &
        started="$started $!"
    done
    for pid in $started; do
        wait "$pid" || fail "a copy failed"
    done
    for i in 1 2 3 4 5 6; do
        same "here/file$i" "there/file$i"
        copy "tern://$server/file$i" here/back
        same "here/file$i" here/back
    done
    expect 2 "$terncp" serve --shards 65 --anonymous
    expect 2 "$terncp" serve --shards 0 --anonymous
}

# Clients of several shards write to unfinished files at the same time.
case_daemon_shards_writers() {
    serve --shards 3
    random here/file 4000
    started=
    for i in 1 2 3 4 5 6 7 8; do
        "$terncp" --quiet --accept-new here/file "tern://$server/file$i" &
        started="$started $!"
    done
    for pid in $started; do
        wait "$pid" || fail "a copy failed"
    done
    for i in 1 2 3 4 5 6 7 8; do
        same here/file "there/file$i"
    done
}

case_daemon_clients() {
    serve --max-clients 1
    link --rate 10
    random here/file 3000
    begin_copy here/file "tern://$link/file"
    wait_for 60 part_has there 262144 || fail "no temporary file grows"
    kill -STOP "$client_pid" # still there when the other one comes
    refused=0
    "$terncp" --accept-new here/file "tern://$server/other" >"$work/out2" 2>"$work/err2" </dev/null || refused=$?
    kill -CONT "$client_pid"
    [ "$refused" = 3 ] || fail "exit code $refused, not 3"
    has_line err2 'too many clients at once' || fail "it is not said why"
    end_copy 0
    same here/file there/file
    wait_for 20 may_come_in || fail "nobody else is let in"
}

may_come_in() {
    "$terncp" --accept-new here/file "tern://$server/other" >"$work/out2" 2>"$work/err2" </dev/null
}

case_daemon_per_address() {
    serve --max-per-address 1
    link --rate 10
    random here/file 3000
    begin_copy here/file "tern://$link/file"
    wait_for 60 part_has there 262144 || fail "no temporary file grows"
    kill -STOP "$client_pid" # still there when the other one comes
    refused=0
    "$terncp" --accept-new --connect-timeout 1s here/file "tern://$server/other" >"$work/out2" 2>"$work/err2" \
        </dev/null || refused=$?
    kill -CONT "$client_pid"
    [ "$refused" = 3 ] || fail "exit code $refused, not 3"
    end_copy 0
    same here/file there/file
}

# seconds_of FILE: what the JSON summary says.
seconds_of() {
    sed -n 's/.*"event":"summary".*"seconds":\([0-9.]*\).*/\1/p' "$1"
}

# is_at_least A B: of two numbers.
is_at_least() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }'
}

# in_seconds LEAST MOST FUNCTION...: what it does, which leaves in $took how long it took. Sooner would be a broken
# limit. Later may be a busy machine's fault: then it is done again, and one of many times must be in time.
in_seconds() {
    least=$1 most=$2
    shift 2
    for try in 1 2 3 4 5 6 7 8; do
        "$@"
        is_at_least "$took" "$least" || fail "it took $took s, less than $least"
        ! is_at_least "$most" "$took" || return 0
        echo "try $try: $took s, not $least to $most"
    done
    fail "it took $took s, not $most at most"
}

# All of it anew, whatever is there.
timed_copy() {
    copy --json -W "$@"
    took=$(seconds_of out)
}

# 4 MB at 2 MB/s are two seconds.
case_daemon_bwlimit() {
    serve
    head -c 4000000 /dev/urandom >here/file
    in_seconds 1.9 2.6 timed_copy --bwlimit 16mbit here/file "tern://$server/file"
    in_seconds 1.9 2.6 timed_copy --bwlimit 16mbit "tern://$server/file" here/back
    same here/file here/back
    in_seconds 0 1.5 timed_copy "tern://$server/file" here/back
    expect 2 "$terncp" --bwlimit fast a tern://h/b
}

# Two at once, from the begin of the first to the end of the last.
timed_pair() {
    begun=$(date +%s%3N)
    "$terncp" --json -W "tern://$server/file" here/one >one 2>one.log &
    other=$!
    copy --json -W "tern://$server/file" here/two
    wait $other || fail "the other copy failed"
    took=$(awk -v ms=$(($(date +%s%3N) - begun)) 'BEGIN { print ms / 1000 }')
}

case_daemon_bwlimit_serve() {
    serve --bwlimit 16mbit
    head -c 4000000 /dev/urandom >here/file
    in_seconds 1.9 2.6 timed_copy here/file "tern://$server/file"
    in_seconds 1.9 2.6 timed_copy "tern://$server/file" here/back
    in_seconds 3.8 6.0 timed_pair # they share it
    same here/file here/one
    same here/file here/two
}

case_daemon_bwlimit_each() {
    serve --bwlimit-each 16mbit
    head -c 4000000 /dev/urandom >here/file
    in_seconds 1.9 2.6 timed_copy here/file "tern://$server/file"
    # Each by itself; and the client's own limit holds as well.
    in_seconds 3.8 4.8 timed_beside --bwlimit 8mbit
}

# What another one takes meanwhile is in $beside; both must have been in time.
timed_beside() {
    "$terncp" --json -W "tern://$server/file" here/one >one 2>one.log &
    other=$!
    timed_copy "$@" "tern://$server/file" here/two
    wait $other || fail "the other copy failed"
    is_at_least "$(seconds_of one)" 1.9 || fail "the other took $(seconds_of one) s"
    is_at_least 2.8 "$(seconds_of one)" || took=9.9
}

has_idle_disk() {
    ionice -p "$1" | grep -q idle
}

case_daemon_background() {
    serve
    random here/file 900
    copy --background -v here/file "tern://$server/file"
    same here/file there/file
    copy --background "tern://$server/file" here/back
    same here/file here/back
    command -v ionice >/dev/null || return 0
    link --rate 1
    begin_copy --background "tern://$link/file" here/slow
    wait_for 10 has_idle_disk "$client_pid" || fail "the disk's priority is not idle"
    kill -INT "$client_pid"
    end_copy 130
}

# --- the end --------------------------------------------------------------------------------------

case_daemon_gentle_end() {
    serve
    link --rate 10
    random here/file 3000
    copy here/file "tern://$server/before"
    begin_copy here/file "tern://$link/file"
    wait_for 60 part_has there 262144 || fail "no temporary file grows"
    kill -STOP "$client_pid" # still there when the other one comes
    kill "$server_pid"
    logged 'ending when 1 copy is done'
    refused=0
    "$terncp" here/file "tern://$server/other" >"$work/out2" 2>"$work/err2" </dev/null || refused=$?
    kill -CONT "$client_pid"
    [ "$refused" = 3 ] || fail "exit code $refused, not 3"
    has_line err2 'the server is ending' || fail "it is not said why"
    end_copy 0
    same here/file there/file
    wait "$server_pid" || fail "the server ended with $?"
    forget "$server_pid"
}

case_daemon_end_at_once() {
    for shards in 1 2; do
        serve --shards $shards
        link --rate 10
        random here/file 40000
        begin_copy --no-resume here/file "tern://$link/file"
        wait_for 60 part_has there 262144 || fail "no temporary file grows"
        kill "$server_pid"
        logged 'ending when 1 copy is done'
        kill -INT "$server_pid"
        end_copy 3
        wait "$server_pid" || fail "the server ended with $?"
        forget "$server_pid"
        absent there/file
    done
    serve --stop-time 300ms
    link --rate 10
    begin_copy --no-resume here/file "tern://$link/file"
    wait_for 60 part_has there 262144 || fail "no temporary file grows"
    kill "$server_pid"
    end_copy 3
    wait "$server_pid" || fail "the server ended with $?"
    forget "$server_pid"
}

# --- the service manager --------------------------------------------------------------------------

# A socket that systemd-socket-activate has opened, and the service it starts for the first packet.
case_daemon_activation() {
    activate=$(command -v systemd-socket-activate) || skip "there is no systemd-socket-activate"
    random here/file 300
    own_address
    "$activate" --datagram -l "$at" -E XDG_CONFIG_HOME "$terncp" serve --anonymous \
        --root "$work/there" --shards 2 >activated.log 2>&1 &
    pids="$pids $!"
    wait_for 20 has_line activated.log 'Listening on' || fail "systemd-socket-activate does not listen"
    copy --connect-timeout 60s here/file "tern://$at/file"
    same here/file there/file
    has_line activated.log "serving .* on $at" || fail "the socket is not the one handed over"
    has_line activated.log 'shards is not heeded' || fail "--shards was dropped without a word"
}

case_daemon_readiness() {
    command -v python3 >/dev/null || skip "there is no python3 to play the service manager"
    cat >manager.py <<'END'
import os, socket, subprocess, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("notify")
manager.settimeout(100)
server = subprocess.Popen(sys.argv[1:], env=dict(os.environ, NOTIFY_SOCKET=os.getcwd() + "/notify"))
print(manager.recv(4096).decode(), flush=True)
server.terminate()
print(manager.recv(4096).decode(), flush=True)
sys.exit(server.wait())
END
    expect 0 python3 manager.py "$terncp" serve --anonymous --root there --listen 127.0.0.1:0
    [ "$(sed -n 1p out)" = READY=1 ] || fail "not ready"
    has_line out '^STATUS=serving on 127.0.0.1:' || fail "no status"
    has_line out '^STOPPING=1$' || fail "the end was not told"
}

case_daemon_unit() {
    command -v systemd-analyze >/dev/null || skip "there is no systemd-analyze"
    command -v cmake >/dev/null || skip "there is no cmake to install with"
    script=$TERN_BIN/../apps/terncp/cmake_install.cmake
    expect 0 cmake "-DCMAKE_INSTALL_PREFIX=$work/inst" -P "$script"
    units=inst/lib/systemd/system
    has_line $units/terncp.service "^ExecStart=$work/inst/bin/terncp serve" || fail "another prefix"
    # terncp(1) is not where man looks, in this prefix.
    expect 0 systemd-analyze verify --man=no "$work/$units/terncp.service" "$work/$units/terncp.socket"
    [ ! -s err ] || fail "systemd-analyze complains"
    [ -x inst/bin/terncp ] || fail "no program"
    for file in man/man1/terncp.1 bash-completion/completions/terncp zsh/site-functions/_terncp \
        fish/vendor_completions.d/terncp.fish; do
        [ -s inst/share/$file ] || fail "no $file"
    done
    # What systemd thinks of the sandbox: 0 is closed, 10 open. Older ones have no such check of a file.
    if systemd-analyze security --offline=true --threshold=25 "$work/$units/terncp.service" \
        >judgement 2>&1; then
        has_line judgement 'Overall exposure' || fail "no judgement"
    elif ! has_line judgement 'unrecognized option'; then
        tail -n 3 judgement >&2
        fail "the sandbox has holes"
    fi
}

run_case "$@"
