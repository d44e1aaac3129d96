#!/bin/sh
# What ternperf measures on the loopback: that it ends well and says all that it should.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

ternperf=$TERN_BIN/ternperf

# has_keys KEY...: the one line on standard output is an object with a number under each of them.
has_keys() {
    [ "$(wc -l <out)" = 1 ] || fail "not one line: $(cat out)"
    if command -v jq >/dev/null; then
        jq -e . <out >/dev/null || fail "jq cannot parse it"
    fi
    for key in "$@"; do
        has_line out "[{,]\"$key\":[0-9]" || fail "no $key in $(cat out)"
    done
    for key in mode cipher cc datagram_bytes seconds bytes goodput_bps sender_cpu_s receiver_cpu_s \
        cpu_s_per_gb packets_sent packets_lost syscalls rtt_ms latency_ms per_second rss_bytes \
        heap_bytes_per_conn limit_bps share_of_limit; do
        has_line out "[{,]\"$key\":" || fail "no $key in $(cat out)"
    done
}

case_perf_handshakes() {
    expect 0 "$ternperf" handshakes --loopback -t 500ms --json
    has_keys seconds per_second receiver_cpu_s sender_cpu_s cpu_us_each x25519_us share_of_limit count
    has_line out '"mode":"handshakes"' || fail "not the mode"
    has_line out '"failed":0' || fail "some failed: $(cat out)"
    expect 0 "$ternperf" handshakes --loopback -n 5 -C 2 -6 --json
    has_line out '"count":5,' || fail "not five: $(cat out)"
}

case_perf_bulk() {
    expect 0 "$ternperf" bulk --loopback -t 500ms --json
    has_keys bytes goodput_bps sender_cpu_s receiver_cpu_s cpu_s_per_gb packets_sent packets_lost \
        syscalls datagram_bytes rss_bytes
    has_line out '"rtt_ms":{"min":[0-9]' || fail "no round trip in $(cat out)"
    expect 0 "$ternperf" bulk --loopback -n 3M -P 3 --json
    has_line out '"bytes":3145728,' || fail "not all of it: $(cat out)"
    expect 0 "$ternperf" bulk --loopback -n 3M -P 7 -R --json
    has_line out '"bytes":3145728,' || fail "not all of it back: $(cat out)"
    expect 0 "$ternperf" bulk --loopback -n 3M -P 2 -C 5 --json
    has_line out '"bytes":3145728,' || fail "not all of it over five"
    expect 0 "$ternperf" bulk --loopback -n 3M -C 5 --shards 2 --json
    has_keys bytes goodput_bps sender_cpu_s receiver_cpu_s server_rss_bytes
    has_line out '"bytes":3145728,' || fail "not all of it over two shards"
    expect 0 "$ternperf" bulk --loopback -t 300ms --window 64M --mtu 9000 --cc newreno --json
    has_line out '"datagram_bytes":9000,' || fail "not the datagrams: $(cat out)"
    has_line out '"cc":"newreno"' || fail "not the controller: $(cat out)"
    expect 0 "$ternperf" bulk --loopback -n 1M -4 -q --cipher chacha20-poly1305 --json
    has_line out '"cipher":"chacha20-poly1305"' || fail "not the cipher: $(cat out)"
    [ ! -s err ] || fail "not quiet: $(cat err)"
}

case_perf_both_ways() {
    expect 0 "$ternperf" bulk --loopback -n 3M -P 2 -C 3 --bidir --json
    has_line out '"bytes":6291456,' || fail "not all of it both ways: $(cat out)"
    expect 0 "$ternperf" bulk --loopback -t 300ms --bidir --json
    has_keys bytes goodput_bps sender_cpu_s receiver_cpu_s packets_sent
}

