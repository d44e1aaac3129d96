#!/bin/sh
# Requests about names: ls, stat, rm and mkdir of a served folder.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# ask ARGS...: must go well; what it prints is in $work/out.
ask() {
    expect 0 "$terncp" --accept-new "$@"
}

# prints TEXT: exactly that.
prints() {
    printf '%s\n' "$1" >wanted
    same wanted out
}

case_names_list() {
    mkdir -p there/tree/sub there/empty
    random there/tree/file 1
    random there/tree/sub/below 3
    ln -s file there/tree/link
    : >there/tree/.hidden
    serve
    ask ls "tern://$server"
    prints "empty${newline}tree"
    ask ls "tern://$server/tree/"
    prints ".hidden${newline}file${newline}link${newline}sub"
    ask ls "tern://$server/empty"
    [ ! -s out ] || fail "an empty folder lists something"
    ask ls -r "tern://$server/tree"
    prints ".hidden${newline}file${newline}link${newline}sub${newline}sub/below"
    ask ls "tern://$server/tree/file"
    prints "tree/file"
    ask ls -l "tern://$server/tree"
    grep -qE '^-rw-r--r-- +1024 [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{5} file$' out || fail "ls -l"
    grep -qE '^lrwxrwxrwx .* link -> file$' out || fail "ls -l of a link"
    grep -qE '^drwxr-xr-x .* sub$' out || fail "ls -l of a folder"
    ask ls --json "tern://$server/tree"
    grep -q '^{"event":"name","name":"link","type":"link",.*"target":"file"}$' out || fail "ls --json"
    grep -q '"name":"file","type":"file","size":1024,"mode":"0644"' out || fail "ls --json of a file"
    expect 6 "$terncp" ls "tern://$server/missing"
    says 'missing: No such file'
    ask ls "tern://$server/empty" "tern://$server/tree/sub"
    prints "below"
}

# More than any buffer on the way holds.
case_names_list_many() {
    mkdir there/many
    (cd there/many && seq -f 'a-name-of-some-length-%06.0f' 1 20000 | xargs touch)
    serve
    ask ls "tern://$server/many"
    (cd there/many && ls) >wanted
    same wanted out
    # A reader that leaves early holds nobody up, and the server lives.
    "$terncp" ls --json "tern://$server/many" 2>err | head -n 1 >out || true
    has_line out '"event":"name"' || fail "nothing came"
    ask ls "tern://$server"
    prints "many"
}

case_names_stat() {
    random there/file 2
    chmod 640 there/file
    touch -d '2001-02-03 04:05:06 UTC' there/file
    ln -s "$(printf 'a\nb')" there/link
    serve
    ask stat "tern://$server/file"
    has_line out '^name:      file$' || fail "no name"
    has_line out '^size:      2048 (2.0 KiB)$' || fail "no size"
    has_line out '^mode:      0640 (-rw-r-----)$' || fail "no mode"
    has_line out '^modified:  2001-02-03T04:05:06.000000000Z$' || fail "no time"
    ask stat "tern://$server/link"
    has_line out '^target:    a\\x0ab$' || fail "a link's target is not shown, or not escaped"
    ask stat --json "tern://$server/"
    has_line out '"name":"/","type":"folder"' || fail "the folder itself"
}

case_names_remove() {
    mkdir -p there/tree/a/b there/tree/c here/outside
    random there/tree/a/b/file 1
    random here/outside/keep 1
    ln -s "$work/here/outside" there/tree/c/out
    : >there/file
    serve
    expect 6 "$terncp" --accept-new rm "tern://$server/tree"
    says 'it is a folder; use -r'
    [ -d there/tree/a/b ] || fail "a folder went without -r"
    ask rm "tern://$server/file"
    absent there/file
    expect 6 "$terncp" rm -r "tern://$server/"
    says 'the served folder itself'
    [ -d there/tree ] || fail "the root was emptied"
    expect 6 "$terncp" rm -r "tern://$server/tree/c/out/keep"
    expect 6 "$terncp" rm -r "tern://$server/../here"
    ask rm -r -v "tern://$server/tree"
    says '6 removed'
    absent there/tree
    [ -s here/outside/keep ] || fail "a link was followed out of the folder"
    expect 6 "$terncp" rm "tern://$server/tree"
    wait_for 10 has_line "$serve_log" 'rm tree: done: 6 names' || fail "the server does not say what was removed"
}

case_names_make() {
    serve
    ask mkdir "tern://$server/one"
    [ -d there/one ] || fail "not made"
    expect 6 "$terncp" mkdir "tern://$server/one"
    says 'File exists'
    expect 6 "$terncp" mkdir "tern://$server/two/three"
    ask mkdir -p "tern://$server/two/three" "tern://$server/one"
    [ -d there/two/three ] || fail "not made with its parents"
    expect 6 "$terncp" mkdir -p "tern://$server/two/../../here/x"
    absent here/x
}

case_names_read_only() {
    mkdir there/folder
    serve --read-only
    ask ls "tern://$server/"
    prints "folder"
    expect 6 "$terncp" rm -r "tern://$server/folder"
    says 'read-only'
    expect 6 "$terncp" mkdir "tern://$server/other"
    says 'read-only'
    [ -d there/folder ] || fail "removed on a read-only server"
    absent there/other
}

case_names_hostile() {
    evil=$(printf 'evil\033[2J\n\377name')
    : >"there/$evil"
    serve
    ask ls "tern://$server/"
    prints 'evil\x1b[2J\x0a\xffname'
    ask ls --color always -l "tern://$server/"
    grep -q 'evil\\x1b\[2J\\x0a\\xffname$' out || fail "not escaped"
    ask ls --json "tern://$server/"
    has_line out '"name":"evil\\u001b\[2J\\u000a\\u00ffname"' || fail "not JSON"
    ask rm "tern://$server/$evil"
    absent "there/$evil"
}

case_names_color() {
    mkdir there/folder
    serve
    ask ls --color always "tern://$server/"
    prints "$(printf '\033[1;34mfolder\033[0m')"
    ask ls "tern://$server/"
    prints "folder"
    NO_COLOR=1 ask ls --color auto "tern://$server/"
    prints "folder"
}

case_names_usage() {
    for arguments in 'ls' 'stat' 'rm -r' 'mkdir -p' 'ls /tmp' 'rm a tern://h/b' 'ls tern://h:x/'; do
        # shellcheck disable=SC2086
        expect 2 "$terncp" $arguments
        says '^terncp: '
    done
}

run_case "$@"
