# Finds out what a script needs and installs what is missing; sourced by tests/run.sh and apps/demo.sh.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
#     need_command cmake cmake          a command, and the Debian package that brings it
#     need_library libsodium libsodium-dev
#     need_header ev.h libev-dev
#     need_python cryptography python3-cryptography
#     need_build                        what every build of tern takes, its tests included
#     want_engines                      libraries that tern is faster with: installed now, if that can be
#     need_install                      apt-get, only if something was missing; returns 1 if it cannot

need_list=

need_command() {
    command -v "$1" >/dev/null 2>&1 || need_list="$need_list $2"
}

need_library() {
    pkg-config --exists "$1" >/dev/null 2>&1 || need_list="$need_list $2"
}

need_header() {
    for need_dir in /usr/include /usr/include/libev /usr/local/include; do
        [ ! -f "$need_dir/$1" ] || return 0
    done
    need_list="$need_list $2"
}

need_python() {
    /usr/bin/python3 -c "import $1" >/dev/null 2>&1 || need_list="$need_list $2"
}

need_build() {
    need_command cc gcc
    need_command cmake cmake
    need_command ninja ninja-build
    need_command pkg-config pkg-config
    need_library libsodium libsodium-dev
    need_library cmocka libcmocka-dev
    need_header ev.h libev-dev
}

need_install() {
    [ -n "$need_list" ] || return 0
    need_sudo=
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "${0##*/}: please install these first (there is no apt-get here):$need_list" >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "${0##*/}: please install these first (not root, and no sudo here):$need_list" >&2
            return 1
        fi
        need_sudo=sudo
    fi
    echo "installing:$need_list"
    need_log=$(mktemp)
    # The list splits on purpose. Recommended packages would be gigabytes.
    # shellcheck disable=SC2086
    if ! { $need_sudo apt-get update && $need_sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $need_list; } >"$need_log" 2>&1; then
        tail -n 15 "$need_log" >&2
        rm -f "$need_log"
        echo "${0##*/}: apt-get could not install:$need_list" >&2
        return 1
    fi
    rm -f "$need_log"
    need_list=
}

want_engines() {
    need_library nettle nettle-dev
    need_library libzstd libzstd-dev
    need_library sqlite3 libsqlite3-dev
    need_library ncursesw libncurses-dev
    need_library hiredis libhiredis-dev
    need_install 2>/dev/null || need_list=
    case $(uname -m) in
    x86_64 | amd64)
        need_header intel-ipsec-mb.h libipsec-mb-dev
        need_install 2>/dev/null || need_list=
        ;;
    esac
}
