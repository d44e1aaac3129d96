#!/bin/sh
# terncp against scp: one large file over loopback, from memory to memory, by turns.
# SPDX-License-Identifier: MIT
#
#   sh tests/bench/copy.sh
#
# Prints every run, both medians and their ratio; with BENCH_JSON=FILE also writes them there. Any of
# these may be set in the environment:
set -eu
unset CDPATH
export LC_ALL=C
mib=${BENCH_MIB:-1024}                           # size of the file
runs=${BENCH_RUNS:-5}                            # of each program
cc=${BENCH_CC-}                                  # congestion control of terncp; empty: the default
cipher=${BENCH_CIPHER:-aes128-gcm@openssh.com}   # of scp; this is its fastest
store=${BENCH_TMP:-/dev/shm}                     # where the files are: a tmpfs
json=${BENCH_JSON-}

cd "$(dirname "$0")/../.."
. .ci/need.sh
stage_name=copy.sh
. .ci/stage.sh

bin=build/release/bin
# --- install and build ----------------------------------------------------------------------------

need_command cc gcc
need_command cmake cmake
need_command ninja ninja-build
need_command pkg-config pkg-config
need_command ssh-keygen openssh-client
need_command scp openssh-client
[ -x /usr/sbin/sshd ] || need_list="$need_list openssh-server"
need_library libsodium libsodium-dev
need_library cmocka libcmocka-dev
need_header ev.h libev-dev
need_install || exit 1
want_engines

build_release bench.log terncp

work=$(mktemp -d "$store/tern-bench.XXXXXX")
room=$(df -Pk "$work" | awk 'NR == 2 { print int($4 / 1024) }')
[ "$room" -gt $((2 * mib + 16)) ] ||
    fail "$store has $room MiB free, this needs $((2 * mib + 16)): set BENCH_MIB lower, or BENCH_TMP"
mkdir "$work/here" "$work/there" "$work/config"
head -c $((mib * 1048576)) /dev/urandom >"$work/here/file"

# await COMMAND...: until it succeeds, ten seconds at the most.
await() {
    tries=0
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || return 1
        sleep 0.1
    done
}

# --- both servers ---------------------------------------------------------------------------------

export XDG_CONFIG_HOME="$work/config"
"$bin/terncp" serve --anonymous --root "$work/there" --listen 127.0.0.1:0 ${cc:+--cc "$cc"} \
    2>"$work/terncp.log" &
pids="$pids $!"
await grep -q 'serving .* on ' "$work/terncp.log" || {
    cat "$work/terncp.log" >&2
    fail "terncp serve did not start"
}
tern=$(sed -n 's/.*serving .* on \([0-9.]*:[0-9]*\).*/\1/p' "$work/terncp.log")

ssh-keygen -q -t ed25519 -N '' -f "$work/host" && ssh-keygen -q -t ed25519 -N '' -f "$work/user"
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd # where sshd, started as root, drops its rights to
# A free port cannot be asked for; try some.
for port in 47022 47122 47222 47322 47422; do
    cat >"$work/sshd_config" <<EOF
ListenAddress 127.0.0.1:$port
HostKey $work/host
AuthorizedKeysFile $work/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
Ciphers $cipher
Subsystem sftp internal-sftp
EOF
    /usr/sbin/sshd -D -e -f "$work/sshd_config" 2>"$work/sshd.log" &
    sshd=$!
    if await grep -q 'Server listening' "$work/sshd.log"; then
        pids="$pids $sshd"
        break
    fi
    kill "$sshd" 2>/dev/null || true
    port=
done
[ -n "$port" ] || {
    cat "$work/sshd.log" >&2
    fail "sshd did not start"
}

copy_terncp() {
    "$bin/terncp" --quiet --accept-new ${cc:+--cc "$cc"} "$work/here/file" "tern://$tern/copy"
}

copy_scp() {
    scp -q -B -c "$cipher" -P "$port" -i "$work/user" -o IdentitiesOnly=yes \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile="$work/known" -o LogLevel=ERROR \
        "$work/here/file" "127.0.0.1:$work/there/copy"
}

# --- by turns -------------------------------------------------------------------------------------

# measure PROGRAM: appends its rate in MiB/s to a list.
measure() {
    rm -f "$work/there/copy"
    began=$(date +%s%N)
    "copy_$1" || fail "$1 ended with $?"
    took=$(($(date +%s%N) - began))
    cmp "$work/here/file" "$work/there/copy" || fail "$1: the copy differs from the original"
    awk "BEGIN { printf \"%.1f\\n\", $mib * 1e9 / $took }" >>"$work/$1.rates"
    printf '  %-7s %8s MiB/s\n' "$1" "$(tail -n 1 "$work/$1.rates")"
}

median() {
    sort -n "$work/$1.rates" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

echo "$mib MiB over loopback in $store, $runs runs each by turns; scp with ${cipher%@*}"
run=0
while [ $run -lt "$runs" ]; do
    measure terncp
    measure scp
    run=$((run + 1))
done
ours=$(median terncp)
theirs=$(median scp)
ratio=$(awk "BEGIN { printf \"%.2f\", $ours / $theirs }")
echo "median: terncp $ours MiB/s, scp $theirs MiB/s"
echo "ratio terncp/scp: $ratio"
[ -z "$json" ] || printf '{"bench":"copy","mib":%s,"runs":%s,"terncp_mib_s":%s,"scp_mib_s":%s,"ratio":%s}\n' \
    "$mib" "$runs" "$ours" "$theirs" "$ratio" >"$json"
