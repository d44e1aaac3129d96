#!/bin/sh
# Copies from one other machine to another, through this one.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# two_servers [OPTIONS OF THE SECOND]: of $work/there and $work/other. Sets first, first_pid and
# second.
two_servers() {
    serve
    first=$server
    first_pid=$server_pid
    mkdir other
    serve --root "$work/other" "$@"
    second=$server
}

case_relay() {
    two_servers
    random there/file 5000
    copy "tern://$first/file" "tern://$second/file"
    same there/file other/file
    copy "tern://$first/file" "tern://$second/"
    copy "tern://$first/file" "tern://$second/renamed"
    same there/file other/renamed
    mkdir -p there/tree/sub other/into
    for i in 1 2 3 4 5 6 7 8 9; do
        random there/tree/sub/$i $((i * 60))
    done
    : >there/tree/empty
    copy -r -p "tern://$first/tree" "tern://$second/tree"
    same_tree there/tree other/tree
    copy -r "tern://$first/tree" "tern://$second/into"
    same_tree there/tree other/into/tree
    copy "tern://$first/file" "tern://$first/tree/empty" "tern://$second/into/"
    same there/file other/into/file
    same there/tree/empty other/into/empty
    has_no_parts other || fail "a temporary file is left"
}

# What is copied of a tree and how, as between two sides: questions and answers are passed on.
case_relay_trees() {
    two_servers
    mkdir -p there/tree/sub other/tree/old
    random there/tree/file 10
    random there/tree/large 700
    random there/tree/left.o 1
    random other/tree/old/file 1
    ln -s file there/tree/link
    ln there/tree/file there/tree/sub/again
    mkfifo there/tree/fifo
    copy -aH --delete --exclude='*.o' --json "tern://$first/tree" "tern://$second/"
    tail -n 1 out | grep -q '"deleted":2,.*"excluded":1,.*"special":1' || fail "$(tail -n 1 out)"
    [ "$(readlink other/tree/link)" = file ] || fail "no link"
    [ "$(stat -c %h other/tree/file)" = 2 ] || fail "not one file of two names"
    absent other/tree/left.o
    absent other/tree/old
    random there/tree/large 700
    copy -a --checksum --json --exclude='*.o' "tern://$first/tree" "tern://$second/"
    tail -n 1 out | grep -q '"current":2,' || fail "$(tail -n 1 out)"
    same there/tree/large other/tree/large
    random there/tree/new 1
    copy -an -u "tern://$first/tree" "tern://$second/"
    absent other/tree/new
}

# Many files, over bad links on both sides.
case_relay_links() {
    two_servers
    mkdir there/tree
    i=0
    while [ $i -lt 400 ]; do
        printf '%s' "$i" >there/tree/$i
        i=$((i + 1))
    done
    random there/tree/large 3000
    server=$first
    link --delay 10 --loss 2 --reorder 5
    first=$link
    server=$second
    link --delay 5 --loss 2 --dup 2
    copy -r "tern://$first/tree" "tern://$link/tree"
    same_tree there/tree other/tree
}

# A fast source and a slow destination: the data waits at the source, not in our memory.
case_relay_memory() {
    two_servers
    head -c 300000000 /dev/zero | tr '\0' x >there/file
    server=$second
    link --rate 400
    # What a sanitizer holds back of freed memory is none of ours.
    export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=4"
    begin_copy "tern://$first/file" "tern://$link/file"
    most=0
    while ! is_gone "$client_pid"; do
        now=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$client_pid/status" 2>/dev/null) || true
        [ "${now:-0}" -le "$most" ] || most=$now
        sleep 0.1
    done
    end_copy 0
    same there/file other/file
    [ "$most" -le 131072 ] || fail "$most KiB in memory"
}

case_relay_limit() {
    two_servers
    random there/file 4000
    began=$(date +%s)
    copy --bwlimit 2M "tern://$first/file" "tern://$second/file"
    [ $(($(date +%s) - began)) -ge 1 ] || fail "faster than it may be"
    same there/file other/file
    copy --background "tern://$first/file" "tern://$second/again"
    same there/file other/again
}

case_relay_failures() {
    two_servers --read-only
    random there/file 10
    expect 6 "$terncp" --accept-new "tern://$first/file" "tern://$second/file"
    says 'read-only'
    expect 6 "$terncp" "tern://$second/absent" "tern://$first/absent"
    says 'No such file'
    absent there/absent
    expect 6 "$terncp" "tern://$first/file" "tern://$first/no/such/folder"
    expect 3 "$terncp" --connect-timeout 1s --accept-new "tern://$first/file" tern://127.0.0.1:9/file
    expect 2 "$terncp" "tern://$first/file" here/x "tern://$second/file"
    says 'do not go together'
}

# Some of the files cannot be read there, or not be written.
case_relay_in_part() {
    begin_faults 5 /bad 50000
    two_servers
    end_faults
    mkdir there/tree
    random there/tree/good 10
    random there/tree/bad 1000
    random there/tree/bad-small 100
    expect 1 "$terncp" --accept-new -r "tern://$first/tree" "tern://$second/tree"
    same there/tree/good other/tree/good
    says 'tree/bad: '
    says 'tree/bad-small: '
    absent other/tree/bad
    absent other/tree/bad-small
}

case_relay_dies() {
    two_servers
    random there/file 120000 # more than lies in between
    server=$second
    link --rate 40
    begin_copy --no-resume "tern://$first/file" "tern://$link/file"
    wait_for 20 part_has other 1 || fail "nothing arrives"
    murder "$first_pid"
    end_copy 3
    absent other/file
    wait_for 20 has_no_parts other || fail "a temporary file is left"
}

case_relay_over_ssh() {
    command -v ssh >/dev/null || skip "no ssh here"
    mkdir other
    cat >near <<'END'
#!/bin/sh
shift $(($# - 1))
exec sh -c "$1"
END
    chmod +x near
    random here/plain 10
    random there/file 3000
    copy -e "$work/near" --terncp-path "$terncp" "localhost:$work/there/file" \
        "localhost:$work/other/"
    same there/file other/file
    serve
    copy -e "$work/near" --terncp-path "$terncp" "localhost:$work/other/file" "tern://$server/back"
    same there/file there/back
    # The shell there takes a path for one word, whatever is in it, but knows the home.
    mkdir "dad's \$(x) folder"
    ln -s "$terncp" "dad's \$(x) folder/terncp"
    copy -e "$work/near" --terncp-path "$work/dad's \$(x) folder/terncp" here/plain "localhost:$work/other/"
    # shellcheck disable=SC2088 # it is for the shell there
    HOME=$work copy -e "$work/near" --terncp-path "~/dad's \$(x) folder/terncp" here/plain \
        "localhost:$work/other/again"
    same here/plain other/plain
    same here/plain other/again
}

run_case "$@"
