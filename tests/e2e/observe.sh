#!/bin/sh
# Looking inside: figures for Prometheus, key logs, and captures that Wireshark and the second reader understand.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

interop=$(cd "${0%/*}/../interop" && pwd)

need() {
    command -v "$1" >/dev/null 2>&1 || skip "no $1 here"
}

# row NAME: of the server's page.
row() {
    curl -sS -m 10 "$url" | sed -n "s/^$1 //p"
}

is_at_least() {
    value=$(row "$1")
    [ "${value:-0}" -ge "$2" ]
}

# The page is made anew every second.
at_least() {
    wait_for 10 is_at_least "$1" "$2" || fail "$1 is ${value:-missing}, not $2 or more"
}

is_idle() {
    [ "$(row tern_copies_sending) $(row tern_copies_receiving)" = '0 0' ]
}

# Waits for the address that the server says.
find_url() {
    wait_for 20 has_line "$1" 'figures at http' || fail "no address of figures"
    url=$(sed -n 's/.*figures at \(http:.*\)/\1/p' "$1" | head -n 1)
}

case_metrics_terncp() {
    need curl
    random here/file 500
    serve --metrics 0 --shards 2
    find_url "$serve_log"
    copy here/file "tern://$server/file"
    copy "tern://$server/file" back
    size=$(wc -c <here/file)
    at_least tern_handshakes_total 2
    at_least tern_stream_bytes_received_total "$size"
    at_least tern_stream_bytes_sent_total "$size"
    at_least tern_bytes_received_total "$size"
    wait_for 10 is_idle || fail "a copy is said to run"
    curl -sS -m 10 "${url%/metrics}/json" >page.json
    grep -q '^{"connections":[0-9]*,.*"clients":[0-9]*,"copies_sending":0,"copies_receiving":0}$' page.json ||
        fail "not the JSON that was meant: $(cat page.json)"
    curl -sS -m 10 "$url" | awk '
        /^# HELP tern_[a-z_]+ [A-Z].*\.$/ { help = $3; next }
        /^# TYPE tern_[a-z_]+ (gauge|counter)$/ && $3 == help { type = $3; counter = $4 == "counter"; next }
        /^tern_[a-z_]+ [0-9]+$/ && $1 == type && (counter == ($1 ~ /_total$/)) { rows++; next }
        { print "not the text form: " $0; bad = 1 }
        END { exit bad || rows < 25 }' || fail "the page is not what Prometheus reads"
    expect 22 curl -sS -f -m 10 "${url%/metrics}/"
    port=${url##*:}
    expect 0 curl -sS -f -m 10 --resolve "localhost:${port%/metrics}:127.0.0.1" "http://localhost:$port"
    expect 22 curl -sS -f -m 10 --resolve "evil.example:${port%/metrics}:127.0.0.1" "http://evil.example:$port"
    says 421
    expect 2 "$terncp" serve --anonymous --root there --metrics 0.0.0.0:9437
    says 'loopback'
}

case_metrics_ternchat() {
    need curl
    mkdir -p chat
    XDG_CONFIG_HOME=$work/chat "$TERN_BIN/ternchat" serve --listen 127.0.0.1:0 --no-history --metrics 127.0.0.1:0 \
        >chat.log 2>&1 &
    pid=$!
    pids="$pids $pid"
    find_url chat.log
    host=$(sed -n 's/.*listening on \([0-9.:]*\).*/\1/p' chat.log | head -n 1)
    echo "a word" | XDG_CONFIG_HOME=$work/chat2 "$TERN_BIN/ternchat" --batch --accept-new --no-memory --nick ann \
        --open "$host" work >said 2>&1 || fail "nothing was said: $(cat said)"
    at_least tern_handshakes_total 1
    at_least tern_chat_events_total 1
    at_least tern_messages_received_total 1
    [ -n "$(row tern_chat_people)" ] || fail "no figure of people"
}

# has FILE PATTERN
has() {
    grep -q "$2" "$1" || fail "${1##*/} has no $2"
}

# Keys are for one user, also when the file was there before.
case_key_log() {
    serve
    random here/file 10
    : >keys.log
    chmod 644 keys.log
    expect 3 "$terncp" --accept-new --key-log keys.log here/file "tern://$server/file"
    says 'others can read it'
    absent there/file
    [ ! -s keys.log ] || fail "keys in a file for everybody"
    chmod 600 keys.log
    copy --key-log keys.log here/file "tern://$server/file"
    has keys.log '^CLIENT_TRAFFIC '
    mkfifo pipe
    cat pipe >piped &
    reader=$!
    copy --key-log pipe here/file "tern://$server/again"
    wait $reader
    has piped '^CLIENT_TRAFFIC '
    mkfifo lonely
    since=$(date +%s)
    expect 3 "$terncp" --accept-new --key-log lonely here/file "tern://$server/third"
    says 'nobody reads from it; start the reader first'
    [ $(($(date +%s) - since)) -le 10 ] || fail "it waited for a reader"
    sh -c 'exec sleep 100' <lonely & # one that takes nothing
    pids="$pids $!"
    for name in a b c; do
        copy --key-log lonely here/file "tern://$server/$name"
    done
    if [ "$(id -u)" = 0 ]; then
        chown 1 keys.log
        expect 3 "$terncp" --accept-new --key-log keys.log here/file "tern://$server/third"
        says 'somebody else'
        mkfifo -m 666 trap
        chown 1 trap
        timeout 20 cat trap >stolen &
        pids="$pids $!"
        expect 3 "$terncp" --accept-new --key-log trap here/file "tern://$server/third"
        says 'somebody else'
        [ ! -s stolen ] || fail "keys for whoever made the FIFO"
        # A pipe of the shell from which root was made of somebody.
        python3 -c 'import os, subprocess, sys
out, to = os.pipe()
os.fchown(to, 1, 1)
code = subprocess.call(sys.argv[1:4] + ["/dev/fd/%d" % to] + sys.argv[4:], pass_fds=[to])
os.close(to)
sys.exit(code or not os.read(out, 4096).startswith(b"CLIENT"))' \
            "$terncp" --accept-new --key-log here/file "tern://$server/fourth" ||
            fail "a pipe of the shell was not written to"
    fi
}

# has_probe TEXT PID: it was sent to nobody's port, and is in the capture with all that was sent before; or the capture
# has ended.
has_probe() {
    python3 -c 'import socket, sys
host, port = sys.argv[1].split(":")
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), (host, int(port)))' "$at" "$1"
    grep -qa -e "$1" all.pcap 2>/dev/null || is_gone "$2"
}

