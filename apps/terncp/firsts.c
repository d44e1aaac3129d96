/* A file to which digests are appended; when it is full the older half goes.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/firsts.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/keyring.h"

#define DIGEST_SIZE 16
#define DIGESTS_MAX 4096

/* Two names never make the same text: none holds a zero. */
static void digest_of(const char *server, const char *path, const char *name,
                      uint8_t out[DIGEST_SIZE])
{
    crypto_generichash_state state;
    const char *parts[] = {server, path, name};
    (void)crypto_generichash_init(&state, NULL, 0, DIGEST_SIZE);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        (void)crypto_generichash_update(&state, (const uint8_t *)parts[i], strlen(parts[i]) + 1);
    }
    (void)crypto_generichash_final(&state, out, DIGEST_SIZE);
}

/* Everything that is in the list; -1: it is none of ours. */
static ssize_t read_list(int fd, uint8_t list[DIGESTS_MAX * DIGEST_SIZE])
{
    struct stat st;
    size_t used = 0, size = (size_t)DIGESTS_MAX * DIGEST_SIZE;
    ssize_t n = 1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        return -1;
    }
    while (n > 0 && used < size) {
        n = pread(fd, list + used, size - used, (off_t)used);
        used += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? -1 : (ssize_t)(used - used % DIGEST_SIZE);
}

static bool has(const uint8_t *list, size_t len, const uint8_t digest[DIGEST_SIZE])
{
    for (size_t at = 0; at < len; at += DIGEST_SIZE) {
        if (memcmp(list + at, digest, DIGEST_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/* Two programs may append at once; of two that find the list full one may be forgotten by the other. */
static bool add(int fd, const char *path, uint8_t *list, size_t len,
                const uint8_t digest[DIGEST_SIZE])
{
    if (len < (size_t)DIGESTS_MAX * DIGEST_SIZE) {
        return write(fd, digest, DIGEST_SIZE) == DIGEST_SIZE;
    }
    memmove(list, list + len / 2, len / 2);
    memcpy(list + len / 2, digest, DIGEST_SIZE);
    return keyring_save(path, list, len / 2 + DIGEST_SIZE) == KEYRING_OK;
}

bool firsts_mark(const char *server, const char *path, const char *name)
{
    char file[KEYRING_PATH_SIZE];
    uint8_t digest[DIGEST_SIZE];
    if (!keyring_state_path("sent", file) || !keyring_make_folders(file)) {
        return false;
    }
    int fd = open(file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    uint8_t *list = fd >= 0 ? malloc((size_t)DIGESTS_MAX * DIGEST_SIZE) : NULL;
    ssize_t len = list != NULL ? read_list(fd, list) : -1;
    bool is_first = false;
    if (len >= 0) {
        digest_of(server, path, name, digest);
        is_first = !has(list, (size_t)len, digest) && add(fd, file, list, (size_t)len, digest);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(list);
    return is_first;
}
