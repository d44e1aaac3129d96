/* terncp: copies files over tern. Finds out what is asked for and hands it on.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <features.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <sodium.h>

#include "shared/cli.h"
#include "shared/identity.h"
#include "terncp/client.h"
#include "terncp/options.h"
#include "terncp/relay.h"
#include "terncp/send.h"
#include "terncp/serve.h"
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

static int copy(const struct options *o)
{
    int count = o->arg_count - 1;
    const char *destination = o->args[count];
    bool is_push = target_is_remote(target_kind_of(destination));
    int remote = 0;
    for (int i = 0; i < count; i++) {
        remote += target_is_remote(target_kind_of(o->args[i])) ? 1 : 0;
    }
    if (target_kind_of(destination) == TARGET_PIPE && (o->json || o->recursive)) {
        cli_error("-",
                  o->json ? "--json writes to standard output, too"
                          : "-r needs a folder to copy into",
                  "name a file instead");
        return CLI_USAGE;
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
    cli_error(remote == 0 ? "both sides are local" : "sources and destination do not go together",
              NULL, "remote names are [user@]host:path or tern://host[:port]/path");
    return CLI_USAGE;
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

int main(int argc, char **argv)
{
    struct options options;
    int code = options_parse(&options, argc, argv);
    if (code >= 0) {
        return code;
    }
    if (options.compress && !zip_is_there()) {
        cli_note("this terncp was built without zstd: -z does nothing");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    keep_blocks();
    if (sodium_init() < 0) {
        cli_error("libsodium", "would not start", "reinstall it");
        return CLI_LOCAL;
    }
    switch (options.command) {
    case COMMAND_SERVE:
        return serve_run(&options);
    case COMMAND_KEYGEN:
        return identity_keygen(options.out_file != NULL ? options.out_file : options.key);
    case COMMAND_ID:
        return identity_show(options.key);
    case COMMAND_SEND:
        return send_run(&options);
    case COMMAND_RECEIVE:
        return receive_run(&options);
    case COMMAND_STDIO:
        return stdio_run(&options);
    case COMMAND_COPY:
        break;
    }
    return copy(&options);
}
