#!/bin/sh
# Builds the newest libsodium that the distribution has into build/deps, where the build finds it: AEGIS,
# ML-KEM and a faster AES-GCM, on releases whose own is older. Nothing of the system is changed.
# SPDX-License-Identifier: MIT
#
#   sh tests/tools/newer-sodium.sh [FOLDER [OPTION...]]
#
# FOLDER: there instead; nothing is done when it is there. The options, and CC and CFLAGS of the environment, go
# to its configure.
# The source package comes by apt, from the mirror that the machine uses for its own packages, out of the
# suite where new ones appear first; apt checks its signature. Exit status 77: it cannot be had here.
set -eu
unset CDPATH
cd "$(dirname "$0")/../.."
root=${1:-build/deps}
[ $# = 0 ] || shift
mkdir -p "$root"
root=$(cd "$root" && pwd)
work=$root/libsodium

skip() {
    echo "newer-sodium: $*" >&2
    exit 77
}

fail() {
    tail -n 15 "$work/log" >&2
    echo "newer-sodium: $*; the whole log is $work/log" >&2
    exit 1
}

if [ -f "$root/lib/pkgconfig/libsodium.pc" ]; then
    echo "libsodium $(sed -n 's/^Version: *//p' "$root/lib/pkgconfig/libsodium.pc") is in $root"
    exit 0
fi
for command in apt-get cc make tar; do
    command -v "$command" >/dev/null 2>&1 || skip "there is no $command here"
done

# --- where the packages are -----------------------------------------------------------------------

# The first entry of the machine for its main archive, with another suite, and sources in place of programs.
# Both forms of entries: a paragraph of fields, or a line.
source_entry() {
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk -v suite="$1" -v id="$2" '
        BEGIN { RS = ""; FS = "\n" }
        /(^|\n)Enabled: *no/ { next }
        $0 ~ "(^|\n)URIs:[^\n]*/" id "/?( |\n|$)" && /(^|\n)Components:[^\n]*main/ {
            for (i = 1; i <= NF; i++) {
                if ($i ~ /^Types:/) {
                    $i = "Types: deb-src"
                } else if ($i ~ /^Suites:/) {
                    $i = "Suites: " suite
                } else if ($i ~ /^Components:/) {
                    $i = "Components: main"
                }
                if ($i !~ /^#/) {
                    print $i
                }
            }
            exit
        }'
}

source_line() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -nE "s|^deb +(\\[[^]]*\\] +)?([^ ]+/$2/?) +[a-z]+ +([^#]* )?main.*|deb-src \\1\\2 $1 main|p" |
        head -n 1
}

id=$(sed -n 's/^ID=//p' /etc/os-release 2>/dev/null || true)
case $id in
debian) suite=unstable ;;
ubuntu) suite=devel ;;
*) skip "this is neither Debian nor Ubuntu" ;;
esac
rm -rf "$work"
mkdir -p "$work/sources" "$work/lists/partial" "$work/cache/archives/partial" "$work/code"
source_entry "$suite" "$id" >"$work/sources/tern.sources"
if [ ! -s "$work/sources/tern.sources" ]; then
    rm -f "$work/sources/tern.sources"
    source_line "$suite" "$id" >"$work/sources/tern.list"
    [ -s "$work/sources/tern.list" ] || skip "apt has no entry for the main archive of $id"
fi

# --- fetching and building ------------------------------------------------------------------------

apt_alone() {
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/sources" \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

echo "fetching libsodium from $id $suite"
{ apt_alone update && (cd "$work" && apt_alone source --download-only libsodium); } \
    >"$work/log" 2>&1 || {
    tail -n 5 "$work/log" >&2
    skip "its source package could not be fetched"
}
source=$(find "$work" -maxdepth 1 -name 'libsodium_*.orig.tar.*' ! -name '*.asc' | head -n 1)
[ -f "$source" ] || fail "the source package holds no source"
tar -x -f "$source" -C "$work/code" --strip-components=1 >>"$work/log" 2>&1 || fail "tar failed"
echo "building it"
# Not shared: programs that are built with it run without being told where it is.
(cd "$work/code" && ./configure --prefix="$root" --disable-shared --with-pic "$@" &&
    make -j "$(nproc 2>/dev/null || echo 2)" && make install) >>"$work/log" 2>&1 ||
    fail "it does not build"
rm -rf "$work/code" "$work/lists" "$work/cache"
echo "libsodium $(sed -n 's/^Version: *//p' "$root/lib/pkgconfig/libsodium.pc") is in $root"
