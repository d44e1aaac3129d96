#!/bin/sh
# Debian packages of tern, made, looked at by lintian, installed with what they depend on in a clean root that
# debootstrap makes, and used there: a file copied between two processes, and a program built with the libraries.
# SPDX-License-Identifier: MIT
#
#   sh tests/package.sh [FOLDER]     leaves the packages in FOLDER (build/package)
#
# Wants to be root, for chroot. What the clean root is made of comes from where the machine has its own packages.
# Exit status 77: it cannot be had here.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
. .ci/need.sh
stage_name=package.sh
. .ci/stage.sh
jobs=$(nproc 2>/dev/null || echo 2)
out=${1:-build/package}

skip() {
    echo "package: skipped: $*" >&2
    exit 77
}

say() {
    printf '== %s\n' "$*"
}

[ "$(id -u)" = 0 ] || skip "only root may change its root"
for command in apt-get dpkg; do
    command -v "$command" >/dev/null 2>&1 || skip "there is no $command here"
done
need_build
need_command debootstrap debootstrap
need_command lintian lintian
need_command dpkg-shlibdeps dpkg-dev
need_install || exit 1
want_engines

# --- making them ----------------------------------------------------------------------------------

say "building"
mkdir -p build/package-build
{ cmake --preset release -B build/package-build -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_SYSCONFDIR=/etc \
    -DTERN_SODIUM_ROOT=OFF -DTERN_TESTS=OFF -DTERN_EXAMPLES=OFF -DTERN_ZSH_FOLDER=vendor-completions &&
    cmake --build build/package-build -j "$jobs"; } >build/package-build/run.log 2>&1 || {
    tail -n 30 build/package-build/run.log >&2
    fail "it does not build; the whole log is build/package-build/run.log"
}
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
(cd build/package-build && umask 022 && rm -f ./*.deb && cpack -G DEB >cpack.log 2>&1) || {
    tail -n 30 build/package-build/cpack.log >&2
    fail "cpack made no packages"
}
mv build/package-build/*.deb "$out"
for package in "$out"/*.deb; do
    echo "${package##*/}: $(dpkg-deb -f "$package" Depends)"
done

# Not the address of the maintainer: who gives packages to others says theirs by -DCPACK_PACKAGE_CONTACT.
say "lintian"
lintian --allow-root --fail-on error --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog \
    "$out"/*.deb || fail "lintian finds errors"

# --- a clean root ---------------------------------------------------------------------------------

# Where this machine has its main archive from: its address and release.
# shellcheck disable=SC2016 # apt's own words
apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
    awk '$3 == "main" && $2 !~ /-/ { print $1, $2; exit }' >build/package-build/archive
read -r archive release <build/package-build/archive || skip "apt has no main archive"
proxy=$(apt-config dump Acquire::http::Proxy 2>/dev/null | sed -n 's/^Acquire::http::Proxy "\(.*\)";/\1/p')
[ -z "$proxy" ] || export http_proxy="$proxy"

say "a clean root of $release"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/tern-package.XXXXXX")
root=$work/root
debootstrap --variant=minbase "$release" "$root" "$archive" >"$work/log" 2>&1 || {
    tail -n 10 "$work/log" >&2
    skip "debootstrap made no root"
}
cp "$out"/*.deb "$root/tmp"
# As the machine reaches its archive, so does the root.
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
apt-config dump Acquire >"$root/etc/apt/apt.conf.d/90machine"

# Runs there with no more of this machine than its kernel and network.
inside() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

say "installing the programs and the libraries there"
inside sh -c 'apt-get -q update && apt-get -q install -y --no-install-recommends /tmp/tern-apps_*.deb /tmp/libtern0*.deb' \
    >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    fail "apt does not install them"
}
for file in /usr/bin/terncp /usr/bin/ternchat /usr/bin/ternperf /usr/share/man/man1/terncp.1.gz \
    /usr/share/bash-completion/completions/terncp /usr/share/zsh/vendor-completions/_terncp \
    /usr/share/fish/vendor_completions.d/terncp.fish /usr/lib/systemd/system/terncp.service \
    /usr/lib/systemd/system/terncp.socket /usr/lib/systemd/system/ternchat.service \
    /usr/share/doc/tern-apps/copyright; do
    [ -e "$root$file" ] || [ -e "$root${file#/usr}" ] || fail "$file is missing"
done
grep -q '^ExecStart=/usr/bin/terncp ' "$root/usr/lib/systemd/system/terncp.service" ||
    fail "the unit starts another terncp"
inside ldconfig -p | grep -q 'libtern\.so\.0' || fail "ldconfig does not know libtern"

# --- a copy there ---------------------------------------------------------------------------------

say "copying a file there, by a server and a client"
inside sh -c 'mkdir -p /srv/drop && terncp --quiet keygen && head -c 33554432 /dev/urandom >/root/file'
chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root \
    terncp serve --anonymous --root /srv/drop --listen 127.0.0.1:0 2>"$work/server.log" &
server=$!
pids="$pids $server"
address=$(await_text "$work/server.log" '.*serving .* on \([0-9.]*:[0-9]*\).*' "$server") || fail "no server there"
inside terncp --quiet --accept-new /root/file "tern://$address/copy" || fail "terncp said $? there"
inside terncp --quiet "tern://$address/copy" /root/back || fail "terncp said $? on the way back"
inside cmp /root/file /srv/drop/copy || fail "the copy differs"
inside cmp /root/file /root/back || fail "what came back differs"
echo "32 MiB there and back, equal byte for byte: $(sha256sum "$root/srv/drop/copy" | cut -c 1-16)..."
kill "$server"
wait "$server" 2>/dev/null || true
for program in ternchat ternperf; do
    inside $program --version || fail "$program does not run there"
done

# --- a build there --------------------------------------------------------------------------------

say "building with the libraries there"
mkdir -p "$root/root/install"
cp -R tests/install/. "$root/root/install"
inside sh -c 'apt-get -q install -y --no-install-recommends /tmp/libtern-dev_*.deb gcc libc6-dev pkg-config' \
    >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    fail "apt does not install libtern-dev"
}
for pair in "transfer tern" "loop tern-ev" "world tern-sim"; do
    # shellcheck disable=SC2016,SC2086 # the inner shell's; two words
    inside sh -euc 'cd /root/install && cc -o "$1" "$1.c" $(pkg-config --cflags --libs "$2") && "./$1"' - $pair ||
        fail "${pair% *} does not build or run there"
done

# --- and away -------------------------------------------------------------------------------------

inside sh -c "apt-get -q purge -y tern-apps libtern-dev 'libtern0*'" >"$work/log" 2>&1 || fail "they are not to be purged"
left=$(inside find /usr /etc -name '*tern*' ! -path '*/include/linux/*' ! -name '*pattern*' ! -name '*[a-z]tern*' ! -name 'extern*' ! -name '*alternat*')
[ -z "$left" ] || fail "this is left when they are purged: $left"
say "the packages are in $out"
