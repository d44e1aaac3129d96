/* Trust on first use, said out loud.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/trust.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/keyring.h"
#include "shared/term.h"

_Static_assert(sizeof(((struct trust *)0)->file) == KEYRING_PATH_SIZE, "a path fits");

int trust_find(struct trust *trust, const struct trust_options *options, const char *host,
               uint16_t port)
{
    memset(trust, 0, sizeof *trust);
    trust->options = *options;
    (void)snprintf(trust->name, sizeof trust->name, "%s:%u", host, (unsigned)port);
    if (options->pin != NULL) {
        trust->has_key = keyring_parse(options->pin, strlen(options->pin), trust->key);
        if (!trust->has_key) {
            char advice[80];
            (void)snprintf(advice, sizeof advice, "give it as %s id prints it: tern:...",
                           cli_program());
            cli_error("--pin", "not a tern key", advice);
            return CLI_USAGE;
        }
        return -1;
    }
    if (options->known_hosts != NULL) {
        (void)snprintf(trust->file, sizeof trust->file, "%s", options->known_hosts);
    } else if (!keyring_path("known_hosts", trust->file)) {
        trust->file[0] = '\0';
        return -1;
    }
    switch (keyring_known(trust->file, trust->name, trust->key)) {
    case KEYRING_OK:
        trust->has_key = true;
        return -1;
    case KEYRING_ABSENT:
        return -1;
    case KEYRING_MALFORMED:
        cli_error(trust->file, "the line for this server holds no key", "mend or remove it");
        return CLI_IDENTITY;
    case KEYRING_UNSAFE:
    case KEYRING_SYSTEM:
        break;
    }
    cli_error(trust->file, strerror(errno), "check the file");
    return CLI_LOCAL;
}

static bool ask(const struct trust *trust, const char *text, const char *words)
{
    char question[600];
    (void)snprintf(question, sizeof question,
                   "The server %s is not known yet. Its key is\n  %s\n  (%s)\nTrust it?",
                   trust->name, text, words);
    return term_ask(question);
}

int trust_decide(struct trust *trust, const uint8_t key[TERN_KEY_SIZE])
{
    char text[KEYRING_TEXT_SIZE], words[KEYRING_WORDS_SIZE], why[200];
    keyring_format(key, text);
    keyring_words(key, words);
    if (!trust->options.accept_new && (trust->options.batch || !ask(trust, text, words))) {
        (void)snprintf(why, sizeof why, "unknown server, its key is %s (%s)", text, words);
        cli_error(trust->name, why, "trust it with --accept-new, or name the key with --pin");
        return CLI_IDENTITY;
    }
    memcpy(trust->key, key, TERN_KEY_SIZE);
    trust->has_key = true;
    if (trust->file[0] != '\0' && keyring_remember(trust->file, trust->name, key) != KEYRING_OK) {
        cli_error(trust->file, strerror(errno), "the server's key could not be remembered");
        return CLI_LOCAL;
    }
    cli_note("%s: key %s (%s) is now trusted", trust->name, text, words);
    return -1;
}

int trust_changed(const struct trust *trust, const uint8_t now[TERN_KEY_SIZE])
{
    char text[KEYRING_TEXT_SIZE], expected[KEYRING_TEXT_SIZE], why[300], advice[400];
    keyring_format(now, text);
    keyring_format(trust->key, expected);
    (void)snprintf(why, sizeof why, "the server's key is %s, not %s as expected; nothing was sent",
                   text, expected);
    if (trust->options.pin != NULL) {
        (void)snprintf(advice, sizeof advice, "ask its owner before you change --pin");
    } else {
        (void)snprintf(advice, sizeof advice,
                       "ask its owner, and only then remove its line from %.300s", trust->file);
    }
    cli_error(trust->name, why, advice);
    return CLI_IDENTITY;
}
