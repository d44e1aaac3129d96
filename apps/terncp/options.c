/* Options and their checks. Their names and texts are in terncp.cli, from which the build makes the
 * header with the tables, the man page and the completions; what each sets is here.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/rules.h"
#include "terncp_cli.h"

static int set_level(struct options *o, const char *value)
{
    o->compress = true;
    return cli_parse_size(value, &o->level) && o->level > 0 && o->level <= OPTIONS_LEVEL_MAX
               ? -1
               : cli_refuse("--compress-level", value, "give a number from 1 to 19");
}

static int set_server_id(struct options *o, const char *value)
{
    int id = 0;
    for (const char *at = value; *at != '\0' && id <= 255; at++) {
        id = *at < '0' || *at > '9' ? 256 : id * 10 + (*at - '0');
    }
    if (*value == '\0' || id > 255) {
        return cli_refuse("--server-id", value, "give a number from 0 to 255");
    }
    o->has_server_id = true;
    o->server_id = id;
    return -1;
}

/* "N" or "N-M". */
static bool parse_ports(struct options *o, const char *text)
{
    char *end;
    unsigned long last, first = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (first == 0 || first > 65535) {
        return false;
    }
    last = *end == '-' && end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, &end, 10) : first;
    if (*end != '\0' || last < first || last > 65535) {
        return false;
    }
    o->port_first = o->direct_port = (uint16_t)first;
    o->port_last = (uint16_t)last;
    return true;
}

static int set_ports(struct options *o, const char *value)
{
    return parse_ports(o, value)
               ? -1
               : cli_refuse("--port", value, "give a port or a range such as 60000-60100");
}

static int add_ssh_option(struct options *o, const char *value)
{
    if (o->ssh_option_count == TERNCP_SSH_OPTIONS) {
        return cli_refuse("-o", value, "these are too many; put some into ~/.ssh/config");
    }
    o->ssh_options[o->ssh_option_count++] = value;
    return -1;
}

static int set_resume(struct options *o, const char *value)
{
    (void)value;
    o->no_resume = false;
    return -1;
}

static int set_partial_dir(struct options *o, const char *value)
{
    o->partial_dir = value;
    return *value != '\0' ? -1 : cli_refuse("--partial-dir", value, "give the name of a folder");
}

static int add_exclude(struct options *o, const char *value)
{
    return wishes_add_rule(&o->tree, false, value);
}

static int add_include(struct options *o, const char *value)
{
    return wishes_add_rule(&o->tree, true, value);
}

static int add_exclude_from(struct options *o, const char *value)
{
    return wishes_add_rules(&o->tree, false, value);
}

static int add_include_from(struct options *o, const char *value)
{
    return wishes_add_rules(&o->tree, true, value);
}

static int set_max_delete(struct options *o, const char *value)
{
    return wishes_set_max_delete(&o->tree, value);
}

