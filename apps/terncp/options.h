/* The command line of terncp.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_OPTIONS_H
#define TERNCP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/config.h>

#include "terncp/wishes.h"

#define TERNCP_PORT          7437
#define OPTIONS_PARALLEL_MAX 16
#define OPTIONS_LEVEL_MAX    19
#define OPTIONS_SHARDS_MAX   64
#define TERNCP_SSH_OPTIONS   16 /* -o, so many at most */

/* UDP ports for sides that are started for one copy: those that mosh has made usual, so that firewalls
 * which let it pass let us pass, too. */
#define TERNCP_PORT_FIRST 60000
#define TERNCP_PORT_LAST  61000

enum options_command {
    COMMAND_COPY,
    COMMAND_SERVE,
    COMMAND_KEYGEN,
    COMMAND_ID,
    COMMAND_SEND,
    COMMAND_RECEIVE,
    COMMAND_STDIO,
    COMMAND_LS,
    COMMAND_STAT,
    COMMAND_RM,
    COMMAND_MKDIR
};
enum options_progress { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE };

struct options {
    enum options_command command;
    bool recursive, preserve, quiet, json, batch, accept_new, fsync;
    bool is_stdio, is_direct;
    bool links, no_verify, preallocate, compress;
    bool no_resume, whole_file, in_place;
    const char *partial_dir; /* NULL: beside the final names */
    uint64_t level;          /* of compression; 0: the sender's choice */
    uint64_t parallel;       /* files in flight; 0: adaptive */
    struct wishes tree;
    bool anonymous, read_only, silent, no_tickets, has_server_id;
    int server_id;
    int verbose;
    int family;           /* 0, 4 or 6 */
    int progress;         /* enum options_progress */
    int color, log_level; /* enum cli_color; in the order of CLI_LEVELS, -1: not given */
    const char *key, *known_hosts, *pin, *cc, *authorized_keys, *root, *listen, *out_file;
    const char *ssh, *far_program;
    const char *ssh_options[TERNCP_SSH_OPTIONS];
    unsigned ssh_option_count;
    uint16_t port_first, port_last;
    uint16_t direct_port; /* --port; 0: not given */
    unsigned suites;
    uint64_t connect_timeout, stop_time;
    uint64_t shards, max_clients, max_per_address; /* serve; the last two 0: not given */
    uint64_t bwlimit, bwlimit_each;                /* bytes a second; 0: none */
    bool is_background;
    const char *qlog;    /* folder; NULL: none */
    const char *key_log; /* file; NULL: none */
    const char *metrics; /* where to answer; NULL: nowhere */
    char **args;
    int arg_count;
};

/* Returns -1 to go on, or the exit code with which to end (help and version included). */
int options_parse(struct options *options, int argc, char **argv);
void options_clear(struct options *options); /* whatever options_parse() returned */

#endif