case_perf_rate() {
    # No more than asked for; how much less is the machine's matter.
    for way in '' -R; do
        # shellcheck disable=SC2086
        expect 0 "$ternperf" bulk --loopback -t 1s -b 80mbit -P 3 $way --json
        sed -n 's/.*"goodput_bps":\([0-9.e+]*\),.*/\1/p' out |
            awk '$1 > 0 && $1 < 85e6 { good = 1 } END { exit !good }' || fail "not 80 Mbit/s: $(cat out)"
    done
    expect 0 "$ternperf" bulk --loopback -n 1M -b 4M -C 2 --json
    has_line out '"bytes":1048576,' || fail "not all of it: $(cat out)"
    sed -n 's/.*"seconds":\([0-9.e+]*\),.*/\1/p' out |
        awk '$1 >= 0.2 { good = 1 } END { exit !good }' || fail "sooner than a quarter of a second: $(cat out)"
}

case_perf_intervals() {
    expect 0 "$ternperf" bulk --loopback -t 700ms -i 200ms
    says ' seconds .*Gbit/s .*resent .*lost .*rtt min .*smoothed .*p99 ms .*cwnd KiB .*pacing$'
    [ "$(grep -c '^ternperf:  *[0-9]*[.][0-9]*  *[0-9.]*  *[0-9]*  *[0-9]*  *[0-9]*[.][0-9]*' err)" -ge 1 ] ||
        fail "no row: $(cat err)"
    expect 0 "$ternperf" bulk --loopback -t 500ms -R -i 200ms
    says ' [0-9]*[.][0-9]*  *[0-9.]*  *-  *-  *-'
}

case_perf_trace() {
    mkdir traces
    expect 0 "$ternperf" bulk --loopback -n 400K --loss 10 --qlog traces --json
    for end in client server; do
        find traces -name "ternperf-$end-*-1.qlog" -exec mv {} "traces/$end.qlog" \;
        [ -s "traces/$end.qlog" ] || fail "no trace of the $end: $(ls traces)"
        expect 0 "$ternperf" trace "traces/$end.qlog"
        has_line out '^ *[0-9]*[.][0-9]* > initial 0, 1200 bytes: .*crypto offset=0' || fail "no handshake: $(head out)"
        has_line out ' = new=handshake_complete' || fail "no state"
        has_line out ' ~ rtt [0-9]*[.][0-9]* ms, smoothed .*, cwnd [0-9]' || fail "no round trips"
        has_line out 'ack .*acked_ranges=[0-9]' || fail "no acknowledgements"
        ! has_line out "$(printf '\033')" || fail "color without a terminal"
    done
    expect 0 "$ternperf" trace --json traces/client.qlog
    sent=$(sed -n 's/.*"packets_sent":\([0-9]*\),.*/\1/p' out)
    has_line out '"mode":"trace","seconds":[0-9.]*,"records":[0-9]*,"malformed":0,' || fail "not the keys: $(cat out)"
    expect 0 "$ternperf" trace --color always traces/client.qlog
    has_line out "$(printf '\033')\[31m.* x 1RTT" || fail "no loss in red"
    [ "$(grep -c ' > ' out)" = "$sent" ] || fail "not $sent packets"
    expect 0 "$ternperf" trace -n 5 --color never traces/client.qlog
    [ "$(wc -l <out)" = 5 ] || fail "not five lines"
    expect 0 "$ternperf" trace -i 1ms traces/client.qlog
    has_line out '^ *ms  *sent received  lost dropped' || fail "no table"
    [ "$(awk 'NR > 1 { n += $2 } END { print n }' out)" = "$sent" ] || fail "the rows have not $sent packets"
}

# Files are for 64 connections at once, not for the first 64.
case_perf_trace_many() {
    mkdir traces
    expect 0 "$ternperf" handshakes --loopback -n 200 -C 4 --qlog traces
    count=$(find traces -name 'ternperf-server-*.qlog' | wc -l)
    [ "$count" -ge 150 ] || fail "$count traces of 200 connections"
}

# parses FILE: as XML.
parses() {
    python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$1" || fail "$1 is no XML"
}