static const struct rule table[OPT_COUNT] = {
    [OPT_RECURSIVE] = SWITCH(recursive),
    [OPT_PRESERVE] = SWITCH(preserve),
    [OPT_LINKS] = SWITCH(links),
    [OPT_ARCHIVE] = SWITCH(tree.archive),
    [OPT_COPY_LINKS] = SWITCH(tree.copy_links),
    [OPT_HARD_LINKS] = SWITCH(tree.hard_links),
    [OPT_XATTRS] = SWITCH(tree.xattrs),
    [OPT_OWNER] = SWITCH(tree.owner),
    [OPT_SPARSE] = SWITCH(tree.sparse),
    [OPT_UPDATE] = SWITCH(tree.update),
    [OPT_CHECKSUM] = SWITCH(tree.checksum),
    [OPT_DELETE] = SWITCH(tree.delete),
    [OPT_MAX_DELETE] = OWN(set_max_delete),
    [OPT_EXCLUDE] = OWN(add_exclude),
    [OPT_INCLUDE] = OWN(add_include),
    [OPT_EXCLUDE_FROM] = OWN(add_exclude_from),
    [OPT_INCLUDE_FROM] = OWN(add_include_from),
    [OPT_DRY_RUN] = SWITCH(tree.dry_run),
    [OPT_COMPRESS] = SWITCH(compress),
    [OPT_COMPRESS_LEVEL] = OWN(set_level),
    [OPT_PARALLEL] = NUMBER(parallel, OPTIONS_PARALLEL_MAX, "a number from 1 to 16"),
    [OPT_NO_VERIFY] = SWITCH(no_verify),
    [OPT_PREALLOCATE] = SWITCH(preallocate),
    [OPT_RESUME] = OWN(set_resume),
    [OPT_NO_RESUME] = SWITCH(no_resume),
    [OPT_PARTIAL_DIR] = OWN(set_partial_dir),
    [OPT_WHOLE_FILE] = SWITCH(whole_file),
    [OPT_INPLACE] = SWITCH(in_place),
    [OPT_FSYNC] = SWITCH(fsync),
    [OPT_BWLIMIT] = RATE(bwlimit),
    [OPT_BACKGROUND] = SWITCH(is_background),
    [OPT_CC] = CONTROLLER(cc),
    [OPT_CIPHER] = SUITES(suites),
    [OPT_CONNECT_TIMEOUT] = TIME(connect_timeout),
    [OPT_SHORT_4] = NAMED(family, 4),
    [OPT_SHORT_6] = NAMED(family, 6),
    [OPT_RSH] = TEXT(ssh),
    [OPT_SHORT_O] = OWN(add_ssh_option),
    [OPT_PORT] = OWN(set_ports),
    [OPT_TERNCP_PATH] = TEXT(far_program),
    [OPT_DIRECT] = SWITCH(is_direct),
    [OPT_STDIO] = SWITCH(is_stdio),
    [OPT_KEY] = TEXT(key),
    [OPT_PIN] = TEXT(pin),
    [OPT_KNOWN_HOSTS] = TEXT(known_hosts),
    [OPT_ACCEPT_NEW] = SWITCH(accept_new),
    [OPT_BATCH] = SWITCH(batch),
    [OPT_ROOT] = TEXT(root),
    [OPT_LISTEN] = TEXT(listen),
    [OPT_AUTHORIZED_KEYS] = TEXT(authorized_keys),
    [OPT_ANONYMOUS] = SWITCH(anonymous),
    [OPT_READ_ONLY] = SWITCH(read_only),
    [OPT_SILENT] = SWITCH(silent),
    [OPT_NO_TICKETS] = SWITCH(no_tickets),
    [OPT_SHARDS] = NUMBER(shards, OPTIONS_SHARDS_MAX, "a number from 1 to 64"),
    [OPT_MAX_CLIENTS] = NUMBER(max_clients, 65535, "a number from 1 to 65535"),
    [OPT_MAX_PER_ADDRESS] = NUMBER(max_per_address, 65535, "a number from 1 to 65535"),
    [OPT_BWLIMIT_EACH] = RATE(bwlimit_each),
    [OPT_STOP_TIME] = SPAN(stop_time, "a time such as 30s, or 0"),
    [OPT_SERVER_ID] = OWN(set_server_id),
    [OPT_METRICS] = TEXT(metrics),
    [OPT_QLOG] = TEXT(qlog),
    [OPT_KEY_LOG] = TEXT(key_log),
    [OPT_COLOR] = CHOICE(color, CLI_COLORS),
    [OPT_LOG_LEVEL] = CHOICE(log_level, CLI_LEVELS),
    [OPT_PROGRESS] = CHOICE(progress, "auto, bar, json or none"),
    [OPT_JSON] = SWITCH(json),
    [OPT_QUIET] = SWITCH(quiet),
    [OPT_VERBOSE] = MORE(verbose),
    [OPT_FILE] = TEXT(out_file),
    [OPT_HELP] = PRINTS(RULE_HELP),
    [OPT_VERSION] = PRINTS(RULE_VERSION),
};

