/* The command line of ternchat.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_OPTIONS_H
#define TERNCHAT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/config.h>

enum options_command { COMMAND_TALK, COMMAND_SERVE, COMMAND_KEYGEN, COMMAND_ID };

struct options {
    enum options_command command;
    bool quiet, json, batch, plain, open, accept_new, anonymous, silent;
    int verbose, family;
    int theme, color, log_level;    /* theme: dark, light or mono; the others as in shared/cli.h */
    const char *host, *room, *nick; /* talk */
    const char *downloads;
    const char *key, *known_hosts, *pin, *cc, *out_file;
    const char *listen, *authorized_keys, *motd; /* serve */
    const char *history, *moderators, *broker;
    const char *metrics, *key_log; /* where to answer, and a file; NULL: none */
    bool no_history, no_memory, invite;
    int files;
    uint64_t history_size, history_age, stats_interval; /* bytes; ns; ns. 0: any, any, never */
    unsigned suites;
    uint64_t connect_timeout;
};

/* Returns -1 to go on, or the exit code with which to end (help and version included). */
int options_parse(struct options *options, int argc, char **argv);

#endif
