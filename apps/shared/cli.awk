# Makes what a program says of its command line out of one source, PROGRAM.cli:
#
#     awk -v what=header|man|bash|zsh|fish|names [-v version=V] -f cli.awk PROGRAM.cli
#
# header is for the program itself: the texts of --help and the tables of getopt_long. names is one
# option a line, for the lint. SPDX-License-Identifier: MIT
#
# The source: a keyword or an option in the first column, its text indented by four spaces below it.
#     name WORD · summary TEXT · usage · about · command WORD = TEXT · group TITLE [: COMMANDS]
#     -x, --long VALUE [= FILE | = DIR | = HOST | = word word ...]
#     note       a paragraph among the options      after    the end of --help
#     section T  of the man page alone; a line "= term : text" begins an item
# A text line that begins with "+ " is for the man page alone. `word` is set in bold there.
function fail(why)
{
    printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
    has_failed = 1
    exit 1
}

function add_item(kind, head)
{
    item++
    item_kind[item] = kind
    item_head[item] = head
    item_text[item] = item_more[item] = ""
    item_of[item] = group_of
}

function add_option(line,    at, names, n, i)
{
    add_item("option", "")
    at = index(line, " = ")
    if (at > 0) {
        item_values[item] = substr(line, at + 3)
        line = substr(line, 1, at - 1)
    }
    item_head[item] = line
    gsub(/,/, "", line)
    n = split(line, names, " ")
    for (i = 1; i <= n; i++) {
        if (names[i] ~ /^--/) {
            item_long[item] = substr(names[i], 3)
        } else if (names[i] ~ /^-.$/) {
            item_short[item] = substr(names[i], 2)
        } else {
            item_value[item] = item_value[item] (item_value[item] == "" ? "" : " ") names[i]
        }
    }
    if (item_long[item] "" == "" && item_short[item] "" == "") {
        fail("an option without a name")
    }
    option_count++
    option_item[option_count] = item
}

/^#/ { next }

/^    / || /^$/ {
    text = substr($0, 5)
    if (item == 0) {
        next
    }
    if (text ~ /^\+ /) {
        item_more[item] = item_more[item] substr(text, 3) "\n"
    } else if (item_more[item] != "" && text != "") {
        fail("text for --help after text for the man page")
    } else {
        item_text[item] = item_text[item] text "\n"
    }
    next
}

/^-/ { add_option($0); next }

{
    word = $1
    rest = substr($0, length(word) + 2)
    if (word == "name") {
        program = rest
    } else if (word == "summary") {
        summary = rest
    } else if (word == "command") {
        at = index(rest, " = ")
        command_count++
        command_name[command_count] = substr(rest, 1, at - 1)
        command_text[command_count] = substr(rest, at + 3)
    } else if (word == "group") {
        at = index(rest, " : ")
        group_of = at > 0 ? substr(rest, at + 3) : ""
        add_item("group", at > 0 ? substr(rest, 1, at - 1) : rest)
    } else if (word ~ /^(usage|about|note|after|section)$/) {
        add_item(word, rest)
    } else {
        fail("unknown keyword " word)
    }
}

# --- shared pieces -------------------------------------------------------------------------------

function trimmed(text)
{
    gsub(/^[ \n]+|[ \n]+$/, "", text)
    return text
}

# Words of a text in lines of at most `width` octets into lines[]; returns how many.
function wrap(text, width, lines,    words, n, i, count)
{
    n = split(text, words, /[ \n]+/)
    count = 0
    for (i = 1; i <= n; i++) {
        if (words[i] == "") {
            continue
        }
        if (count > 0 && length(lines[count]) + 1 + length(words[i]) <= width) {
            lines[count] = lines[count] " " words[i]
        } else {
            lines[++count] = words[i]
        }
    }
    return count
}

