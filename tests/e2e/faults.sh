#!/bin/sh
# What breaks in the middle: no file under a final name is ever wrong.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

case_port_in_use() {
    serve
    expect 3 "$terncp" serve --anonymous --root there --listen "$server"
    says 'another program has the port'
}

case_nothing_listens() {
    own_address # nobody has it
    random here/file 1
    since=$(date +%s)
    expect 3 "$terncp" --accept-new --connect-timeout 1000s here/file "tern://$at/file"
    says 'nobody listens there'
    expect 3 "$terncp" --connect-timeout 1000s ls "tern://$at/"
    says 'nobody listens there'
    [ $(($(date +%s) - since)) -le 100 ] || fail "it took $(($(date +%s) - since)) s"
    expect 3 "$terncp" --accept-new --connect-timeout 1s here/file tern://192.0.2.1/file
    expect 3 "$terncp" --accept-new --connect-timeout 2s here/file "tern://no-such-host.invalid/x"
}

# --- no room left ---------------------------------------------------------------------------------

need_small_disk() {
    [ "$(id -u)" = 0 ] || skip "not root"
    mkdir -p "$1"
    mount -t tmpfs -o size=1m tmpfs "$1" 2>/dev/null || skip "cannot mount a tmpfs"
    mounts="$mounts $1"
}

case_full_disk_there() {
    need_small_disk "$work/there/small"
    serve
    random here/file 4000
    random here/fits 100
    expect 6 "$terncp" --accept-new here/file "tern://$server/small/file"
    says 'here/file: No space left on device; make room' # the name once
    absent there/small/file
    wait_for 20 has_no_parts there || fail "a temporary file is left"
    copy here/fits "tern://$server/small/fits" # the server goes on
    same here/fits there/small/fits
}

case_full_disk_here() {
    need_small_disk "$work/here/small"
    serve
    random there/file 4000
    expect 5 "$terncp" --accept-new "tern://$server/file" here/small/file
    says 'No space left on device; make room'
    absent here/small/file
    has_no_parts here || fail "a temporary file is left"
}

# --- sockets that cannot, or stop -----------------------------------------------------------------

# with_faults LIST: both ends of a copy, both ways, over sockets whose calls fail; see tests/tools/faults/faults.c.
# What is behind it: the sanitizers' library wants to be first.
with_faults() {
    shim=$TERN_BIN/../tests/faults.so
    [ -e "$shim" ] || skip "no $shim on this system"
    random here/file 6000
    export TERN_FAULTS="$1" ASAN_OPTIONS="verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
    export LD_PRELOAD="$shim"
    serve
    copy here/file "tern://$server/file"
    case $1 in
    *error=*) says 'faults: [1-9][0-9]* calls refused' ;;
    esac
    copy "tern://$server/file" here/again
    unset LD_PRELOAD TERN_FAULTS
    same here/file there/file
    same here/file here/again
}

case_socket_without_offload() {
    with_faults nogso,nogro,noancillary
}

case_socket_loses_gso() {
    with_faults error=EIO,gso,first=10
}

case_socket_is_full() {
    with_faults error=EAGAIN,every=3
}

case_socket_no_buffers() {
    with_faults error=ENOBUFS,every=25
}

case_socket_too_long() {
    with_faults error=EMSGSIZE,longest=1250,first=10
}

case_socket_net_down() {
    with_faults error=ENETDOWN,first=10,last=14
}

case_socket_unreachable() {
    with_faults error=ENETUNREACH,first=10,last=14
}

case_socket_tiny_buffers() {
    with_faults buffer=8192
    says "warning: the socket's receive buffer has only 1[0-9] KiB.*sysctl -w net.core.rmem_max="
    says "warning: the socket's send buffer .*sysctl -w net.core.wmem_max="
}

# --- signals --------------------------------------------------------------------------------------

case_interrupt_push() {
    serve
    link --rate 40
    random here/file 40000
    begin_copy --no-resume here/file "tern://$link/file"
    wait_for 60 part_has there 1048576 || fail "no temporary file grows"
    kill -INT "$client_pid"
    end_copy 130
    wait_for 30 has_no_parts there || fail "a temporary file is left"
    absent there/file
}

