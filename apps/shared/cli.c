/* Messages, suffixes and plain formatting.
 * SPDX-License-Identifier: MIT */
#include "shared/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/term.h"

static struct {
    const char *program;
    bool quiet;
    int verbose;
} cli = {.program = "tern"};

void cli_init(const char *program, bool quiet, int verbose)
{
    cli.program = program;
    cli.quiet = quiet;
    cli.verbose = verbose;
}

void cli_error(const char *what, const char *why, const char *advice)
{
    char safe[600], cause[400]; /* arguments may hold anything as well */
    (void)term_escape(what, strlen(what), safe, sizeof safe);
    (void)term_escape(why == NULL ? "" : why, why == NULL ? 0 : strlen(why), cause, sizeof cause);
    (void)fprintf(stderr, "%s: %s%s%s%s%s\n", cli.program, safe, why == NULL ? "" : ": ", cause,
                  advice == NULL ? "" : "; ", advice == NULL ? "" : advice);
}

int cli_refuse(const char *option, const char *value, const char *advice)
{
    char what[300];
    (void)snprintf(what, sizeof what, "%s %.200s", option, value);
    cli_error(what, "not understood", advice);
    return CLI_USAGE;
}

__attribute__((format(printf, 1, 0))) static void print_note(const char *format, va_list args)
{
    (void)fprintf(stderr, "%s: ", cli.program);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
}

void cli_note(const char *format, ...)
{
    if (cli.quiet) {
        return;
    }
    va_list args;
    va_start(args, format);
    print_note(format, args);
    va_end(args);
}

void cli_verbose(int level, const char *format, ...)
{
    if (cli.verbose < level) {
        return;
    }
    va_list args;
    va_start(args, format);
    print_note(format, args);
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
