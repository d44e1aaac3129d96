# What the sweeps share: one life of a program after the other, each in a system whose n-th call fails. See
# tests/tools/faults/calls.c.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck source=tests/e2e/lib.sh

# TERN_SWEEP is how many n of each sort are tried (the first ones, and the others drawn from the rest); "all" is all,
# and more of everything else, too.
most=${TERN_SWEEP:-8}
calls=${TERN_CALLS_SHIM:-$TERN_BIN/../tests/calls.so}
lives=0
bad=0
is_bad=no
patience=200 # seconds, after which a program hangs; only what does takes so long

# What may fail at any time, and how; the second part heals by itself: nobody may notice.
broken='socket:EMFILE bind:EADDRINUSE sendmmsg:EPERM sendmmsg:ENOBUFS recvmmsg:ENOMEM epoll_create:EMFILE
epoll_ctl:ENOMEM timerfd:EMFILE open:EMFILE open:EACCES read:EIO pread:EIO write:ENOSPC write:EIO pwrite:ENOSPC
pwrite:EIO fsync:EIO ftruncate:EIO fallocate:ENOSPC rename:EIO link:EPERM mkdir:ENOSPC close:EIO mmap:ENOMEM
flush:ENOSPC'
passing='sendmmsg:short sendmmsg:EAGAIN recvmmsg:short recvmmsg:EINTR recvmmsg:EAGAIN epoll_wait:EINTR poll:EINTR
read:short read:EINTR pread:short pread:EINTR write:short write:EINTR pwrite:short pwrite:EINTR'

need_calls() {
    [ -e "$calls" ] || skip "no $calls on this system"
    export ASAN_OPTIONS="verify_asan_link_order=0:exitcode=99${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
}

# with_calls PLAN COMMAND...: the command in a system like that. Its code is in $got, what it says in $work/err.
with_calls() {
    plan=$1
    shift
    got=0
    rm -f "$work/tell"
    timeout --foreground -k 5 "$patience" env LD_PRELOAD="$calls" TERN_CALLS="$plan" TERN_CALLS_TELL="$work/tell" \
        "$@" >"$work/out" 2>"$work/err" <"${input:-/dev/null}" || got=$?
}

# serve_calls PLAN COMMAND...: a server in a system like that. Sets server, or makes it empty when it has ended.
serve_calls() {
    plan=$1
    shift
    rm -f "$work/tell" "$work/serve.log" "$work/server.out"
    timeout --foreground -k 5 $((2 * patience)) env LD_PRELOAD="$calls" TERN_CALLS="$plan" TERN_CALLS_TELL="$work/tell" \
        "$@" >"$work/server.out" 2>"$work/serve.log" </dev/null &
    server_pid=$!
    pids="$pids $server_pid"
    wait_for 20 is_up || true
    server=$(sed -n 's/.*\(serving .* on\|listening on\|serving on\) \([0-9.]*:[0-9]*\)$/\2/p' \
        "$work/serve.log" "$work/server.out" | head -n 1)
}

is_up() {
    has_line "$work/serve.log" 'serving .*on [0-9]' || has_line "$work/serve.log" 'serving on [0-9]' || has_line "$work/server.out" '^key ' || is_gone "$server_pid"
}

# end_serve: stops it. Its code is in $got if that is not 0, with what it said; else the client's in $client.
end_serve() {
    forget "$server_pid"
    kill "$server_pid" 2>/dev/null || true
    code=0
    wait "$server_pid" || code=$?
    got=$client
    if [ $code != 0 ]; then
        got=$code
        cp "$work/serve.log" "$work/err"
    fi
    if grep -qE 'AddressSanitizer|LeakSanitizer|runtime error:' "$work/serve.log"; then
        cp "$work/serve.log" "$work/err"
        got=99
    fi
}

# ask COMMAND...: the client of such a server, in a good system. Sets client.
ask_server() {
    client=0
    timeout --foreground -k 5 "$patience" "$@" >"$work/out" 2>"$work/err" <"${input:-/dev/null}" || client=$?
}

# All of them are found in one run.
fail_life() {
    [ "$is_bad" = no ] || return 0
    is_bad=yes
    bad=$((bad + 1))
    echo "$scene, TERN_CALLS=$plan: $*" >&2
    sed 's/^/    /' "$work/err" | head -n 12 >&2
}

# Who hears nothing any more cannot say why.
unnamed='not now\|timed out\|database\|disk I/O\|no answer\|run the command again\|not complete\|connection was lost\|No child processes'

