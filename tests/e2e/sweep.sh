#!/bin/sh
# The n-th call of terncp fails, for one n after the other: it says what failed, leaves nothing half-written under
# a final name, and the same command goes well when it is given again.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/sweep_lib.sh
. "$(dirname "$0")/sweep_lib.sh"

# --- terncp: one file -------------------------------------------------------------------------------

old_or_new() {
    if [ -e "$1" ]; then
        cmp -s "$1" "$2" || cmp -s "$1" "$3" || fail_life "$1 is neither the old nor the new one"
    else
        fail_life "$1 is gone"
    fi
}

new_or_none() {
    [ ! -e "$1" ] || cmp -s "$1" "$2" || fail_life "$1 is not as $2"
}

push_reset() {
    rm -rf there/* there/.[!.]* config state
    cp old there/file
}
push_act() {
    with_calls "$1" "$terncp" --accept-new here/file "tern://$server/file"
}
push_held() {
    old_or_new there/file here/file old
}
push_done() {
    cmp -s here/file there/file || fail_life "it is not there"
    wait_for 30 has_no_parts there || fail_life "a temporary file is left"
}

case_sweep_push() {
    serve
    random here/file 700
    random old 10
    sweep push
}

pull_reset() {
    rm -rf here/* here/.[!.]* config state
    cp old here/file
}
pull_act() {
    with_calls "$1" "$terncp" --accept-new --fsync --preallocate "tern://$server/file" here/file
}
pull_held() {
    old_or_new here/file there/file old
}
pull_done() {
    cmp -s here/file there/file || fail_life "it is not here"
    has_no_parts here || fail_life "a temporary file is left"
}

case_sweep_pull() {
    serve
    random there/file 700
    random old 10
    sweep pull
}

# --- terncp: the server -----------------------------------------------------------------------------

serve_push_reset() {
    push_reset
}
serve_push_act() {
    serve_calls "$1" "$terncp" serve --anonymous --root there --listen 127.0.0.1:0 -v
    client=0
    [ -z "$server" ] || ask_server "$terncp" --accept-new here/file "tern://$server/file"
    end_serve
}
serve_push_held() {
    push_held
}
serve_push_done() {
    push_done
}

case_sweep_serve_push() {
    random here/file 700
    random old 10
    sweep serve_push
}

serve_pull_reset() {
    rm -rf here/* here/.[!.]* config state
}
serve_pull_act() {
    serve_calls "$1" "$terncp" serve --anonymous --read-only --root there --listen 127.0.0.1:0 -v
    client=0
    [ -z "$server" ] || ask_server "$terncp" --accept-new -a "tern://$server/tree" here
    end_serve
}
serve_pull_held() {
    held_tree there/tree here/tree
}
serve_pull_done() {
    done_tree there/tree here/tree
}

case_sweep_serve_pull() {
    make_tree there/tree
    sweep serve_pull
}

# --- terncp: trees ----------------------------------------------------------------------------------

make_tree() {
    mkdir -p "$1/sub/deep" "$1/empty"
    for n in 1 2 3 4 5 6; do
        random "$1/small$n" 1
        random "$1/sub/other$n" 3
    done
    random "$1/sub/deep/large" 300
    ln -s ../small1 "$1/sub/link"
    ln "$1/small2" "$1/sub/deep/second"
    chmod 640 "$1/small3"
    touch -d '2020-01-02 03:04:05' "$1/small4"
}

# Each file that is there is whole.
held_tree() {
    [ -d "$2" ] || return 0
    (cd "$2" && find . -type f ! -name '.terncp-*') >names
    while read -r name; do
        cmp -s "$1/$name" "$2/$name" || fail_life "$2/$name is not as $1/$name"
    done <names
}

done_tree() {
    wait_for 30 has_no_parts "$2" || fail_life "a temporary file is left"
    diff -r "$1" "$2" >/dev/null 2>&1 || fail_life "$2 is not as $1"
}

push_tree_reset() {
    rm -rf there/* there/.[!.]* config state
}
push_tree_act() {
    with_calls "$1" "$terncp" --accept-new -a here/tree "tern://$server/"
}
push_tree_held() {
    held_tree here/tree there/tree
}
push_tree_done() {
    done_tree here/tree there/tree
}

case_sweep_push_tree() {
    serve
    make_tree here/tree
    sweep push_tree
}

pull_tree_reset() {
    rm -rf here/* here/.[!.]* config state
}
pull_tree_act() {
    with_calls "$1" "$terncp" --accept-new -a "tern://$server/tree" here
}
pull_tree_held() {
    held_tree there/tree here/tree
}
pull_tree_done() {
    done_tree there/tree here/tree
}

case_sweep_pull_tree() {
    serve
    make_tree there/tree
    sweep pull_tree
}

# --- terncp: pipes, names, keys ----------------------------------------------------------------------

pipe_reset() {
    rm -rf there/* config state
}
pipe_act() {
    input=here/file
    with_calls "$1" "$terncp" --accept-new - "tern://$server/file"
    input=
}
pipe_held() {
    new_or_none there/file here/file
}
pipe_done() {
    cmp -s here/file there/file || fail_life "it is not there"
    wait_for 30 has_no_parts there || fail_life "a temporary file is left"
}

case_sweep_pipe() {
    serve
    random here/file 300
    sweep pipe
}

names_reset() {
    rm -rf there/* config state
}
names_act() {
    with_calls "$1" "$terncp" --accept-new mkdir -p "tern://$server/a/b"
}
names_held() {
    [ ! -e there/a ] || [ -d there/a ] || fail_life "there/a is no folder"
}
names_done() {
    [ -d there/a/b ] || fail_life "no folder there"
}

case_sweep_names() {
    serve
    sweep names
}

# A key is whole, or not there at all, and one that is there stays.
keygen_reset() {
    rm -rf config
}
keygen_act() {
    with_calls "$1" "$terncp" keygen
    if [ "$got" = 2 ] && grep -q 'exists' err; then # of the life before, which only its public half failed
        got=0
    fi
}
keygen_held() {
    [ ! -e config/tern/id ] || "$terncp" id >/dev/null 2>&1 || fail_life "the key is not whole"
}
keygen_done() {
    "$terncp" id >/dev/null 2>&1 || fail_life "no key"
    [ "$(find config -type f | wc -l)" -le 2 ] || fail_life "more files than two: $(find config -type f)"
}

case_sweep_keygen() {
    sweep keygen
}

run_case "$@"
