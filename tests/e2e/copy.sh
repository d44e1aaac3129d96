#!/bin/sh
# Copies that go well: files, trees, many small files, several sources, attributes, replacement.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

case_push_file() {
    serve
    random here/file 5000
    copy here/file "tern://$server/file"
    same here/file there/file
    copy here/file "tern://$server/other"
    same here/file there/other
    mkdir there/folder
    copy here/file "tern://$server/folder"
    same here/file there/folder/file
    copy here/file "tern://$server/folder/new"
    same here/file there/folder/new
    copy here/file "tern://$server/" # a trailing slash: into the root, under its own name
    same here/file there/file
    has_no_parts there || fail "a temporary file is left"
}

case_pull_file() {
    serve
    random there/file 5000
    copy "tern://$server/file" here/file
    same there/file here/file
    copy "tern://$server/file" here/other
    same there/file here/other
    mkdir here/folder
    copy "tern://$server/file" here/folder
    same there/file here/folder/file
    mkdir there/deep
    mv there/file there/deep/file
    copy "tern://$server/deep/file" here/folder/
    same there/deep/file here/folder/file
    (cd here && copy "tern://$server/deep/file" plain)
    same there/deep/file here/plain
    has_no_parts here || fail "a temporary file is left"
}

# Sizes around the edges of blocks (1 MiB), where the hash tree has them.
case_sizes() {
    serve
    mkdir here/sizes
    for bytes in 0 1 1023 1048575 1048576 1048577 2097152 3145729; do
        head -c $bytes /dev/urandom >here/sizes/$bytes
    done
    copy -r here/sizes "tern://$server/sizes"
    same_tree here/sizes there/sizes
    copy -r "tern://$server/sizes" here/back
    same_tree here/sizes here/back
}

make_tree() {
    mkdir -p "$1/empty folder" "$1/a/b/c/d/e/f" "$1/naïve ☃ 日本" "$1/-r"
    : >"$1/empty file"
    random "$1/a/b/c/d/e/f/deep" 3
    random "$1/a/b/two words" 1500
    random "$1/new${newline}line" 2
    random "$1/naïve ☃ 日本/ünïcode" 2
    random "$1/-r/--help" 1
    random "$1/-dash" 1
    random "$1/ blank " 1
    random "$1/back\\slash\"quote'*?[x]" 1
    printf 'latin' >"$1/$(printf 'latin-\351')"
    random "$1/$(printf '%0255d' 7)" 1 # the longest name that there is
}

case_push_tree() {
    serve
    make_tree here/tree
    expect 0 "$terncp" --accept-new -r here/tree "tern://$server/tree"
    same_tree here/tree there/tree
    mkdir there/into
    copy -r here/tree "tern://$server/into"
    same_tree here/tree there/into/tree
    (cd here/tree && copy -r -- -r -dash "tern://$server/into/")
    same_tree here/tree/-r there/into/-r
    same here/tree/-dash there/into/-dash
}

# As little of everything as there can be: for programs that are run by something slow (tests/run.sh valgrind).
case_there_and_back() {
    serve
    mkdir -p here/tree/sub
    random here/tree/file 30
    random here/tree/sub/other 3
    expect 0 "$terncp" --accept-new -r here/tree "tern://$server/tree"
    same_tree here/tree there/tree
    expect 0 "$terncp" --accept-new -r "tern://$server/tree" here/back
    same_tree here/tree here/back
    kill -TERM "$server_pid"
    wait "$server_pid" || fail "the server ended with $?"
    forget "$server_pid"
}

case_pull_tree() {
    serve
    make_tree there/tree
    copy -r "tern://$server/tree" here/tree
    same_tree there/tree here/tree
    mkdir here/into
    copy -r "tern://$server/tree" here/into
    same_tree there/tree here/into/tree
    copy -r "tern://$server/tree/naïve ☃ 日本" here/named
    same_tree "there/tree/naïve ☃ 日本" here/named
}

case_small_files() {
    serve
    mkdir here/many
    i=0
    while [ $i -lt 500 ]; do
        mkdir -p here/many/$((i % 7))
        echo "file $i" >here/many/$((i % 7))/$i
        i=$((i + 1))
    done
    copy -r here/many "tern://$server/many"
    same_tree here/many there/many
    says '508 entries'
    copy -r "tern://$server/many" here/back
    same_tree here/many here/back
    says '508 entries'
}

attributes() {
    stat -c '%a %.Y' "$@"
}

