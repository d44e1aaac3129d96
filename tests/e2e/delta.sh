#!/bin/sh
# Changed files: only what changed moves.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# insert FILE AT TEXT
insert() {
    head -c "$2" "$1" >"$1.new"
    printf '%s' "$3" >>"$1.new"
    tail -c +$(($2 + 1)) "$1" >>"$1.new"
    mv "$1.new" "$1"
}

# moves AT_MOST: bytes, of a copy with --json.
moves() {
    [ "$(figure moved)" -le "$1" ] || fail "$(figure moved) bytes moved, not at most $1"
}

case_delta_push() {
    serve
    random here/file 65536
    copy here/file "tern://$server/file"
    insert here/file 33554432 'ten bytes.'
    copy --json here/file "tern://$server/file"
    moves 1000000
    says 'from old versions'
    says '^terncp: [0-9.]* MiB taken from old versions, [0-9.]* [KM]*i*B new'
    says 'times less'
    same here/file there/file
    copy --json here/file "tern://$server/file" # the same once more
    moves 0
    same here/file there/file
    has_no_parts there || fail "a temporary file is left"
}

case_delta_pull() {
    serve
    random there/file 65536
    copy "tern://$server/file" here/file
    insert there/file 33554432 'ten bytes.'
    copy --json "tern://$server/file" here/file
    moves 1000000
    same there/file here/file
    has_no_parts here || fail "a temporary file is left"
}

# Whatever happens to a file, it is whole at the end.
case_delta_changes() {
    serve
    random here/file 5000
    copy here/file "tern://$server/file"
    for at in 0 1 1048575 1048576 1048577 5119999; do
        insert here/file $at 'x'
        copy --json here/file "tern://$server/file"
        moves 500000
        same here/file there/file
    done
    truncate -s 3000001 here/file # cut off, and grown
    copy --json here/file "tern://$server/file"
    moves 500000
    same here/file there/file
    random here/more 1000
    cat here/more >>here/file
    copy --json here/file "tern://$server/file"
    moves 1500000
    same here/file there/file
    tail -c 2000000 here/file >here/turned # its parts in another order
    head -c 2000000 here/file >>here/turned
    copy --json here/turned "tern://$server/file"
    moves 700000
    same here/turned there/file
    random here/other 4000 # nothing in common
    copy here/other "tern://$server/file"
    same here/other there/file
    random here/small 300
    copy here/small "tern://$server/file"
    same here/small there/file
    : >here/empty
    copy here/empty "tern://$server/file"
    same here/empty there/file
    copy here/other "tern://$server/file"
    same here/other there/file
}

case_delta_zeros() {
    serve
    head -c 20000000 /dev/zero >here/file
    copy here/file "tern://$server/file"
    insert here/file 10000000 'in the middle'
    copy --json here/file "tern://$server/file"
    moves 1000000
    same here/file there/file
}

case_delta_whole_file() {
    serve
    random here/file 2000
    for option in -W --whole-file; do
        copy here/file "tern://$server/file"
        copy --json $option here/file "tern://$server/file"
        [ "$(figure moved)" = 2048000 ] || fail "$(figure moved) bytes moved with $option"
        copy --json $option "tern://$server/file" here/back
        copy --json $option "tern://$server/file" here/back
        [ "$(figure moved)" = 2048000 ] || fail "$(figure moved) bytes moved with $option"
    done
    random there/little 63 # too little to be worth a look
    copy --json here/file "tern://$server/little"
    [ "$(figure from_old)" = 0 ] || fail "it was"
}

case_delta_tree() {
    serve
    mkdir -p here/tree/deep
    for i in 1 2 3 4 5 6 7 8 9; do
        random here/tree/$i 1500
        random here/tree/deep/$i 100
    done
    copy -r here/tree "tern://$server/"
    for i in 1 2 3; do
        insert here/tree/$i 700000 "$i$i$i"
    done
    copy --json -r here/tree "tern://$server/"
    moves 1500000 # and the small files, which go as they are
    same_tree here/tree there/tree
}

case_inplace() {
    serve
    random here/file 8000
    copy here/file "tern://$server/file"
    ln there/file there/same
    inode=$(stat -c %i there/file)
    printf 'changed' | dd of=here/file bs=1 seek=3000000 conv=notrunc 2>/dev/null
    copy --json --inplace here/file "tern://$server/file"
    moves 500000
    same here/file there/file
    same here/file there/same
    [ "$(stat -c %i there/file)" = "$inode" ] || fail "another file has the name"
    truncate -s 2500000 here/file
    copy --json --inplace here/file "tern://$server/file"
    same here/file there/file
    insert here/file 1000000 'what is behind must move'
    copy --inplace here/file "tern://$server/file"
    same here/file there/file
    copy --inplace -W here/file "tern://$server/file"
    same here/file there/file
    copy --inplace here/file "tern://$server/new"
    same here/file there/new
    copy --json --inplace "tern://$server/file" here/back
    printf 'changed' | dd of=here/back bs=1 seek=3000 conv=notrunc 2>/dev/null
    copy --json --inplace "tern://$server/file" here/back
    moves 500000
    same there/file here/back
    [ "$(stat -c %i there/file)" = "$inode" ] || fail "another file has the name"
    ln -s file there/link
    expect 6 "$terncp" --inplace here/file "tern://$server/link"
}

case_inplace_killed() {
    serve
    link --rate 40
    random there/file 8000
    begin_copy --inplace "tern://$link/file" here/file
    wait_for 60 has_bytes here/file 3145728 || fail "the file does not grow"
    murder "$client_pid"
    copy --json --inplace "tern://$server/file" here/file
    moves 6000000
    same there/file here/file
}

has_bytes() {
    [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]
}

run_case "$@"
