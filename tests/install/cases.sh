#!/bin/sh
# Installs tern, moves what was installed elsewhere, and builds and runs small programs with it, as others do.
# SPDX-License-Identifier: MIT
#
#   sh tests/install/cases.sh NAME      with TERN_BUILD=the build folder; case_prepare comes first
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${TERN_BUILD:?the build folder}" && pwd)
cc=${CC:-cc}
cxx=${CXX:-c++}
flags=${TERN_FLAGS-} # sanitizers
prefix=$build/installed
warn='-Wall -Wextra -Wpedantic -Wshadow -Werror'
work=

fail() {
    echo "$*" >&2
    exit 1
}

begin() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    [ -d "$prefix" ] || fail "$prefix is missing: run the case prepare first"
    for folder in "$prefix"/lib/*/pkgconfig "$prefix"/lib/pkgconfig; do
        [ ! -d "$folder" ] || PKG_CONFIG_PATH=$folder${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    done
    export PKG_CONFIG_PATH
    libraries=$(pkg-config --variable=libdir tern)
}

# compile COMPILER STANDARD SOURCE MODULES [FLAG...]: all lists split on purpose.
compile() {
    compiler=$1
    standard=$2
    source=$3
    modules=$4
    shift 4
    # shellcheck disable=SC2046,SC2086
    "$compiler" "-std=$standard" -O1 $warn $flags -o "$work/program" "$here/$source" \
        $(pkg-config --cflags $modules) "$@"
}

run() {
    LD_LIBRARY_PATH=$libraries "$work/program"
}

# Whether the program loads this library of ours from where it was installed.
loads() {
    ldd_of=$(LD_LIBRARY_PATH=$libraries ldd "$work/program")
    case $ldd_of in
    *"$1.so"*"=> $(readlink -f "$libraries")/$1"* | *"$1.so"*"=> $libraries/$1"*) return 0 ;;
    *) return 1 ;;
    esac
}

case_prepare() {
    rm -rf "$prefix" "$prefix.first"
    # Not under the name that it gets: nothing in it may know where it was at first.
    cmake --install "$build" --prefix "$prefix.first" >/dev/null
    mv "$prefix.first" "$prefix"
    find "$prefix" -type f | wc -l
}

case_pkg_config_shared() {
    begin
    for pair in "transfer.c tern" "loop.c tern-ev" "world.c tern-sim"; do
        # shellcheck disable=SC2086
        set -- $pair
        # shellcheck disable=SC2046
        compile "$cc" c11 "$1" "$2" $(pkg-config --libs "$2")
        run
        loads libtern || fail "$1 does not load libtern.so"
        ! loads libtern-sim || [ "$2" = tern-sim ] || fail "$2 brings libtern-sim along"
    done
}

# README's example and the command by which it says to build a program: both word for word, with a main besides that
# asks tern-echo.
case_readme_program() {
    begin
    readme=$here/../../README.md
    [ -x "$build/bin/tern-echo" ] || { echo "built without the examples" && return; }
    # shellcheck disable=SC2016 # backquotes of Markdown
    sed -n '/^```c$/,/^```$/p' "$readme" | sed '1d; /^```$/,$d' >"$work/example.c"
    cat "$here/../e2e/readme.c" "$work/example.c" >"$work/ask.c"
    line=$(sed -n 's/^    \(cc ask\.c .*)\)  .*/\1/p' "$readme")
    [ -n "$line" ] || fail "README.md does not say how to build a program"
    (cd "$work" && sh -c "$cc $flags -std=c11 -o program ${line#cc }")
    at=127.0.0.1:$((20000 + $$ % 12000)) # below those that the system gives away
    "$build/bin/tern-echo" serve "$at" >"$work/echo.log" 2>&1 &
    server=$!
    trap 'kill $server; rm -rf "$work"' EXIT
    tries=0
    until grep -q 'with the key ' "$work/echo.log"; do
        tries=$((tries + 1))
        [ $tries -lt 2000 ] || fail "tern-echo does not serve: $(cat "$work/echo.log")"
        sleep 0.05
    done
    key=$(sed -n 's/.*with the key //p' "$work/echo.log")
    said=$(LD_LIBRARY_PATH=$libraries "$work/program" "$at" "$key")
    [ "$said" = hello ] || fail "it prints: $said"
}

