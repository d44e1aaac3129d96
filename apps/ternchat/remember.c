/* The name of the file is a hash, since a server's name may hold what a file's may not.
 * SPDX-License-Identifier: MIT */
#include "ternchat/remember.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "shared/keyring.h"

#define HASH 16

static void name_file(const char *host, const uint8_t secret[TERN_KEY_SIZE], char *name,
                      size_t size)
{
    uint8_t pub[TERN_KEY_SIZE], hash[HASH];
    char hex[2 * HASH + 1];
    crypto_generichash_state state;
    (void)crypto_scalarmult_base(pub, secret);
    (void)crypto_generichash_init(&state, NULL, 0, sizeof hash);
    (void)crypto_generichash_update(&state, pub, sizeof pub);
    /* Of several servers of one chat the first names it. */
    (void)crypto_generichash_update(&state, (const uint8_t *)host, strcspn(host, ","));
    (void)crypto_generichash_final(&state, hash, sizeof hash);
    (void)snprintf(name, size, "chat-%s.db", sodium_bin2hex(hex, sizeof hex, hash, sizeof hash));
}

struct memory *remember_open(const struct options *o, const uint8_t secret[TERN_KEY_SIZE],
                             char about[MEMORY_WHY_SIZE])
{
    char name[64], path[KEYRING_PATH_SIZE];
    const char *host = strchr(o->host, '@'); /* an invitation's code is not the server's name */
    about[0] = '\0';
    name_file(host == NULL ? o->host : host + 1, secret, name, sizeof name);
    if (!keyring_state_path(name, path)) {
        (void)snprintf(about, MEMORY_WHY_SIZE,
                       "neither XDG_STATE_HOME nor HOME is set: nothing is remembered");
        return NULL;
    }
    if (!keyring_make_folders(path)) {
        (void)snprintf(about, MEMORY_WHY_SIZE, "%s: %s: nothing is remembered", path,
                       strerror(errno));
        return NULL;
    }
    return memory_open(path, about);
}
