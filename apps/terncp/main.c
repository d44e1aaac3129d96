/* terncp: copies files over tern. Finds out what is asked for and hands it on.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <features.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/identity.h"
#include "terncp/client.h"
#include "terncp/daemon.h"
#include "terncp/local.h"
#include "terncp/names_ask.h"
#include "terncp/options.h"
#include "terncp/relay.h"
#include "terncp/send.h"
#include "terncp/stdio.h"
#include "terncp/target.h"
#include "terncp/zip.h"

static int pull_each(const struct options *o, int count, const char *destination)
{
    int worst = CLI_OK;
    for (int i = 0; i < count; i++) {
        int code = client_pull(o, o->args[i], destination);
        worst = worst == CLI_OK ? code : worst;
        if (code == CLI_INTERRUPTED) {
            return code;
        }
    }
    return worst;
}

/* What cannot be done with standard input and output. */
static int check_pipes(const struct options *o, int count, const char *destination)
{
    const struct wishes *w = &o->tree;
    bool is_output = target_kind_of(destination) == TARGET_PIPE;
    int pipes = is_output ? 1 : 0;
    int remote = target_is_remote(target_kind_of(destination)) ? 1 : 0;
    for (int i = 0; i < count; i++) {
        pipes += target_kind_of(o->args[i]) == TARGET_PIPE ? 1 : 0;
        remote += target_is_remote(target_kind_of(o->args[i])) ? 1 : 0;
    }
    const char *why = pipes == 0                  ? NULL
                      : is_output && o->json      ? "--json writes to standard output, too"
                      : is_output && o->recursive ? "-r needs a folder to copy into"
                      : w->dry_run                ? "-n copies nothing"
                      : w->update || w->checksum  ? "-u and --checksum need two files"
                      : remote == 0               ? "both sides are local"
                                                  : NULL;
    if (why != NULL) {
        cli_error("-", why, "name a file instead");
        return CLI_USAGE;
    }
    return -1;
}

static int copy(const struct options *o)
{
    int count = o->arg_count - 1;
    const char *destination = o->args[count];
    bool is_push = target_is_remote(target_kind_of(destination));
    int remote = 0;
    for (int i = 0; i < count; i++) {
        remote += target_is_remote(target_kind_of(o->args[i])) ? 1 : 0;
    }
    int code = check_pipes(o, count, destination);
    if (code >= 0) {
        return code;
    }
    if (is_push && remote == 0) {
        return client_push(o, o->args, count, destination);
    }
    if (!is_push && remote == count) {
        return pull_each(o, count, destination);
    }
    if (is_push && remote == count) {
        return relay_copy(o, o->args, count, destination);
    }
    if (!is_push && remote == 0) {
        return local_copy(o, o->args, count, destination);
    }
    cli_error("sources and destination do not go together", NULL,
              "remote names are [user@]host:path or tern://host[:port]/path");
    return CLI_USAGE;
}

static int ask_each(const struct options *o)
{
    int worst = CLI_OK;
    for (int i = 0; i < o->arg_count; i++) { /* before anybody is bothered */
        if (!target_is_remote(target_kind_of(o->args[i]))) {
            cli_error(o->args[i], "not remote", "give [user@]host:path or tern://host[:port]/path");
            return CLI_USAGE;
        }
    }
    for (int i = 0; i < o->arg_count && worst != CLI_INTERRUPTED; i++) {
        int code = names_run(o, o->args[i]);
        worst = worst == CLI_OK || code == CLI_INTERRUPTED ? code : worst;
    }
    return worst;
}

/* Blocks of a mebibyte come and go a thousand times a second: the allocator should keep them, instead
 * of giving each back to the kernel and having it zeroed page by page when the next one is wanted. */
static void keep_blocks(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

/* What the disk does for us then waits for all others. Threads to come inherit it. ioprio_set(2) has
 * no wrapper: 1 is a thread, 0 this one, and class 3 (idle) stands from bit 13 on. */
static void give_way(void)
{
#ifdef SYS_ioprio_set
    if (syscall(SYS_ioprio_set, 1, 0, 3 << 13) != 0) {
        cli_verbose(CLI_DEBUG, "no idle priority at the disk: %s", strerror(errno));
    }
#endif
}

static int run(const struct options *options)
{
    switch (options->command) {
    case COMMAND_SERVE:
        return daemon_run(options);
    case COMMAND_KEYGEN:
        return identity_keygen(options->out_file != NULL ? options->out_file : options->key);
    case COMMAND_ID:
        return identity_show(options->key);
    case COMMAND_LS:
    case COMMAND_STAT:
    case COMMAND_RM:
    case COMMAND_MKDIR:
        return ask_each(options);
    case COMMAND_SEND:
        return send_run(options);
    case COMMAND_RECEIVE:
        return receive_run(options);
    case COMMAND_STDIO:
        return stdio_run(options);
    case COMMAND_COPY:
        break;
    }
    return copy(options);
}

int main(int argc, char **argv)
{
    struct options options;
    int code = options_parse(&options, argc, argv);
    if (code >= 0) {
        options_clear(&options);
        return code;
    }
    if (options.compress && !zip_is_there()) {
        cli_note("this terncp was built without zstd: -z does nothing");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    keep_blocks();
    if (options.is_background) {
        give_way();
    }
    if (sodium_init() < 0) {
        cli_error("libsodium", "would not start", "reinstall it");
        return CLI_LOCAL;
    }
    code = run(&options);
    options_clear(&options);
    return code;
}
