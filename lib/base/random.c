/* Random bytes from the hook, libsodium's generator by default.
 * SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <sodium.h>

static void default_fill(void *user, uint8_t *buf, size_t len)
{
    (void)user;
    randombytes_buf(buf, len);
}

void tern_random_init(struct tern_random *random, const tern_random_source *hook)
{
    random->is_system = hook == NULL || hook->fill == NULL;
    random->pooled = 0;
    random->hook = hook != NULL && hook->fill != NULL
                       ? *hook
                       : (tern_random_source){.fill = default_fill, .user = NULL};
}

void tern_random_fill(struct tern_random *random, void *buf, size_t len)
{
    random->hook.fill(random->hook.user, buf, len);
}

void tern_random_fill_open(struct tern_random *random, void *buf, size_t len)
{
    if (!random->is_system || len > sizeof random->pool) {
        tern_random_fill(random, buf, len);
        return;
    }
    if (random->pooled < len) {
        tern_random_fill(random, random->pool, sizeof random->pool);
        random->pooled = sizeof random->pool;
    }
    random->pooled -= len;
    memcpy(buf, random->pool + random->pooled, len);
    sodium_memzero(random->pool + random->pooled, len);
}

uint64_t tern_random_u64(struct tern_random *random)
{
    uint8_t bytes[8];
    uint64_t value = 0;
    tern_random_fill_open(random, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) { /* the same value on every byte order */
        value = value << 8 | bytes[i];
    }
    return value;
}

uint64_t tern_random_below(struct tern_random *random, uint64_t bound)
{
    tern_assert(bound > 0);
    uint64_t unfair = (UINT64_MAX - bound + 1) % bound; /* values below it would come too often */
    uint64_t value;
    do {
        value = tern_random_u64(random);
    } while (value < unfair);
    return value % bound;
}
