/* Options and their checks; a word that names a command comes first among the arguments. Names and texts are
 * in ternchat.cli, from which the build makes the header with the tables; what each sets is here.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <tern/tern.h>

#include "shared/cli.h"
#include "shared/rules.h"
#include "ternchat_cli.h"

#define SPAN_ADVICE "a time such as 60s or 720h; 0: none"

static const struct rule table[OPT_COUNT] = {
    [OPT_ROOM] = TEXT(room),
    [OPT_NICK] = TEXT(nick),
    [OPT_OPEN] = SWITCH(open),
    [OPT_PLAIN] = SWITCH(plain),
    [OPT_BATCH] = SWITCH(batch),
    [OPT_NO_MEMORY] = SWITCH(no_memory),
    [OPT_DOWNLOADS] = TEXT(downloads),
    [OPT_THEME] = CHOICE(theme, "dark, light or mono"),
    [OPT_CC] = CONTROLLER(cc),
    [OPT_CIPHER] = SUITES(suites),
    [OPT_CONNECT_TIMEOUT] = TIME(connect_timeout),
    [OPT_SHORT_4] = NAMED(family, 4),
    [OPT_SHORT_6] = NAMED(family, 6),
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
    [OPT_HISTORY_SIZE] = SIZE(history_size, "a size such as 500M; 0: any"),
    [OPT_HISTORY_AGE] = SPAN(history_age, SPAN_ADVICE),
    [OPT_MODERATORS] = TEXT(moderators),
    [OPT_INVITE] = SWITCH(invite),
    [OPT_FILES] = COUNT(files, 10000, "a number, at most 10000"),
    [OPT_STATS_INTERVAL] = SPAN(stats_interval, SPAN_ADVICE),
    [OPT_METRICS] = TEXT(metrics),
    [OPT_SILENT] = SWITCH(silent),
    [OPT_JSON] = SWITCH(json),
    [OPT_KEY_LOG] = TEXT(key_log),
    [OPT_COLOR] = CHOICE(color, CLI_COLORS),
    [OPT_QUIET] = SWITCH(quiet),
    [OPT_VERBOSE] = MORE(verbose),
    [OPT_LOG_LEVEL] = CHOICE(log_level, CLI_LEVELS),
    [OPT_FILE] = TEXT(out_file),
    [OPT_HELP] = PRINTS(RULE_HELP),
    [OPT_VERSION] = PRINTS(RULE_VERSION),
};

static const struct rules rules = RULES(table);

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
    int code = rules_parse(&rules, o, argc, argv);
    if (code >= 0) {
        return code;
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
    cli_level_in_words(o->log_level, &o->quiet, &o->verbose);
    return parse_arguments(o, argc - optind, argv + optind);
}
