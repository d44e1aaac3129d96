#!/bin/sh
# What is copied of a tree, how, and what the target keeps: the same wherever the two sides are.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# each_way FUNCTION: runs it for each way a copy goes, in fresh folders $from and $to, with
# `transfer OPTIONS... -- NAMES...` to copy names of $from into $to.
each_way() {
    for way in $ways; do
        find here there -mindepth 1 -delete # the server stays in its folder
        from=here to=there
        [ "$way" != pull ] || from=there to=here
        [ "$way" = local ] || [ -n "${server:-}" ] || serve
        "$1"
    done
}
: "${ways:=local push pull}"

transfer() {
    expect_transfer 0 "$@"
}

expect_transfer() {
    wanted=$1
    shift
    options=
    while [ "$1" != -- ]; do
        options="$options $1"
        shift
    done
    shift
    set -f # patterns among the options are not for this shell
    case $way in
    local)
        for name in "$@"; do
            shift
            set -- "$@" "$from/$name"
        done
        # The options split on purpose: none of them holds a blank.
        # shellcheck disable=SC2086
        expect "$wanted" "$terncp" $options "$@" "$to/"
        ;;
    push)
        for name in "$@"; do
            shift
            set -- "$@" "$from/$name"
        done
        # shellcheck disable=SC2086
        expect "$wanted" "$terncp" --accept-new $options "$@" "tern://$server/"
        ;;
    pull)
        for name in "$@"; do
            shift
            set -- "$@" "tern://$server/$name"
        done
        # shellcheck disable=SC2086
        expect "$wanted" "$terncp" --accept-new $options "$@" "$to/"
        ;;
    esac
    set +f
    has_no_parts . || fail "$way: a temporary file is left"
}

# keys PATTERN: the JSON summary has it.
sums_up() {
    tail -n 1 out | grep -q "$1" || fail "$way: the summary has no $1: $(tail -n 1 out)"
}

# --- links, holes, attributes -----------------------------------------------------------------------

make_links() {
    mkdir -p "$from/tree/sub" outside
    random "$from/tree/sub/file" 3
    random outside/file 1
    ln -s sub/file "$from/tree/in"
    ln -s sub "$from/tree/folder"
    ln -s ../../outside "$from/tree/out"
    ln -s nowhere "$from/tree/broken"
    ln -s itself "$from/tree/itself"
    ln -s .. "$from/tree/sub/up"
}

links_kept() {
    make_links
    for option in -rl -a; do
        rm -rf "$to/tree"
        transfer $option -- tree
        for link in in folder out broken itself sub/up; do
            [ "$(readlink "$to/tree/$link")" = "$(readlink "$from/tree/$link")" ] ||
                fail "$way: $link is not the same link"
        done
        same "$from/tree/sub/file" "$to/tree/sub/file"
    done
    ln -sf other "$from/tree/in" # a link takes the place of a link, a file of a link, and back
    rm "$from/tree/folder"
    random "$from/tree/folder" 1
    transfer -a -- tree
    [ "$(readlink "$to/tree/in")" = other ] || fail "$way: the link was not replaced"
    [ ! -L "$to/tree/folder" ] || fail "$way: the link still stands"
    same "$from/tree/folder" "$to/tree/folder"
    same "$from/tree/sub/file" "$to/tree/sub/file"
}
case_tree_links_kept() { each_way links_kept; }

# The source itself is a link.
link_alone() {
    random "$from/file" 1
    ln -s file "$from/link"
    transfer -l -- link
    [ "$(readlink "$to/link")" = file ] || fail "$way: no link"
    rm "$to/link"
    transfer -- link
    [ ! -L "$to/link" ] || fail "$way: a link, unasked for"
    same "$from/file" "$to/link"
}
case_tree_link_alone() { each_way link_alone; }

links_followed() {
    make_links
    rm "$from/tree/broken"
    transfer -rL --json -- tree
    same "$from/tree/sub/file" "$to/tree/in"
    same "$from/tree/sub/file" "$to/tree/folder/file"
    [ -z "$(find "$to" -type l)" ] || fail "$way: a link stands there"
    absent "$to/tree/itself"
    absent "$to/tree/sub/up"
    sums_up '"loop":3'
    if [ "$way" = pull ]; then # what is outside of what is served is not given away
        absent "$to/tree/out"
        sums_up '"outside":1'
    else
        same outside/file "$to/tree/out/file"
    fi
    ln -s nowhere "$from/tree/broken"
    expect_transfer 1 -rL -- tree
    says 'broken: No such file'
}
case_tree_links_followed() { each_way links_followed; }

