#!/bin/sh
# Who is talked to, and who is let in.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

key_of() {
    sed -n 's/.* key \(tern:[a-z2-7]*\) .*/\1/p' "$serve_log"
}

case_accept_new() {
    known=$XDG_CONFIG_HOME/tern/known_hosts
    serve
    random here/file 10
    expect 0 "$terncp" --accept-new here/file "tern://$server/file"
    says 'is now trusted'
    has_line "$known" "^$server $(key_of)\$" || fail "the server was not remembered"
    expect 0 "$terncp" --batch here/file "tern://$server/again" # from now on without asking
    same here/file there/again
    [ "$(wc -l <"$known")" = 1 ] || fail "it was remembered twice"
    expect 0 "$terncp" --accept-new --known-hosts here/mine here/file "tern://$server/file"
    has_line here/mine "^$server " || fail "--known-hosts was not used"
}

# The first minute: keygen, serve and copy on one machine, by one person with one key.
case_one_key_for_both() {
    expect 0 "$terncp" keygen
    serve
    random here/file 300
    copy here/file "tern://$server/file"
    same here/file there/file
}

case_batch_refuses() {
    serve
    random here/file 10
    expect 4 "$terncp" --batch here/file "tern://$server/file"
    says "$(key_of)"
    says '--accept-new'
    absent there/file
    absent "$XDG_CONFIG_HOME/tern/known_hosts"
    # Without a terminal to ask on, the answer is no.
    expect 4 setsid "$terncp" here/file "tern://$server/file"
    absent there/file
}

case_changed_key() {
    known=here/known
    serve
    random here/file 10
    other=$("$terncp" keygen -q -f other | head -n 1)
    echo "$server $other" >$known
    expect 4 "$terncp" --accept-new --known-hosts $known here/file "tern://$server/file"
    says 'key'
    says 'nothing was sent'
    absent there/file
    [ "$(cat $known)" = "$server $other" ] || fail "the known key was changed"
}

case_pin() {
    serve
    random here/file 10
    expect 0 "$terncp" --batch --pin "$(key_of)" here/file "tern://$server/right"
    same here/file there/right
    absent "$XDG_CONFIG_HOME/tern/known_hosts"
    other=$("$terncp" keygen -q -f other | head -n 1)
    expect 4 "$terncp" --pin "$other" here/file "tern://$server/wrong"
    says 'key'
    absent there/wrong
    expect 2 "$terncp" --pin tern:short here/file "tern://$server/wrong"
}

case_authorized() {
    "$terncp" keygen -q -f client | head -n 1 >allowed
    echo '# nobody else' >>allowed
    serve --authorized-keys "$work/allowed"
    random here/file 10
    copy --key client here/file "tern://$server/file"
    same here/file there/file
    "$terncp" keygen -q -f stranger >stranger.txt
    expect 4 "$terncp" --key stranger here/file "tern://$server/stranger"
    says 'does not know our key'
    wait_for 10 has_line "$serve_log" "$(head -n 1 stranger.txt)" || fail "the server does not name the key"
    expect 4 "$terncp" here/file "tern://$server/anonymous" # no key at all
    absent there/stranger
    absent there/anonymous
    head -n 1 stranger.txt >>allowed # the list is read anew for each client
    expect 0 "$terncp" --key stranger here/file "tern://$server/stranger"
    same here/file there/stranger
}

case_no_authorized_keys() {
    expect 4 "$terncp" serve --root there --listen 127.0.0.1:0
    says '--anonymous'
}

case_key_file() {
    serve
    random here/file 10
    "$terncp" keygen -q -f key >key.txt
    [ "$(stat -c %a key)" = 600 ] || fail "the secret key has mode $(stat -c %a key)"
    expect 0 "$terncp" --key key id
    cmp out key.txt || fail "id does not say what keygen said"
    has_line key.pub "$(head -n 1 key.txt)" || fail "key.pub does not hold the public key"
    cp key before
    expect 5 "$terncp" keygen -f key
    same before key
    chmod 640 key
    expect 4 "$terncp" --accept-new --key key here/file "tern://$server/file"
    says 'can be read by others'
    chmod 600 key
    echo 'tern:nonsense' >key
    expect 4 "$terncp" --accept-new --key key here/file "tern://$server/file"
    expect 5 "$terncp" --accept-new --key absent here/file "tern://$server/file"
    absent there/file
}

# A server that shows itself only to those who know its key.
case_silent() {
    "$terncp" keygen -q -f host >host.txt
    serve --key host --silent
    random here/file 10
    expect 3 "$terncp" --accept-new --connect-timeout 1s here/file "tern://$server/file"
    expect 0 "$terncp" --pin "$(head -n 1 host.txt)" here/file "tern://$server/file"
    same here/file there/file
}

run_case "$@"
