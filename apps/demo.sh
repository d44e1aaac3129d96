#!/bin/sh
# The main job, from a bare Debian or Ubuntu machine: installs what is missing, builds, copies a file
# between two processes, first directly and then over a bad link, and verifies both copies.
# SPDX-License-Identifier: MIT
#
#   sh apps/demo.sh
#
# Any of these may be set in the environment:
set -eu
unset CDPATH
mib=${DEMO_MIB:-256}            # size of the file for the direct copy, MiB
lossy_mib=${DEMO_LOSSY_MIB:-$mib} # ... and for the copy over the bad link
delay=${DEMO_DELAY:-25}         # ms in each direction: 50 ms there and back
loss=${DEMO_LOSS:-1}            # per cent, in each direction
cc=${DEMO_CC-}                  # congestion control of the direct copy; empty: the default
lossy_cc=${DEMO_LOSSY_CC-}      # ... and over the bad link

cd "$(dirname "$0")/.."
. .ci/need.sh
stage_name=demo
. .ci/stage.sh

bin=build/release/bin
say() {
    printf '== %s\n' "$*"
}

# --- install and build ----------------------------------------------------------------------------

need_build
need_header stdlib.h libc6-dev
need_install || exit 1
want_engines

say "building (build/release)"
build_release demo.log terncp ternlink

# --- a server and its files -----------------------------------------------------------------------

work=$(mktemp -d "${TMPDIR:-/tmp}/tern-demo.XXXXXX")
room=$(df -Pk "$work" | awk 'NR == 2 { print int($4 / 1024) }')
largest=$mib
[ "$lossy_mib" -le "$largest" ] || largest=$lossy_mib
[ "$room" -gt $((3 * largest)) ] || fail "$work has $room MiB free; this needs $((3 * largest)) MiB:" \
    "set TMPDIR to a roomier place"

export XDG_CONFIG_HOME="$work/config"
mkdir -p "$work/here" "$work/there" "$XDG_CONFIG_HOME"
say "making a key and $mib MiB of random data"
"$bin/terncp" keygen
head -c $((mib * 1048576)) /dev/urandom >"$work/here/random.bin"

"$bin/terncp" serve --anonymous --root "$work/there" --listen 127.0.0.1:0 \
    ${lossy_cc:+--cc "$lossy_cc"} 2>"$work/server.log" &
pids="$pids $!"
server=$(await_text "$work/server.log" '.*serving .* on \([0-9.]*:[0-9]*\).*' $!) ||
    fail "the server did not start"

progress=json # where lines are kept, a line a second; on a terminal the bar
[ ! -t 2 ] || progress=auto

# copy CC SOURCE DESTINATION
copy() {
    since=$(date +%s)
    "$bin/terncp" --accept-new --progress "$progress" ${1:+--cc "$1"} "$2" "$3" ||
        fail "terncp said $? when copying $2 to $3"
    took=$(($(date +%s) - since))
}

# verify WHAT MIB ORIGINAL COPY
verify() {
    cmp "$3" "$4" || fail "$1: the copy differs from the original"
    echo "verified: $1, $2 MiB in about $took s, sha256 $(sha256sum "$4" | cut -c 1-16)..., equal byte for byte"
}

# --- directly, up ---------------------------------------------------------------------------------

say "copying $mib MiB to $server, directly"
copy "$cc" "$work/here/random.bin" "tern://$server/direct.bin"
verify "direct" "$mib" "$work/here/random.bin" "$work/there/direct.bin"

# --- over a bad link, down ------------------------------------------------------------------------

if [ "$lossy_mib" != "$mib" ]; then
    head -c $((lossy_mib * 1048576)) /dev/urandom >"$work/there/direct.bin"
fi
"$bin/ternlink" udp --listen 127.0.0.1:0 --to "$server" --delay "$delay" --loss "$loss" \
    >"$work/link.log" 2>&1 &
pids="$pids $!"
# The first address that it names is the one where it listens.
link=$(await_text "$work/link.log" '^[^0-9]*\([0-9][0-9.]*:[0-9]*\).*' $!) ||
    fail "ternlink did not start"
say "copying $lossy_mib MiB back through ternlink at $link: $((2 * delay)) ms round trip, $loss % loss"
copy "$lossy_cc" "tern://$link/direct.bin" "$work/here/lossy.bin"
verify "lossy" "$lossy_mib" "$work/there/direct.bin" "$work/here/lossy.bin"
