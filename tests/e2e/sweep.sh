#!/bin/sh
# The n-th call of a program fails, for one n after the other: it says what failed, leaves nothing half-written under
# a final name, and the same command goes well when it is given again. See tests/tools/faults/calls.c.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/chat_lib.sh
. "$(dirname "$0")/chat_lib.sh"

# TERN_SWEEP is how many n of each sort are tried (the first ones, and the others drawn from the rest); "all" is all.
most=${TERN_SWEEP:-12}
calls=${TERN_CALLS_SHIM:-$TERN_BIN/../tests/calls.so}
lives=0
bad=0
is_bad=no
patience=40

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
    timeout -k 5 "$patience" env LD_PRELOAD="$calls" TERN_CALLS="$plan" TERN_CALLS_TELL="$work/tell" \
        "$@" >"$work/out" 2>"$work/err" <"${input:-/dev/null}" || got=$?
}

# refused: how many calls failed in the last life.
refused() {
    awk '{ n += $3 } END { print n + 0 }' "$work/tell" 2>/dev/null || echo 0
}

# counted NAME: how many there were.
counted() {
    awk -v name="$1" '$1 == name { n += $2 } END { print n + 0 }' "$work/tell"
}

# All of them are found in one run.
fail_life() {
    [ "$is_bad" = no ] || return 0
    is_bad=yes
    bad=$((bad + 1))
    echo "$scene, TERN_CALLS=$plan: $*" >&2
    sed 's/^/    /' "$work/err" | head -n 12 >&2
}

# What strerror says.
words_of() {
    case $1 in
    EIO) echo 'Input/output error' ;;
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
    [ -s "$work/err" ] || fail_life "it ended with $got and no word"
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
    echo "$scene: $lives lives, each with one fault"
    [ $bad = 0 ] || fail "$bad of $lives lives"
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

# --- terncp: one file -------------------------------------------------------------------------------

old_or_new() {
    if [ -e "$1" ]; then
        cmp -s "$1" "$2" || cmp -s "$1" "$3" || fail_life "$1 is neither the old nor the new one"
    else
        fail_life "$1 is gone"
    fi
}

new_or_none() {
    [ ! -e "$1" ] || cmp -s "$1" "$2" || fail_life "$1 is not as $2"
}

push_reset() {
    rm -rf there/* there/.[!.]* config state
    cp old there/file
}
push_act() {
    with_calls "$1" "$terncp" --accept-new here/file "tern://$server/file"
}
push_held() {
    old_or_new there/file here/file old
}
push_done() {
    cmp -s here/file there/file || fail_life "it is not there"
    wait_for 30 has_no_parts there || fail_life "a temporary file is left"
}

case_sweep_push() {
    serve
    random here/file 700
    random old 10
    sweep push
}

pull_reset() {
    rm -rf here/* here/.[!.]* config state
    cp old here/file
}
pull_act() {
    with_calls "$1" "$terncp" --accept-new --fsync --preallocate "tern://$server/file" here/file
}
pull_held() {
    old_or_new here/file there/file old
}
pull_done() {
    cmp -s here/file there/file || fail_life "it is not here"
    has_no_parts here || fail_life "a temporary file is left"
}

case_sweep_pull() {
    serve
    random there/file 700
    random old 10
    sweep pull
}

run_case "$@"
