/* What all programs say and how: exit codes, the voice of errors, numbers with suffixes.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_CLI_H
#define TERN_APPS_CLI_H

#include <stdbool.h>
#include <stdint.h>

/* Exit codes, the same for every program. */
enum cli_exit {
    CLI_OK = 0,
    CLI_PARTIAL = 1, /* failed in part */
    CLI_USAGE = 2,
    CLI_CONNECT = 3,   /* cannot connect, or the connection was lost */
    CLI_IDENTITY = 4,  /* identity or authorisation refused */
    CLI_LOCAL = 5,     /* local file error */
    CLI_REMOTE = 6,    /* remote file error */
    CLI_INTEGRITY = 7, /* what arrived is not what was sent */
    CLI_INTERRUPTED = 130
};

/* How much is said: a level and all above it. -q is the first, each -v one more than CLI_INFO. */
enum cli_level {
    CLI_ERROR = -2, /* always */
    CLI_WARNING = -1,
    CLI_INFO = 0,
    CLI_DEBUG = 1,
    CLI_TRACE = 2
};
#define CLI_LEVELS "error, warning, info, debug or trace" /* --log-level, in this order */

enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER };
#define CLI_COLORS "auto, always or never" /* --color, in this order */

/* Sets the program's name for messages, and whether plain notes are printed. Where standard error is
 * the journal's (JOURNAL_STREAM), lines bear their priority, as sd-daemon(3) has it, and no name. */
void cli_init(const char *program, bool quiet, int verbose);
const char *cli_program(void); /* as it was given there */
void cli_set_level(int level);
/* --log-level's place among CLI_LEVELS, if it was given (not -1), in place of what -q and -v have set. */
void cli_level_in_words(int place, bool *quiet, int *verbose);
void cli_set_color(enum cli_color color);
/* Colour for what goes to this descriptor? By default on a terminal, unless NO_COLOR is set. */
bool cli_wants_color(int fd);

/* One line on standard error, "program: what: why; what to do". Any part but `what` may be NULL.
 * Peer text in it must have gone through term_escape. */
void cli_error(const char *what, const char *why, const char *advice);

/* An option's value that makes no sense: says so, and returns CLI_USAGE. */
int cli_refuse(const char *option, const char *value, const char *advice);

/* Notes for people: printed unless quiet, or from a level on. One line of at most 2 KiB, a newline is
 * added, and written at once, so that threads do not mix theirs. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_verbose(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool cli_says(int level);

/* "10M" and so on: k, M, G, T times 1024. False when malformed or too large. */
bool cli_parse_size(const char *text, uint64_t *out);
/* "5s", "250ms", "2m", "1h"; a bare number is seconds. Nanoseconds. */
bool cli_parse_time(const char *text, uint64_t *out);

/* "10M" (a second: as sizes) or "200mbit" (kbit, mbit and gbit times 1000, in bits). Bytes a second. */
bool cli_parse_rate(const char *text, uint64_t *out);

/* "12.3 MiB" into buf (at least 16 bytes); returns buf. */
const char *cli_format_size(uint64_t bytes, char *buf, unsigned size);
/* "1:02:03" or "4.2 s". At least 24 bytes. */
const char *cli_format_time(double seconds, char *buf, unsigned size);

#endif