links_left_out() {
    make_links
    transfer -r --json -- tree
    [ -z "$(find "$to" -type l)" ] || fail "$way: a link was copied"
    absent "$to/tree/in"
    says 'tree/in: symbolic link'
    sums_up '"link":6'
}
case_tree_links_left_out() { each_way links_left_out; }

same_file() {
    [ "$(stat -c %i "$to/$1")" = "$(stat -c %i "$to/$2")" ] || fail "$way: $2 is another file"
}

hard_links() {
    mkdir -p "$from/tree/sub"
    random "$from/tree/one" 2
    random "$from/tree/large" 2000
    ln "$from/tree/one" "$from/tree/two"
    ln "$from/tree/one" "$from/tree/sub/three"
    ln "$from/tree/large" "$from/tree/sub/large too"
    transfer -aH -- tree
    same_tree "$from/tree" "$to/tree"
    [ "$(stat -c %h "$to/tree/one")" = 3 ] || fail "$way: one is no file of three names"
    same_file tree/one tree/sub/three
    same_file tree/large 'tree/sub/large too'
    transfer -aH -- tree # once more, over what is there
    [ "$(stat -c %h "$to/tree/two")" = 3 ] || fail "$way: two is no file of three names"
    rm -r "${to:?}/tree"
    transfer -a -- tree
    [ "$(stat -c %h "$to/tree/one")" = 1 ] || fail "$way: linked without -H"
    same_tree "$from/tree" "$to/tree"
}
case_tree_hard_links() { each_way hard_links; }

sparse() {
    mkdir "$from/tree"
    truncate -s 64M "$from/tree/hollow"
    random part 512
    dd if=part of="$from/tree/hollow" bs=1M seek=20 conv=notrunc status=none
    truncate -s 3M "$from/tree/empty"
    random "$from/tree/full" 1500
    [ "$(stat -c %b "$from/tree/hollow")" -lt 4096 ] || skip "this file system has no holes"
    transfer -a --json -- tree
    same_tree "$from/tree" "$to/tree"
    all=$((67 * 1048576 + 1500 * 1024)) moved=$(figure moved)
    [ "$(figure bytes)" = $all ] || fail "$way: $(figure bytes) bytes, not $all"
    [ "$(figure holes)" = $((all - moved)) ] || fail "$way: $moved moved, $(figure holes) of holes"
    if [ "$moved" -lt $((2012 * 1024)) ] || [ "$moved" -gt 4194304 ]; then
        fail "$way: $moved bytes moved" # and not the holes
    fi
    says 'of holes, [0-9.]* MiB new'
    [ "$way" = local ] || has_line "$serve_log" ': done: .*, [0-9.]* MiB moved$' || fail "$way: the log counts holes"
    for file in hollow empty; do
        [ "$(stat -c %b "$to/tree/$file")" -le "$(($(stat -c %b "$from/tree/$file") + 256))" ] ||
            fail "$way: the holes of $file were filled"
    done
    rm -r "$to/tree"
    transfer -r --sparse -- tree
    [ "$(stat -c %b "$to/tree/hollow")" -lt 4096 ] || fail "$way: --sparse filled holes"
}
case_tree_sparse() { each_way sparse; }

attributes() {
    mkdir -p "$from/tree/shut"
    random "$from/tree/file" 1
    random "$from/tree/large" 600
    random "$from/tree/shut/inner" 1
    ln -s file "$from/tree/link"
    chmod 640 "$from/tree/file"
    chmod 4755 "$from/tree/large"
    touch -d '2001-02-03 04:05:06.789' "$from/tree/file" "$from/tree/large"
    touch -h -d '2002-02-02 02:02:02' "$from/tree/link"
    chmod 555 "$from/tree/shut"
    touch -d '2003-03-03 03:03:03' "$from/tree/shut" "$from/tree"
    transfer -a -- tree
    for name in tree/file tree/link tree/shut tree tree/shut/inner; do
        [ "$(stat -c '%a %Y %y' "$to/$name")" = "$(stat -c '%a %Y %y' "$from/$name")" ] ||
            fail "$way: $name: $(stat -c '%a %y' "$to/$name")"
    done
    [ "$(stat -c '%a %y' "$to/tree/large")" = "755 $(stat -c %y "$from/tree/large")" ] ||
        fail "$way: large: $(stat -c '%a %y' "$to/tree/large")" # no set-user-ID
    transfer -a -- tree # into a folder that is shut already
    chmod 755 "$from/tree/shut" "$to/tree/shut"
}
case_tree_attributes() { each_way attributes; }

