#!/bin/sh
# README.md is true: its example and the commands of its first pages are taken out of it and run. A command that is
# new there fails the test until it is known here.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

readme=${TERN_README:?TERN_README names README.md}
PATH=$TERN_BIN:$PATH
own_address

# commands TITLE: the indented lines of a section that begin with a word, without what is said of them.
commands() {
    awk -v title="## $1" '
        /^## / { inside = $0 == title }
        inside && /^    [a-z]/ { sub(/^    /, ""); sub(/   +[^ ].*$/, ""); print }' "$readme"
}

# runs COMMAND: as it stands there, but for the host, the folders and the first contact.
runs() {
    line=$(printf '%s\n' "$1" | sed "s|tern://host/|tern://${server:-}/|g; s|/mnt/backup|backup|")
    expect 0 sh -c "$line"
}

case_readme_example() {
    [ -x "$TERN_BIN/tern-echo" ] || skip "built without the examples"
    tern-echo serve "$at" >echo.log 2>&1 &
    pids="$pids $!"
    wait_for 20 has_line echo.log 'with the key ' || skip "$at is taken"
    expect 0 "$TERN_README_ASK" "$at" "$(sed -n 's/.*with the key //p' echo.log)"
    [ "$(cat out)" = hello ] || fail "it prints: $(cat out)"
}

case_readme_terncp() {
    mkdir photos src src/inner backup
    random big.iso 3000
    random photos/one.jpg 30
    echo kept >src/inner/text
    echo left >src/inner/left.o
    commands "terncp in 60 seconds" >lines
    count=0
    while read -r line; do
        count=$((count + 1))
        case $line in
        'terncp keygen')
            runs "$line"
            [ -s "$XDG_CONFIG_HOME/tern/id" ] || fail "no key"
            ;;
        'terncp serve --anonymous --root /srv/drop')
            serve
            ;;
        'terncp --accept-new big.iso tern://host/')
            runs "$line"
            same big.iso there/big.iso
            ;;
        'terncp tern://host/big.iso .')
            mv big.iso sent
            runs "$line"
            same sent big.iso
            ;;
        'terncp -r photos tern://host/')
            runs "$line"
            same_tree photos there/photos
            ;;
        'terncp ls -l tern://host/photos')
            runs "$line"
            has_line out 'one.jpg' || fail "it lists: $(cat out)"
            ;;
        "terncp -a --delete --exclude='*.o' src /mnt/backup/")
            runs "$line"
            rm src/inner/left.o
            same_tree src backup/src
            ;;
        *) fail "a command of README.md that no test knows: $line" ;;
        esac
    done <lines
    [ $count -ge 6 ] || fail "README.md has only $count commands for terncp"
}

case_readme_ternchat() {
    [ -x "$TERN_BIN/ternchat" ] || skip "built without ternchat"
    commands "ternchat in 60 seconds" >lines
    count=0
    while read -r line; do
        count=$((count + 1))
        case $line in
        'ternchat serve')
            ternchat serve --listen "$at" >chat.log 2>&1 &
            pids="$pids $!"
            wait_for 20 has_line chat.log 'listening on ' || skip "$at is taken"
            ;;
        'ternchat host') ;; # on a terminal: e2e.chat_view_*
        'echo "the build is green" | ternchat --batch --accept-new host work')
            expect 0 sh -c "$(printf '%s' "$line" | sed "s| host | $at |")"
            ;;
        *) fail "a command of README.md that no test knows: $line" ;;
        esac
    done <lines
    [ $count -ge 3 ] || fail "README.md has only $count commands for ternchat"
}

case_readme_network() {
    [ -x "$TERN_BIN/ternsim" ] || skip "built without ternsim"
    commands "On a bad network" >lines
    serve
    while read -r line; do
        case $line in
        'ternlink udp --listen 127.0.0.1:5000 --to host:7437 '*)
            # shellcheck disable=SC2046
            link $(printf '%s' "${line#*:7437 }")
            random big 300
            copy big "tern://$link/"
            same big there/big
            ;;
        'build/release/bin/ternsim list')
            expect 0 ternsim list
            [ "$(wc -l <out)" -gt 100 ] || fail "not more than 100"
            ;;
        'build/release/bin/ternsim run '* | 'build/release/bin/ternsim flows '*)
            expect 0 sh -c "${line#build/release/bin/}"
            ;;
        'cmake --preset release '* | 'build/release/bin/ternsim report' | 'sh tests/bench/plots') ;; # long
        *) fail "a command of README.md that no test knows: $line" ;;
        esac
    done <lines
}