static const struct rules rules = RULES(table);

static int no_arguments(const char *what, const char *advice)
{
    cli_error(what, NULL, advice);
    return CLI_USAGE;
}

/* How many words does the command take? */
static int check_arguments(const struct options *o)
{
    switch (o->command) {
    case COMMAND_COPY:
        return o->arg_count >= 2 ? -1
                                 : no_arguments(o->arg_count == 0 ? "no source and no destination"
                                                                  : "no destination",
                                                "see terncp --help");
    case COMMAND_SEND:
        return o->arg_count > 0 ? -1 : no_arguments("nothing to send", "see terncp --help");
    case COMMAND_RECEIVE:
        if (o->arg_count > 2) {
            cli_error(o->args[2], "what is this?", "write terncp receive CODE [FOLDER]");
            return CLI_USAGE;
        }
        return o->arg_count > 0 ? -1 : no_arguments("no code", "see terncp --help");
    case COMMAND_LS:
    case COMMAND_STAT:
    case COMMAND_RM:
    case COMMAND_MKDIR:
        return o->arg_count > 0 ? -1 : no_arguments("no name", "give tern://host[:port]/path");
    case COMMAND_SERVE:
    case COMMAND_KEYGEN:
    case COMMAND_ID:
    case COMMAND_STDIO:
        break;
    }
    if (o->arg_count > 0) {
        cli_error(o->args[0], "this command takes no such argument", "see terncp --help");
        return CLI_USAGE;
    }
    return -1;
}

static int parse_command(struct options *o, int argc, char **argv)
{
    static const char *const names[] = {
        [COMMAND_SERVE] = "serve", [COMMAND_KEYGEN] = "keygen",   [COMMAND_ID] = "id",
        [COMMAND_SEND] = "send",   [COMMAND_RECEIVE] = "receive", [COMMAND_LS] = "ls",
        [COMMAND_STAT] = "stat",   [COMMAND_RM] = "rm",           [COMMAND_MKDIR] = "mkdir",
    };
    o->command = COMMAND_COPY;
    o->args = argv + optind;
    o->arg_count = argc - optind;
    for (unsigned i = 0; i < sizeof names / sizeof names[0] && o->arg_count > 0; i++) {
        if (names[i] != NULL && strcmp(o->args[0], names[i]) == 0) {
            o->command = (enum options_command)i;
            o->args++;
            o->arg_count--;
            break;
        }
    }
    if (o->is_stdio && o->arg_count == 0) {
        o->command = COMMAND_STDIO;
    }
    return check_arguments(o);
}

int options_parse(struct options *o, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    o->cc = "bbr";
    o->suites = TERN_SUITE_ANY;
    o->connect_timeout = 10 * TERN_SEC;
    o->root = ".";
    wishes_init(&o->tree);
    o->port_first = TERNCP_PORT_FIRST;
    o->port_last = TERNCP_PORT_LAST;
    o->shards = 1;
    o->stop_time = 30 * TERN_SEC;
    o->log_level = -1;
    cli_init("terncp", false, 0);
    int code = rules_parse(&rules, o, argc, argv);
    if (code >= 0) {
        return code;
    }
    o->cc = o->is_background ? "ledbat" : o->cc;
    cli_init("terncp", o->quiet, o->verbose);
    cli_set_color((enum cli_color)o->color);
    cli_level_in_words(o->log_level, &o->quiet, &o->verbose);
    o->recursive = o->recursive || o->tree.archive;
    o->preserve = o->preserve || o->tree.archive;
    code = wishes_check(&o->tree, o->links, o->recursive);
    return code >= 0 ? code : parse_command(o, argc, argv);
}

void options_clear(struct options *o)
{
    wishes_clear(&o->tree);
}
