/* ternperf: measures tern. Finds out what is asked for and hands it on.
 * SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sodium.h>

#include "shared/cli.h"
#include "shared/keyring.h"
#include "ternperf/modes.h"
#include "ternperf/serve.h"

static bool announce(void *user, const tern_addr *addr, const uint8_t key[TERN_KEY_SIZE])
{
    char text[TERN_ADDR_TEXT_SIZE], key_text[KEYRING_TEXT_SIZE];
    (void)user;
    keyring_format(key, key_text);
    cli_note("key %s", key_text);
    cli_note("serving on %s", tern_addr_format(addr, text, sizeof text));
    return true;
}

int main(int argc, char **argv)
{
    struct options options;
    int code = options_parse(&options, argc, argv);
    if (code >= 0) {
        return code;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0) {
        cli_error("libsodium", "would not start", "reinstall it");
        return CLI_LOCAL;
    }
    switch (options.mode) {
    case MODE_SERVE:
        return serve_run(&options, false, announce, NULL);
    case MODE_HANDSHAKES:
        return handshakes_run(&options);
    case MODE_IDLE:
        return idle_run(&options);
    case MODE_BULK:
        return bulk_run(&options);
    case MODE_RR:
        return rr_run(&options);
    case MODE_MESSAGES:
        return messages_run(&options);
    case MODE_LIMIT:
        return limit_run(&options);
    case MODE_TRACE:
        return trace_run(&options);
    case MODE_FLOOD:
    case MODES:
        break;
    }
    return flood_run(&options);
}