# The two examples that are whole programs; what they say is for e2e.examples_*.
case_readme_messages() {
    [ -x "$TERN_BIN/tern-game" ] || skip "built without the examples"
    commands "Messages" >lines
    while read -r line; do
        case $line in
        'tern-game demo '*) expect 0 sh -c "$line --headless --seconds 1" ;;
        'tern-media demo '*) expect 0 sh -c "$line --seconds 1" ;;
        'tern-game serve' | 'tern-media receive' | 'tern-game join '* | 'tern-media send '*) ;; # e2e.examples_*
        *) fail "a command of README.md that no test knows: $line" ;;
        esac
    done <lines
}

# Its calls have a second, which a busy machine may be late for.
answers_as_wanted() {
    expect 0 sh -c "$1"
    sort out | cmp -s wanted -
}

# The commands of the guide, page by page, at other ports: what serves stays in the background.
case_readme_guide() {
    [ -x "$TERN_BIN/tern-echo" ] || skip "built without the examples"
    own_address # and the page's ports, in its first three digits and theirs
    host=${at%:*}
    count=0
    random big.iso 3000
    cp big.iso file
    for page in "$(dirname "$readme")"/docs/guide/*.md; do
        sed -n "s/127\.0\.0\.1:74/$host:200/; s/^    build\/release\/bin\///p" "$page" >lines
        while read -r line; do
            count=$((count + 1))
            case $line in
            'tern-'*' serve '* | 'tern-bulk receive '* | 'tern-cat listen '* | 'tern-libev '*)
                sh -c "exec $line" >"server$count.log" 2>&1 </dev/null &
                pids="$pids $!"
                last=server$count.log
                case $line in
                'tern-cat '*) wait_for 20 is_bound "$(echo "$line" | grep -o '127[0-9.:]*')" ;; # it says nothing
                *) wait_for 20 has_line "$last" '^serving\|^receiving\|^0 there' ;;
                esac || fail "it does not serve: $line"
                ;;
            'tern-echo '*)
                key=$(sed -n 's/.*with the key //p' "$last") # none: the page shows "-"
                expect 0 sh -c "$(printf '%s' "$line" | sed "s/tern:4kq2\.\.\./$key/")"
                [ "$(cat out)" = "hello, hello" ] || fail "it prints: $(cat out)"
                ;;
            'tern-rpc '*)
                sed -n 's/^    \(call [0-9]\)/\1/p' "$page" | sort >wanted
                [ "$(wc -l <wanted)" = 4 ] || fail "$page does not show what comes out"
                wait_for 4 answers_as_wanted "$line" || fail "$page shows other answers: $(cat out)"
                ;;
            'tern-cat '*) sh -c "$line" || fail "it fails: $line" ;;
            'tern-game '*) expect 0 sh -c "$line --headless --seconds 1" ;;
            'tern-media '*) expect 0 sh -c "$line --seconds 1" ;;
            'tern-player '* | 'tern-bulk '* | 'tern-memory'* | 'tern-simtest'*) expect 0 sh -c "$line" ;;
            *) fail "a command of $page that no test knows: $line" ;;
            esac
        done <lines
    done
    same big.iso copy.iso
    same file copy
    [ $count -gt 15 ] || fail "the guide has only $count commands"
}

# What README.md names is there: scripts, folders, documents.
case_readme_names() {
    root=$(dirname "$readme")
    sed -n 's/.*\](\([^)#]*\)[^)]*).*/\1/p; s/^.*\(sh [a-z]*\/[a-z\/]*\.sh\).*/\1/p' "$readme" |
        sed 's/^sh //' | grep -v '^https*:' | sort -u >names
    [ "$(wc -l <names)" -gt 5 ] || fail "README.md names nothing"
    while read -r name; do
        [ -z "$name" ] || [ -e "$root/$name" ] || fail "README.md names $name, which is not there"
    done <names
}

run_case "$@"
