# What the end-to-end tests share: servers, links, waiting, and the checks.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# A test script sources this, defines functions case_NAME, and ends with: run_case "$@"
# TERN_BIN is the folder of the programs. Exit codes: 0 passed, 77 skipped, anything else failed.
set -eu
unset CDPATH
export LC_ALL=C
umask 022

terncp=${TERN_BIN:?TERN_BIN names the folder of the programs}/terncp
ternlink=$TERN_BIN/ternlink
skipped=77
newline='
'
work=
pids=
mounts=

# --- start and end --------------------------------------------------------------------------------

clean() {
    status=$?
    trap '' INT TERM HUP
    set +e
    for pid in $pids; do
        kill "$pid" 2>/dev/null
        # A test that failed may have left it stopped. (A sanitizer that looks for leaks stops its process, too.)
        case $(ps -o stat= -p "$pid") in
        T*) kill -CONT "$pid" ;;
        esac
    done
    for pid in $pids; do
        # A server that we stop ends well, a client says that it was stopped; one that ended by kill -9 has left the list.
        wait "$pid" 2>/dev/null
        code=$?
        if [ $status = 0 ] && [ $code != 0 ] && [ $code != 130 ] && [ $code != 143 ]; then
            echo "a background process ended with $code" >&2
            status=1
        fi
    done
    if grep -lE 'AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:' \
        "$work"/*.log "$work"/err 2>/dev/null; then
        echo "a sanitizer has found something" >&2
        status=1
    fi
    if [ $status != 0 ] && [ $status != $skipped ]; then
        for log in "$work"/*.log "$work"/err; do
            if [ -s "$log" ]; then
                echo "--- ${log##*/}" >&2
                tail -n 60 "$log" >&2
            fi
        done
    fi
    for mount in $mounts; do
        umount "$mount"
    done
    rm -rf "$work"
    exit $status
}

run_case() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/tern-e2e.XXXXXX")
    trap clean EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    trap 'echo "who was written to has ended" >&2; exit 141' PIPE
    cd "$work"
    export XDG_CONFIG_HOME="$work/config" XDG_STATE_HOME="$work/state"
    mkdir there here
    "case_$1"
    echo "passed: $1"
}

fail() {
    echo "failed: $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit $skipped
}

# --- waiting --------------------------------------------------------------------------------------

# wait_for SECONDS COMMAND...: until the command succeeds; false when it does not in as many times that as TERN_PATIENCE
# says. The seconds are those of a quiet machine: only what fails waits to their end.
wait_for() {
    deadline=$(($(date +%s) + $1 * ${TERN_PATIENCE:-5}))
    shift
    until "$@"; do
        [ "$(date +%s)" -le $deadline ] || return 1
        sleep 0.02
    done
}

# has_said FILE PATTERN PID: or it never will.
has_said() {
    has_line "$1" "$2" || is_gone "$3"
}

has_line() {
    grep -q "$2" "$1" 2>/dev/null
}

is_gone() {
    ! kill -0 "$1" 2>/dev/null
}

# part_has FOLDER BYTES: an unfinished file in it has come so far. As few processes as can be: it must be seen in time.
part_has() {
    [ "$2" = 0 ] || [ -n "$(find "$1" -name '.terncp-*.part' -size +$(($2 - 1))c 2>/dev/null)" ]
}

has_no_parts() {
    [ -z "$(find "$1" -name '.terncp-*')" ]
}

# has_mail ADDRESS: something was sent to that port of this machine by UDP, and whoever has it has not read it.
has_mail() {
    awk -v port=":$(printf %04X "${1##*:}")\$" '$2 ~ port && $5 !~ /:0+$/ { found = 1 } END { exit !found }' /proc/net/udp
}

# is_bound ADDRESS: somebody has that port.
is_bound() {
    [ -r /proc/net/udp ] || { sleep 1; return 0; }
    awk -v port=":$(printf %04X "${1##*:}")\$" '$2 ~ port { found = 1 } END { exit !found }' /proc/net/udp
}

# --- servers, links and clients -------------------------------------------------------------------

# serve OPTIONS...: a server for $work/there, let everybody in unless told otherwise.
# Sets server (its address) and server_pid.
serve() {
    serve_count=$((${serve_count:-0} + 1))
    serve_log=$work/server$serve_count.log
    case " $* " in
    *" --authorized-keys "*) ;;
    *) set -- --anonymous "$@" ;;
    esac
    "$terncp" serve --root "$work/there" --listen 127.0.0.1:0 -v "$@" >"$serve_log" 2>&1 &
    server_pid=$!
    pids="$pids $server_pid"
    wait_for 20 has_said "$serve_log" ' serving .* on ' "$server_pid" || true
    has_line "$serve_log" ' serving .* on ' || fail "the server does not start"
    server=$(sed -n 's/.* serving .* on \([0-9.]*:[0-9]*\)$/\1/p' "$serve_log")
}

