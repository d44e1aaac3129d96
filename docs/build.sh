#!/bin/sh
# The site of docs/, into build/docs/site: the pages, the reference out of the headers, the examples' sources and the
# manual pages. Warnings are errors, and so are links that lead nowhere.
# SPDX-License-Identifier: MIT
#
#   sh docs/build.sh            installs mkdocs if it is missing, and builds; 77 where it cannot be had
#   sh docs/build.sh --check    builds with what is there, or ends with 77
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
. .ci/need.sh

# The interpreter of mkdocs, which need not be the first one in the path, has its theme and its extensions.
has_theme() {
    python=$(sed -n '1s/^#! *//p' "$(command -v mkdocs || echo /dev/null)")
    [ -n "$python" ] || return 1
    $python -c 'import mkdocs.utils, pymdownx; mkdocs.utils.get_theme_dir("material")' 2>/dev/null
}

if [ "${1-}" = --check ]; then
    if ! has_theme || ! command -v mandoc >/dev/null 2>&1; then
        echo "docs: skipped: mkdocs, its theme or mandoc is not installed (apt-get install mkdocs-material mandoc)"
        exit 77
    fi
else
    need_command mandoc mandoc
    has_theme || need_list="$need_list mkdocs mkdocs-material python3-pymdownx"
    need_install || exit 77
    has_theme
fi

to=build/docs
source=$to/source
rm -rf "$to"
mkdir -p "$source/reference" "$source/examples" "$source/programs"
cp -R docs/*.md docs/guide docs/pictures docs/wireshark "$source"
cp docs/site/site.css "$source"

# --- the reference ---------------------------------------------------------------------------------

awk -v what=md -v out="$source/reference" -f docs/site/reference.awk include/tern/*.h
mv "$source/reference/names" "$to/names"
rm -f "$source/reference/tern.md"
{
    cat docs/site/reference.md
    echo
    echo '| | |'
    echo '| --- | --- |'
    for page in types config endpoint conn stream message event token trace udp ev conditioner sim; do
        sed -n "3s/^/| [tern\/$page.h]($page.md) | /; 3s/\$/ |/; 3p" "$source/reference/$page.md"
    done
    echo
    sh docs/site/names.sh "$source/reference"
} >"$to/index"
mv "$to/index" "$source/reference/index.md"
for page in "$source"/reference/*.md; do
    { printf '<div class="reference" markdown>\n\n' && cat "$page" && printf '\n</div>\n'; } >"$to/page"
    mv "$to/page" "$page"
done

# --- manual pages, and the sources of the examples ----------------------------------------------------

version=$(sed -n 's/^project(tern VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
for cli in apps/*/*.cli; do
    awk -v what=man -v version="$version" -f apps/shared/cli.awk "$cli" >"$to/$(basename "$cli" .cli).1"
done
awk -v program=ternperf -v version="$version" -v summary="measures the transport tern" -f docs/man/help.awk \
    apps/ternperf/options.c >"$to/ternperf.1"
for page in "$to"/*.1; do
    program=$(basename "$page" .1)
    {
        printf '# %s(1)\n\n<div class="manual">\n' "$program"
        mandoc -T html -O fragment "$page" | sed '/^ *$/d'
        printf '</div>\n'
    } >"$source/programs/$program.md"
done

echo '  - Sources:' >"$to/more"
find apps/examples -name '*.[ch]' | LC_ALL=C sort | while read -r file; do
    name=${file#apps/examples/}
    page=$(printf '%s' "$name" | tr '/.' '--').md
    {
        printf '# %s\n\n' "$name"
        printf '```c\n'
        cat "$file"
        printf '```\n'
    } >"$source/examples/$page"
    printf '      - %s: examples/%s\n' "$name" "$page" >>"$to/more"
done

# Links to files outside of docs/ lead to the pages made of them, or become the names of the files.
find "$source" -name '*.md' ! -path '*/examples/*' | while read -r page; do
    case ${page#"$source"/} in
    */*) up=../ ;;
    *) up= ;;
    esac
    # shellcheck disable=SC2016 # backquotes of Markdown
    sed -E -e "s#\]\((\.\./)+include/tern/([a-z]+)\.h\)#](${up}reference/\2.md)#g" \
        -e ":more
            s#(\]\((\.\./)+apps/examples/[a-z_]+)/([a-z_]+\.[ch]\))#\1-\3#g; t more" \
        -e "s#\]\((\.\./)+apps/examples/([a-z_-]+)\.([ch])\)#](${up}examples/\2-\3.md)#g" \
        -e 's#\[([^]]*)\]\((\.\./)+((apps|lib|tests|fuzz|include)/[^)]*|[A-Z]+(\.md)?)\)#\1 (`\3`)#g' "$page" >"$to/page"
    mv "$to/page" "$page"
done

# Names of the library lead to their place in the reference, where they stand alone.
for page in "$source"/guide/*.md "$source"/*.md; do
    case ${page#"$source"/} in
    */*) up=../ ;;
    *) up= ;;
    esac
    awk -v up="$up" '
        FNR == NR { home[$1] = $2; next }
        /^```/ { is_code = !is_code }
        is_code || /^    / || /^#/ { print; next }
        {
            out = ""
            while (match($0, /`[Tt][A-Za-z]*_[A-Za-z0-9_]*`/)) {
                name = substr($0, RSTART + 1, RLENGTH - 2)
                word = substr($0, RSTART, RLENGTH)
                if (name in home && substr($0, RSTART - 1, 1) != "[") {
                    word = "[" word "](" up "reference/" home[name] ")"
                }
                out = out substr($0, 1, RSTART - 1) word
                $0 = substr($0, RSTART + RLENGTH)
            }
            print out $0
        }' "$to/names" "$page" >"$to/page"
    mv "$to/page" "$page"
done

# --- the site ---------------------------------------------------------------------------------------

cp docs/site/mkdocs.yml "$to/mkdocs.yml"
# Documents that nobody has given a place yet have one together.
for page in docs/*.md; do
    name=$(basename "$page")
    grep -q " $name\$" docs/site/mkdocs.yml ||
        printf '      - "%s": %s\n' "$(sed -n '1s/^# //p' "$page" | tr -d '"')" "$name" >>"$to/others"
done
if [ -s "$to/others" ]; then
    { echo '  - More:' && cat "$to/others"; } >>"$to/mkdocs.yml"
fi
cat "$to/more" >>"$to/mkdocs.yml"
mkdocs build --strict -f "$to/mkdocs.yml" >"$to/log" 2>&1 || {
    grep -E 'WARNING|ERROR|Error|Aborted' "$to/log"
    exit 1
}
$python docs/site/links.py "$to/site"
