/* Options and their checks; a word that names a command comes first among the arguments. Names and texts are
 * in ternchat.cli, from which the build makes the header with the tables; what each sets is here.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/options.h"

#include <assert.h>
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/tern.h>

#include "shared/cli.h"
#include "shared/net.h"
#include "ternchat_cli.h"

/* What an option does with its value. */
enum rule_kind {
    RULE_MISSING, /* ternchat.cli names an option that is not in the table below */
    RULE_SWITCH,  /* bool */
    RULE_TEXT,    /* const char *: as it is */
    RULE_TIME,    /* uint64_t: nanoseconds, not 0 */
    RULE_SPAN,    /* the same, but 0 has a meaning */
    RULE_SIZE,    /* uint64_t: bytes */
    RULE_COUNT,   /* int: 0 to 10000 */
    RULE_CHOICE,  /* int: the place of the value among the words of `advice` */
    RULE_OWN      /* a function's matter */
};

typedef int (*rule_fn)(struct options *o, const char *value); /* -1: fine; else the exit code */

struct rule {
    enum rule_kind kind;
    size_t at; /* in struct options */
    rule_fn own;
    const char *advice; /* what to give instead of a value that makes no sense */
};

static int set_family_4(struct options *o, const char *value)
{
    (void)value;
    o->family = 4;
    return -1;
}

static int set_family_6(struct options *o, const char *value)
{
    (void)value;
    o->family = 6;
    return -1;
}

static int set_verbose(struct options *o, const char *value)
{
    (void)value;
    o->verbose++;
    return -1;
}

static int set_cc(struct options *o, const char *value)
{
    o->cc = value;
    return net_is_controller(value) ? -1 : cli_refuse("--cc", value, NET_CONTROLLERS_ADVICE);
}

static int set_suites(struct options *o, const char *value)
{
    return net_parse_suites(value, &o->suites)
               ? -1
               : cli_refuse("--cipher", value, "see ternchat --help for the names");
}

static int show_help(struct options *o, const char *value)
{
    (void)o;
    (void)value;
    for (size_t i = 0; i < sizeof cli_help / sizeof cli_help[0]; i++) {
        (void)puts(cli_help[i]);
    }
    return CLI_OK;
}

static int show_version(struct options *o, const char *value)
{
    (void)o;
    (void)value;
    (void)printf("ternchat %s\n", tern_version());
    return CLI_OK;
}

#define FIELD(kind, field, advice)                                                                 \
    {                                                                                              \
        kind, offsetof(struct options, field), NULL, advice                                        \
    }
#define SWITCH(field)        FIELD(RULE_SWITCH, field, NULL)
#define TEXT(field)          FIELD(RULE_TEXT, field, NULL)
#define TIME(field)          FIELD(RULE_TIME, field, "a time such as 5s or 500ms")
#define SPAN(field)          FIELD(RULE_SPAN, field, "a time such as 60s or 720h; 0: none")
#define SIZE(field)          FIELD(RULE_SIZE, field, "a size such as 500M; 0: any")
#define COUNT(field)         FIELD(RULE_COUNT, field, "a number, at most 10000")
#define CHOICE(field, words) FIELD(RULE_CHOICE, field, words)
#define OWN(function)                                                                              \
    {                                                                                              \
        RULE_OWN, 0, function, NULL                                                                \
    }

static const struct rule rules[OPT_COUNT] = {
    [OPT_ROOM] = TEXT(room),
    [OPT_NICK] = TEXT(nick),
    [OPT_OPEN] = SWITCH(open),
    [OPT_PLAIN] = SWITCH(plain),
    [OPT_BATCH] = SWITCH(batch),
    [OPT_NO_MEMORY] = SWITCH(no_memory),
    [OPT_DOWNLOADS] = TEXT(downloads),
    [OPT_THEME] = CHOICE(theme, "dark, light or mono"),
    [OPT_CC] = OWN(set_cc),
    [OPT_CIPHER] = OWN(set_suites),
    [OPT_CONNECT_TIMEOUT] = TIME(connect_timeout),
    [OPT_SHORT_4] = OWN(set_family_4),
    [OPT_SHORT_6] = OWN(set_family_6),
    [OPT_KEY] = TEXT(key),
    [OPT_PIN] = TEXT(pin),
    [OPT_KNOWN_HOSTS] = TEXT(known_hosts),
    [OPT_ACCEPT_NEW] = SWITCH(accept_new),
    [OPT_LISTEN] = TEXT(listen),
    [OPT_AUTHORIZED_KEYS] = TEXT(authorized_keys),
    [OPT_MOTD] = TEXT(motd),
    [OPT_HISTORY] = TEXT(history),
    [OPT_BROKER] = TEXT(broker),
    [OPT_NO_HISTORY] = SWITCH(no_history),
    [OPT_HISTORY_SIZE] = SIZE(history_size),
    [OPT_HISTORY_AGE] = SPAN(history_age),
    [OPT_MODERATORS] = TEXT(moderators),
    [OPT_INVITE] = SWITCH(invite),
    [OPT_FILES] = COUNT(files),
    [OPT_STATS_INTERVAL] = SPAN(stats_interval),
    [OPT_SILENT] = SWITCH(silent),
    [OPT_JSON] = SWITCH(json),
    [OPT_COLOR] = CHOICE(color, CLI_COLORS),
    [OPT_QUIET] = SWITCH(quiet),
    [OPT_VERBOSE] = OWN(set_verbose),
    [OPT_LOG_LEVEL] = CHOICE(log_level, CLI_LEVELS),
    [OPT_FILE] = TEXT(out_file),
    [OPT_HELP] = OWN(show_help),
    [OPT_VERSION] = OWN(show_version),
};

