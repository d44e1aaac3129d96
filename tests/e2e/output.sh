#!/bin/sh
# What is printed where, and what the command line does not take.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# every_line FILE PATTERN...: each line matches one of the extended patterns as a whole.
every_line() {
    file=$1
    shift
    [ -s "$file" ] || fail "$file is empty"
    for pattern in "$@"; do
        printf '%s\n' "$pattern"
    done >patterns
    grep -Evx -f patterns "$file" >others || true
    [ ! -s others ] || fail "unexpected: $(cat others)"
    if command -v jq >/dev/null; then
        jq -e . <"$file" >/dev/null || fail "$file: jq cannot parse it"
    fi
}

progress_line='\{"event":"progress","bytes":[0-9]+,"total":[0-9]+,"rate":[0-9]+,"seconds":[0-9.]+,"files":[0-9]+,"files_total":[0-9]+,"total_is_final":(true|false),"rtt_ms":[0-9.]+,"packets_sent":[0-9]+,"packets_lost":[0-9]+,"name":"([^"\\]|\\.)*"\}'
file_line='\{"event":"file","name":"([^"\\]|\\.)*","status":"verified"\}'
left_out_line='\{"event":"left-out","name":"([^"\\]|\\.)*","why":"[a-z]+"\}'
error_line='\{"event":"error","kind":"(local|remote|integrity)","name":"([^"\\]|\\.)*","why":"([^"\\]|\\.)*"\}'
summary_line='\{"event":"summary","entries":[0-9]+,"failed":[0-9]+,"bytes":[0-9]+,"seconds":[0-9]+\.[0-9]+,"rate":[0-9]+,"wire_bytes":[0-9]+,"ratio":[0-9.]+,"moved":[0-9]+,"resumed":[0-9]+,"from_old":[0-9]+,"holes":[0-9]+,"left_out":[0-9]+,"deleted":[0-9]+,"skipped":\{("[a-z]+":[0-9]+,?)+\},"exit":[0-9]+\}'

case_json() {
    serve
    random here/file 100
    copy --json here/file "tern://$server/file"
    every_line out "$summary_line"
    has_line out '"entries":1,"failed":0,"bytes":102400,.*"exit":0' || fail "$(cat out)"
    mkdir there/tree
    random "there/tree/quote\"back\\slash" 1
    random "there/tree/new${newline}line" 1
    random "there/tree/$(printf 'latin-\351 esc-\033[31m c1-\302\233')" 1
    random "there/tree/snow ☃" 1
    copy -r --json "tern://$server/tree" here/tree
    every_line out "$file_line" "$summary_line"
    [ "$(grep -c '"event":"file"' out)" = 5 ] || fail "not one line an entry: $(cat out)"
    has_line out 'quote\\"back\\\\slash' || fail "a quote is not escaped"
    has_line out 'snow ☃' || fail "a character is not as it was"
    ln -s file there/tree/link
    copy -r --json "tern://$server/tree" here/again
    every_line out "$file_line" "$left_out_line" "$summary_line"
    has_line out 'left-out.*link' || fail "a link is not told"
    expect 6 "$terncp" --json "tern://$server/missing" here/missing
    every_line out "$error_line" "$summary_line"
    has_line out '"exit":6' || fail "the exit code is not told"
}

case_json_progress() {
    serve
    link --rate 16
    random here/file 5000
    copy --progress json --json here/file "tern://$link/file"
    every_line out "$progress_line" "$summary_line"
    has_line out '"event":"progress"' || fail "no progress was told"
}

# The summary: no bar is drawn over it or behind it, whatever else ends then.
is_last_shown() {
    tr '\r' '\n' <err | sed "s/$(printf '\033')\[K//g" | grep -v '^$' | tail -n 1 | grep -q ' verified$' ||
        fail "something is shown after the summary"
}

case_progress_bar() {
    serve
    link --rate 20
    random here/file 3000
    copy --progress bar here/file "tern://$link/bar"
    tr '\r' '\n' <err >lines
    grep -q 'file .*/2\.9 MiB *[0-9]*% .*/s  ETA' lines || fail "no progress was shown"
    says 'verified$'
    is_last_shown
    copy --progress bar "tern://$link/bar" here/back
    is_last_shown
    copy here/file "tern://$link/auto" # auto: none, since standard error is no terminal
    ! grep -q "$(printf '\r')" err || fail "a bar without a terminal"
    copy --progress none here/file "tern://$link/none"
    ! grep -q "$(printf '\r')" err || fail "a bar with --progress none"
    [ ! -s out ] || fail "something on standard output"
}