# A few words of an option for a menu: its first clause.
function brief(i,    text, at)
{
    text = trimmed(item_text[i])
    gsub(/\n/, " ", text)
    at = match(text, /[.;:(]( |$)| \(/)
    if (at > 1) {
        text = substr(text, 1, at - 1)
    }
    gsub(/[`"'\\\[\]$]/, "", text)
    return text
}

function is_fixed(values)
{
    return values != "" && values !~ /^(FILE|DIR|HOST)$/
}

# --- the program itself --------------------------------------------------------------------------

function help_line(text)
{
    gsub(/\\/, "\\\\", text)
    gsub(/"/, "\\\"", text)
    printf "    \"%s\",\n", text
}

function help_paragraphs(text, indent,    parts, n, i, j, count, lines)
{
    n = split(trimmed(text), parts, /\n\n+/)
    for (i = 1; i <= n; i++) {
        if (i > 1) {
            help_line("")
        }
        count = wrap(parts[i], 94 - length(indent), lines)
        for (j = 1; j <= count; j++) {
            help_line(indent lines[j])
        }
    }
}

function help_option(i,    left, lines, count, j)
{
    left = "  " (item_head[i] ~ /^--/ ? "    " : "") item_head[i]
    count = wrap(item_text[i], 66, lines)
    if (length(left) > 26) {
        help_line(left)
        left = ""
    }
    for (j = 1; j <= count; j++) {
        help_line(sprintf("%-28s%s", left, lines[j]))
        left = ""
    }
}

function help_usage(text,    parts, n, i)
{
    n = split(trimmed(text), parts, "\n")
    for (i = 1; i <= n; i++) {
        help_line((i == 1 ? "Usage: " : "       ") parts[i])
    }
}

function help(    i)
{
    print "static const char *const cli_help[] = {"
    for (i = 1; i <= item; i++) {
        if (item_kind[i] == "usage") {
            help_usage(item_text[i])
        } else if (item_kind[i] ~ /^(about|after)$/) {
            help_line("")
            help_paragraphs(item_text[i], "")
        } else if (item_kind[i] == "group") {
            help_line("")
            help_line(item_head[i] ":")
        } else if (item_kind[i] == "note") {
            help_paragraphs(item_text[i], "  ")
        } else if (item_kind[i] == "option") {
            help_option(i)
        }
    }
    print "};\n"
}

function constant(i,    name)
{
    name = item_long[i] "" != "" ? item_long[i] : "SHORT_" item_short[i]
    gsub(/-/, "_", name)
    return "OPT_" toupper(name)
}

function header(    k, i, shorts)
{
    print "/* Made of " program ".cli by cli.awk. */"
    print "#include <getopt.h>\n"
    help()
    print "enum cli_option {"
    shorts = ":"
    for (k = 1; k <= option_count; k++) {
        i = option_item[k]
        print "    " constant(i) ","
        if (item_short[i] "" != "") {
            shorts = shorts item_short[i] (item_value[i] "" != "" ? ":" : "")
        }
    }
    print "    OPT_COUNT\n};\n"
    print "static const char cli_shorts[] = \"" shorts "\";"
    print "static const char cli_letters[OPT_COUNT] = {"
    for (k = 1; k <= option_count; k++) {
        i = option_item[k]
        if (item_short[i] "" != "") {
            print "    [" constant(i) "] = '" item_short[i] "',"
        }
    }
    print "};\n"
    print "#define CLI_LONG 256 /* the value of getopt_long for the first of enum cli_option */"
    print "static const struct option cli_longs[] = {"
    for (k = 1; k <= option_count; k++) {
        i = option_item[k]
        if (item_long[i] "" != "") {
            printf "    {\"%s\", %s, NULL, CLI_LONG + %s},\n", item_long[i],
                item_value[i] "" != "" ? "required_argument" : "no_argument", constant(i)
        }
    }
    print "    {NULL, 0, NULL, 0},\n};"
}

# --- the manual ----------------------------------------------------------------------------------

function roff(text,    out, bold, at)
{
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    out = ""
    bold = 0
    while ((at = index(text, "`")) > 0) {
        out = out substr(text, 1, at - 1) (bold ? "\\fP" : "\\fB")
        bold = !bold
        text = substr(text, at + 1)
    }
    out = out text
    gsub(/\n\./, "\n\\\\\\&.", out)
    sub(/^\./, "\\\\\\&.", out)
    gsub(/\n'/, "\n\\\\\\&'", out)
    sub(/^'/, "\\\\\\&'", out)
    return out
}

function man_text(text,    parts, n, i, at)
{
    n = split(trimmed(text), parts, "\n")
    for (i = 1; i <= n; i++) {
        if (parts[i] == "") {
            print ".PP"
        } else if (parts[i] ~ /^= /) {
            at = index(parts[i], " : ")
            print ".TP"
            print ".B \"" roff(substr(parts[i], 3, at - 3)) "\""
            print roff(substr(parts[i], at + 3))
        } else if (parts[i] ~ /^  /) {
            print ".br"
            print roff(trimmed(parts[i]))
            if (i == n || parts[i + 1] !~ /^  /) {
                print ".br"
            }
        } else {
            print roff(parts[i])
        }
    }
}

function man_option(i,    head)
{
    head = item_head[i]
    print ".TP"
    if (item_value[i] "" != "") {
        head = substr(head, 1, length(head) - length(item_value[i]))
        printf ".BI \"%s\" \"%s\"\n", roff(head), roff(item_value[i])
    } else {
        print ".B \"" roff(head) "\""
    }
    if (item_more[i] == "") {
        man_text(item_text[i])
    } else { # sentences follow: what the help says becomes the first of them
        man_text(trimmed(item_text[i]) ".")
        man_text(item_more[i])
    }
}

function man_usage(text,    parts, n, i, rest)
{
    n = split(trimmed(text), parts, "\n")
    for (i = 1; i <= n; i++) {
        rest = trimmed(parts[i])
        if (index(rest, program) == 1) {
            print (i > 1 ? ".br\n" : "") ".B " program
            rest = trimmed(substr(rest, length(program) + 1))
        }
        print roff(rest)
    }
}

function man(    i, has_options)
{
    print ".\\\" Made of " program ".cli by cli.awk."
    printf ".TH %s 1 \"\" \"tern %s\" \"User Commands\"\n", toupper(program), version
    print ".SH NAME\n" program " \\- " roff(summary)
    for (i = 1; i <= item; i++) {
        if (item_kind[i] == "usage") {
            print ".SH SYNOPSIS\n.nh\n.ad l"
            man_usage(item_text[i])
            print ".ad b\n.hy"
        } else if (item_kind[i] == "about") {
            print ".SH DESCRIPTION"
            man_text(item_text[i] item_more[i])
        } else if (item_kind[i] == "section") {
            print ".SH " item_head[i]
            man_text(item_text[i] item_more[i])
        } else if (item_kind[i] == "group") {
            if (!has_options++) {
                print ".SH OPTIONS"
            }
            print ".SS " item_head[i]
        } else if (item_kind[i] == "note") {
            print ".PP"
            man_text(item_text[i] item_more[i])
        } else if (item_kind[i] == "option") {
            man_option(i)
        }
    }
}

# --- completions ---------------------------------------------------------------------------------

function spellings(i,    out)
{
    out = item_short[i] "" != "" ? "-" item_short[i] : ""
    if (item_long[i] "" != "") {
        out = out (out == "" ? "" : " ") "--" item_long[i]
    }
    return out
}

function commands_line(    k, out)
{
    for (k = 1; k <= command_count; k++) {
        out = out (k > 1 ? " " : "") command_name[k]
    }
    return out
}

function bash(    k, i, pattern, list, of, n, keys, key)
{
    print "# bash completion of " program ". Made of " program ".cli by cli.awk."
    print "# shellcheck shell=bash"
    printf "_%s()\n{\n", program
    print "    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} word options"
    print "    COMPREPLY=()"
    print "    if [[ $before == '=' ]]; then # --option=value is three words"
    print "        before=${COMP_WORDS[COMP_CWORD - 2]}"
    print "    elif [[ $cur == '=' ]]; then"
    print "        cur='' # and it is the second"
    print "    fi"
    print "    case $before in"
    for (k = 1; k <= option_count; k++) {
        i = option_item[k]
        if (item_value[i] "" == "") {
            continue
        }
        pattern = spellings(i)
        gsub(/ /, " | ", pattern)
        print "    " pattern ")"
        if (is_fixed(item_values[i] "")) {
            print "        mapfile -t COMPREPLY < <(compgen -W '" item_values[i] "' -- \"$cur\")"
        } else if (item_values[i] "" == "DIR") {
            print "        compopt -o filenames 2>/dev/null"
            print "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")"
        } else if (item_values[i] "" != "FILE") {
            print "        compopt +o default 2>/dev/null"
        }
        print "        return"
        print "        ;;"
    }
    print "    esac"
    for (k = 1; k <= option_count; k++) {
        i = option_item[k]
        of = item_of[i] "" == "" ? "all" : item_of[i]
        if (list[of] == "") {
            keys[++n] = of
        }
        list[of] = list[of] (list[of] == "" ? "" : " ") spellings(i)
    }
    print "    options='" list["all"] "'"
    print "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do"
    print "        case $word in"
    for (k = 1; k <= n; k++) {
        if (keys[k] != "all") {
            pattern = keys[k]
            gsub(/ /, " | ", pattern)
            print "        " pattern ") options+=' " list[keys[k]] "' ;;"
        }
    }
    print "        esac"
    print "    done"
    print "    if [[ $cur == -* ]]; then"
    print "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")"
    print "    elif ((COMP_CWORD == 1)); then"
    print "        compopt -o filenames 2>/dev/null"
    print "        mapfile -t COMPREPLY < <(compgen -W '" commands_line() "' -- \"$cur\" && compgen -f -- \"$cur\")"
    print "    fi"
    print "}"
    printf "complete -o bashdefault -o default -F _%s %s\n", program, program
}

function zsh_value(i)
{
    return ":" item_value[i] ":" (is_fixed(item_values[i] "") ? "(" item_values[i] ")" \
        : item_values[i] "" == "FILE" ? "_files" : item_values[i] "" == "DIR" ? "_files -/" \
        : item_values[i] "" == "HOST" ? "_hosts" : "")
}

function zsh(    k, i, text, tail)
{
    print "#compdef " program
    print "# zsh completion. Made of " program ".cli by cli.awk."
    print "local -a commands=("
    for (k = 1; k <= command_count; k++) {
        text = command_text[k]
        gsub(/'/, "", text)
        print "    '" command_name[k] ":" text "'"
    }
    print ")"
    print "local state"
    print "_arguments -s -S \\"
    for (k = 1; k <= option_count; k++) {
        i = option_item[k]
        tail = "[" brief(i) "]" (item_value[i] "" != "" ? zsh_value(i) : "")
        if (item_short[i] "" != "" && item_long[i] "" != "") {
            printf "    '*'{-%s%s,--%s%s}'%s' \\\n", item_short[i], item_value[i] "" != "" ? "+" : "",
                item_long[i], item_value[i] "" != "" ? "=" : "", tail
        } else if (item_long[i] "" != "") {
            printf "    '*--%s%s%s' \\\n", item_long[i], item_value[i] "" != "" ? "=" : "", tail
        } else {
            printf "    '*-%s%s%s' \\\n", item_short[i], item_value[i] "" != "" ? "+" : "", tail
        }
    }
    print "    '1: :->first' '*:file:_files' && return 0"
    print "if [[ $state == first ]]; then"
    print "    _describe -t commands command commands"
    print "    _files"
    print "fi"
}

function fish(    k, i, text)
{
    print "# fish completion of " program ". Made of " program ".cli by cli.awk."
    for (k = 1; k <= command_count; k++) {
        text = command_text[k]
        gsub(/'/, "", text)
        printf "complete -c %s -n __fish_use_subcommand -a %s -d '%s'\n", program,
            command_name[k], text
    }
    for (k = 1; k <= option_count; k++) {
        i = option_item[k]
        printf "complete -c %s", program
        if (item_of[i] "" != "") {
            printf " -n '__fish_seen_subcommand_from %s'", item_of[i]
        }
        if (item_short[i] "" != "") {
            printf " -s %s", item_short[i]
        }
        if (item_long[i] "" != "") {
            printf " -l %s", item_long[i]
        }
        if (is_fixed(item_values[i] "")) {
            printf " -x -a '%s'", item_values[i]
        } else if (item_values[i] "" == "DIR") {
            printf " -x -a '(__fish_complete_directories)'"
        } else if (item_values[i] "" == "HOST") {
            printf " -x -a '(__fish_print_hostnames)'"
        } else if (item_values[i] "" == "FILE") {
            printf " -r -F"
        } else if (item_value[i] "" != "") {
            printf " -x"
        }
        printf " -d '%s'\n", brief(i)
    }
}

END {
    if (has_failed) {
        exit 1
    }
    for (i = 1; i <= item; i++) {
        if (item_kind[i] == "option" && trimmed(item_text[i]) == "") {
            printf "%s: %s: no text\n", FILENAME, item_head[i] > "/dev/stderr"
            exit 1
        }
    }
    if (what == "header") {
        header()
    } else if (what == "man") {
        man()
    } else if (what == "bash") {
        bash()
    } else if (what == "zsh") {
        zsh()
    } else if (what == "fish") {
        fish()
    } else if (what == "names") {
        for (k = 1; k <= option_count; k++) {
            print spellings(option_item[k])
        }
    } else {
        print "what?" > "/dev/stderr"
        exit 2
    }
}