/* The place of a word in "one, two or three"; -1: not there. */
static int choose(const char *words, const char *value)
{
    size_t len = strlen(value);
    int place = 0;
    for (const char *at = words; *at != '\0'; place++) {
        size_t n = strcspn(at, " ,");
        if (n == len && strncmp(at, value, n) == 0) {
            return place;
        }
        at += n + strspn(at + n, " ,");
        at += strncmp(at, "or ", 3) == 0 ? 3 : 0;
    }
    return -1;
}

static int refuse(enum cli_option which, const char *value, const char *advice)
{
    char name[64], say[160];
    const struct option *found = cli_longs;
    while (found->name != NULL && found->val != CLI_LONG + (int)which) {
        found++;
    }
    (void)snprintf(name, sizeof name, "--%s", found->name == NULL ? "" : found->name);
    (void)snprintf(say, sizeof say, "%s%s", strncmp(advice, "give ", 5) == 0 ? "" : "give ",
                   advice);
    return cli_refuse(name, value, say);
}

static bool parse_count(const char *value, int *out)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    *out = (int)n;
    return isdigit((unsigned char)value[0]) && *end == '\0' && n <= 10000;
}

/* -1: fine. */
static int apply(struct options *o, enum cli_option which, const char *value)
{
    const struct rule *rule = &rules[which];
    void *field = (char *)o + rule->at;
    switch (rule->kind) {
    case RULE_SWITCH:
        *(bool *)field = true;
        return -1;
    case RULE_TEXT:
        *(const char **)field = value;
        return -1;
    case RULE_TIME:
        return cli_parse_time(value, field) && *(uint64_t *)field > 0
                   ? -1
                   : refuse(which, value, rule->advice);
    case RULE_SPAN:
        return cli_parse_time(value, field) ? -1 : refuse(which, value, rule->advice);
    case RULE_SIZE:
        return cli_parse_size(value, field) ? -1 : refuse(which, value, rule->advice);
    case RULE_COUNT:
        return parse_count(value, field) ? -1 : refuse(which, value, rule->advice);
    case RULE_CHOICE:
        *(int *)field = choose(rule->advice, value);
        return *(int *)field >= 0 ? -1 : refuse(which, value, rule->advice);
    case RULE_OWN:
        return rule->own(o, value);
    case RULE_MISSING:
        break;
    }
    assert(false);
    return CLI_USAGE;
}

static enum cli_option which_of(int opt)
{
    unsigned which = 0;
    if (opt >= CLI_LONG) {
        return (enum cli_option)(opt - CLI_LONG);
    }
    while (cli_letters[which] != (char)opt) { /* getopt knows no others */
        which++;
    }
    return (enum cli_option)which;
}

static int usage(const char *what, const char *why)
{
    cli_error(what, why, "see ternchat --help");
    return CLI_USAGE;
}

static int parse_arguments(struct options *o, int count, char **args)
{
    static const char *const names[] = {"", "serve", "keygen", "id"};
    for (unsigned i = COMMAND_SERVE; i <= COMMAND_ID && count > 0; i++) {
        if (strcmp(args[0], names[i]) == 0) {
            o->command = (enum options_command)i;
            return count == 1 ? -1 : usage(args[1], "this command takes no such argument");
        }
    }
    if (count == 0) {
        return usage("no server", NULL);
    }
    if (count > 2) {
        return usage(args[2], "one argument too many");
    }
    o->host = args[0];
    o->room = count == 2 ? args[1] : o->room;
    if (o->batch && o->room == NULL) {
        return usage("no room", "--batch needs one");
    }
    o->room = o->room == NULL ? "lobby" : o->room;
    return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    o->cc = "bbr"; /* behind its short queue words do not wait while a file goes */
    o->suites = TERN_SUITE_ANY;
    o->connect_timeout = 10 * TERN_SEC;
    o->history_size = (uint64_t)1 << 30;
    o->files = 100;
    o->log_level = -1;
    cli_init("ternchat", false, 0);
    opterr = 0;
    for (int opt; (opt = getopt_long(argc, argv, cli_shorts, cli_longs, NULL)) != -1;) {
        if (opt == '?' || opt == ':') {
            return usage(argv[optind - 1], opt == ':' ? "a value is missing" : "unknown option");
        }
        int code = apply(o, which_of(opt), optarg);
        if (code >= 0) {
            return code;
        }
    }
    cli_init("ternchat", o->quiet, o->verbose);
    if (o->history != NULL && o->no_history) {
        return usage("--history and --no-history", "they exclude each other");
    }
    if (o->broker != NULL && o->history != NULL) {
        return usage("--history and --broker", "with a broker the broker keeps it");
    }
    if (o->invite && o->authorized_keys == NULL) {
        return usage("--invite", "without --authorized-keys everybody may come");
    }
    cli_set_color((enum cli_color)o->color);
    if (o->log_level >= 0) { /* -q and -v in words */
        int level = o->log_level + CLI_ERROR;
        o->quiet = level < CLI_INFO;
        o->verbose = level > CLI_INFO ? level : 0;
        cli_set_level(level);
    }
    return parse_arguments(o, argc - optind, argv + optind);
}
