# What demo and benchmarks share: a folder and processes that go away at the end, a build that says what
# went wrong, a wait for a word in a log. Sourced after .ci/need.sh, from the top of the tree.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
#     stage_name=demo            how errors begin
#     work=$(mktemp -d ...)      removed at the end
#     pids="$pids $!"            ended at the end
#     fail WHAT WENT WRONG
#     build_release LOG TARGET...
#     await_text FILE PATTERN PID

work=
pids=

stage_clean() {
    trap '' INT TERM HUP
    for pid in $pids; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in $pids; do
        wait "$pid" 2>/dev/null || true
    done
    [ -z "$work" ] || rm -rf "$work"
}
trap stage_clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() {
    printf '%s: %s\n' "$stage_name" "$*" >&2
    exit 1
}

build_release() {
    stage_log=build/release/$1
    shift
    mkdir -p build/release
    { { [ -f build/release/build.ninja ] || cmake --preset release; } &&
        cmake --build build/release --target "$@"; } >"$stage_log" 2>&1 || {
        tail -n 40 "$stage_log" >&2
        fail "the build failed; the whole log is $stage_log"
    }
}

# The first text in a log that the pattern's group matches, while the process lives, ten seconds at the most.
await_text() {
    tries=0
    while [ $tries -lt 100 ]; do
        found=$(sed -n "s/$2/\\1/p" "$1" 2>/dev/null | head -n 1)
        if [ -n "$found" ]; then
            echo "$found"
            return 0
        fi
        kill -0 "$3" 2>/dev/null || break
        sleep 0.1
        tries=$((tries + 1))
    done
    sed 's/^/    /' "$1" >&2
    return 1
}
