/* Keys on disk: our own, the hosts we know, the clients we let in.
 *
 * All under $XDG_CONFIG_HOME/tern (or ~/.config/tern): `id` (the secret key, mode 0600), `id.pub`,
 * `known_hosts` (lines "host:port tern:KEY"), `authorized_keys` (lines "tern:KEY comment").
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_KEYRING_H
#define TERN_APPS_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/types.h>

#define KEYRING_TEXT_SIZE  64 /* "tern:" and 52 characters of base32 */
#define KEYRING_WORDS_SIZE 64 /* four words for reading aloud */
#define KEYRING_PATH_SIZE  4096

enum keyring_result {
    KEYRING_OK,
    KEYRING_ABSENT,    /* no such file, or no such host in it */
    KEYRING_UNSAFE,    /* the secret key can be read by others */
    KEYRING_MALFORMED, /* a file does not hold what it should */
    KEYRING_SYSTEM     /* errno says why */
};

void keyring_format(const uint8_t key[TERN_KEY_SIZE], char text[KEYRING_TEXT_SIZE]);
bool keyring_parse(const char *text, size_t len, uint8_t key[TERN_KEY_SIZE]);
/* A short fingerprint as pronounceable words: 64 bits of BLAKE2b over the key. */
void keyring_words(const uint8_t key[TERN_KEY_SIZE], char text[KEYRING_WORDS_SIZE]);

/* The path of one of our files. False when there is neither XDG_CONFIG_HOME nor HOME. */
bool keyring_path(const char *name, char path[KEYRING_PATH_SIZE]);
/* The same under $XDG_STATE_HOME/tern (or ~/.local/state/tern): what programs remember by themselves. */
bool keyring_state_path(const char *name, char path[KEYRING_PATH_SIZE]);
/* Makes the folders above a path, each for us alone. False: errno says why. */
bool keyring_make_folders(const char *path);
/* Writes a file of ours, mode 0600, whole or not at all, with the folders above it. */
enum keyring_result keyring_save(const char *path, const void *data, size_t len);

enum keyring_result keyring_load(const char *path, uint8_t secret[TERN_KEY_SIZE]);
/* Writes a new key and its .pub beside it; refuses to replace one (KEYRING_SYSTEM, EEXIST). */
enum keyring_result keyring_create(const char *path, uint8_t pub[TERN_KEY_SIZE]);

enum keyring_result keyring_known(const char *path, const char *host, uint8_t key[TERN_KEY_SIZE]);
enum keyring_result keyring_remember(const char *path, const char *host,
                                     const uint8_t key[TERN_KEY_SIZE]);

/* Is the key in the list? KEYRING_ABSENT when not. */
enum keyring_result keyring_is_authorized(const char *path, const uint8_t key[TERN_KEY_SIZE]);
/* The first line of the list behind line `after` that holds neither a key nor a comment; 0: none does. */
size_t keyring_bad_line(const char *path, size_t after);
/* Adds a key to the list. */
enum keyring_result keyring_authorize(const char *path, const uint8_t key[TERN_KEY_SIZE]);
/* Is it in it, with the comment behind the key; "" when there is none. */
enum keyring_result keyring_comment(const char *path, const uint8_t key[TERN_KEY_SIZE],
                                    char *comment, size_t size);

#endif