# As with cp and scp: what is replaced keeps its mode, unless the sender's is asked for.
case_modes_of_replaced() {
    serve
    for size in 1 3000; do
        for way in up down local; do
            for options in -q --inplace -p; do
                rm -rf here/from there/to
                random here/from $size
                random there/to $size
                chmod 644 here/from
                chmod 600 there/to
                case $way in
                up) copy $options here/from "tern://$server/to" ;;
                down) mv here/from there/from && copy $options "tern://$server/from" there/to && mv there/from here/from ;;
                local) copy $options here/from there/to ;;
                esac
                same here/from there/to
                wanted=600
                [ "$options" != -p ] || wanted=644
                [ "$(stat -c %a there/to)" = $wanted ] || fail "$way $options $size: $(stat -c %a there/to)"
            done
        done
    done
}

case_preserve() {
    serve
    mkdir here/tree
    for mode in 600 640 755 444 400; do
        random here/tree/$mode 1
        chmod $mode here/tree/$mode
        touch -d '2001-02-03 04:05:06.123456789' here/tree/$mode
    done
    copy -rp here/tree "tern://$server/tree"
    same_tree here/tree there/tree
    copy -rp "tern://$server/tree" here/back
    for mode in 600 640 755 444 400; do
        for copied in there/tree here/back; do
            [ "$(attributes here/tree/$mode)" = "$(attributes $copied/$mode)" ] ||
                fail "$copied/$mode: $(attributes $copied/$mode)"
        done
    done
    copy here/tree/600 "tern://$server/plain" # without -p: the time is now
    [ "$(stat -c %Y there/plain)" -gt 1000000000 ] || fail "the time was kept without -p"
}

case_preserve_folders() {
    serve
    mkdir -p here/tree/private here/tree/open here/tree/sealed
    random here/tree/sealed/file 1
    chmod 700 here/tree/private
    chmod 777 here/tree/open
    chmod 555 here/tree/sealed
    touch -d '2001-02-03 04:05:06' here/tree/private here/tree/sealed
    copy -rp here/tree "tern://$server/tree"
    copy -rp "tern://$server/tree" here/back
    for name in private open sealed; do
        for copied in there/tree here/back; do
            [ "$(stat -c %a here/tree/$name)" = "$(stat -c %a $copied/$name)" ] ||
                fail "$copied/$name: mode $(stat -c %a $copied/$name)"
        done
    done
    same here/tree/sealed/file here/back/sealed/file
    for copied in there/tree here/back; do
        [ "$(stat -c %Y $copied/sealed)" = "$(stat -c %Y here/tree/sealed)" ] ||
            fail "$copied/sealed: its time was not kept"
    done
    chmod 755 here/tree/sealed there/tree/sealed here/back/sealed
}

case_several_sources() {
    serve
    mkdir there/folder here/tree
    random here/one 700
    random "here/two words" 1
    random here/tree/three 10
    copy -r here/one "here/two words" here/tree/ "tern://$server/folder"
    same here/one there/folder/one
    same "here/two words" "there/folder/two words"
    same_tree here/tree there/folder/tree
    mkdir here/back
    copy "tern://$server/folder/one" "tern://$server/folder/two words" here/back
    same here/one here/back/one
    same "here/two words" "here/back/two words"
    # Several sources do not go into one file.
    expect 6 "$terncp" here/one "here/two words" "tern://$server/none"
    absent there/none
}

# While the new contents come in the old ones stay under the name, and then at once the new ones.
case_replace() {
    serve
    link --rate 20
    random here/file 6000
    random there/file 10
    cp there/file old
    inode=$(stat -c %i there/file)
    begin_copy here/file "tern://$link/file"
    wait_for 60 part_has there 1048576 || fail "no temporary file grows"
    kill -STOP "$client_pid" # or it could end before we look
    same old there/file
    kill -CONT "$client_pid"
    end_copy 0
    same here/file there/file
    [ "$(stat -c %i there/file)" != "$inode" ] || fail "the old file was written over"
    has_no_parts there || fail "a temporary file is left"
    ln -s /dev/full there/link # a link under the name is replaced, not followed
    copy here/file "tern://$server/link"
    [ ! -L there/link ] || fail "the link is still there"
    same here/file there/link
}

# seconds: of the last copy, which was told in JSON.
seconds() {
    sed -n 's/.*"event":"summary".*"seconds":\([0-9.]*\).*/\1/p' out
}

# A pull is over when its last block is on the disk, not at the next tenth of a second. A busy machine may make some
# of them slow, and a slow one all; but then the pushes by turns with them are, too.
case_pull_ends_at_once() {
    serve
    random there/file 1
    slow=0
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
        copy --json "tern://$server/file" here/file
        pull=$(seconds)
        copy --json here/file "tern://$server/back"
        awk -v pull="$pull" -v push="$(seconds)" 'BEGIN { exit !(pull < 0.09 || pull < 2 * push) }' ||
            slow=$((slow + 1))
    done
    [ $slow -le 8 ] || fail "$slow of 16 waited for something"
}

run_case "$@"
