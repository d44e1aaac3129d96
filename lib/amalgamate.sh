#!/bin/sh
# Makes two files of libtern, tern.c and tern.h, to drop into a project that has a build of its own; and of the
# UDP driver and the simulator, for those who want them, tern_udp.[ch] and tern_sim.[ch].
# SPDX-License-Identifier: MIT
#
#   sh lib/amalgamate.sh FOLDER
#
# tern.c needs libsodium and a C11 compiler, and nothing else: cc -c tern.c. tern_udp.c needs the sockets of Linux,
# POSIX or Windows. docs/packaging.md tells what to define for the libraries that are only faster.
set -eu
unset CDPATH
out=${1:?usage: sh lib/amalgamate.sh FOLDER}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."
version=$(sed -n 's/^project(tern VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)

# Copies files, with each header of ours in the place where it is included first. Macros of a source end with
# it, so that each file is to be read for itself, as it was written. "if WORD" before a file: only where WORD.
join() {
    awk -v version="$version" -v own="$1" '
    function fail(why) {
        printf "amalgamate: %s:%d: %s\n", FILENAME_NOW, at_line, why >"/dev/stderr"
        failed = 1
        exit 1
    }

    # The file that an include line of ours means, or "".
    function target(text,    name) {
        name = text
        sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", name)
        sub(/[>"].*$/, "", name)
        if (text ~ /</) {
            return name ~ /^tern\// ? "include/" name : ""
        }
        return "lib/" name
    }

    function copy(file,    text, name, depth, defined, count, k, is_header) {
        if (file in seen) {
            return
        }
        seen[file] = 1
        is_header = file ~ /\.h$/
        depth = is_header ? -1 : 0 # within the guard of a header is without
        count = 0
        printf "\n/* --- %s --- */\n\n", file
        while ((status = (getline text < file)) > 0) {
            FILENAME_NOW = file
            at_line++
            if (text ~ /^[ \t]*#[ \t]*if/) {
                depth++
            } else if (text ~ /^[ \t]*#[ \t]*endif/) {
                depth--
            }
            if (text ~ /^#[ \t]*define[ \t]+_GNU_SOURCE/) {
                continue # at the top of all
            }
            if (text ~ /^[ \t]*#[ \t]*include/ && target(text) != "") {
                if (depth > 0) {
                    fail("a header of ours under a condition: " text)
                }
                name = target(text)
                if (!(name in known)) {
                    copy(name)
                }
                continue
            }
            if (!is_header && text ~ /^[ \t]*#[ \t]*define[ \t]+[A-Za-z_]/) {
                name = text
                sub(/^[ \t]*#[ \t]*define[ \t]+/, "", name)
                sub(/[^A-Za-z0-9_].*$/, "", name)
                if (!((file, name) in defined_in)) {
                    defined_in[file, name] = 1
                    defined[++count] = name
                }
            }
            print text
        }
        if (status < 0) {
            fail("cannot be read")
        }
        close(file)
        for (k = 1; k <= count; k++) {
            print "#undef " defined[k]
        }
    }

    BEGIN {
        printf "/* tern %s, put together by lib/amalgamate.sh: change it there.\n", version
        print " * SPDX-License-Identifier: MIT */"
        if (own ~ /udp\.c$/) {
            print "#if defined(__linux__) && !defined(_GNU_SOURCE)\n#define _GNU_SOURCE\n#endif"
        }
    }
    $1 == "text" {
        sub(/^text /, "")
        gsub(/\\n/, "\n")
        print
        next
    }
    $1 == "known" {
        known[$2] = 1
        next
    }
    $1 == "if" {
        printf "\n#if %s\n", substr($0, index($0, $3))
        copy($2)
        print "\n#endif"
        next
    }
    { copy($1) }
    END {
        if (failed) {
            exit 1
        }
    }' >"$out/$1"
}

# Which public headers each of the three has.
core="types token conn config event message stream endpoint trace"
core_files() {
    for header in $core; do
        echo "include/tern/$header.h"
    done
    echo include/tern/tern.h
}

known() {
    core_files | sed 's/^/known /'
}

sources() {
    for room in "$@"; do
        for file in lib/"$room"/*.c; do
            case $file in
            lib/crypto/gcm.c) echo "if $file defined(TERN_HAVE_IPSEC_MB)" ;;
            lib/driver/ev.c) ;; # libev has headers of its own
            *_linux.c) echo "if $file defined(__linux__)" ;;
            *_win.c) echo "if $file defined(_WIN32)" ;;
            *_posix.c) echo "if $file !defined(_WIN32)" ;;
            *_plain.c) echo "if $file !defined(__linux__)" ;;
            *) echo "$file" ;;
            esac
        done
    done
}

core_files | join tern.h
{
    echo 'text #include "tern.h"'
    # A header of ours is a part of this one file for clang, which then wants each inline function to be used.
    printf 'text %s\n' '#if defined(__clang__)' '#pragma clang diagnostic ignored "-Wunused-function"' '#endif'
    known
    sources base wire crypto recovery stream trace conn endpoint
} | join tern.c
for pair in udp:driver sim:sim; do
    name=${pair%:*}
    {
        echo 'text #include "tern.h"'
        known
        echo include/tern/conditioner.h
        echo "include/tern/$name.h"
    } | join "tern_$name.h"
    {
        echo "text #include \"tern_$name.h\""
        known
        printf 'known include/tern/%s.h\n' conditioner "$name"
        sources "${pair#*:}"
    } | join "tern_$name.c"
done
echo "amalgamate: tern $version in $out, $(cat "$out"/tern.[ch] | wc -l) lines of core"