# set_xattr FILE NAME VALUE; xattrs FILE: prints what users set.
set_xattr() {
    python3 -c 'import os, sys; os.setxattr(*(os.fsencode(a) for a in sys.argv[1:4]))' "$@"
}
xattrs() {
    python3 -c 'import os, sys
for name in sorted(os.listxattr(sys.argv[1])):
    if name.startswith("user.") or name.startswith("system.posix_acl"):
        print(name, os.getxattr(sys.argv[1], name))' "$1"
}

extended() {
    mkdir "$from/tree"
    random "$from/tree/file" 1
    random "$from/tree/large" 600
    for name in file large .; do
        set_xattr "$from/tree/$name" user.colour "red $name" || skip "no extended attributes here"
    done
    set_xattr "$from/tree/large" user.second 2
    python3 -c 'import os, struct, sys
entry = lambda tag, perm, who=0xffffffff: struct.pack("<HHI", tag, perm, who)
acl = struct.pack("<I", 2) + entry(1, 6) + entry(2, 4, 65534) + entry(4, 4) + entry(16, 4)
os.setxattr(sys.argv[1], "system.posix_acl_access", acl + entry(32, 0))' "$from/tree/file" ||
        echo "no access control lists here"
    transfer -a -- tree
    for name in file large .; do
        [ "$(xattrs "$from/tree/$name")" = "$(xattrs "$to/tree/$name")" ] ||
            fail "$way: $name has $(xattrs "$to/tree/$name")"
    done
    rm -r "$to/tree"
    transfer -r -- tree
    [ -z "$(xattrs "$to/tree/large")" ] || fail "$way: attributes that nobody asked for"
    transfer -r --xattrs -- tree
    [ "$(xattrs "$from/tree/large")" = "$(xattrs "$to/tree/large")" ] || fail "$way: --xattrs"
}
case_tree_xattrs() {
    command -v python3 >/dev/null || skip "no python3"
    each_way extended
}

# same_as_source FILE...: contents, mode, times and what users have set.
same_as_source() {
    for name in "$@"; do
        same "$from/tree/$name" "$to/tree/$name"
        [ "$(stat -c '%a %y' "$to/tree/$name")" = "$(stat -c '%a %y' "$from/tree/$name")" ] ||
            fail "$way: $name: $(stat -c '%a %y' "$to/tree/$name")"
        [ "$(xattrs "$to/tree/$name")" = "$(xattrs "$from/tree/$name")" ] ||
            fail "$way: $name: $(xattrs "$to/tree/$name")"
    done
}

# overwrite FILE MEBIBYTE TEXT
overwrite() {
    printf '%s' "$3" | dd of="$1" bs=1M seek="$2" conv=notrunc 2>/dev/null
}

# Old versions are made use of, and the new ones have all that they should.
new_versions() {
    mkdir "$from/tree"
    random "$from/tree/large" 9000
    truncate -s 40M "$from/tree/holes"
    overwrite "$from/tree/holes" 20 data
    set_xattr "$from/tree/large" user.colour red || skip "no extended attributes here"
    transfer -a -- tree
    same_as_source large holes
    overwrite "$from/tree/large" 5 other
    overwrite "$from/tree/holes" 30 more
    chmod 600 "$from/tree/large"
    set_xattr "$from/tree/large" user.second 2
    transfer -a --json -- tree
    [ "$way" = local ] || [ "$(figure wire_bytes)" -lt 1000000 ] ||
        fail "$way: $(figure wire_bytes) bytes"
    same_as_source large holes
    [ "$(stat -c %b "$to/tree/holes")" -lt 10000 ] || fail "$way: the holes are filled"
    overwrite "$from/tree/large" 7 again
    transfer -a --checksum --json -- tree
    sums_up '"current":1'
    [ "$way" = local ] || [ "$(figure from_old)" -gt 8000000 ] || fail "$way: $(figure from_old)"
    same_as_source large holes
}
case_tree_new_versions() {
    command -v python3 >/dev/null || skip "no python3"
    each_way new_versions
}

