#!/bin/sh
# Copies that are interrupted and go on: equal at the end, and no verified block moves twice.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

block=1048576

# blocks_of FILE OTHER: how many whole blocks of FILE stand in OTHER, too, at their places.
blocks_of() {
    have=0
    i=0
    left=$(stat -c %s "$1")
    while [ $((left - i * block)) -ge $block ]; do
        if cmp -s -n $block -i $((i * block)) "$1" "$2"; then
            have=$((have + 1))
        fi
        i=$((i + 1))
    done
    echo $have
}

# verified SOURCES TARGETS: bytes of the sources that stand in the targets or in unfinished files there.
verified() {
    sum=0
    for source in "$1"/large*; do
        final=$2/${source##*/}
        if [ -e "$final" ] && cmp -s "$source" "$final"; then
            sum=$((sum + $(stat -c %s "$source")))
            continue
        fi
        for part in "$2"/.terncp-*.part; do
            [ ! -e "$part" ] || sum=$((sum + block * $(blocks_of "$source" "$part")))
        done
    done
    echo $sum
}

make_source() {
    mkdir -p "$1/small"
    random "$1/large" 9000
    random "$1/large two" 3500
    for i in 1 2 3 4 5 6 7 8 9; do
        random "$1/small/$i" 7
    done
}

# The bytes that the finished copy moved, and those that it did not need to.
resumes() {
    moved=$(figure moved)
    resumed=$(figure resumed)
    all=$(figure bytes)
    [ $((all - moved)) -ge "$1" ] || fail "$moved of $all bytes moved, though $1 were there"
}

# survive WHO DIRECTION SEED MOMENTS: kills one side at random moments, then the copy goes on. Where the machine sees
# most of them too late, all again over a slower link.
survive() {
    "$terncp" keygen >/dev/null 2>&1 || fail "no key"
    make_source source
    awk -v seed="$3" -v n="$4" \
        'BEGIN { srand(seed); for (i = 0; i < n; i++) print int(rand() * 12000000) }' >moments
    for rate in 200 50 12; do
        survive_all "$1" "$2"
        [ $halves -lt $((moment / 2)) ] || return 0
        echo "only $halves of $moment copies were killed half way, at $rate Mbit/s"
    done
    fail "at no rate half of the copies were killed half way"
}

survive_all() {
    moment=0
    halves=0
    while read -r point; do
        if [ "$1" = server ] || [ $moment = 0 ]; then
            serve
            link --rate "$rate"
        fi
        if [ "$2" = push ]; then
            side=there
            set -- "$1" "$2" source "tern://$link/" "tern://$server/"
        else
            side=here
            rm -rf there/source
            cp -r source there/source
            set -- "$1" "$2" "tern://$link/source" here "tern://$server/source"
        fi
        rm -rf $side/source
        begin_copy -r "$3" "$4"
        wait_for 60 reached $side "$point" || fail "moment $moment was not reached"
        if [ "$1" = server ]; then
            murder "$server_pid"
            murder "$link_pid"
        fi
        murder "$client_pid"
        if [ "$1" = server ]; then
            serve
        fi
        there_is=$(verified source $side/source)
        [ "$there_is" = 0 ] || halves=$((halves + 1))
        if [ "$2" = push ]; then
            copy --json -r source "tern://$server/"
        else
            copy --json -r "tern://$server/source" here
        fi
        resumes "$there_is"
        # What a killed process leaves of a small file has a random name, which nobody knows any more.
        find $side/source -name '.terncp-????????.part' -delete
        same_tree source $side/source
        moment=$((moment + 1))
    done <moments
}

reached() {
    [ "$(du -sb "$1" 2>/dev/null | cut -f 1)" -ge "$2" ] || is_gone "$client_pid"
}

case_resume_push_client_killed() {
    survive client push 1 13
}

case_resume_push_server_killed() {
    survive server push 2 12
}

case_resume_pull_client_killed() {
    survive client pull 3 13
}

case_resume_pull_server_killed() {
    survive server pull 4 12
}

# The server has heard of the end, and keeps what came.
is_disconnected() {
    wait_for 30 has_line "$serve_log" ': disconnected' || fail "the server does not notice that the client has gone"
}

# --- without kill ---------------------------------------------------------------------------------

case_resume_interrupted() {
    serve
    link --rate 40
    random here/file 24000
    begin_copy here/file "tern://$link/file"
    wait_for 60 part_has there 2097152 || fail "no unfinished file grows"
    kill -INT "$client_pid"
    end_copy 130
    says 'interrupted; the same command goes on from here'
    is_disconnected
    there_is=$((block * $(blocks_of here/file there/.terncp-*.part)))
    [ $there_is -gt 0 ] || fail "nothing was kept"
    copy --json here/file "tern://$server/file"
    resumes $there_is
    [ "$resumed" -ge $there_is ] || fail "only $resumed bytes were resumed"
    says 'resumed'
    same here/file there/file
    has_no_parts there || fail "an unfinished file is left"
}

# Whoever does not know that something is there sends some blocks before he is told, and no more.
case_resume_by_another() {
    serve
    link --rate 200
    random here/file 90000
    begin_copy here/file "tern://$link/file"
    wait_for 60 part_has there 20971520 || fail "no unfinished file grows"
    kill -INT "$client_pid"
    end_copy 130
    is_disconnected
    there_is=$((block * $(blocks_of here/file there/.terncp-*.part)))
    rm "$XDG_STATE_HOME/tern/sent"
    copy --json here/file "tern://$server/file"
    resumes $((there_is - 8 * block))
    [ "$resumed" -lt $there_is ] || fail "nothing was sent ahead"
    same here/file there/file
    rm "$XDG_STATE_HOME/tern/sent" # the same with an old version
    printf 'x' | dd of=here/file bs=1 seek=29000000 conv=notrunc 2>/dev/null
    copy --json here/file "tern://$server/file"
    [ "$(figure moved)" -lt $((9 * block)) ] || fail "$(figure moved) bytes moved"
    same here/file there/file
}

# A daemon is restarted in mid-copy: the client says so, and the next run goes on.
case_resume_daemon_restarted() {
    "$terncp" keygen >/dev/null 2>&1 || fail "no key"
    serve --stop-time 0
    first=$server
    link --rate 40
    random here/file 24000
    begin_copy here/file "tern://$link/file"
    wait_for 60 part_has there 3145728 || fail "no unfinished file grows"
    kill "$server_pid"
    forget "$server_pid"
    wait "$server_pid" || fail "the server ended with $?"
    serve --listen "$first"
    end_copy 3
    says 'run the command again'
    there_is=$((block * $(blocks_of here/file there/.terncp-*.part)))
    [ $there_is -ge 2097152 ] || fail "only $there_is bytes were kept"
    copy --json here/file "tern://$server/file"
    resumes $there_is
    same here/file there/file
    has_no_parts there || fail "an unfinished file is left"
}

case_no_resume() {
    serve
    link --rate 40
    random there/file 24000
    begin_copy --no-resume "tern://$link/file" here/file
    wait_for 60 part_has here 2097152 || fail "no unfinished file grows"
    kill -INT "$client_pid"
    end_copy 130
    says 'interrupted; the command begins anew'
    has_no_parts here || fail "an unfinished file is left"
    begin_copy "tern://$link/file" here/file
    wait_for 60 part_has here 2097152 || fail "no unfinished file grows"
    murder "$client_pid"
    has_no_parts here && fail "no unfinished file is left"
    copy --json --no-resume "tern://$server/file" here/file
    [ "$(figure resumed)" = 0 ] || fail "it resumed"
    same there/file here/file
    has_no_parts here || fail "the earlier unfinished file is left" # it is of no use any more
    copy --json --no-resume --resume "tern://$server/file" here/other
}

# What an unfinished file holds is never believed.
case_resume_of_something_else() {
    serve
    link --rate 40
    random here/file 24000
    begin_copy here/file "tern://$link/file"
    wait_for 60 part_has there 3145728 || fail "no unfinished file grows"
    kill -INT "$client_pid"
    end_copy 130
    is_disconnected
    part=$(echo there/.terncp-*.part)
    printf 'x' | dd of="$part" bs=1 seek=1500000 conv=notrunc 2>/dev/null # in the second block
    there_is=$((block * $(blocks_of here/file "$part")))
    copy --json here/file "tern://$server/file"
    resumes $there_is
    [ "$(figure resumed)" = $there_is ] || fail "a wrong block was kept"
    same here/file there/file
    random here/file 3000 # another version, shorter than what was left of the first one
    random "$part" 5000
    copy --json --whole-file here/file "tern://$server/file"
    [ "$(figure resumed)" = 0 ] || fail "blocks of another file were kept"
    same here/file there/file
    has_no_parts there || fail "an unfinished file is left"
    ln -s ../source "$part" # nor is anything else there written to
    random source 10
    cp source before
    random here/file 3000
    copy here/file "tern://$server/file"
    same here/file there/file
    same source before
}

# Unfinished files are no part of a tree that is copied from where they are.
case_unfinished_is_not_copied() {
    serve
    mkdir there/tree
    random there/tree/file 10
    random there/tree/.terncp-0123456789abcdef.part 10
    random there/tree/.terncp-01234567.part 10
    random there/tree/.terncp-kept.part 10
    copy -r "tern://$server/tree" here/tree
    rm there/tree/.terncp-0123456789abcdef.part there/tree/.terncp-01234567.part
    same_tree there/tree here/tree
}

# Two at once: each is whole or not there, and the name is of one of them.
case_resume_two_writers() {
    serve
    random here/one 20000
    random here/two 20000
    "$terncp" --accept-new here/one "tern://$server/warm" >/dev/null 2>&1 || fail "no copy"
    begin_copy here/one "tern://$server/file"
    first=$client_pid
    "$terncp" here/two "tern://$server/file" >"$work/out2" 2>"$work/err2" ||
        fail "the second failed: $(cat "$work/err2")"
    client_pid=$first
    end_copy 0
    cmp -s here/one there/file || cmp -s here/two there/file || fail "it is a mixture"
    wait_for 20 has_no_parts there || fail "an unfinished file is left"
}

# Who has nothing to say for a while, and is there, does not lose the file to another.
case_resume_slow_is_not_gone() {
    serve
    random here/one 8000
    random here/two 8000
    copy here/one "tern://$server/warm"
    begin_faults 0 here/one 6000000
    export FAULTY_SLEEP=$((8 * ${TERN_PATIENCE:-1}))
    begin_copy here/one "tern://$server/file"
    end_faults
    unset FAULTY_SLEEP
    first=$client_pid
    wait_for 60 part_has there 4194304 || fail "no unfinished file grows"
    "$terncp" here/two "tern://$server/file" >"$work/out2" 2>"$work/err2" ||
        fail "the second failed: $(cat "$work/err2")"
    is_gone "$first" && fail "it was not slow"
    same here/two there/file
    client_pid=$first
    end_copy 0
    same here/one there/file # who comes last stands
    wait_for 20 has_no_parts there || fail "an unfinished file is left"
}

case_partial_dir() {
    serve
    link --rate 40
    random here/file 24000
    begin_copy --partial-dir .unfinished here/file "tern://$link/file"
    wait_for 60 part_has there/.unfinished 2097152 || fail "no unfinished file grows"
    [ -z "$(find there -maxdepth 1 -name '.terncp-*')" ] || fail "an unfinished file is elsewhere"
    kill -INT "$client_pid"
    end_copy 130
    is_disconnected
    there_is=$((block * $(blocks_of here/file there/.unfinished/.terncp-*.part)))
    copy --json --partial-dir .unfinished here/file "tern://$server/file"
    resumes $there_is
    [ "$(figure resumed)" -gt 0 ] || fail "nothing was resumed"
    same here/file there/file
    absent there/.unfinished
    mkdir here/away
    begin_copy --partial-dir "$work/here/away" "tern://$link/file" here/back
    wait_for 60 part_has here/away 2097152 || fail "no unfinished file grows"
    murder "$client_pid"
    there_is=$((block * $(blocks_of there/file here/away/.terncp-*.part)))
    copy --json --partial-dir "$work/here/away" "tern://$server/file" here/back
    resumes $there_is
    same there/file here/back
    [ -z "$(ls -A here/away)" ] || fail "an unfinished file is left"
    for dir in ../x /tmp a/../../b; do
        expect 6 "$terncp" --partial-dir "$dir" here/file "tern://$server/refused"
        says 'partial-dir leaves the target'
    done
    expect 2 "$terncp" --partial-dir '' here/file "tern://$server/refused"
    absent there/refused
}

run_case "$@"
