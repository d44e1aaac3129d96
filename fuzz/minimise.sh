#!/bin/sh
# Takes what fuzzing has found of new code into the committed corpora, and keeps these small: what has a name
# stays (seeds, findings), the rest is the smallest set of small files that reaches the same edges, and of a
# large set the largest files.
# SPDX-License-Identifier: MIT
#
#   sh tests/run.sh fuzz 600 && sh fuzz/minimise.sh [TARGET...]
#
# libFuzzer gives the files that it adds the hashes of their contents for names.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
most=1024 # bytes of a file
files=64  # without a name, of a target

[ $# -gt 0 ] || set -- build/fuzz/bin/fuzz_*
for target in "$@"; do
    target=${target##*/}
    kept=fuzz/corpus/$target
    found=build/fuzz/corpus/$target
    new=build/fuzz/minimal/$target
    rm -rf "$new"
    mkdir -p "$new" "$found" "$kept"
    for file in "$kept"/*; do
        [ -f "$file" ] || continue
        case ${file##*/} in
        *[!0-9a-f]*) cp "$file" "$new" ;;
        *) [ "$(basename "$file" | wc -c)" = 41 ] || cp "$file" "$new" ;;
        esac
    done
    named=$(find "$new" -type f | wc -l)
    "build/fuzz/bin/$target" -merge=1 -use_counters=0 -set_cover_merge=1 -max_len=$most -timeout=10 \
        -rss_limit_mb=2048 "$new" "$kept" "$found" >"build/fuzz/$target.merge" 2>&1 || {
        tail -n 20 "build/fuzz/$target.merge" >&2
        exit 1
    }
    rm -f "$kept"/*
    find "$new" -type f | grep -vE '/[0-9a-f]{40}$' | xargs -I FILE cp FILE "$kept"
    find "$new" -type f -printf '%s %p\n' | sort -rn | sed 's/^[0-9]* //' | grep -E '/[0-9a-f]{40}$' |
        head -n $files | xargs -I FILE cp FILE "$kept"
    printf '%-24s %4d named %4d more %8d bytes\n' "$target" "$named" \
        $(($(find "$kept" -type f | wc -l) - named)) "$(cat "$kept"/* | wc -c)"
done
