#!/bin/sh
# The copy engine: compression, files that change or cannot be read, disks that break or are full, sparse
# memory, and many files.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# --- options --------------------------------------------------------------------------------------

case_links_option() {
    serve
    mkdir -p here/tree/sub
    random here/tree/file 1
    ln -s ../file here/tree/sub/link
    ln -s /nowhere/at/all here/tree/dangling
    ln -s . here/tree/loop
    copy -rl here/tree "tern://$server/tree"
    copy -rl "tern://$server/tree" here/back
    for copied in there/tree here/back; do
        [ "$(readlink $copied/sub/link)" = ../file ] || fail "$copied/sub/link is not as it was"
        [ "$(readlink $copied/dangling)" = /nowhere/at/all ] || fail "$copied/dangling"
        [ "$(readlink $copied/loop)" = . ] || fail "$copied/loop"
        same here/tree/file $copied/file
    done
    ln -sfn /elsewhere here/tree/dangling # a link that is there is replaced
    copy -rl here/tree "tern://$server/"
    [ "$(readlink there/tree/dangling)" = /elsewhere ] || fail "the link was not replaced"
    has_no_parts there || fail "a temporary name is left"
}

need_zstd() {
    if "$terncp" -z "$work/none" tern://127.0.0.1:1/ 2>&1 | grep -q 'without zstd'; then
        skip "built without zstd"
    fi
}

make_mixed_tree() {
    mkdir -p "$1/small"
    seq 1 400000 >"$1/text"
    random "$1/noise" 3000
    i=0
    while [ $i -lt 300 ]; do
        seq $i $((i + 300)) >"$1/small/$i"
        i=$((i + 1))
    done
    : >"$1/empty"
    head -c 262143 /dev/zero >"$1/edge"
    head -c 262144 /dev/zero >"$1/over"
}

case_compress() {
    need_zstd
    serve
    make_mixed_tree here/tree
    copy -rz here/tree "tern://$server/tree"
    same_tree here/tree there/tree
    copy -rz "tern://$server/tree" here/back
    same_tree here/tree here/back
    copy -r --compress-level 19 "tern://$server/tree" here/more
    same_tree here/tree here/more
    expect 2 "$terncp" --compress-level 20 here/tree "tern://$server/tree"
}

# crossed FILE: what shrinks to a quarter did: less than half of the bytes went over the wire.
crossed() {
    wire=$(sed -n 's/.*"event":"summary".*"wire_bytes":\([0-9]*\),.*/\1/p' "$1")
    [ "${wire:-$size}" -lt $((size / 2)) ] || fail "of $size bytes $wire went over the wire: $(cat "$1")"
}

case_compress_on_slow_links() {
    need_zstd
    serve
    link --rate 2
    seq 1 400000 >here/text
    size=$(wc -c <here/text)
    copy -z --json here/text "tern://$link/text"
    same here/text there/text
    crossed out
    copy -z --json "tern://$link/text" here/back
    same here/text here/back
    crossed out
}

case_no_verify() {
    serve
    make_mixed_tree here/tree
    copy -r --no-verify here/tree "tern://$server/tree"
    says 'not verified'
    same_tree here/tree there/tree
    copy -r --no-verify "tern://$server/tree" here/back
    same_tree here/tree here/back
}

case_parallel() {
    serve
    mkdir here/tree
    for i in 1 2 3 4 5 6 7 8 9; do
        random here/tree/$i $((i * 300))
    done
    for n in 1 3 16; do
        rm -rf there/tree
        copy -r -P $n here/tree "tern://$server/tree"
        same_tree here/tree there/tree
        rm -rf here/back
        copy -r --parallel $n "tern://$server/tree" here/back
        same_tree here/tree here/back
    done
    expect 2 "$terncp" -P 0 here/tree "tern://$server/tree"
    expect 2 "$terncp" -P 17 here/tree "tern://$server/tree"
}

# At any moment no more than N larger files are open there.
case_parallel_is_kept() {
    serve
    link --rate 40
    mkdir here/tree
    for i in 1 2 3 4 5 6; do
        random here/tree/$i 400
    done
    begin_copy -r -P 1 here/tree "tern://$link/tree"
    most=0
    until is_gone "$client_pid"; do
        now=$(find there -name '.terncp-*' | wc -l)
        [ "$now" -le "$most" ] || most=$now
    done
    end_copy 0
    [ "$most" -le 2 ] || fail "$most at once" # one gets its name while the next begins
    same_tree here/tree there/tree
}

case_preallocate() {
    serve
    random here/file 3000
    copy --preallocate here/file "tern://$server/file"
    same here/file there/file
    copy --preallocate "tern://$server/file" here/back
    same here/file here/back
}

# --- files that change ----------------------------------------------------------------------------