# A picture: three curves, a stroke for each column with losses, and nothing of the trace that is markup.
case_perf_trace_picture() {
    mkdir traces
    expect 0 "$ternperf" bulk --loopback -n 400K --loss 10 --delay 5ms --qlog traces
    find traces -name "ternperf-client-*-1.qlog" -exec mv {} client.qlog \;
    expect 0 "$ternperf" trace --svg picture.svg --json client.qlog
    for class in cwnd flight latest smoothed sent received; do
        has_line picture.svg "class=\"$class\" d=\"M" || fail "no curve of $class"
    done
    has_line picture.svg 'class="lost"><title>[0-9]* lost' || fail "no losses"
    has_line picture.svg '>handshake_complete</text>' || fail "no state"
    {
        printf '\036{"time":0,"name":"quic:connection_state_updated","data":{"new":"<script>&\\u0022"}}\n'
        for value in 1e308 -1 1e-320 nan 5; do
            printf '\036{"time":%s,"name":"quic:recovery_metrics_updated","data":{"congestion_window":%s,"latest_rtt":%s}}\n' \
                "$value" "$value" "$value"
            printf '\036{"time":1,"name":"quic:packet_sent","data":{"raw":{"length":%s}}}\n' "$value"
        done
    } >'harm<&.qlog'
    expect 0 timeout 200 "$ternperf" trace --svg harm.svg --json 'harm<&.qlog'
    ! grep -q '<script' harm.svg || fail "a trace has become markup"
    printf '\036{"time":0,"name":"a:b","data":{}}\n' >empty.qlog
    expect 0 "$ternperf" trace --svg empty.svg --json empty.qlog
    if command -v python3 >/dev/null 2>&1; then
        for picture in picture harm empty; do
            parses $picture.svg
        done
    fi
    expect 5 "$ternperf" trace --svg absent/folder.svg --json client.qlog
    expect 2 "$ternperf" rr --loopback --svg x
}

# What is no qlog, or was cut, or means harm.
case_perf_trace_bad() {
    mkdir traces
    expect 0 "$ternperf" rr --loopback -n 5 --qlog traces
    find traces -name 'ternperf-client-*-1.qlog' -exec head -c 3000 {} \; >short
    expect 1 "$ternperf" trace short
    says ' 1 of [0-9]* records make no sense'
    printf '\036{"time":1e300,"name":"a:\033[2J","data":{"x\033":"\033]0;"}}\n' >harm
    printf '\036{"time":-5,"name":3,"data":[{"frames":[[[]]]}]}\n\036{"time":{},"data":{"frames":[{}]},"name":"packet_sent"}\n' >>harm
    expect 0 "$ternperf" trace harm
    ! has_line out "$(printf '\033')" || fail "an escape code passed"
    expect 0 "$ternperf" trace -i 1ms harm
    for text in '' '[' '{"a":1' '{"a' '{]' '\036\036' '{"time":1}}' "$(head -c 5000 /dev/zero | tr '\0' '[')"; do
        # shellcheck disable=SC2059
        printf "$text" >bad
        got=0
        "$ternperf" trace bad >out 2>err || got=$?
        [ $got = 7 ] || [ "$text" = '{"time":1}}' ] || fail "$got, not 7, for $text"
    done
    expect 5 "$ternperf" trace absent
    expect 5 "$ternperf" bulk --loopback -n 1 --key absent
    expect 5 "$ternperf" rr --loopback -n 5 --qlog absent/folder
    says 'absent/folder'
}

# A server with a key of its own stays the same.
case_perf_key() {
    XDG_CONFIG_HOME=$work/keys "$terncp" keygen >/dev/null 2>&1 || fail "no key"
    key=$(sed -n 's/.*\(tern:[a-z0-9]*\).*/\1/p' keys/tern/id.pub)
    for turn in 1 2; do
        "$ternperf" serve --listen 127.0.0.1:0 --key keys/tern/id >"$work/perf$turn.log" 2>&1 &
        perf_pid=$!
        pids="$pids $perf_pid"
        wait_for 20 has_said "$work/perf$turn.log" 'serving on ' "$perf_pid" || true
        perf=$(sed -n 's/.*serving on \([0-9.]*:[0-9]*\)$/\1/p' "$work/perf$turn.log")
        expect 0 "$ternperf" rr -n 5 --pin "$key" --log-level error "$perf"
        [ ! -s err ] || fail "not quiet: $(cat err)"
    done
    chmod 644 keys/tern/id
    expect 5 "$ternperf" rr --loopback -n 5 --key keys/tern/id
    says 'others can read it'
}

