#!/bin/sh
# Names as scp has them: a real sshd of our own on the loopback, which starts the far side.
# SPDX-License-Identifier: MIT
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# ssh_server [LINES]: an sshd for this user with a key of its own; more lines for its configuration.
# Sets far_ssh and far_terncp, for -e and --terncp-path.
ssh_server() {
    sshd=$(command -v sshd || echo /usr/sbin/sshd)
    [ -x "$sshd" ] || skip "no sshd here (Debian: openssh-server)"
    command -v ssh-keygen >/dev/null || skip "no ssh here"
    mkdir ssh home
    chmod 700 ssh
    ssh-keygen -q -t ed25519 -N '' -f ssh/host
    ssh-keygen -q -t ed25519 -N '' -f ssh/user
    cp ssh/user.pub ssh/authorized
    # Started as root, sshd wants a folder for those without rights.
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
    for attempt in 1 2 3 4 5 6 7 8; do
        ssh_port=$((20000 + ($$ + attempt * 977) % 10000))
        cat >ssh/config <<END
Port $ssh_port
ListenAddress 127.0.0.1
ListenAddress ::1
HostKey $work/ssh/host
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
AuthorizedKeysFile $work/ssh/authorized
$*
END
        "$sshd" -D -e -f "$work/ssh/config" 2>ssh.log &
        sshd_pid=$!
        wait_for 20 has_said ssh.log 'Server listening on 127' "$sshd_pid" || true
        ! is_gone "$sshd_pid" || continue
        pids="$pids $sshd_pid"
        break
    done
    has_line ssh.log 'Server listening' || fail "sshd does not start"
    cat >ssh/client <<END
Host far
HostName 127.0.0.1
Host far6
HostName ::1
Host *
Port $ssh_port
IdentityFile $work/ssh/user
IdentitiesOnly yes
StrictHostKeyChecking no
UserKnownHostsFile $work/ssh/known
LogLevel ERROR
ControlPath none
END
    far_ssh="ssh -F $work/ssh/client"
    ln -s "$terncp" far-terncp # a name that no other test's far side has
    far_terncp=$work/far-terncp
}

# copy_far ARGS...: a copy over that sshd that must go well.
copy_far() {
    expect 0 "$terncp" -e "$far_ssh" --terncp-path "$far_terncp" "$@"
}

# own_port N: one that the system gives to nobody, of the 21 that only this test takes.
own_port() {
    echo $((65500 - 21 * ($$ % 200) - $1))
}

no_far_side() {
    ! pgrep -f "$work/far-terncp --stdio" >/dev/null
}

case_ssh_push_and_pull() {
    ssh_server
    random here/file 3000
    copy_far here/file "far:$work/there/file"
    same here/file there/file
    copy_far "far:$work/there/file" here/back
    same here/file here/back
    mkdir -p here/tree/sub
    random here/tree/sub/one 20
    copy_far -r -p here/tree "127.0.0.1:$work/there/"
    same_tree here/tree there/tree
    copy_far -r "far:$work/there/tree" here/again
    same_tree here/tree here/again
    wait_for 20 no_far_side || fail "a far side lives on"
}

# Relative names begin at the home folder; ~ is it, too. Links may lead anywhere, as in a shell.
# Names are those of a shell there, and rm and the others act as the user.
case_ssh_names() {
    ssh_server
    mkdir -p there/tree/sub
    random there/tree/file 1
    ask() {
        expect 0 "$terncp" -e "$far_ssh" --terncp-path "$far_terncp" "$@"
    }
    ask ls -r "far:$work/there/tree"
    printf 'file\nsub\n' >wanted
    same wanted out
    ask ls "far:$work/there/../there/tree/"
    same wanted out
    ask stat "far:$work/there/tree/file"
    has_line out '^size:      1024 ' || fail "no size"
    ask mkdir -p "far:$work/there/new/deep"
    [ -d there/new/deep ] || fail "no folder was made"
    ask rm -r "far:$work/there/tree" "far:$work/there/new/"
    absent there/tree
    absent there/new
    expect 6 "$terncp" -e "$far_ssh" --terncp-path "$far_terncp" rm -r "far:$work/there/.."
    [ -d there ] || fail "more was removed than named"
    expect 6 "$terncp" -e "$far_ssh" --terncp-path "$far_terncp" ls "far:$work/missing"
}

