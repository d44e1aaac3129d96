# The reference, out of the comments of the public headers: pages of the site, or man pages of section 3.
# SPDX-License-Identifier: MIT
#
#     awk -v what=md|man -v out=FOLDER -v version=V -f reference.awk include/tern/*.h
#
# A header is: one comment on the whole file; then blocks, each a comment and the declarations right behind it. A
# comment "--- words ---" begins a part. In a comment, lines indented by three or more stand as they are, and what
# begins with "0 · " is the list of what a call returns. Everything with TERN_API or a type must have a
# comment of its own or stand in a block that has one, and what can fail must say how: what does not is an error.

function fail(words)
{
    print FILENAME ":" FNR ": " words | "cat 1>&2"
    failed = 1
}

# --- reading --------------------------------------------------------------------------------------

FNR == 1 {
    flush()
    page = FILENAME
    sub(/.*\//, "", page)
    sub(/\.h$/, "", page)
    pages[++page_count] = page
    intro[page] = ""
    depth = skipping = 0
    has_intro = 0
}

function flush(    i, n, line, parts)
{
    if (code != "" || comment != "") {
        if (code == "" && comment ~ /^--- .* ---$/) {
            gsub(/^--- | ---$/, "", comment)
            add("part", comment, "")
        } else {
            add("block", comment, code)
            if (code != "" && names_of(code) == "" ) {
                fail("no name in: " code)
            }
            if (comment == "" && code ~ /TERN_API|typedef/) {
                fail("no comment on: " code)
            }
            if (code ~ /TERN_MUST_CHECK/ && comment !~ /TERN_ERR_|errors of tern_|cannot fail/) {
                fail("no word on errors: " code)
            }
        }
    }
    comment = code = ""
}

function add(kind, words, text)
{
    block_count++
    block_page[block_count] = page
    block_kind[block_count] = kind
    block_words[block_count] = words
    block_code[block_count] = text
    block_names[block_count] = kind == "block" ? names_of(text) : ""
}

# The names that some declarations give, parted by blanks; each is remembered with its page.
function names_of(text,    lines, n, i, line, found, level, name, is_enum, wants_name)
{
    n = split(text, lines, "\n")
    found = ""
    level = 0
    for (i = 1; i <= n; i++) {
        line = lines[i]
        gsub(/\/\*.*\*\//, "", line)
        sub(/\/\*.*/, "", line)
        name = ""
        if (level == 0) {
            is_enum = line ~ /^typedef enum/
        }
        if (level == 0 && match(line, /^#define [A-Z_0-9]+/)) {
            name = substr(line, 9, RLENGTH - 8)
        } else if (level == 0 && match(line, /\(\*tern_[a-z0-9_]+\)/)) {
            name = substr(line, RSTART + 2, RLENGTH - 3)
        } else if (level == 0 && match(line, /^struct tern_[a-z0-9_]+ \{/)) {
            name = substr(line, 8, RLENGTH - 9)
        } else if (level == 0 && line ~ /TERN_API/ && match(line, /tern_[a-z0-9_]+\(/)) {
            name = substr(line, RSTART, RLENGTH - 1)
        } else if (level == 0 && line !~ /TERN_API/ && wants_name && match(line, /tern_[a-z0-9_]+\(/)) {
            name = substr(line, RSTART, RLENGTH - 1)
        } else if (line ~ /^typedef (enum|struct) .*\}.*;/ || line ~ /^\} *tern_/ || line ~ /^typedef [^({]*;/) {
            match(line, /tern_[a-z0-9_]+;/)
            name = substr(line, RSTART, RLENGTH - 1)
        }
        wants_name = line ~ /TERN_API/ && line !~ /tern_[a-z0-9_]+\(/
        if (name != "" && index(" " found " ", " " name " ") == 0) {
            found = found (found == "" ? "" : " ") name
            home[name] = page
            anchor[name] = name
        }
        level += gsub(/\{/, "{", line) - gsub(/\}/, "}", line)
    }
    if (is_enum && found != "") {
        note_constants(text, found)
    }
    return found
}

# The values of an enumeration are explained where it is.
function note_constants(text, name)
{
    gsub(/\/\*[^*]*\*\//, "", text)
    while (match(text, /TERN_[A-Z0-9_]+/)) {
        home[substr(text, RSTART, RLENGTH)] = page
        anchor[substr(text, RSTART, RLENGTH)] = name
        text = substr(text, RSTART + RLENGTH)
    }
}

function without_stars(line)
{
    sub(/^\/\* ?/, "", line)
    sub(/^ \* ?/, "", line)
    sub(/ *\*\/$/, "", line)
    return line
}

# Lines that are no news to a reader.
/^#ifndef TERN_[A-Z]*_H$/ || /^#define TERN_[A-Z]*_H$/ || /^#include / || /^extern "C"/ || /^\}$/ || /^ *\* SPDX/ { if ($0 !~ /\*\/$/ || !in_comment) { flush(); next } }
/^#if/ { flush(); skipping = 1; next }
/^#endif/ { skipping = 0; next }
skipping { next }

{
    if (in_comment) {
        line = without_stars($0)
        sub(/ ?SPDX-License-Identifier: MIT/, "", line)
        comment = comment "\n" line
        if ($0 ~ /\*\/$/) {
            end_comment()
        }
    } else if (depth == 0 && /^\/\*/) {
        flush()
        comment = without_stars($0)
        in_comment = 1
        if ($0 ~ /\*\/$/) {
            end_comment()
        }
    } else if (/^[ \t]*$/ && depth == 0) {
        flush()
    } else {
        code = code (code == "" ? "" : "\n") $0
        line = $0
        gsub(/\/\*.*\*\//, "", line)
        depth += gsub(/\{/, "{", line) - gsub(/\}/, "}", line)
    }
}

function end_comment()
{
    in_comment = 0
    if (!has_intro) {
        has_intro = 1
        sub(/\n+$/, "", comment)
        intro[page] = comment
        comment = ""
    }
}

# --- writing --------------------------------------------------------------------------------------

# Declarations without what only the compiler reads, prototypes in one line where they fit.
function tidy(text,    lines, n, i, out, line, held)
{
    n = split(untwisted(text), lines, "\n")
    out = held = ""
    for (i = 1; i <= n; i++) {
        line = lines[i]
        if (line ~ /^TERN_API/ || held != "") {
            sub(/^TERN_API +/, "", line)
            sub(/^TERN_MUST_CHECK */, "", line)
            sub(/^ +/, "", line)
            held = held (held == "" || held ~ /\($/ || held ~ /\*$/ ? "" : " ") line
            if (held !~ /;/) {
                continue
            }
            line = wrapped(held)
            held = ""
        }
        out = out (out == "" ? "" : "\n") line
    }
    return out
}

# A field whose comment takes lines of its own has it above; a type that stands alone is joined to its name.
function untwisted(text,    lines, n, i, out, line, said)
{
    n = split(text, lines, "\n")
    out = ""
    for (i = 1; i <= n; i++) {
        line = lines[i]
        if (line ~ /^    [a-z]/ && line !~ /[;,{*\/=]/ && i < n) {
            sub(/^ +/, " ", lines[i + 1])
            line = line lines[++i]
        } else if (line ~ /^    const uint8_t$/) {
            sub(/^ +/, " ", lines[i + 1])
            line = line lines[++i]
        }
        if (line ~ /^    [A-Za-z].*[;,A-Z0-9] *\/\*/ && line !~ /\*\//) {
            said = line
            sub(/^.*\/\* */, "", said)
            sub(/ *\/\*.*/, "", line)
            while (i < n && said !~ /\*\//) {
                sub(/^[ *]*/, "", lines[++i])
                said = said " " lines[i]
            }
            sub(/ *\*\/$/, "", said)
            line = folded(said) line
        } else if (line ~ /^    [A-Za-z]/) {
            sub(/  +\/\*/, " /*", line)
            if (length(line) > 94 && match(line, / \/\* .* \*\/$/)) {
                said = substr(line, RSTART + 4, RLENGTH - 7)
                line = folded(said) substr(line, 1, RSTART - 1)
            }
        }
        out = out (out == "" ? "" : "\n") line
    }
    return out
}

# A comment on the field below, in lines that fit.
function folded(said,    words, n, i, line, out)
{
    n = split(said, words, " ")
    line = "    /*"
    out = ""
    for (i = 1; i <= n; i++) {
        if (length(line) + length(words[i]) > 92) {
            out = out line "\n"
            line = "     *"
        }
        line = line " " words[i]
    }
    return out line " */\n"
}

function wrapped(line,    rest, out, at, open, room)
{
    open = index(line, "(")
    out = ""
    room = 88
    while (length(line) > room) {
        for (at = room; at > open + 1 && substr(line, at, 2) != ", "; at--) {
        }
        if (at <= open + 1) {
            break
        }
        out = out substr(line, 1, at) "\n"
        line = sprintf("%" open "s", "") substr(line, at + 2)
    }
    return out line
}

# The paragraphs of a comment, one after the other, to `emit_words`, `emit_list` and `emit_verbatim`.
function render(words,    lines, n, i, line, text, raw)
{
    n = split(words, lines, "\n")
    text = raw = ""
    for (i = 1; i <= n + 1; i++) {
        line = i > n ? "" : lines[i]
        if (line ~ /^   /) {
            if (text != "") {
                paragraph(text)
                text = ""
            }
            raw = raw (raw == "" ? "" : "\n") line
            continue
        }
        if (raw != "") {
            emit_verbatim(raw)
            raw = ""
        }
        if (line == "" && text != "") {
            paragraph(text)
            text = ""
        } else if (line != "") {
            text = text (text == "" ? "" : " ") line
        }
    }
}

# "Words. 0 · TERN_ERR_A (why) · TERN_ERR_B": the words, and a list of what is returned.
function paragraph(text,    at, start, items, n, i)
{
    at = index(text, " · ")
    if (at == 0) {
        emit_words(text)
        return
    }
    for (start = at; start > 1; start--) {
        if (substr(text, start, 2) == ". " || substr(text, start, 2) == ": ") {
            start += 2
            break
        }
    }
    if (start > 1) {
        line = substr(text, 1, start - 2)
        if (line !~ /^Errors:$/) {
            emit_words(line)
        }
    }
    n = split(substr(text, start), items, " · ")
    emit_list_start()
    for (i = 1; i <= n; i++) {
        emit_item(items[i])
    }
    emit_list_end()
}

function emit_words(text)
{
    if (what == "md") {
        printf("%s\n\n", linked(text)) >file
    } else {
        printf(".PP\n%s\n", roff(text)) >file
    }
}

function emit_verbatim(text,    lines, n, i, cut)
{
    n = split(text, lines, "\n")
    match(lines[1], /^ +/)
    cut = RLENGTH
    if (what == "md") {
        print "```c" >file
    } else {
        print ".PP\n.in +4n\n.nf" >file
    }
    for (i = 1; i <= n; i++) {
        print(what == "md" ? substr(lines[i], cut + 1) : roff_code(substr(lines[i], cut + 1))) >file
    }
    print(what == "md" ? "```\n" : ".fi\n.in") >file
}

function emit_list_start()
{
    if (what == "md") {
        print "Returns\n" >file
    } else {
        print ".PP\nReturns" >file
    }
}

function emit_item(text,    head, rest)
{
    head = text
    rest = ""
    if (match(text, /^[A-Za-z0-9_]+ \(/)) {
        head = substr(text, 1, RLENGTH - 2)
        rest = substr(text, RLENGTH + 1)
        sub(/\)\.?$/, "", rest)
    }
    sub(/\.$/, "", head)
    if (what == "md") {
        printf("- %s%s\n", linked(head ~ /^[0-9]$/ ? "`" head "`" : head), rest == "" ? "" : ": " linked(rest)) >file
    } else {
        printf(".TP\n%s\n%s\n", "\\fB" roff(head) "\\fR", rest == "" ? "\\&" : roff(rest)) >file
    }
}

function emit_list_end()
{
    if (what == "md") {
        print "" >file
    }
}

# Markdown: nothing of a text is markup, but our names lead to where they are explained.
function linked(text,    out, name, target)
{
    gsub(/\\/, "\\\\", text)
    gsub(/\*/, "\\*", text)
    gsub(/</, "\\&lt;", text)
    gsub(/\[/, "\\[", text)
    out = ""
    while (match(text, /(tern|TERN)_[A-Za-z0-9_]+(\(\))?(\.[a-z_0-9]+)?/)) {
        out = out substr(text, 1, RSTART - 1)
        name = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        target = name
        sub(/[.(].*/, "", target)
        if (target in home && home[target] != "" ) {
            out = out "[`" name "`](" (home[target] == page ? "" : home[target] ".md") "#" anchor[target] ")"
        } else {
            out = out "`" name "`"
        }
    }
    return out text
}

function roff(text)
{
    gsub(/\\/, "\\e", text)
    gsub(/·/, "\\(pc", text)
    gsub(/²/, "^2", text)
    gsub(/-/, "\\-", text)
    sub(/^[.']/, "\\\\\\&&", text)
    return text
}

function roff_code(text)
{
    text = roff(text)
    return text == "" ? "\\&" : text
}

function first_sentence(text,    at)
{
    gsub(/\n/, " ", text)
    at = match(text, /[.:] *$|\. |  /)
    text = at > 0 ? substr(text, 1, at - 1) : text
    return text
}

function rest_of(text,    at)
{
    at = index(text, "\n")
    if (at == 0) {
        return ""
    }
    return substr(text, length(first_line(text)) + 2)
}

# The first sentence may take two lines.
function first_line(text,    lines, n)
{
    n = split(text, lines, "\n")
    return n > 1 && lines[1] !~ /[.:]$/ && lines[2] != "" ? lines[1] "\n" lines[2] : lines[1]
}

function heading(names)
{
    gsub(/ /, ", ", names)
    return names
}

function write_md(page,    i, k, n, parts)
{
    file = out "/" page ".md"
    printf("# tern/%s.h\n\n", page) >file
    render(intro[page])
    printf("```c\n#include <tern/%s.h>\n```\n\n", page) >file
    for (i = 1; i <= block_count; i++) {
        if (block_page[i] != page) {
            continue
        }
        if (block_kind[i] == "part") {
            printf("## %s\n\n", toupper(substr(block_words[i], 1, 1)) substr(block_words[i], 2)) >file
            continue
        }
        if (block_names[i] != "") {
            n = split(block_names[i], parts, " ")
            printf("### %s%s {#%s}\n\n", n > 4 ? parts[1] ", " parts[2] ", " parts[3] " and more" : heading(block_names[i]), "", parts[1]) >file
            for (k = 2; k <= n; k++) {
                printf("<a id=\"%s\"></a>", parts[k]) >file
            }
            print(n > 1 ? "\n" : "") >file
            printf("```c\n%s\n```\n\n", tidy(block_code[i])) >file
        }
        render(block_words[i])
    }
    close(file)
}

function write_man(page,    i, k, n, parts, all, seen, lines, title)
{
    title = page == "tern" ? "tern" : "tern_" page
    file = out "/" title ".3"
    printf(".\\\" Made from include/tern/%s.h.\n.TH %s 3 \"\" \"tern %s\" \"Library Functions\"\n", page, toupper(title), version) >file
    all = title
    for (i = 1; i <= block_count; i++) {
        if (block_page[i] == page && block_kind[i] == "block" && block_code[i] ~ /TERN_API/) {
            n = split(block_names[i], parts, " ")
            for (k = 1; k <= n; k++) {
                if (parts[k] ~ /^tern_/ && parts[k] != title && index(" " seen " ", " " parts[k] " ") == 0) {
                    seen = seen " " parts[k]
                    all = all ", " parts[k]
                    printf ".so man3/%s.3\n", title >(out "/" parts[k] ".3")
                    close(out "/" parts[k] ".3")
                }
            }
        }
    }
    printf(".SH NAME\n%s \\- %s\n", all, roff(first_sentence(first_line(intro[page])))) >file
    print ".SH LIBRARY" >file
    print libraries(page) >file
    printf(".SH SYNOPSIS\n.nf\n\\fB#include <tern/%s.h>\\fR\n.fi\n", page) >file
    if (rest_of(intro[page]) != "") {
        print ".SH DESCRIPTION" >file
        render(rest_of(intro[page]))
    }
    for (i = 1; i <= block_count; i++) {
        if (block_page[i] != page) {
            continue
        }
        if (block_kind[i] == "part") {
            printf(".SH %s\n", toupper(block_words[i])) >file
            continue
        }
        if (!(i in in_part)) {
            in_part[i] = 1
        }
        if (block_names[i] != "") {
            if (!(page in has_head)) {
                has_head[page] = 1
                if (block_kind[i] == "block") {
                    print ".SH FUNCTIONS AND TYPES" >file
                }
            }
            n = split(block_names[i], parts, " ")
            printf(".SS %s\n.nf\n", n > 3 ? parts[1] ", " parts[2] ", ..." : heading(block_names[i])) >file
            n = split(tidy(block_code[i]), lines, "\n")
            for (k = 1; k <= n; k++) {
                print roff_code(lines[k]) >file
            }
            print ".fi" >file
        }
        render(block_words[i])
    }
    print ".SH SEE ALSO" >file
    n = 0
    for (k = 0; k <= page_count; k++) {
        title = k == 0 ? "tern" : "tern_" pages[k]
        if (title != "tern_tern" && title != "tern_" page) {
            printf("%s.BR %s (3)", n++ > 0 ? " ,\n" : "", title) >file
        }
    }
    print "" >file
    close(file)
}

function libraries(page)
{
    return page == "ev" || page == "udp" ? "libtern-ev (\\-ltern\\-ev \\-ltern \\-lev; pkg\\-config tern\\-ev)" : \
        page == "sim" || page == "conditioner" ? "libtern-sim (\\-ltern\\-sim \\-ltern; pkg\\-config tern\\-sim)" : \
        "libtern (\\-ltern; pkg\\-config tern)"
}

END {
    flush()
    for (i = 1; i <= page_count && !failed; i++) {
        page = pages[i]
        if (what == "md") {
            write_md(page)
        } else if (page != "tern") {
            write_man(page)
        }
    }
    # For other pages: each name, and the page and the place that explain it.
    if (what == "md" && !failed) {
        for (name in home) {
            print name, home[name] ".md#" anchor[name] >(out "/names")
        }
    }
    exit failed
}