# What another copy has not finished is no part of a tree.
case_tree_unfinished_here() {
    mkdir here/tree
    random here/tree/file 10
    random here/tree/.terncp-0123456789abcdef.part 10
    expect 0 "$terncp" -r here/tree there/
    rm here/tree/.terncp-0123456789abcdef.part
    same_tree here/tree there/tree
}

owners() {
    mkdir "$from/tree"
    random "$from/tree/file" 1
    random "$from/tree/large" 600
    ln -s file "$from/tree/link"
    chown -h 12345:54321 "$from/tree/file" "$from/tree/large" "$from/tree/link"
    transfer -a --owner -- tree
    for name in file large link; do
        [ "$(stat -c '%u %g' "$to/tree/$name")" = '12345 54321' ] || fail "$way: owner of $name"
    done
    [ "$(stat -c '%u' "$to/tree")" = 0 ] || fail "$way: owner of the folder"
    rm -r "$to/tree"
    transfer -a -- tree
    [ "$(stat -c '%u' "$to/tree/file")" = 0 ] || fail "$way: an owner that nobody asked for"
}
case_tree_owner() {
    [ "$(id -u)" = 0 ] || skip "only root gives files away"
    each_way owners
}

# --- rules ------------------------------------------------------------------------------------------

filters() {
    mkdir -p "$from/tree/build/deep" "$from/tree/src/build"
    for name in a.c a.o keep.o build/x build/deep/y src/b.c src/b.o src/build/z 'src/odd [name]'; do
        random "$from/tree/$name" 1
    done
    transfer -r --json --include=keep.o --exclude=*.o --exclude=/build/ --exclude=odd\?\\[name] \
        -- tree
    for name in a.c keep.o src/b.c src/build/z; do
        same "$from/tree/$name" "$to/tree/$name"
    done
    for name in a.o src/b.o build 'src/odd [name]'; do
        absent "$to/tree/$name"
    done
    sums_up '"excluded":4'
    printf '# objects\n*.o\n\n+ /src/***\n- **/deep\n' >rules
    rm -r "$to/tree"
    transfer -r --exclude-from=rules -- tree
    absent "$to/tree/src/b.o"
    absent "$to/tree/build/deep"
    same "$from/tree/src/build/z" "$to/tree/src/build/z"
    same "$from/tree/build/x" "$to/tree/build/x"
}
case_tree_filters() { each_way filters; }

case_tree_bad_rules() {
    way=local from=here to=there
    random here/file 1
    expect_transfer 2 '--exclude=a[b' -- file
    says 'has no "]"'
    expect_transfer 2 --exclude= -- file
    says 'empty'
    printf '*.o\n[\n' >rules
    expect_transfer 2 --exclude-from=rules -- file
    says 'rules:2'
    expect_transfer 5 --include-from=none -- file
    says 'none: No such file'
    expect_transfer 2 --delete -- file
    expect_transfer 2 -r --max-delete=3 -- file
    expect_transfer 2 -r --delete --max-delete=x -- file
    expect_transfer 2 -l -L -- file
    absent there/file
}

# As many rules as there may be; who writes more is told.
many_rules() {
    mkdir "$from/tree"
    random "$from/tree/last" 1
    random "$from/tree/kept" 1
    i=0
    while [ $i -lt 1300 ]; do
        echo "/no/such/name/in/this/tree/but/a/long/one/$i"
        i=$((i + 1))
    done >rules
    echo last >>rules
    transfer -r --exclude-from=rules -- tree
    absent "$to/tree/last"
    same "$from/tree/kept" "$to/tree/kept"
    cat rules rules >rules2
    expect_transfer 2 -r --exclude-from=rules2 -- tree
    says 'longer than 64 KiB'
}
case_tree_many_rules() { each_way many_rules; }

# --- what is there already --------------------------------------------------------------------------