case_perf_rr() {
    expect 0 "$ternperf" rr --loopback -n 50 --json
    has_keys per_second seconds
    has_line out '"latency_ms":{"p50":[0-9]' || fail "no latency in $(cat out)"
    has_line out '"count":50,' || fail "not fifty: $(cat out)"
    has_line out '"p50_over_raw":[0-9]' || fail "not compared: $(cat out)"
    expect 0 "$ternperf" rr --loopback -t 300ms --size 65536
    expect 0 "$ternperf" rr --loopback -t 300ms --busy-poll --json
    has_line out '"p99_over_raw":[0-9]' || fail "not compared: $(cat out)"
}

case_perf_messages() {
    for kind in unreliable reliable ordered latest; do
        expect 0 "$ternperf" messages --loopback -t 300ms --$kind --json
        has_keys count failed per_second seconds bytes sender_cpu_s receiver_cpu_s packets_sent \
            packets_lost allocations
        ! has_line out '"count":0,' || fail "$kind: none came: $(cat out)"
        has_line out '"latency_ms":{"p50":null' || fail "a latency that was not asked for: $(cat out)"
    done
    expect 0 "$ternperf" messages --loopback -n 20000 --reliable --size 3000 --json
    has_line out '"bytes":60000000,' || fail "not all of it: $(cat out)"
    has_line out '"count":20000,"failed":0,' || fail "not all of them: $(cat out)"
    expect 0 "$ternperf" messages --loopback -n 50 --per-second 200 --delay 20ms --json
    # No less than the two delays; how much more is the machine's matter.
    has_line out '"latency_ms":{"p50":\([2-9][0-9]\|[0-9]\{3,\}\)[.]' || fail "no delay of 20 ms: $(cat out)"
    has_line out '"count":50,' || fail "not fifty: $(cat out)"
}

case_perf_idle() {
    expect 0 "$ternperf" idle --loopback -n 50 -t 500ms --keepalive 200ms --json
    has_keys heap_bytes_per_conn client_heap_bytes_per_conn sender_cpu_share receiver_cpu_share
    has_line out '"count":50,"failed":0' || fail "not all stayed: $(cat out)"
    ! has_line out '"packets_sent":[0-9],' || fail "no keepalives: $(cat out)"
}

case_perf_network() {
    expect 0 "$ternperf" rr --loopback -t 500ms --delay 10ms --json
    # No less than the two delays; how much more is the machine's matter.
    has_line out '"latency_ms":{"p50":\([2-9][0-9]\|[0-9]\{3,\}\)[.]' || fail "no delay of 20 ms: $(cat out)"
    expect 0 "$ternperf" bulk --loopback -n 2M --delay 1ms --loss 5 --json
    expect 3 "$ternperf" rr --loopback --loss 100
}

case_perf_flood() {
    expect 0 "$ternperf" flood -n 2000 --json
    has_keys junk_per_second retry_per_second heap_bytes_per_half_open
    has_line out '"allocations":0,' || fail "strangers take memory: $(cat out)"
}

case_perf_limit() {
    [ "$(uname -s)" = Linux ] || return 0
    expect 0 "$ternperf" limit -t 200ms --json
    has_keys raw_bps limit_bps goodput_bps share_of_limit
    has_line out '"mode":"limit"' || fail "not the mode"
    says 'UDP alone, GSO and GRO'
    expect 0 "$ternperf" limit -t 100ms --mtu 65507 --cipher chacha20-poly1305 --json
    has_line out '"cipher":"chacha20-poly1305"' || fail "not the cipher: $(cat out)"
}

case_perf_remote() {
    "$ternperf" serve --listen 127.0.0.1:0 >"$work/perf.log" 2>&1 &
    perf_pid=$!
    pids="$pids $perf_pid"
    wait_for 20 has_said "$work/perf.log" 'serving on ' "$perf_pid" || true
    perf=$(sed -n 's/.*serving on \([0-9.]*:[0-9]*\)$/\1/p' "$work/perf.log")
    key=$(sed -n 's/.* key \(tern:[a-z0-9]*\)$/\1/p' "$work/perf.log")
    expect 0 "$ternperf" handshakes -n 20 "$perf"
    expect 0 "$ternperf" handshakes -n 20 --pin "$key" "$perf"
    says ' 20 handshakes '
}

