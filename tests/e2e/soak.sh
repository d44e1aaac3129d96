#!/bin/sh
# That tests/soak.sh still runs, and judges: twenty seconds of it.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
tests=$(cd "$(dirname "$0")/.." && pwd)

# A sanitizer keeps what was freed for a while: not for long here.
soak() {
    SOAK_BIN=$TERN_BIN SOAK_SECONDS=20 SOAK_CONNECTIONS=$1 \
        ASAN_OPTIONS="quarantine_size_mb=1:thread_local_quarantine_size_kb=64" sh "$tests/soak.sh"
}

case_soak_for_twenty_seconds() {
    [ -r /proc/self/status ] || skip "no /proc"
    soak 80 >"$work/out" 2>&1 || fail "$(cat "$work/out")"
    cat "$work/out"
}

run_case "$@"