case_interrupt_pull() {
    serve
    link --rate 40
    random there/file 40000
    begin_copy --no-resume "tern://$link/file" here/file
    wait_for 60 part_has here 1048576 || fail "no temporary file grows"
    kill -INT "$client_pid"
    end_copy 130
    has_no_parts here || fail "a temporary file is left"
    absent here/file
}

# The server is stopped with a client at work: it says so, and cleans up.
case_server_stops() {
    serve --stop-time 0
    link --rate 40
    random here/file 40000
    begin_copy --no-resume here/file "tern://$link/file"
    wait_for 60 part_has there 1048576 || fail "no temporary file grows"
    kill "$server_pid"
    wait "$server_pid" || fail "the server ended with $?"
    forget "$server_pid"
    has_no_parts there || fail "a temporary file is left"
    end_copy 3
    says 'the copy is not complete'
    absent there/file
}

# The server vanishes without a word: the client notices by itself and cleans up.
case_server_vanishes() {
    serve
    link --rate 40
    random there/file 40000
    begin_copy --no-resume "tern://$link/file" here/file
    wait_for 60 part_has here 1048576 || fail "no temporary file grows"
    murder "$server_pid"
    end_copy 3
    says 'run the command again'
    has_no_parts here || fail "a temporary file is left"
    absent here/file
}

# The client vanishes: the server notices by itself and cleans up.
case_client_vanishes() {
    serve
    link --rate 40
    random here/file 40000
    begin_copy --no-resume here/file "tern://$link/file"
    wait_for 60 part_has there 1048576 || fail "no temporary file grows"
    murder "$client_pid"
    wait_for 60 has_no_parts there || fail "a temporary file is left"
    absent there/file
    copy here/file "tern://$server/file"
    same here/file there/file
}

# --- kill -9 --------------------------------------------------------------------------------------

# kill_at_points WHO DIRECTION: ten kills, each when somewhat more has come through. The name holds
# the old contents, whole, at all times. At odd points there is no old file. Where the machine sees most of them too
# late, all again over a slower link.
kill_at_points() {
    random source 6144
    random old 100
    for rate in 120 30 8; do
        partial=0
        kill_ten_times "$1" "$2"
        [ "$partial" -lt 5 ] || return 0
        echo "only $partial of 10 copies were killed half way, at $rate Mbit/s"
    done
    fail "at no rate five of ten copies were killed half way"
}

kill_ten_times() {
    point=0
    while [ $point -lt 10 ]; do
        if [ "$1" = server ] || [ $point = 0 ]; then
            serve
            link --rate "$rate"
        fi
        if [ "$2" = push ]; then
            target=there
            set -- "$1" "$2" source "tern://$link/file"
        else
            target=here
            cp source there/source
            set -- "$1" "$2" "tern://$link/source" here/file
        fi
        rm -f $target/file $target/.terncp-*
        [ $((point % 2)) = 1 ] || cp old $target/file
        begin_copy "$3" "$4"
        if wait_for 60 reached $target $((point * 629145)); then
            :
        else
            fail "point $point was not reached"
        fi
        if [ "$1" = server ]; then
            murder "$server_pid"
            murder "$link_pid"
        fi
        murder "$client_pid"
        check_name $target
        point=$((point + 1))
    done
}

# Enough has come through, or the copy has ended already.
reached() {
    part_has "$1" "$2" || is_gone "$client_pid"
}

check_name() {
    has_no_parts "$1" || partial=$((partial + 1))
    if [ -e "$1/file" ]; then
        cmp -s "$1/file" source || { [ $((point % 2)) = 0 ] && cmp -s "$1/file" old; } ||
            fail "point $point: the file under the final name is neither the old nor the new one"
    else
        [ $((point % 2)) = 1 ] || fail "point $point: the old file is gone"
    fi
}

case_kill_client_push() {
    kill_at_points client push
}

case_kill_client_pull() {
    kill_at_points client pull
}

case_kill_server_push() {
    kill_at_points server push
}

case_kill_server_pull() {
    kill_at_points server pull
}

run_case "$@"
