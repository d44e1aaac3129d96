#!/bin/sh
# The index of the reference: every name with the page that explains it, as Markdown.
# SPDX-License-Identifier: MIT
set -eu
cd "$1"
echo '## Every name'
echo
awk '
    /^### .*\{#/ { page = FILENAME; name = $0; sub(/.*\{#/, "", name); sub(/\}.*/, "", name); print name, page }
    /^<a id=/ { n = split($0, parts, "\""); for (i = 2; i <= n; i += 2) print parts[i], FILENAME }' ./*.md | sed 's| \./| |' |
    LC_ALL=C sort -u | awk '{ printf("%s[`%s`](%s#%s)", (NR > 1 ? " · " : ""), $1, $2, $1) } END { print "" }'
