/* keygen, id, and loading the key.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "shared/identity.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <tern/config.h>

#include "shared/cli.h"
#include "shared/keyring.h"

static bool default_path(const char *chosen, char path[KEYRING_PATH_SIZE])
{
    if (chosen != NULL) {
        return snprintf(path, KEYRING_PATH_SIZE, "%s", chosen) < KEYRING_PATH_SIZE;
    }
    if (!keyring_path("id", path)) {
        cli_error("no home folder", "neither XDG_CONFIG_HOME nor HOME is set",
                  "name a file with --key");
        return false;
    }
    return true;
}

static int lacks(const char *path, const char *what, int code)
{
    char advice[80];
    (void)snprintf(advice, sizeof advice, "make one with %s keygen -f FILE", cli_program());
    cli_error(path, what, advice);
    return code;
}

int identity_load(const char *file, uint8_t secret[TERN_KEY_SIZE], bool *has_key)
{
    char path[KEYRING_PATH_SIZE];
    *has_key = false;
    if (file == NULL && !keyring_path("id", path)) {
        return -1; /* nowhere to look: anonymous */
    }
    if (file != NULL && !default_path(file, path)) {
        return CLI_USAGE;
    }
    switch (keyring_load(path, secret)) {
    case KEYRING_OK:
        *has_key = true;
        return -1;
    case KEYRING_ABSENT:
        if (file == NULL) {
            return -1;
        }
        return lacks(path, "no such key file", CLI_LOCAL);
    case KEYRING_UNSAFE:
        cli_error(path, "the secret key can be read by others", "chmod 600 it, or make a new one");
        return CLI_IDENTITY;
    case KEYRING_MALFORMED:
        return lacks(path, "not a tern key", CLI_IDENTITY);
    case KEYRING_SYSTEM:
        break;
    }
    cli_error(path, strerror(errno), "check the file and its folders");
    return CLI_LOCAL;
}

static void show(const uint8_t pub[TERN_KEY_SIZE])
{
    char text[KEYRING_TEXT_SIZE], words[KEYRING_WORDS_SIZE];
    keyring_format(pub, text);
    keyring_words(pub, words);
    (void)printf("%s\n%s\n", text, words);
}

int identity_keygen(const char *file)
{
    char path[KEYRING_PATH_SIZE];
    uint8_t pub[TERN_KEY_SIZE];
    if (!default_path(file, path)) {
        return CLI_LOCAL;
    }
    if (keyring_create(path, pub) != KEYRING_OK) {
        cli_error(path, errno == EEXIST ? "there is a key already" : strerror(errno),
                  errno == EEXIST ? "remove it first if you mean to replace it"
                                  : "check the folder");
        return CLI_LOCAL;
    }
    cli_note("secret key in %s, public key in %s.pub", path, path);
    show(pub);
    return CLI_OK;
}

int identity_show(const char *file)
{
    uint8_t secret[TERN_KEY_SIZE], pub[TERN_KEY_SIZE];
    char advice[80];
    bool has_key;
    int code = identity_load(file, secret, &has_key);
    if (code >= 0) {
        return code;
    }
    if (!has_key) {
        (void)snprintf(advice, sizeof advice, "make one with %s keygen", cli_program());
        cli_error("no key yet", NULL, advice);
        return CLI_IDENTITY;
    }
    tern_key_public(pub, secret);
    sodium_memzero(secret, sizeof secret);
    show(pub);
    return CLI_OK;
}