update() {
    mkdir -p "$from/tree" "$to/tree"
    for name in newer older same longer; do
        echo "source's" >"$from/tree/$name"
        echo "target's" >"$to/tree/$name"
        touch -d 2020-01-01 "$from/tree/$name" "$to/tree/$name"
    done
    echo "target's, longer" >"$to/tree/longer"
    touch -d 2020-01-01 "$to/tree/longer"
    touch -d 2021-01-01 "$from/tree/newer"
    touch -d 2021-01-01 "$to/tree/older"
    random "$from/tree/missing" 1
    random "$from/tree/large" 600
    random "$to/tree/large" 600
    touch -d 2021-01-01 "$to/tree/large"
    touch -d 2020-01-01 "$from/tree/large"
    cp "$to/tree/large" before
    transfer -rpu --json -- tree
    sums_up '"current":3'
    for name in newer longer missing; do
        same "$from/tree/$name" "$to/tree/$name"
    done
    for name in older same; do
        grep -q "target's" "$to/tree/$name" || fail "$way: $name was replaced"
    done
    same before "$to/tree/large"
    transfer -rpu --json -- tree
    sums_up '"current":6'
}
case_tree_update() { each_way update; }

checksum() {
    mkdir -p "$from/tree" "$to/tree"
    for name in same other large large2; do
        random "$from/tree/$name" 4
    done
    random "$from/tree/large" 700
    random "$from/tree/large2" 700
    for name in same large; do
        cp "$from/tree/$name" "$to/tree/$name"
        touch -d 2001-01-01 "$to/tree/$name"
    done
    random "$to/tree/other" 4 # as long, and newer
    random "$to/tree/large2" 700
    inode=$(stat -c %i "$to/tree/same")
    transfer -r --checksum --json -- tree
    sums_up '"current":2'
    same_tree "$from/tree" "$to/tree"
    [ "$(stat -c %i "$to/tree/same")" = "$inode" ] || fail "$way: the same was copied again"
    chmod 640 "$from/tree/same" "$from/tree/large"
    transfer -a --checksum --json -- tree
    sums_up '"current":4'
    for name in same large; do
        [ "$(stat -c '%a %y' "$to/tree/$name")" = "$(stat -c '%a %y' "$from/tree/$name")" ] ||
            fail "$way: $name has another mode or time"
    done
}
case_tree_checksum() { each_way checksum; }

# More files than are asked about at once, small and large ones by turns.
many_questions() {
    mkdir "$from/tree" "$to/tree"
    for i in $(seq 400); do
        echo "$i" >"$from/tree/$i"
    done
    cp -p "$from/tree"/1* "$to/tree" # 111 of them
    for name in a b c d; do
        random "$from/tree/large $name" 300
    done
    cp -p "$from/tree/large b" "$to/tree"
    transfer -r --checksum --json -- tree
    sums_up '"current":112'
    same_tree "$from/tree" "$to/tree"
    transfer -ru --json -- tree
    sums_up '"current":404'
}
case_tree_many_questions() { each_way many_questions; }

dry_run() {
    mkdir -p "$from/tree/sub" "$to/tree/old"
    random "$from/tree/file" 1
    random "$from/tree/sub/large" 700
    random "$to/tree/old/file" 1
    cp "$from/tree/file" "$to/tree/file"
    find "$to" -printf '%p %T@ %i\n' | sort >before
    transfer -rn --checksum --delete -- tree
    find "$to" -printf '%p %T@ %i\n' | sort >after
    same before after
    says 'would copy .*sub/large'
    says 'would delete .*old/file'
    ! grep -q 'would copy tree/file' err || fail "$way: file is there already"
}
case_tree_dry_run() { each_way dry_run; }

# --- mirrors ----------------------------------------------------------------------------------------

mirror() {
    mkdir -p "$from/tree/kept" "$from/tree/gone/inner" outside
    random "$from/tree/file" 1
    random "$from/tree/kept/large" 600
    random "$from/tree/gone/inner/x" 1
    random "$from/tree/mine.o" 1
    random "$from/tree/pipe" 1
    random outside/file 1
    transfer -a -- tree
    random "$to/beside" 1
    random "$to/tree/theirs.o" 1
    ln -s ../../outside "$to/tree/link"
    rm -r "$from/tree/gone" "$from/tree/pipe"
    mkfifo "$from/tree/pipe"
    transfer -a --delete --exclude=*.o --json -- tree
    sums_up '"deleted":4'
    absent "$to/tree/gone"
    absent "$to/tree/link"
    same outside/file outside/file
    for name in beside tree/theirs.o tree/mine.o tree/pipe tree/kept/large; do
        [ -f "$to/$name" ] || fail "$way: $name is gone"
    done
    transfer -a --delete -- tree
    absent "$to/tree/theirs.o"
    [ -f "$to/tree/mine.o" ] || fail "$way: mine.o is gone"
}
case_tree_mirror() { each_way mirror; }