case_perf_shards() {
    [ "$(uname -s)" = Linux ] || return 0
    "$ternperf" serve --listen 127.0.0.1:0 --shards 3 >"$work/perf.log" 2>&1 &
    perf_pid=$!
    pids="$pids $perf_pid"
    wait_for 20 has_said "$work/perf.log" 'serving on ' "$perf_pid" || true
    perf=$(sed -n 's/.*serving on \([0-9.]*:[0-9]*\)$/\1/p' "$work/perf.log")
    key=$(sed -n 's/.* key \(tern:[a-z0-9]*\)$/\1/p' "$work/perf.log")
    expect 0 "$ternperf" bulk -n 3M -C 6 --shards 3 --pin "$key" --json "$perf"
    has_line out '"bytes":3145728,' || fail "not all of it: $(cat out)"
    expect 0 "$ternperf" handshakes -n 20 --pin "$key" "$perf"
    forget "$perf_pid"
    kill -TERM "$perf_pid"
    wait "$perf_pid" || fail "it did not end well"
}

# perf_at ADDRESS: a server there, of one key at each start. Sets perf_pid.
perf_at() {
    starts=$((${starts:-0} + 1))
    "$ternperf" serve --listen "$1" --key keys/tern/id >"perf$starts.log" 2>&1 &
    perf_pid=$!
    pids="$pids $perf_pid"
    wait_for 20 has_said "perf$starts.log" 'serving on ' "$perf_pid" || true
    has_line "perf$starts.log" 'serving on ' || fail "the server does not start"
}

# A server that has forgotten its clients ends what they do, with a word and an exit code.
case_perf_server_restarts() {
    own_address
    XDG_CONFIG_HOME=$work/keys "$terncp" keygen >/dev/null 2>&1 || fail "no key"
    perf_at "$at"
    for mode in 'bulk -b 4M' bulk 'bulk -R' rr messages; do
        # shellcheck disable=SC2086
        "$ternperf" $mode -t 3000s "$at" >out 2>err &
        client_pid=$!
        pids="$pids $client_pid"
        wait_for 20 is_ended_by_a_restart || fail "$mode goes on"
        end_copy 3
        says 'the peer has lost the connection'
    done
}

# Whoever was not connected yet stays for the next one.
is_ended_by_a_restart() {
    sleep 1
    murder "$perf_pid"
    perf_at "$at"
    sleep 1
    is_gone "$client_pid"
}

case_perf_usage() {
    for arguments in '' 'nonsense' 'handshakes' 'handshakes --loopback host' 'idle' 'flood host' \
        'serve host' 'serve --loopback' 'handshakes --loopback -t never' 'idle --loopback -n 0' \
        'idle --loopback -n 1000001' 'handshakes --loopback --cc nonsense' \
        'handshakes --loopback --mtu 100' 'rr --loopback --loss 101' 'rr --loopback --delay x' \
        'rr --loopback --loss -1' 'handshakes --pin a host' 'handshakes --shards 2 --loopback' \
        'bulk --loopback -P 0' 'bulk --loopback --bidir -R' 'rr --loopback --bidir' 'bulk --loopback -b 1x' \
        'rr --loopback -b 1M' 'bulk --loopback -b 1bit' 'rr --loopback --size 0' 'bulk --loopback --window 1' \
        'trace --qlog d f' 'rr --loopback --color red' \
        'rr --loopback --log-level loud' 'trace' 'trace a b' \
        'bulk --loopback --shards 0' 'rr --loopback --shards 2' 'messages --loopback --per-second 0' \
        'messages' 'rr --loopback --per-second 5' 'limit --loopback' 'trace --loopback'; do
        # shellcheck disable=SC2086
        expect 2 "$ternperf" $arguments
        says '^ternperf: '
        [ ! -s out ] || fail "standard output on a usage error"
    done
    expect 0 "$ternperf" --help
    has_line out '^Usage: ternperf' || fail "no help"
    expect 0 "$ternperf" --version
    has_line out '^ternperf [0-9]' || fail "no version"
}

run_case "$@"