# Of folders, the whole is counted ahead, by whoever has the files.
case_progress_of_trees() {
    serve
    link --rate 20
    mkdir -p here/tree/sub
    for i in 1 2 3 4 5 6 7 8; do
        random "here/tree/sub/$i" 500
    done
    copy -r -v --progress bar here/tree "tern://$link/tree"
    tr '\r' '\n' <err >lines
    grep -qE '[0-8]/8 files  [0-9.]+ [KM]iB/3\.9 MiB +[0-9]+%  .*/s  ETA [0-9].*rtt [0-9.]+ ms  loss' lines ||
        fail "the bar of a push of a tree"
    copy -r --progress bar "tern://$link/tree" here/back
    tr '\r' '\n' <err >lines
    grep -qE '[0-8]/8 files  [0-9.]+ [KM]iB/3\.9 MiB +[0-9]+%  .*/s  ETA [0-9]' lines ||
        fail "the bar of a pull of a tree"
    same_tree here/tree here/back
    copy -r --progress json "tern://$link/tree" here/again
    every_line out "$progress_line"
    has_line out '"total":4096000,.*"files_total":8,"total_is_final":true' ||
        fail "the whole is not told: $(cat out)"
}

case_quiet() {
    serve
    random here/file 100
    copy -q here/file "tern://$server/first"
    cat out err >printed
    [ ! -s printed ] || fail "it prints $(cat printed)"
    copy -q "tern://$server/first" here/back
    cat out err >printed
    [ ! -s printed ] || fail "it prints $(cat printed)"
    expect 6 "$terncp" -q "tern://$server/missing" here/missing
    [ -s err ] || fail "the error is not told"
}

case_summary() {
    serve
    random here/file 1024
    copy here/file "tern://$server/file"
    says '1 entry, 1.0 MiB in [1-9][0-9.:]* m\{0,1\}s (.*/s), verified$'
    copy "tern://$server/file" here/back
    says '1 entry, 1.0 MiB in .*/s), verified$'
}

# Nothing that a server sends moves the cursor here.
case_escapes() {
    serve
    mkdir there/tree
    mkfifo "there/tree/$(printf 'evil\033[2J\033]0;x\007\r\302\233')"
    random there/tree/file 1
    expect 0 "$terncp" --accept-new -r -v --progress bar "tern://$server/tree" here/tree
    says 'evil\\x1b\[2J'
    ! tr -d '\r\n' <err | sed "s/$(printf '\033')\[K//g" | grep -q '[[:cntrl:]]' ||
        fail "a control character came through"
}

case_color() {
    expect 2 "$terncp" --color always --no-such-option
    expect 2 "$terncp" --color always a
    says "$(printf '\033')\[1;31mterncp:$(printf '\033')\[0m no destination"
    NO_COLOR=1 expect 2 "$terncp" a
    says '^terncp: no destination'
    expect 2 "$terncp" --color never a
    says '^terncp: no destination'
}

case_log_level() {
    serve
    random here/file 10
    copy --log-level error here/file "tern://$server/file"
    [ ! -s err ] || fail "it says something: $(cat err)"
    copy --log-level debug here/file "tern://$server/file"
    says 'verified$'
    expect 2 "$terncp" --log-level loud a tern://h/b
}

case_qlog() {
    serve --qlog "$work/far"
    random here/file 100
    copy --qlog "$work/near" here/file "tern://$server/file"
    kill "$server_pid"
    wait "$server_pid" || fail "the server ended with $?"
    forget "$server_pid"
    for side in near far; do
        file=$(find $side -name '*.qlog' -size +4k | head -n 1)
        [ -n "$file" ] || fail "no qlog of $side"
        head -c 1 "$file" | od -An -tx1 | grep -q 1e || fail "$file is no JSON text sequence"
        grep -q file_schema "$file" || fail "$file does not begin as qlog"
        grep -q packet_sent "$file" || fail "$file has no packets"
    done
    expect 3 "$terncp" --qlog /proc/none here/file "tern://$server/file"
    says 'give a folder for --qlog'
}

case_usage() {
    for arguments in '' 'one' '--no-such-option a b' '-Z a b' \
        'a tern://h/b c' '--cc nonsense a tern://h/b' '--cipher nonsense a tern://h/b' \
        '--connect-timeout never a tern://h/b' '--progress loud a tern://h/b' \
        'keygen extra' 'id extra' 'serve extra' '--pin a tern://h/b' '--cc' \
        '/dev/null tern://' '/dev/null tern://:1/x' '/dev/null tern://h:99999/x' \
        '/dev/null tern://h:0/x' '/dev/null tern://h:12x/x' \
        'serve --anonymous --listen nonsense:port' 'serve --listen foo' \
        'serve --key missing --listen foo'; do
        # shellcheck disable=SC2086
        expect 2 "$terncp" $arguments
        says '^terncp: '
        [ ! -s out ] || fail "standard output on a usage error"
    done
    expect 2 "$terncp" -rZ a tern://h/b
    says 'Z'
    expect 0 "$terncp" --help
    has_line out '^Usage: terncp' || fail "no help"
    expect 0 "$terncp" --version
    has_line out '^terncp [0-9]' || fail "no version"
}

run_case "$@"