# changes_once FROM TO: the sender reads up to 32 MiB ahead: what changes comes after that. If it came too late,
# again over a slower link.
changes_once() {
    from=$1
    to=$2
    for rate in 200 50 12; do
        rm -rf "$from/file" "$to/file"
        link --rate "$rate"
        random "$from/file" 48000
        if [ "$from" = here ]; then
            begin_copy here/file "tern://$link/file"
        else
            begin_copy "tern://$link/file" here/file
        fi
        wait_for 60 part_has "$to" 1048576 || fail "no temporary file grows"
        if [ "$from" = here ]; then
            echo more >>here/file
        else
            truncate -s 20000000 there/file
        fi
        end_copy 0
        if has_line err 'changed while it was read: once more'; then
            same "$from/file" "$to/file"
            return
        fi
        echo "the change came too late at $rate Mbit/s"
    done
    fail "the change was not noticed"
}

case_changes_once() {
    serve
    changes_once here there
    changes_once there here
    has_no_parts . || fail "a temporary file is left"
}

case_changes_all_the_time() {
    serve
    link --rate 200
    random here/file 48000
    (while sleep 0.05; do touch here/file; done) &
    toucher=$!
    expect 5 "$terncp" --no-resume --accept-new here/file "tern://$link/file"
    kill $toucher
    wait $toucher || true
    says 'once more'
    grep -v 'once more' err | grep -q 'it changed while it was read' || fail "the failure is not said"
    absent there/file
    wait_for 20 has_no_parts there || fail "a temporary file is left"
}

# --- disks that break -----------------------------------------------------------------------------

case_read_error_here() {
    serve
    mkdir here/tree
    random here/tree/bad-large 4000
    random here/tree/bad-small 100
    random here/tree/good-large 2000
    random here/tree/good-small 10
    begin_faults 5 /bad- 50000
    got=0
    "$terncp" --accept-new -r here/tree "tern://$server/tree" >out 2>err </dev/null || got=$?
    end_faults
    [ $got = 1 ] || fail "exit code $got, not 1"
    says 'bad-large: Input/output error'
    says 'bad-small: Input/output error'
    absent there/tree/bad-large
    absent there/tree/bad-small
    same here/tree/good-large there/tree/good-large
    same here/tree/good-small there/tree/good-small
    wait_for 20 has_no_parts there || fail "a temporary file is left"
}

case_read_error_there() {
    mkdir there/tree
    random there/tree/bad-large 4000
    random there/tree/bad-small 100
    random there/tree/good-large 2000
    random there/tree/good-small 10
    begin_faults 5 /bad- 50000
    serve
    end_faults
    expect 1 "$terncp" --accept-new -r "tern://$server/tree" here/tree
    says 'bad-large: input or output failed'
    says 'bad-small: input or output failed'
    absent here/tree/bad-large
    absent here/tree/bad-small
    same there/tree/good-large here/tree/good-large
    same there/tree/good-small here/tree/good-small
    has_no_parts here || fail "a temporary file is left"
}

case_write_error_there() {
    random here/large 4000
    random here/small 100
    export FAULTY_WRITE=1
    begin_faults 28 .terncp- 50000
    serve
    end_faults
    expect 6 "$terncp" --accept-new here/large "tern://$server/large"
    says 'No space left'
    expect 6 "$terncp" --accept-new here/small "tern://$server/small"
    says 'No space left'
    absent there/large
    absent there/small
    wait_for 20 has_no_parts there || fail "a temporary file is left"
    random here/tiny 10 # the server goes on
    copy here/tiny "tern://$server/tiny"
    same here/tiny there/tiny
}

case_write_error_here() {
    serve
    random there/large 4000
    random there/small 100
    export FAULTY_WRITE=1
    for name in large small; do
        begin_faults 5 .terncp- 50000
        got=0
        "$terncp" --accept-new "tern://$server/$name" here/$name >out 2>err </dev/null || got=$?
        end_faults
        [ $got = 5 ] || fail "exit code $got, not 5"
        says 'Input/output error'
        absent here/$name
    done
    has_no_parts here || fail "a temporary file is left"
}

# With --preallocate what does not fit is known before anything is sent.
case_preallocate_full() {
    [ "$(id -u)" = 0 ] || skip "not root"
    mkdir there/small
    mount -t tmpfs -o size=1m tmpfs there/small 2>/dev/null || skip "cannot mount a tmpfs"
    mounts="$mounts $work/there/small"
    serve
    link --rate 8
    random here/file 6000
    expect 6 "$terncp" --accept-new --preallocate --json here/file "tern://$link/small/file"
    says 'No space left'
    [ "$(figure wire_bytes)" -lt 3000000 ] || fail "$(figure wire_bytes) bytes went over the wire"
    absent there/small/file
}

# --- many files -----------------------------------------------------------------------------------

# high_water PID: the most KiB that it has had in memory.
high_water() {
    sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

# Neither side grows with the number of files. (With a sanitizer freed memory is kept for a while.)
case_many_files() {
    serve
    mkdir here/tree
    (cd here/tree && seq 1 10000 | split -l 1 -a 4 - f)
    before=$(high_water "$server_pid")
    copy -r here/tree "tern://$server/tree"
    after=$(high_water "$server_pid")
    same_tree here/tree there/tree
    case $(ldd "$terncp") in
    *asan* | *tsan*) ;;
    *) [ $((after - before)) -lt 65536 ] || fail "the server grew by $((after - before)) KiB" ;;
    esac
    copy -r "tern://$server/tree" here/back
    same_tree here/tree here/back
}

run_case "$@"