# What strerror says.
words_of() {
    case $1 in
    EIO) echo 'Input/output error\|damaged' ;; # SQLite takes the one for the other
    EMFILE) echo 'Too many open files' ;;
    EACCES) echo 'Permission denied' ;;
    EPERM) echo 'Operation not permitted' ;;
    ENOSPC) echo 'No space left on device' ;;
    ENOMEM) echo 'Cannot allocate memory\|[Mm]emory' ;;
    EADDRINUSE) echo 'Address already in use\|another program has the port' ;;
    *) echo . ;;
    esac
}

# It ended in time, by itself, and told why.
check_end() {
    case $got in
    0) return ;;
    1 | 3 | 5 | 6 | 7) ;;
    99) fail_life "a sanitizer has found something" ;;
    124 | 137) fail_life "it hangs" ;;
    *) fail_life "it ended with $got" ;;
    esac
    [ "$1" != passing ] || fail_life "it ended with $got for what passes by itself"
    error=${plan##*error=}
    grep -q "$(words_of "$error")\|$unnamed" "$work/err" || fail_life "it does not say $error: $got"
}

# The n that are tried of so many: the first third, and others drawn from the rest.
chosen() {
    awk -v count="$1" -v most="$most" -v seed="${#scene}" 'BEGIN {
        most = most == "all" ? count : most
        srand(seed)
        for (n = 1; n <= count; n++) {
            left = count - n + 1
            if (n <= most / 3 || rand() * left < most - taken) {
                print n
                taken++
            }
        }
    }'
}

# sweep SCENE: the functions SCENE_reset, SCENE_act and SCENE_done are how it begins, the command (run by `try`), and
# what must be so when it ended well; SCENE_held what must be so whenever it ended.
sweep() {
    scene=$1
    need_calls
    "${scene}_reset"
    plan=none
    "${scene}_act" nth=0
    [ "$got" = 0 ] || fail "it does not even go well alone: $(cat err)"
    cp "$work/tell" "$work/tell.all"
    for kind in $broken; do
        sweep_kind broken "$kind"
    done
    for kind in $passing; do
        sweep_kind passing "$kind"
    done
    sweep_more
    echo "$scene: $lives lives, each with faults of its own"
    [ $bad = 0 ] || fail "$bad of $lives lives"
}

# The disk fills up; many calls are disturbed, by a seed; the clocks are wrong.
sweep_more() {
    rooms='0 100 5000 100000' seeds='1 2 3' jumps='-5 3600' ats='40 150'
    # A steady clock that goes back by an hour is for `all`: whatever timer of libev was set before waits for that hour.
    if [ "$most" = all ]; then
        rooms='0 1 100 1000 5000 20000 100000 400000 1000000' seeds='1 2 3 4 5 6 7 8'
        jumps='-3600 -20 -5 5 3600 100000000' ats='1 40 150 400'
    fi
    for room in $rooms; do
        life broken "room=$room,error=ENOSPC"
    done
    for seed in $seeds; do
        life passing "call=sendmmsg+recvmmsg+epoll_wait+read+pread+write+pwrite,seed=$seed,share=7,error=EINTR"
        life passing "call=sendmmsg+recvmmsg+read+pread+write+pwrite,seed=$seed,share=20,error=short"
    done
    for years in -30 -10 10 50; do
        life passing "wall=$((years * 31557600))"
    done
    for leap in -3600 3600; do
        life passing "leap=$leap,since=3"
    done
    for jump in $jumps; do
        for at in $ats; do
            life broken "jump=$jump,at=$at"
        done
    done
}

sweep_kind() {
    sort=$1
    call=${2%:*}
    error=${2#*:}
    count=$(awk -v name="$call" '$1 == name { n += $2 } END { print n + 0 }' "$work/tell.all")
    for n in $(chosen "$count"); do
        life "$sort" "call=$call,nth=$n,error=$error"
    done
}

# life SORT PLAN
life() {
    "${scene}_reset"
    "${scene}_act" "$2"
    lives=$((lives + 1))
    is_bad=no
    plan=$2
    check_end "$1"
    "${scene}_held"
    if [ "$got" = 0 ]; then
        "${scene}_done"
        return
    fi
    cp "$work/err" "$work/err.first"
    "${scene}_act" nth=0
    plan="$2, and then again without"
    [ "$got" = 0 ] || fail_life "it ended with $got"
    "${scene}_done"
}