# A page for the library, for each header and for each function, and one for each program.
case_manual_pages() {
    begin
    man=$prefix/share/man
    for page in man3/tern.3 man3/tern_conn.3 man3/tern_conn_send.3 man3/tern_ev.3 man3/tern_sim.3; do
        [ -s "$man/$page" ] || fail "no $page"
    done
    for page in "$man"/man3/*.3; do
        to=$(sed -n 's/^\.so //p' "$page")
        [ -z "$to" ] || [ -s "$man/$to" ] || fail "${page##*/} leads to $to, which is not there"
    done
    for program in "$prefix"/bin/*; do
        [ -s "$man/man1/${program##*/}.1" ] || fail "no manual page of ${program##*/}"
    done
}

# libtern.a and all behind it, but the C library.
case_pkg_config_static() {
    begin
    for pair in "transfer.c tern" "loop.c tern-ev" "world.c tern-sim"; do
        # shellcheck disable=SC2086
        set -- $pair
        # shellcheck disable=SC2046
        compile "$cc" c11 "$1" "$2" $(pkg-config --static --libs "$2" | sed 's/-l\(tern[a-z-]*\)/-l:lib\1.a/g')
        run
        ! loads libtern || fail "$1 loads libtern.so all the same"
    done
}

case_cxx17() {
    begin
    # shellcheck disable=SC2046
    compile "$cxx" c++17 service.cc "tern-ev tern-sim" $(pkg-config --libs tern-ev tern-sim)
    run
}

refuse() {
    cat "$work/log" >&2
    fail "tests/install/$from does not build"
}

configure() {
    from=$1
    shift
    CC=$cc CXX=$cxx cmake -S "$here/$from" -B "$work/out" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
        -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" "$@" >"$work/log" 2>&1 || refuse
    cmake --build "$work/out" >>"$work/log" 2>&1 || refuse
}

case_find_package() {
    begin
    configure found -DCMAKE_PREFIX_PATH="$prefix"
    for kind in '' -static; do
        for program in transfer loop world service; do
            cp "$work/out/$program$kind" "$work/program"
            run
            if loads libtern; then
                [ -z "$kind" ] || fail "$program$kind loads libtern.so"
            else
                [ -n "$kind" ] || fail "$program does not load libtern.so"
            fi
        done
    done
}

# Without pkg-config and so without what libtern.a needs: the shared libraries need neither.
case_find_package_shared_only() {
    begin
    configure found -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON
    "$work/out/transfer"
}

case_add_subdirectory() {
    begin
    configure added -DTERN_SOURCE="$here/../.."
    for program in transfer loop world service; do
        "$work/out/$program"
    done
}

case_add_subdirectory_shared() {
    begin
    configure added -DTERN_SOURCE="$here/../.." -DBUILD_SHARED_LIBS=ON
    for program in transfer loop world service; do
        "$work/out/$program"
        ldd "$work/out/$program" | grep -q 'libtern\.so' || fail "$program does not load libtern.so"
    done
}

# What was installed is what include/tern has, needs nothing of the source tree, and hides what is inside.
case_headers() {
    begin
    (cd "$here/../../include" && find . -type f | LC_ALL=C sort) >"$work/wanted"
    (cd "$prefix/include" && find . -type f | LC_ALL=C sort) >"$work/installed"
    diff "$work/wanted" "$work/installed" || fail "other headers are installed than include/ has"
    if grep -rnE '^[ 	]*#[ 	]*include[ 	]*"' "$prefix/include"; then
        fail "an installed header includes one that is not installed"
    fi
    for inner in base/def.h conn/conn.h driver/udp.h sim/clock.h; do
        printf '#include <%s>\n' "$inner" >"$work/inner.c"
        # shellcheck disable=SC2046
        if "$cc" $(pkg-config --cflags tern tern-ev tern-sim) -fsyntax-only "$work/inner.c" 2>/dev/null; then
            fail "<$inner> can be had by who has installed tern"
        fi
    done
}

# Nothing that others read names the place where it was built or installed at first.
case_relocatable() {
    begin
    files=$(find "$prefix" -name '*.pc' -o -name '*.cmake' -o -name '*.h')
    # shellcheck disable=SC2086
    if grep -nF -e "$build" -e "$prefix" -e "$(cd "$here/../.." && pwd)" $files; then
        fail "an installed file knows where it was built"
    fi
}