# A real copy, captured on the loopback: tshark lists each packet, and so does the second reader.
case_capture() {
    need tshark
    need python3
    own_address
    random here/file 100
    serve --key-log "$work/keys.log"
    port=${server##*:}
    tshark -q -i lo -f "udp port $port or udp port ${at##*:}" -F pcap -w all.pcap 2>tshark.log &
    pid=$!
    # It says that it captures before it does.
    wait_for 20 has_probe 'now it captures' "$pid" || fail "nothing is captured"
    ! is_gone "$pid" || skip "this user may not capture: $(tail -n 1 tshark.log)"
    pids="$pids $pid"
    copy --key-log "$work/keys2.log" here/file "tern://$server/file"
    same here/file there/file
    wait_for 20 has_line "$serve_log" ': disconnected' || fail "the server does not notice the end"
    wait_for 20 has_probe 'that was all' "$pid" || fail "the end is not captured"
    forget "$pid"
    kill -INT "$pid"
    wait "$pid" || true
    tshark -r all.pcap -Y "udp.port == $port" -F pcap -w capture.pcap 2>tshark.log ||
        fail "tshark does not read what it wrote"
    [ "$(stat -c %a keys.log)" = 600 ] || fail "others may read the keys"
    for keys in keys.log keys2.log; do
        has "$keys" '^CLIENT_TRAFFIC [0-9a-f]\{16\} 0 000[1248] [0-9a-f]\{64\}$'
        has "$keys" '^SERVER_HANDSHAKE '
        python3 -B "$interop/check_tshark.py" capture.pcap "$work/$keys" >listed ||
            fail "tshark: $(tail -n 3 listed)"
        has listed '^c sent Initial pn=0 size=1200 CRYPTO'
        has listed '^s sent 1-RTT .*HANDSHAKE_DONE'
        has listed '^c sent 1-RTT .*STREAM id='
    done
    python3=/usr/bin/python3
    "$python3" -c 'import cryptography' 2>/dev/null || python3=python3
    if "$python3" -c 'import cryptography' 2>/dev/null; then
        "$python3" -B "$interop/ternspec.py" capture.pcap --keys keys.log >packets || fail "the reader: $(tail -n 3 packets)"
        grep -v '^#' packets | sed 's/^[^ ]* #[0-9]* //' >packets.read
        cmp packets.read listed || fail "the reader and tshark differ: $(diff packets.read listed | head -n 5)"
    fi
}

run_case "$@"
