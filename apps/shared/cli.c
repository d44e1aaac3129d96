/* Messages, suffixes and plain formatting.
 * SPDX-License-Identifier: MIT */
#include "shared/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/term.h"

#define LINE_SIZE 2048

static struct {
    const char *program;
    int level;
    enum cli_color color;
    bool is_journal; /* standard error goes to the journal */
} cli = {.program = "tern"};

/* JOURNAL_STREAM holds the device and inode of what the service manager gave us; an output that was
 * redirected since is another. systemd.exec(5). */
static bool is_journal(void)
{
    struct stat st;
    unsigned long long device, inode;
    const char *stream = getenv("JOURNAL_STREAM");
    char *end;
    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0) {
        return false;
    }
    device = strtoull(stream, &end, 10);
    if (*end != ':') {
        return false;
    }
    inode = strtoull(end + 1, &end, 10);
    return *end == '\0' && device == st.st_dev && inode == st.st_ino;
}

void cli_init(const char *program, bool quiet, int verbose)
{
    cli.program = program;
    cli.level = quiet ? CLI_ERROR : verbose;
    cli.is_journal = is_journal();
}

const char *cli_program(void)
{
    return cli.program;
}

void cli_set_level(int level)
{
    cli.level = level;
}

void cli_level_in_words(int place, bool *quiet, int *verbose)
{
    if (place >= 0) {
        int said = place + CLI_ERROR;
        *quiet = said < CLI_INFO;
        *verbose = said > CLI_INFO ? said : 0;
        cli_set_level(said);
    }
}

void cli_set_color(enum cli_color color)
{
    cli.color = color;
}

bool cli_wants_color(int fd)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (cli.color != CLI_COLOR_AUTO) {
        return cli.color == CLI_COLOR_ALWAYS;
    }
    return (no == NULL || no[0] == '\0') && term_is_tty(fd) &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

bool cli_says(int level)
{
    return level <= cli.level || level <= CLI_ERROR;
}

/* One line, whole, in one write. */
static void emit(int level, const char *text)
{
    static const char *const colors[] = {"\033[1;31m", "\033[33m", "", "\033[2m", "\033[2m"};
    char line[LINE_SIZE + 64];
    int n;
    if (cli.is_journal) { /* 3 error, 4 warning, 6 information, 7 debugging: sd-daemon(3) */
        n = snprintf(line, sizeof line, "<%d>%s\n",
                     level <= CLI_WARNING ? level + 5
                     : level <= CLI_INFO  ? 6
                                          : 7,
                     text);
    } else if (level != CLI_INFO && cli_wants_color(STDERR_FILENO)) {
        int which = level < CLI_ERROR ? 0 : level > CLI_TRACE ? CLI_TRACE + 2 : level + 2;
        n = snprintf(line, sizeof line, "%s%s:\033[0m %s\n", colors[which], cli.program, text);
    } else {
        n = snprintf(line, sizeof line, "%s: %s\n", cli.program, text);
    }
    size_t len = n > 0 ? (size_t)n : 0;
    (void)fwrite(line, 1, len < sizeof line ? len : sizeof line - 1, stderr);
}

void cli_error(const char *what, const char *why, const char *advice)
{
    char safe[600], cause[400], line[LINE_SIZE]; /* arguments may hold anything as well */
    (void)term_escape(what, strlen(what), safe, sizeof safe);
    (void)term_escape(why == NULL ? "" : why, why == NULL ? 0 : strlen(why), cause, sizeof cause);
    (void)snprintf(line, sizeof line, "%s%s%s%s%s", safe, why == NULL ? "" : ": ", cause,
                   advice == NULL ? "" : "; ", advice == NULL ? "" : advice);
    emit(CLI_ERROR, line);
}

int cli_refuse(const char *option, const char *value, const char *advice)
{
    char what[300];
    (void)snprintf(what, sizeof what, "%s %.200s", option, value);
    cli_error(what, "not understood", advice);
    return CLI_USAGE;
}

__attribute__((format(printf, 2, 0))) static void say(int level, const char *format, va_list args)
{
    char line[LINE_SIZE];
    (void)vsnprintf(line, sizeof line, format, args);
    emit(level, line);
}

void cli_note(const char *format, ...)
{
    va_list args;
    if (!cli_says(CLI_INFO)) {
        return;
    }
    va_start(args, format);
    say(CLI_INFO, format, args);
    va_end(args);
}

void cli_verbose(int level, const char *format, ...)
{
    va_list args;
    if (!cli_says(level)) {
        return;
    }
    va_start(args, format);
    say(level, format, args);
    va_end(args);
}

/* Digits, then one of the suffixes of a table. */
struct suffix {
    const char *text;
    uint64_t factor;
};

static bool parse_with(const char *text, const struct suffix *suffixes, size_t count, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, suffixes[i].text) == 0) {
            if (value > UINT64_MAX / suffixes[i].factor) {
                return false;
            }
            *out = value * suffixes[i].factor;
            return true;
        }
    }
    return false;
}

bool cli_parse_size(const char *text, uint64_t *out)
{
    static const struct suffix suffixes[] = {
        {"", 1},         {"k", 1u << 10}, {"K", 1u << 10},
        {"M", 1u << 20}, {"G", 1u << 30}, {"T", UINT64_C(1) << 40},
    };
    return parse_with(text, suffixes, sizeof suffixes / sizeof suffixes[0], out);
}

bool cli_parse_rate(const char *text, uint64_t *out)
{
    static const struct suffix bits[] = {
        {"kbit", 125}, {"mbit", 125000}, {"Mbit", 125000}, {"gbit", 125000000}, {"Gbit", 125000000},
    };
    return parse_with(text, bits, sizeof bits / sizeof bits[0], out) || cli_parse_size(text, out);
}

bool cli_parse_time(const char *text, uint64_t *out)
{
    static const struct suffix suffixes[] = {
        {"", 1000000000u}, {"s", 1000000000u},           {"ms", 1000000u},
        {"us", 1000u},     {"m", UINT64_C(60000000000)}, {"h", UINT64_C(3600000000000)},
    };
    return parse_with(text, suffixes, sizeof suffixes / sizeof suffixes[0], out);
}

const char *cli_format_size(uint64_t bytes, char *buf, unsigned size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    unsigned unit = 0;
    while ((value >= 1024 || (unit > 0 && value >= 1023.5)) && /* never "1024 KiB" */
           unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(buf, size, unit == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value,
                   units[unit]);
    return buf;
}

const char *cli_format_time(double seconds, char *buf, unsigned size)
{
    unsigned long whole =
        seconds > 0 ? (unsigned long)(seconds < 60 ? seconds + 0.05 : seconds) : 0;
    if (whole < 60) {
        (void)snprintf(buf, size, "%.1f s", seconds > 0 ? seconds : 0.0);
    } else if (whole < 3600) {
        (void)snprintf(buf, size, "%lu:%02lu", whole / 60, whole % 60);
    } else {
        (void)snprintf(buf, size, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    }
    return buf;
}