# The soname is the version's: 0.1 of 0.1.0, 2 of 2.3.4.
case_soname() {
    begin
    version=$(pkg-config --modversion tern)
    major=${version%%.*}
    rest=${version#*.}
    [ "$major" != 0 ] || major=0.${rest%%.*}
    for library in libtern libtern-ev libtern-sim; do
        file=$libraries/$library.so
        [ "$(readlink "$file")" = "$library.so.$major" ] || fail "$file does not lead to $library.so.$major"
        [ "$(readlink "$file.$major")" = "$library.so.$version" ] || fail "$file.$major does not lead to its file"
        said=$(objdump -p "$file" | sed -n 's/^ *SONAME *//p')
        [ "$said" = "$library.so.$major" ] || fail "$file says that it is $said"
    done
    # libtern knows nobody of ours, and nobody knows libev but the driver.
    objdump -p "$libraries/libtern.so" "$libraries/libtern-sim.so" | grep 'NEEDED.*libev' && fail "who needs libev?"
    objdump -p "$libraries/libtern.so" | grep 'NEEDED.*libtern' && fail "libtern needs another of ours"
    objdump -p "$libraries/libtern-sim.so" | grep -q 'NEEDED.*libtern' || fail "libtern-sim does not need libtern"
}

# --- without any of it ----------------------------------------------------------------------------

amalgamate() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    sh "$here/../../lib/amalgamate.sh" "$work"
}

sodium() {
    pkg-config --cflags --libs libsodium
}

# One translation unit, by each compiler that is here, optimized so that they look closely.
case_amalgam_core() {
    amalgamate
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        # shellcheck disable=SC2086
        $compiler -std=c11 -pedantic-errors -O1 -Wall -Wextra -Werror $flags -c -o "$work/tern.o" "$work/tern.c"
        # shellcheck disable=SC2046,SC2086
        $compiler -std=c11 $warn $flags -DTERN_AMALGAM -I"$work" -o "$work/program" "$here/transfer.c" \
            "$work/tern.o" $(sodium)
        "$work/program"
    done
}

# The driver and the simulator beside it, under a program in C++17.
case_amalgam_all() {
    amalgamate
    for part in tern tern_udp tern_sim; do
        # shellcheck disable=SC2086
        "$cc" -std=c11 -Wall -Wextra -Werror $flags -c -o "$work/$part.o" "$work/$part.c"
    done
    # shellcheck disable=SC2046,SC2086
    "$cxx" -std=c++17 $warn $flags -DTERN_AMALGAM -I"$work" -o "$work/program" "$here/service.cc" \
        "$work/tern.o" "$work/tern_udp.o" "$work/tern_sim.o" $(sodium)
    "$work/program"
}

# Floors 1 to 6 are C11 and libsodium: nothing else is called, and where the C library shows no more than C11
# they compile.
case_core_is_plain_c11() {
    amalgamate
    "$cc" -std=c11 -pedantic-errors -Wall -Wextra -Werror -O1 -ffreestanding -c -o "$work/tern.o" "$work/tern.c"
    nm -u "$work/tern.o" | awk '{ print $NF }' | grep -vE '^(crypto|sodium|randombytes)_' |
        LC_ALL=C sort >"$work/called"
    for name in calloc free malloc memchr memcmp memcpy memmove memset realloc snprintf strchr strcmp strlen strspn \
        strncmp strtoul vsnprintf cbrt __assert_fail __stack_chk_fail _GLOBAL_OFFSET_TABLE_; do
        echo "$name"
    done | LC_ALL=C sort >"$work/allowed"
    others=$(LC_ALL=C comm -23 "$work/called" "$work/allowed")
    [ -z "$others" ] || fail "the core calls what is neither C11's nor libsodium's:" "$others"
    echo "the core calls these of the C library: $(grep -v '^_' "$work/called" | tr '\n' ' ')"
    for source in "$here"/../../lib/base/*.c "$here"/../../lib/wire/*.c "$here"/../../lib/recovery/*.c \
        "$here"/../../lib/stream/*.c "$here"/../../lib/trace/*.c "$here"/../../lib/conn/*.c \
        "$here"/../../lib/endpoint/*.c; do
        "$cc" -std=c11 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -I"$here/../../include" \
            -I"$here/../../lib" "$source"
    done
}

"case_${1:?usage: sh tests/install/cases.sh NAME}"