mirror_max() {
    mkdir -p "$from/tree" "$to/tree"
    random "$from/tree/file" 1
    for name in 1 2 3 4 5; do
        random "$to/tree/$name" 1
    done
    expect_transfer 1 -r --delete --max-delete=2 -- tree
    says 'max-delete was reached'
    [ "$(find "$to/tree" -type f | wc -l)" = 4 ] || fail "$way: not 2 were deleted"
    transfer -r --delete --max-delete=3 -- tree
    same_tree "$from/tree" "$to/tree"
}
case_tree_mirror_max() { each_way mirror_max; }

# More than are told one by one.
mirror_many() {
    mkdir -p "$from/tree" "$to/tree/old"
    random "$from/tree/file" 1
    (cd "$to/tree/old" && seq 1500 | xargs touch)
    transfer -r --delete --json -- tree
    sums_up '"deleted":1501'
    same_tree "$from/tree" "$to/tree"
}
case_tree_mirror_many() { each_way mirror_many; }

# Nothing goes when anything failed: what the sender could not read would look as if it were not there.
mirror_failed() {
    mkdir -p "$from/tree" "$to/tree/file"
    random "$from/tree/file" 1 # a folder stands there
    random "$to/tree/old" 1
    random "$to/tree/file/inner" 1
    expect_transfer 1 -r --delete -- tree
    says 'nothing was deleted'
    [ -f "$to/tree/old" ] || fail "$way: old was deleted"
    [ -f "$to/tree/file/inner" ] || fail "$way: file was deleted"
}
case_tree_mirror_failed() { each_way mirror_failed; }

# --- bad input --------------------------------------------------------------------------------------

special() {
    mkdir "$from/tree"
    mkfifo "$from/tree/fifo"
    random "$from/tree/file" 1
    [ "$(id -u)" != 0 ] || mknod "$from/tree/null" c 1 3
    transfer -a --json -- tree
    says 'tree/fifo: neither file nor folder'
    [ "$(id -u)" != 0 ] || says 'tree/null: neither file nor folder'
    absent "$to/tree/fifo"
    same "$from/tree/file" "$to/tree/file"
    rm -r "$from/tree"
    mkfifo "$from/tree"
    if [ "$way" = pull ]; then
        expect_transfer 6 -a -- tree
    else
        expect_transfer 5 -a -- tree
    fi
    says 'not a file or folder'
    [ "$way" != local ] || return 0
    rm -r "$from/tree" "$to/tree"
    random "$from/tree" 400 # a smaller one takes the place of what is there
    mkfifo "$to/tree" # nobody else opens it, and neither do we
    if [ "$way" = pull ]; then
        expect_transfer 5 --inplace -- tree
    else
        expect_transfer 6 --inplace -- tree
    fi
    says 'neither file nor folder'
    [ -p "$to/tree" ] || fail "$way: the FIFO is gone"
    transfer -- tree
    same "$from/tree" "$to/tree"
}
case_tree_special() { each_way special; }

odd_names() {
    escape=$(printf '\033[31mred\033[0m')
    invalid=$(printf 'bad\377\376utf8')
    mkdir -p "$from/tree/$escape"
    for name in "new${newline}line" "$escape/$escape" "$invalid" ' ' '-rf' '*' 'a\b' "quote'\"" \
        "$(printf '\303\251')" '...' '~' "\$(true)" 'a:b' '%s'; do
        random "$from/tree/$name" 1
    done
    ln -s "$escape" "$from/tree/link to $escape"
    transfer -a -v --json -- tree
    same_tree "$from/tree" "$to/tree"
    ! grep -q "$(printf '\033')" out err || fail "$way: an escape code came through"
    transfer -a --delete -- tree
    same_tree "$from/tree" "$to/tree"
}
case_tree_odd_names() { each_way odd_names; }

# A path of 4095 bytes beneath the top is copied, what is longer is said.
long_names() {
    component=$(printf '%0250d' 7)
    mkdir "$from/tree"
    ( # one by one, since no path may be as long as this
        cd "$from/tree"
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
            mkdir "$component"
            cd "$component"
        done
        echo deep >file
        echo deeper >"$(printf '%0080d' 5)"
    )
    expect_transfer 1 -a -- tree
    says 'File name too long'
    (
        cd "$to/tree"
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
            cd "$component"
        done
        [ "$(cat file)" = deep ]
    ) || fail "$way: the deepest file is not there"
    mkdir "$from/deep"
    (
        cd "$from/deep"
        i=0
        while [ $i -lt 140 ]; do
            mkdir d
            cd d
            i=$((i + 1))
        done
    )
    expect_transfer 1 -a -- deep
    says 'more than 128 folders'
}
case_tree_long_names() { each_way long_names; }

