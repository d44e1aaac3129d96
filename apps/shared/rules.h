/* The command line of a program whose options are a table: what each sets, and how a value is read. Their names
 * and texts are in the program's .cli file, from which the build makes the header with the other tables.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_RULES_H
#define TERN_APPS_RULES_H

#include <getopt.h>
#include <stddef.h>
#include <stdint.h>

struct options; /* each program's own */

/* What an option does with its value. */
enum rule_kind {
    RULE_MISSING,    /* the .cli file names an option that is not in the table */
    RULE_SWITCH,     /* bool */
    RULE_MORE,       /* int: one more each time */
    RULE_NAMED,      /* int: `most` */
    RULE_TEXT,       /* const char *: as it is */
    RULE_TIME,       /* uint64_t: nanoseconds, not 0 */
    RULE_SPAN,       /* uint64_t: nanoseconds */
    RULE_SIZE,       /* uint64_t: bytes */
    RULE_RATE,       /* uint64_t: bytes a second; 0: no limit */
    RULE_NUMBER,     /* uint64_t: 1 to `most` */
    RULE_COUNT,      /* int: 0 to `most`, in digits alone */
    RULE_CHOICE,     /* int: the place of the value among the words of `advice` */
    RULE_CONTROLLER, /* const char *: of congestion */
    RULE_SUITES,     /* unsigned: TERN_SUITE_... */
    RULE_HELP,       /* prints it */
    RULE_VERSION,    /* the same */
    RULE_OWN         /* a function's matter */
};

typedef int (*rule_fn)(struct options *o, const char *value); /* -1: fine; else the exit code */

struct rule {
    enum rule_kind kind;
    size_t at; /* in struct options */
    rule_fn own;
    const char *advice; /* what to give instead of a value that makes no sense */
    unsigned most;
};

/* For the table. */
#define RULE_OF(kind, field, advice, most)                                                         \
    {                                                                                              \
        kind, offsetof(struct options, field), NULL, advice, most                                  \
    }
#define SWITCH(field)               RULE_OF(RULE_SWITCH, field, NULL, 0)
#define MORE(field)                 RULE_OF(RULE_MORE, field, NULL, 0)
#define NAMED(field, value)         RULE_OF(RULE_NAMED, field, NULL, value)
#define TEXT(field)                 RULE_OF(RULE_TEXT, field, NULL, 0)
#define TIME(field)                 RULE_OF(RULE_TIME, field, "a time such as 5s or 500ms", 0)
#define SPAN(field, advice)         RULE_OF(RULE_SPAN, field, advice, 0)
#define SIZE(field, advice)         RULE_OF(RULE_SIZE, field, advice, 0)
#define RATE(field)                 RULE_OF(RULE_RATE, field, "a rate such as 10M or 200mbit", 0)
#define NUMBER(field, most, advice) RULE_OF(RULE_NUMBER, field, advice, most)
#define COUNT(field, most, advice)  RULE_OF(RULE_COUNT, field, advice, most)
#define CHOICE(field, words)        RULE_OF(RULE_CHOICE, field, words, 0)
#define CONTROLLER(field)           RULE_OF(RULE_CONTROLLER, field, NULL, 0)
#define SUITES(field)               RULE_OF(RULE_SUITES, field, NULL, 0)
#define PRINTS(kind)                                                                               \
    {                                                                                              \
        kind, 0, NULL, NULL, 0                                                                     \
    }
#define OWN(function)                                                                              \
    {                                                                                              \
        RULE_OWN, 0, function, NULL, 0                                                             \
    }

struct rules {
    const struct rule *table;
    /* As the made header has them. */
    const char *shorts, *letters;
    const struct option *longs;
    int first_long; /* CLI_LONG */
    const char *const *help;
    size_t help_lines;
};

/* Of a program: its table, and what is in its made header. */
#define RULES(its_table)                                                                           \
    {                                                                                              \
        .table = its_table, .shorts = cli_shorts, .letters = cli_letters, .longs = cli_longs,      \
        .first_long = CLI_LONG, .help = cli_help,                                                  \
        .help_lines = sizeof cli_help / sizeof cli_help[0]                                         \
    }

/* All options among the arguments; optind is then the first that is none. -1: fine; else the exit code. The
 * program's name is that of cli_init. */
int rules_parse(const struct rules *rules, struct options *o, int argc, char **argv);

#endif
