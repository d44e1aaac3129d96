# What the scripts that bring a library share: how they give up, and Debian's and Ubuntu's source packages, by apt,
# from where the machine has its own. Nothing of the system is changed, and apt checks the signatures.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
#     source_log=FILE                    its last lines are shown by whoever gives up
#     source_skip WHY                    the library cannot be had here: exit status 77
#     source_fail WHY                    it can, and does not build: exit status 1
#     source_need COMMAND...             skips where one of them is missing
#     source_id                          debian, ubuntu or nothing
#     source_newest                      its suite of the newest packages; 1: it is neither
#     source_open FOLDER SUITE           prepares apt in FOLDER; 1: it has no entry for the main archive
#     source_fetch FOLDER PACKAGE TO     unpacks what its authors have released into TO; 1: it cannot be had

source_log=/dev/null

source_skip() {
    tail -n 5 "$source_log" >&2
    echo "$(basename "$0" .sh): $*" >&2
    exit 77
}

source_fail() {
    tail -n 15 "$source_log" >&2
    echo "$(basename "$0" .sh): $*; the whole log is $source_log" >&2
    exit 1
}

source_need() {
    for source_command in "$@"; do
        command -v "$source_command" >/dev/null 2>&1 || source_skip "there is no $source_command here"
    done
}

source_id() {
    sed -n 's/^ID=//p' /etc/os-release 2>/dev/null || true
}

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

# The suite where new releases appear first.
source_newest() {
    case $(source_id) in
    debian) echo unstable ;;
    ubuntu) echo devel ;;
    *) return 1 ;;
    esac
}

source_open() {
    mkdir -p "$1/sources" "$1/lists/partial" "$1/cache/archives/partial"
    source_entry "$2" "$(source_id)" >"$1/sources/tern.sources"
    if [ ! -s "$1/sources/tern.sources" ]; then
        rm -f "$1/sources/tern.sources"
        source_line "$2" "$(source_id)" >"$1/sources/tern.list"
        [ -s "$1/sources/tern.list" ] || return 1
    fi
}

source_apt() {
    source_at=$1
    shift
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$source_at/sources" \
        -o Dir::State::Lists="$source_at/lists" -o Dir::Cache="$source_at/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

source_fetch() {
    rm -rf "$1/packages" "$3"
    mkdir -p "$1/packages" "$3"
    [ -f "$1/updated" ] || source_apt "$1" update || return 1
    : >"$1/updated"
    (cd "$1/packages" && source_apt "$1" source --download-only "$2") || return 1
    for source_tar in "$1/packages/$2"_*.orig.tar.*; do
        case $source_tar in
        *.asc) ;;
        *)
            tar -x -f "$source_tar" -C "$3" --strip-components=1
            return
            ;;
        esac
    done
}