case_ssh_paths() {
    ssh_server
    random here/file 10
    far_terncp="$work/at home" # a home folder that is ours to fill
    printf "#!/bin/sh\ncd '%s' && exec '%s' \"\$@\"\n" "$work/home" "$terncp" >"$far_terncp"
    chmod +x "$far_terncp"
    copy_far here/file far:
    same here/file home/file
    copy_far here/file far:renamed
    same here/file home/renamed
    mkdir home/folder
    copy_far here/file 'far:~/folder'
    same here/file home/folder/file
    ln -s "$work/there" home/link
    copy_far here/file far:link/linked
    same here/file there/linked
    copy_far far:folder/file here/two
    same here/file here/two
    expect 6 "$terncp" -e "$far_ssh" --terncp-path "$far_terncp" far:absent here/absent
    says 'No such file'
    # A slash before the colon: a local name.
    copy_far far:file ./here/with:colon
    same here/file here/with:colon
}

# Patterns are for the shell there, and so are their quotes.
case_ssh_patterns() {
    ssh_server
    for name in one.c two.c three.h .hidden.c 'odd[1].c'; do
        random "there/$name" 1
    done
    mkdir -p there/dir.c/sub
    random there/dir.c/sub/deep 1
    expect 1 "$terncp" -e "$far_ssh" --terncp-path "$terncp" "far:$work/there/*.c" here/
    says 'dir.c'
    same there/one.c here/one.c
    same there/two.c here/two.c
    same "there/odd[1].c" "here/odd[1].c"
    absent here/three.h
    absent here/.hidden.c
    rm here/*
    copy_far "far:$work/there/odd[1].c" here/ # there is a file of that name
    same "there/odd[1].c" "here/odd[1].c"
    copy_far -r "far:$work/there/d*" here
    same_tree there/dir.c here/dir.c
    expect 6 "$terncp" -e "$far_ssh" --terncp-path "$terncp" "far:$work/there/*.none" here/
    expect 5 "$terncp" -e "$far_ssh" --terncp-path "$terncp" "far:$work/there/*.c" here/name
    absent here/name
}

case_ssh_ipv6() {
    ssh_server
    random here/file 10
    copy_far here/file "[::1]:$work/there/file"
    same here/file there/file
    copy_far -6 here/file "far6:$work/there/again"
    same here/file there/again
    copy_far "$(id -un)@[::1]:$work/there/file" here/back
    same here/file here/back
    expect 3 "$terncp" -4 -e "$far_ssh" --terncp-path "$terncp" here/file "[::1]:$work/there/no"
}

# Greetings on standard output before the line, as careless start-up files print them.
case_ssh_noise() {
    ssh_server
    random here/file 10
    cat >noisy <<END
#!/bin/sh
echo 'Welcome to this machine!'
printf 'terncp-stdio is what you may be looking for\n\033[31mlast login: '
exec "$terncp" "\$@"
END
    chmod +x noisy
    expect 0 "$terncp" -v -e "$far_ssh" --terncp-path "$work/noisy" here/file "far:$work/there/file"
    says 'Welcome to this machine'
    same here/file there/file
    ! grep -q "$(printf '\033')" err || fail "an escape code of the far side got through"
}

case_ssh_banner() {
    echo 'Authorised persons only.' >banner
    ssh_server "Banner $work/banner"
    random here/file 10
    copy_far -o LogLevel=INFO here/file "far:$work/there/file"
    says 'Authorised persons only'
    same here/file there/file
}

case_ssh_not_installed() {
    ssh_server
    random here/file 10
    expect 3 "$terncp" -e "$far_ssh" --terncp-path "$work/no-such-terncp" here/file far:file
    says 'install'
    expect 3 "$terncp" -e "$work/no-such-ssh" here/file far:file
    says 'no-such-ssh'
    expect 3 "$terncp" -e "$far_ssh -p 1" here/file far:file
    says 'ssh could not connect'
    expect 2 "$terncp" -e "ssh 'open" here/file far:file
    expect 2 "$terncp" here/file -- '-oProxyCommand=true:file'
    says 'hyphen'
}

# Another version says so in its line.
case_ssh_other_version() {
    cat >other <<'END'
#!/bin/sh
echo 'terncp-stdio 99 1 2 3'
END
    chmod +x other
    random here/file 1
    expect 3 "$terncp" -e "$work/other" here/file far:file
    says 'version'
}

# UDP that does not come through: what is said names the ports.
case_ssh_udp_blocked() {
    taken=$(own_port 0) other=$(own_port 1)
    cat >deaf <<END
#!/bin/sh
"$terncp" --stdio --port $taken | sed 's/ $taken / $other /;s/ -\$/ 127.0.0.1/'
END
    chmod +x deaf
    random here/file 1
    expect 3 "$terncp" -e "$work/deaf" --port "$other-$taken" --connect-timeout 1s here/file localhost:file
    says "$other-$taken"
    says 'firewall'
    absent file
}

case_ssh_port_range() {
    ssh_server
    random here/file 10
    port=$(own_port 2)
    copy_far -v --port "$port" here/file "far:$work/there/file"
    says "UDP port $port"
    same here/file there/file
    port=$(own_port 3)
    "$terncp" --stdio --port "$port" <&- >line 2>busy.log || true # no input: it ends at once
    grep -q "^terncp-stdio 1 $port tern:" line || fail "no line: $(cat line)"
    expect 2 "$terncp" --port 0 here/file far:file
    expect 2 "$terncp" --port 10-9 here/file far:file
    expect 2 "$terncp" --port 70000 here/file far:file
}

# The secret in the line is what opens the door.
case_ssh_secret() {
    mkfifo input
    "$terncp" --stdio --port "$(own_port 20)-$(own_port 0)" <input >line 2>far.log &
    far_pid=$!
    exec 9>input
    wait_for 20 has_line line terncp-stdio || fail "no line"
    read -r word version port key rest <line
    [ "$word $version" = 'terncp-stdio 1' ] || fail "another line: $rest"
    random here/file 1
    expect 4 "$terncp" --pin "$key" here/file "tern://127.0.0.1:$port$work/there/file"
    absent there/file
    exec 9>&- # ssh is gone, and nobody has come: it ends
    wait_for 10 is_gone "$far_pid" || fail "the far side waits for nobody"
    wait "$far_pid" || true
}

# kill -9 of the client: the far side ends, too.
case_ssh_client_dies() {
    ssh_server
    random here/file 60000
    begin_copy -e "$far_ssh" --terncp-path "$far_terncp" --cc newreno here/file "far:$work/there/file"
    wait_for 20 part_has there 1 || fail "nothing arrives"
    murder "$client_pid"
    wait_for 30 no_far_side || fail "the far side lives on"
}

# ssh ends in mid-copy: the copy does not.
case_ssh_dies() {
    ssh_server
    random here/file 200000
    begin_copy -e "$far_ssh" --terncp-path "$terncp" here/file "far:$work/there/file"
    wait_for 20 part_has there 1 || fail "nothing arrives"
    pkill -9 -P "$client_pid" || true
    end_copy 0
    same here/file there/file
}

# A password is asked for on the terminal, by ssh itself.
case_ssh_password() {
    command -v script >/dev/null || skip "no script(1) here"
    cat >asks <<END
#!/bin/sh
printf 'password: ' >/dev/tty
read -r answer </dev/tty
[ "\$answer" = sesame ] || exit 255
shift \$((\$# - 1))
exec sh -c "\$1"
END
    chmod +x asks
    random here/file 10
    echo sesame | script -qec "'$terncp' -q -e '$work/asks' --terncp-path '$terncp' \
        here/file 'localhost:$work/there/file'" session.log >out || fail "exit code $?"
    same here/file there/file
}

case_direct() {
    serve
    random here/file 10
    copy --direct --port "${server##*:}" here/file 127.0.0.1:file
    same here/file there/file
    copy --direct --port "${server##*:}" 127.0.0.1:file here/back
    same here/file here/back
}

run_case "$@"
