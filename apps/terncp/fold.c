/* Folds names and remembers hashes of them.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/fold.h"

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "terncp/proto.h"

#define SLOTS (1u << 20)

struct slot {
    uint64_t folded, exact; /* 0, 0: free */
};

struct fold {
    struct slot *slots;
    unsigned count;
};

bool fold_is_blind(int folder)
{
    char name[40], other[40];
    struct stat one, two;
    unsigned number = (unsigned)randombytes_random();
    (void)snprintf(name, sizeof name, ".terncp-%08x-case.part", number);
    (void)snprintf(other, sizeof other, ".terncp-%08x-CASE.part", number);
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    bool is_blind = fstat(fd, &one) == 0 &&
                    fstatat(folder, other, &two, AT_SYMLINK_NOFOLLOW) == 0 &&
                    one.st_ino == two.st_ino;
    (void)unlinkat(folder, name, 0);
    (void)close(fd);
    return is_blind;
}

/* Shards share them: another key in the middle, and a mirror would take for strange what it was sent. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t letters;
static uint8_t key[crypto_shorthash_KEYBYTES];

static void prepare(void)
{
    letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    randombytes_buf(key, sizeof key);
}

/* The name's characters folded one by one. Needs a locale that knows letters; bytes that are no
 * character of it stand for themselves. */
static size_t fold_name(const char *name, size_t len, wchar_t *out)
{
    (void)pthread_once(&once, prepare);
    locale_t before = letters == (locale_t)0 ? (locale_t)0 : uselocale(letters);
    mbstate_t state = {0};
    size_t count = 0;
    for (size_t at = 0; at < len;) {
        wchar_t c;
        size_t n = mbrtowc(&c, name + at, len - at, &state);
        if (n == 0 || n > len - at) {
            memset(&state, 0, sizeof state);
            c = (wchar_t)(0x110000 + (unsigned char)name[at]);
            n = 1;
        } else {
            c = (wchar_t)towlower(towupper((wint_t)c));
        }
        out[count++] = c;
        at += n;
    }
    if (before != (locale_t)0) {
        (void)uselocale(before);
    }
    return count;
}

static uint64_t hash(const void *data, size_t len)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t value;
    (void)pthread_once(&once, prepare);
    (void)crypto_shorthash(out, data, len, key);
    memcpy(&value, out, sizeof value);
    return value;
}

static uint64_t hash_part(const char *name, size_t len, bool is_blind)
{
    wchar_t folded[PROTO_PATH_MAX + 1];
    if (!is_blind) {
        return hash(name, len);
    }
    len = len < PROTO_PATH_MAX ? len : PROTO_PATH_MAX;
    return hash(folded, fold_name(name, len, folded) * sizeof folded[0]);
}

uint64_t fold_hash(const char *name, bool is_blind)
{
    return hash_part(name, strlen(name), is_blind);
}

struct fold *fold_new(void)
{
    struct fold *fold = calloc(1, sizeof *fold);
    if (fold != NULL && (fold->slots = calloc(SLOTS, sizeof *fold->slots)) == NULL) {
        free(fold);
        return NULL;
    }
    return fold;
}

void fold_free(struct fold *fold)
{
    if (fold != NULL) {
        free(fold->slots);
        free(fold);
    }
}

/* Where the folded name stands, or where it would. */
static struct slot *find(struct fold *fold, uint64_t folded)
{
    size_t at = (size_t)folded & (SLOTS - 1);
    while ((fold->slots[at].folded | fold->slots[at].exact) != 0 &&
           fold->slots[at].folded != folded) {
        at = (at + 1) & (SLOTS - 1);
    }
    return &fold->slots[at];
}

bool fold_add(struct fold *fold, const char *name)
{
    size_t len = strlen(name);
    if (fold->count >= SLOTS / 2) { /* those of one folder come close together: old ones may go */
        memset(fold->slots, 0, SLOTS * sizeof *fold->slots);
        fold->count = 0;
    }
    for (size_t end = 1; end <= len; end++) {
        if (end < len && name[end] != '/') {
            continue;
        }
        uint64_t exact = hash_part(name, end, false);
        uint64_t folded = hash_part(name, end, true);
        struct slot *slot = find(fold, folded);
        bool is_free = (slot->folded | slot->exact) == 0;
        if (!is_free && slot->exact != exact) {
            return false;
        }
        if (is_free) {
            *slot = (struct slot){.folded = folded, .exact = exact};
            fold->count++;
        }
    }
    return true;
}
