#!/bin/sh
# Names that do not exist, may not be touched, or lead out of the served folder.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

case_dot_dot() {
    serve
    random here/file 1
    random outside 1
    for path in ../x a/../../x .. ./../x; do
        expect 6 "$terncp" --accept-new here/file "tern://$server/$path"
        says 'leaves the served folder'
        expect 6 "$terncp" "tern://$server/$path" here/got
        says 'leaves the served folder'
    done
    expect 6 "$terncp" "tern://$server/../outside" here/got
    expect 6 "$terncp" "tern://$server/$work/outside" here/got
    absent here/got
    absent x
}

case_symlink_out_read() {
    serve
    mkdir secrets
    random secrets/key 1
    ln -s ../secrets there/relative
    ln -s "$work/secrets" there/absolute
    ln -s ../secrets/key there/file
    random there/real 1
    ln -s real there/inside
    for path in relative/key absolute/key file relative absolute; do
        expect 6 "$terncp" --accept-new -r "tern://$server/$path" here/got
        says 'leaves the served folder'
        absent here/got
    done
    copy "tern://$server/inside" here/got # a link that stays inside is followed
    same there/real here/got
}

case_symlink_out_write() {
    serve
    mkdir outside here/tree
    ln -s ../outside there/relative
    ln -s "$work/outside" there/absolute
    random here/file 1
    random here/tree/file 1
    for path in relative/file absolute/file relative/ absolute/ relative; do
        expect 6 "$terncp" --accept-new here/file "tern://$server/$path"
    done
    mkdir there/tree there/into
    ln -s ../outside there/into/tree # in the middle of what is copied
    expect 6 "$terncp" -r here/tree "tern://$server/into"
    [ -z "$(ls outside)" ] || fail "something was written outside: $(ls outside)"
    has_no_parts . || fail "a temporary file is left"
}

# A walk does not follow links at all, and says what it left out.
case_links_in_tree() {
    serve
    mkdir here/tree
    random here/tree/file 1
    ln -s file here/tree/link
    ln -s /etc/passwd here/tree/out
    mkfifo here/tree/pipe
    expect 0 "$terncp" --accept-new -r here/tree "tern://$server/tree"
    says 'link: symbolic link'
    says 'pipe.*neither file nor folder'
    says '2 entries, .*verified$'
    same here/tree/file there/tree/file
    absent there/tree/link
    absent there/tree/out
    absent there/tree/pipe
    ln -s file there/tree/link
    expect 0 "$terncp" -r "tern://$server/tree" here/back
    says 'link.*left out'
    says 'left out: 1 symbolic link$'
    same there/tree/file here/back/file
    absent here/back/link
    expect 5 "$terncp" here/tree/pipe "tern://$server/pipe" # nothing was copied
    says 'not a file or folder'
    absent there/pipe
}

case_missing_remote() {
    serve
    expect 6 "$terncp" --accept-new "tern://$server/missing" here/got
    says 'No such file'
    absent here/got
    expect 6 "$terncp" "tern://$server/no/such/file" here/got
    random here/file 1
    expect 6 "$terncp" here/file "tern://$server/no/such/folder/file"
    expect 6 "$terncp" here/file "tern://$server/missing/"
    says 'no folder'
    absent there/missing
}

case_missing_local() {
    serve
    expect 5 "$terncp" --accept-new here/missing "tern://$server/file"
    says 'No such file'
    absent there/file
    random there/file 1
    expect 5 "$terncp" "tern://$server/file" here/no/such/folder/file
    random here/file 1
    mkdir there/folder
    expect 1 "$terncp" --accept-new here/missing here/file "tern://$server/folder" # in part
    says 'here/missing: No such file'
    same here/file there/folder/file
}

# as_nobody COMMAND...: without the rights of root.
as_nobody() {
    if command -v setpriv >/dev/null; then
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
    else
        # shellcheck disable=SC2016 # the inner shell expands them
        su nobody -s /bin/sh -c 'exec "$0" "$@"' -- "$@"
    fi
}

need_nobody() {
    [ "$(id -u)" = 0 ] || skip "not root"
    chmod 755 "$work"
    mkdir -m 777 "$work/nobody"
    export XDG_CONFIG_HOME="$work/nobody"
    as_nobody test -x "$terncp" || skip "$terncp is not within reach of nobody"
}

case_unreadable_local() {
    need_nobody
    serve
    random here/file 1
    chmod 600 here/file
    expect 5 as_nobody "$terncp" --accept-new here/file "tern://$server/file"
    says 'Permission denied'
    absent there/file
    mkdir here/tree
    random here/tree/open 1
    random here/tree/shut 1
    chmod 600 here/tree/shut
    expect 1 as_nobody "$terncp" -r here/tree "tern://$server/tree"
    says 'tree/shut: Permission denied'
    same here/tree/open there/tree/open
    absent there/tree/shut
}

case_unwritable_local() {
    need_nobody
    serve
    random there/file 1
    expect 5 as_nobody "$terncp" --accept-new "tern://$server/file" here/file
    says 'Permission denied'
    absent here/file
}

case_folder_without_r() {
    serve
    mkdir here/tree there/tree
    random here/tree/file 1
    random there/tree/file 1
    expect 5 "$terncp" --accept-new here/tree "tern://$server/copy"
    says '-r'
    absent there/copy
    expect 6 "$terncp" "tern://$server/tree" here/copy
    says 'use -r$'
    absent here/copy
}

case_read_only() {
    serve --read-only
    random here/file 1
    random there/given 1
    expect 6 "$terncp" --accept-new here/file "tern://$server/file"
    says 'read-only'
    absent there/file
    copy "tern://$server/given" here/given
    same there/given here/given
}

# Folders are not replaced by files, nor files by folders.
case_wrong_kind() {
    serve
    mkdir -p here/thing there/folder/file
    random here/thing/inner 1
    random here/file 1
    random there/thing 1
    cp there/thing before
    expect 6 "$terncp" --accept-new here/file "tern://$server/folder"
    [ -d there/folder/file ] || fail "a folder was replaced"
    expect 6 "$terncp" -r here/thing "tern://$server/thing"
    same before there/thing
    random there/folder/x 1
    mkdir -p here/mine/x
    expect 5 "$terncp" "tern://$server/folder/x" here/mine
    [ -d here/mine/x ] || fail "a folder was replaced"
    has_no_parts . || fail "a temporary file is left"
}

run_case "$@"
