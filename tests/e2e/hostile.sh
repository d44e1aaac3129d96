#!/bin/sh
# A client that means harm: nothing is written outside, nothing wrong gets a name, and the server goes on.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# attack NAME: what the server says to it is in $work/said.
attack() {
    [ -x "${TERN_HOSTILE:-}" ] || skip "no hostile client"
    "$TERN_HOSTILE" "$server" "$1" >said 2>err || fail "the attack failed"
}

said() {
    grep -q -e "$1" said || fail "the server does not say \"$1\", but: $(cat said)"
}

# The server is well, and has nothing but what was copied regularly.
survives() {
    random here/good 300
    copy here/good "tern://$server/good"
    same here/good there/good
    wait_for 20 has_no_parts there || fail "a temporary file is left"
}

case_hostile_names() {
    serve
    mkdir there/a
    attack names
    [ "$(grep -c '^FAIL 2 ' said)" = 18 ] || fail "not all are refused: $(cat said)"
    said 'END 18'
    survives
    absent outside
    absent /tmp/outside
    [ "$(find there | wc -l)" = 3 ] || fail "something was written: $(find there)"
}

case_hostile_links() {
    mkdir outside
    ln -s ../outside there/link # else the larger file, if it is faster, makes a folder of that name
    serve
    attack links
    said 'DONE 0 2'
    said '^FAIL 2 2 '
    said '^FAIL 2 3 '
    said '^FAIL 2 4 '
    said 'END 5'
    survives
    [ -z "$(ls outside)" ] || fail "something was written outside"
    absent /tmp/tern-hostile
    attack unasked-link
    said '^FAIL 2 0 '
    absent there/unasked
}

case_hostile_steps() {
    serve
    attack steps
    [ "$(grep -c '^FAIL ' said)" = 6 ] || fail "not all fail: $(cat said)"
    said 'END 6'
    survives
    [ "$(find there | wc -l)" = 2 ] || fail "something was written: $(find there)"
}

case_hostile_hashes() {
    serve
    attack hashes
    said '^FAIL 7 0 '
    said '^FAIL 1 1 '
    said '^FAIL 7 2 '
    said '^DONE 3 1'
    survives
    absent there/wrong
    absent there/behind
    absent there/small
    [ "$(stat -c %s there/good)" = 307200 ] || fail "the server does not go on"
}

case_hostile_garbage() {
    serve
    for name in garbage cut-off control packed-garbage; do
        attack $name
        said '^CLOSED 1 '
    done
    survives
    absent there/cut
}

# While one file is being made out of a hole of exabytes, the others are served.
case_hostile_hole() {
    serve
    "$TERN_HOSTILE" "$server" hole >said 2>err &
    hostile=$!
    pids="$pids $hostile"
    wait_for 20 has_files there || fail "nothing has begun"
    random here/good 300
    copy --connect-timeout 60s here/good "tern://$server/good"
    same here/good there/good
    forget $hostile
    wait $hostile || fail "the attack failed"
}

has_files() {
    [ -n "$(ls -A "$1")" ]
}

# A few kilobytes of packed folders cost no gigabyte.
case_hostile_folders() {
    serve
    attack folders
    ! grep -q 'no zstd' said || skip "built without zstd"
    wait_for 20 has_line "$serve_log" 'too many folders' || fail "it remembers all of them"
    case $(ldd "$terncp") in
    *asan* | *tsan*) ;;
    *)
        high=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$server_pid/status")
        [ "$high" -lt 196608 ] || fail "the server took $high KiB"
        ;;
    esac
    random here/good 300
    copy here/good "tern://$server/good"
    same here/good there/good
}

case_hostile_depth() {
    serve
    attack depth
    said '^FAIL 2 0 '
    said '^FAIL 2 1 '
    survives
    [ "$(find there | wc -l)" = 2 ] || fail "folders were made"
}

# Data leaves before the plan only to a receiver who said that he has nothing.
case_hostile_no_plan() {
    random there/file 3000
    serve
    attack no-plan
    said SILENCE
    attack no-plan-but-vacant
    said UNPLANNED
    survives
}

# However a request is cut into packets, it is one.
case_hostile_drips() {
    serve
    attack drips
    said 'END 0'
    survives
}

# Streams that never end take memory, but no more than there is room for; and it comes back.
case_hostile_hoard() {
    serve
    attack hoard
    said SILENCE
    survives
    case $(ldd "$terncp") in
    *asan* | *tsan*) ;;
    *)
        high=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$server_pid/status")
        [ "$high" -lt 131072 ] || fail "the server took $high KiB"
        ;;
    esac
}

run_case "$@"
