# A manual page out of the text of --help, as it stands in a program's source in strings named help...
# SPDX-License-Identifier: MIT
#
#     awk -v program=ternperf -v version=V -v summary=TEXT -f help.awk options.c
#
# The text: "Usage:" and its lines, sentences, items of two columns, parted by blank lines.

/^static const char help[a-z_]*\[\] =/ { inside = 1; next }
inside && /^ *"/ {
    line = $0
    sub(/^ *"/, "", line)
    ends = line ~ /";$/
    sub(/";?$/, "", line)
    text = text line
    inside = !ends
}

function roff(words)
{
    gsub(/\\/, "\\e", words)
    gsub(/-/, "\\-", words)
    sub(/^[.']/, "\\\\\\&&", words)
    while (match(words, /`[^`]*`/)) {
        words = substr(words, 1, RSTART - 1) "\\fB" substr(words, RSTART + 1, RLENGTH - 2) "\\fR" substr(words, RSTART + RLENGTH)
    }
    return words
}

# Ends the item under way, if any.
function flush()
{
    if (term != "") {
        printf ".TP\n\\fB%s\\fR\n%s\n", roff(term), said == "" ? "\\&" : roff(said)
    } else if (said != "") {
        printf ".PP\n%s\n", roff(said)
    }
    term = said = ""
}

END {
    gsub(/\\"/, "\"", text)
    n = split(text, lines, /\\n/)
    printf ".\\\" Made from %s.\n.TH %s 1 \"\" \"tern %s\" \"User Commands\"\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n", FILENAME, toupper(program), version, program, summary
    part = "usage"
    for (i = 1; i <= n; i++) {
        line = lines[i]
        if (part == "usage") {
            if (line == "") {
                print ".fi\n.SH DESCRIPTION"
                part = "text"
                continue
            }
            sub(/^(Usage:)? */, "", line)
            print "\\fB" roff(line) "\\fR"
        } else if (line == "") {
            flush()
        } else if (line ~ /^Exit status: /) {
            flush()
            sub(/^Exit status: /, "", line)
            print ".SH EXIT STATUS"
            said = line
        } else if (line ~ /^ ? ? ? ? ? ? ?[^ ]/ && line ~ /^ /) {
            flush()
            if (line ~ /^ *-/ && part != "options") {
                print ".SH OPTIONS"
                part = "options"
            }
            sub(/^ +/, "", line)
            # Of two columns, or the first alone.
            if (match(line, /   *[^ -]/) && line !~ /^-q, /) {
                term = substr(line, 1, RSTART - 1)
                said = substr(line, RSTART + RLENGTH - 1)
            } else {
                term = line
            }
        } else {
            sub(/^ +/, "", line)
            said = said (said == "" ? "" : " ") line
        }
    }
    flush()
    print ".SH SEE ALSO\n.BR terncp (1),\n.BR tern (3)"
}
