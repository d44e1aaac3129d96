/* Applying a table of options to a command line.
 * SPDX-License-Identifier: MIT */
#include "shared/rules.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/tern.h>

#include "shared/cli.h"
#include "shared/net.h"

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

static bool parse_count(const char *value, unsigned most, int *out)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    *out = (int)n;
    return isdigit((unsigned char)value[0]) && *end == '\0' && n <= most;
}

static int refuse(const struct rules *rules, int which, const char *value, const char *advice)
{
    char name[64], say[160];
    const struct option *found = rules->longs;
    while (found->name != NULL && found->val != rules->first_long + which) {
        found++;
    }
    (void)snprintf(name, sizeof name, "--%s", found->name == NULL ? "" : found->name);
    (void)snprintf(say, sizeof say, "give %s", advice);
    return cli_refuse(name, value, say);
}

/* Into the field that it is for: does the value make sense? */
static bool read_value(const struct rule *rule, void *field, const char *value)
{
    switch (rule->kind) {
    case RULE_TIME:
        return cli_parse_time(value, field) && *(uint64_t *)field > 0;
    case RULE_SPAN:
        return cli_parse_time(value, field);
    case RULE_SIZE:
        return cli_parse_size(value, field);
    case RULE_RATE:
        return cli_parse_rate(value, field);
    case RULE_NUMBER:
        return cli_parse_size(value, field) && *(uint64_t *)field > 0 &&
               *(uint64_t *)field <= rule->most;
    case RULE_COUNT:
        return parse_count(value, rule->most, field);
    case RULE_CHOICE:
        *(int *)field = choose(rule->advice, value);
        return *(int *)field >= 0;
    case RULE_MISSING:
    case RULE_SWITCH:
    case RULE_MORE:
    case RULE_NAMED:
    case RULE_TEXT:
    case RULE_CONTROLLER:
    case RULE_SUITES:
    case RULE_HELP:
    case RULE_VERSION:
    case RULE_OWN:
        break;
    }
    assert(false); /* an option without a rule */
    return false;
}

static int print_help(const struct rules *rules)
{
    for (size_t i = 0; i < rules->help_lines; i++) {
        (void)puts(rules->help[i]);
    }
    return CLI_OK;
}

/* "see terncp --help" and what is to be found there */
static const char *see_help(char *buf, size_t size, const char *what)
{
    (void)snprintf(buf, size, "see %s --help%s", cli_program(), what);
    return buf;
}

static int apply(const struct rules *rules, struct options *o, int which, const char *value)
{
    const struct rule *rule = &rules->table[which];
    void *field = (char *)o + rule->at;
    char see[100];
    switch (rule->kind) {
    case RULE_SWITCH:
        *(bool *)field = true;
        return -1;
    case RULE_MORE:
        ++*(int *)field;
        return -1;
    case RULE_NAMED:
        *(int *)field = (int)rule->most;
        return -1;
    case RULE_TEXT:
        *(const char **)field = value;
        return -1;
    case RULE_CONTROLLER:
        *(const char **)field = value;
        return net_is_controller(value) ? -1 : cli_refuse("--cc", value, NET_CONTROLLERS_ADVICE);
    case RULE_SUITES:
        return net_parse_suites(value, field)
                   ? -1
                   : cli_refuse("--cipher", value, see_help(see, sizeof see, " for the names"));
    case RULE_HELP:
        return print_help(rules);
    case RULE_VERSION:
        (void)printf("%s %s\n", cli_program(), tern_version());
        return CLI_OK;
    case RULE_OWN:
        return rule->own(o, value);
    case RULE_TIME:
    case RULE_SPAN:
    case RULE_SIZE:
    case RULE_RATE:
    case RULE_NUMBER:
    case RULE_COUNT:
    case RULE_CHOICE:
    case RULE_MISSING:
        break;
    }
    return read_value(rule, field, value) ? -1 : refuse(rules, which, value, rule->advice);
}

static int which_of(const struct rules *rules, int opt)
{
    int which = 0;
    if (opt >= rules->first_long) {
        return opt - rules->first_long;
    }
    while (rules->letters[which] != (char)opt) { /* getopt knows no others */
        which++;
    }
    return which;
}

int rules_parse(const struct rules *rules, struct options *o, int argc, char **argv)
{
    char see[100];
    opterr = 0;
    for (int opt; (opt = getopt_long(argc, argv, rules->shorts, rules->longs, NULL)) != -1;) {
        if (opt == '?' || opt == ':') {
            cli_error(argv[optind - 1], opt == ':' ? "a value is missing" : "unknown option",
                      see_help(see, sizeof see, ""));
            return CLI_USAGE;
        }
        int code = apply(rules, o, which_of(rules, opt), optarg);
        if (code >= 0) {
            return code;
        }
    }
    return -1;
}