# Two names that are one there. Needs a file system that takes "a" for "A", and the right to mount it.
collisions() {
    mkdir -p "$from/tree/Folder" "$from/tree/folder"
    random "$from/tree/README" 1
    random "$from/tree/readme" 1
    random "$from/tree/Folder/a" 1
    random "$from/tree/folder/b" 1
    mount -o loop image "$to"
    mkdir "$to/blind"
    chattr +F "$to/blind"
    to=$to/blind expect_transfer 1 -a -- tree
    umount "$to"
    says 'in case only'
}
case_tree_collisions() {
    [ "$(id -u)" = 0 ] || skip "only root mounts"
    truncate -s 16M image
    mkfs.ext4 -q -O casefold -E encoding=utf8 image 2>/dev/null || skip "no mkfs.ext4 with casefold"
    mkdir probe
    mount -o loop image probe 2>/dev/null || skip "this kernel folds no case"
    umount probe
    ways=local
    each_way collisions
}

case_tree_into_itself() {
    mkdir -p here/tree/sub
    random here/tree/file 1
    expect 1 "$terncp" -r here/tree here/tree/sub
    says 'the copy itself'
    absent here/tree/sub/tree/sub/tree
    expect 5 "$terncp" here/tree/file here/tree/file
    says 'are the same'
    expect 5 "$terncp" -r here/tree here
    says 'are the same'
    [ -s here/tree/file ] || fail "the file is gone"
}

case_tree_local_full() {
    [ "$(id -u)" = 0 ] || skip "only root mounts"
    mount -t tmpfs -o size=1m tmpfs there 2>/dev/null || skip "nothing can be mounted here"
    mounts="$mounts $work/there"
    mkdir here/tree
    random here/tree/a 100
    random here/tree/b 3000
    expect 1 "$terncp" -a --delete here/tree there/
    says 'tree/b: No space left'
    same here/tree/a there/tree/a
    absent there/tree/b
    has_no_parts there || fail "a temporary file is left"
}

# A hash of all of a file may take minutes: it ends with the command.
case_tree_checksum_interrupted() {
    truncate -s 4T here/large there/large 2>/dev/null || skip "no such files on this file system"
    serve
    for to in "tern://$server/large" there/large; do
        begin_copy --checksum here/large "$to"
        sleep 1
        kill -INT "$client_pid"
        since=$(date +%s)
        end_copy 130
        [ $(($(date +%s) - since)) -le 10 ] || fail "it took $(($(date +%s) - since)) s to end"
    done
    kill "$server_pid"
    wait "$server_pid" || fail "the server ended with $?"
    forget "$server_pid"
}

# A signal ends a copy within this machine cleanly.
case_tree_interrupted() {
    mkdir here/tree
    truncate -s 8G here/tree/endless || skip "no such large files here"
    "$terncp" -r here/tree there/ >out 2>err </dev/null &
    client_pid=$!
    pids="$pids $client_pid"
    wait_for 20 part_has there 1048576 || fail "nothing is copied"
    kill -INT "$client_pid"
    end_copy 130
    has_no_parts there || fail "a temporary file is left"
    absent there/tree/endless
}

has_begun() {
    part_has there 1 || is_gone "$client_pid"
}

# What a file has when it is read is what is copied, or it is said.
case_tree_changed() {
    mkdir here/tree
    random here/tree/file 1
    truncate -s 512M here/tree/large || skip "no such large files here"
    "$terncp" -r --sparse here/tree there/ >out 2>err </dev/null &
    client_pid=$!
    pids="$pids $client_pid"
    wait_for 20 has_begun || true
    while kill -0 "$client_pid" 2>/dev/null; do
        echo more >>here/tree/large
        sleep 0.05
    done
    forget "$client_pid"
    got=0
    wait "$client_pid" || got=$?
    case $got in
    0) ;; # it was faster than we
    1) says 'it changed while it was read' ;;
    *) fail "exit code $got" ;;
    esac
    same here/tree/file there/tree/file
    has_no_parts there || fail "a temporary file is left"
}

run_case "$@"