# link OPTIONS...: a link to the server. Sets link.
link() {
    link_count=$((${link_count:-0} + 1))
    link_log=$work/link$link_count.log
    "$ternlink" udp --listen 127.0.0.1:0 --to "$server" "$@" >"$link_log" 2>&1 &
    link_pid=$!
    pids="$pids $link_pid"
    wait_for 20 has_said "$link_log" 'listening on ' "$link_pid" || true
    has_line "$link_log" 'listening on ' || fail "the link does not start"
    link=$(sed -n 's/.*listening on \([0-9.]*:[0-9]*\)$/\1/p' "$link_log")
}

# own_address: sets at, an address of this machine that no other test and no client takes: a port below those which
# the system gives away, and where all of 127.* is this machine, a number of our own.
own_address() {
    address_count=$((${address_count:-0} + 1))
    at=127.0.0.1:$((20000 + ($$ + 977 * address_count) % 12000))
    [ "$(uname -s)" != Linux ] || at=127.$((1 + $$ / 65536)).$(($$ / 256 % 256)).$((1 + $$ % 254)):${at##*:}
}

# forget PID: it has ended, or shall end, by other means.
forget() {
    left=
    for pid in $pids; do
        [ "$pid" = "$1" ] || left="$left $pid"
    done
    pids=$left
}

# murder PID: kill -9, and wait until it is gone.
murder() {
    forget "$1"
    kill -9 "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# expect CODE COMMAND...: its exit code, with what it prints in $work/out and $work/err.
expect() {
    expected=$1
    shift
    got=0
    "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    [ $got = "$expected" ] || fail "exit code $got, not $expected: $*"
}

# copy ARGS...: a copy that must go well.
copy() {
    expect 0 "$terncp" --accept-new "$@"
}

# begin_copy ARGS...: in the background. Sets client_pid.
begin_copy() {
    "$terncp" --accept-new "$@" >"$work/out" 2>"$work/err" </dev/null &
    client_pid=$!
    pids="$pids $client_pid"
}

# end_copy CODE: waits for it.
end_copy() {
    forget "$client_pid"
    got=0
    wait "$client_pid" || got=$?
    [ $got = "$1" ] || fail "exit code $got, not $1"
}

# figure NAME: of the summary that the last command gave with --json.
figure() {
    sed -n "s/.*\"event\":\"summary\".*\"$1\":\([0-9]*\).*/\1/p" "$work/out"
}

# --- checks ---------------------------------------------------------------------------------------

# says PATTERN: the last command told so on standard error.
says() {
    grep -q -e "$1" "$work/err" || fail "standard error does not say \"$1\""
}

same() {
    cmp "$1" "$2" || fail "$2 is not as $1"
}

same_tree() {
    diff -r "$1" "$2" || fail "$2 is not as $1"
    [ "$(cd "$1" && find . | sort)" = "$(cd "$2" && find . | sort)" ] ||
        fail "$2 has not the names of $1"
}

absent() {
    if [ -e "$1" ] || [ -L "$1" ]; then
        fail "$1 exists"
    fi
}

# random FILE KIB
random() {
    head -c $(($2 * 1024)) /dev/urandom >"$1"
}

# begin_faults ERROR NAME FROM: what is started now lives in a world where such files break. A sanitizer wants
# to be the first library that is loaded, but need not be.
begin_faults() {
    [ -f "${TERN_FAULTY:-}" ] || skip "no library that breaks files"
    export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0"
    export FAULTY_ERROR="$1" FAULTY_NAME="$2" FAULTY_FROM="$3"
    export LD_PRELOAD="$TERN_FAULTY"
}

end_faults() {
    unset LD_PRELOAD
}
