/* A table with a place for each key: where two keys share one, the later takes it, and whoever is not found counts
 * as not the latest.
 * SPDX-License-Identifier: MIT */
#include "terncp/visits.h"

#include <string.h>

void visits_init(struct visits *visits)
{
    memset(visits, 0, sizeof *visits);
    (void)pthread_mutex_init(&visits->lock, NULL);
}

/* Keys are random points: their bytes are spread as they are. */
static struct visit *place_of(struct visits *visits, const uint8_t key[TERN_KEY_SIZE])
{
    size_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        at = at << 8 | key[i];
    }
    return &visits->last[at % VISITS_MAX];
}

static bool is_last(const struct visit *visit, const uint8_t key[TERN_KEY_SIZE], uint64_t number)
{
    return number != 0 && visit->number == number && memcmp(visit->key, key, TERN_KEY_SIZE) == 0;
}

static void set(struct visit *visit, const uint8_t key[TERN_KEY_SIZE], uint64_t number)
{
    memcpy(visit->key, key, TERN_KEY_SIZE);
    visit->number = number;
}

void visits_on_proved(struct visits *visits, const uint8_t key[TERN_KEY_SIZE], uint64_t given)
{
    (void)pthread_mutex_lock(&visits->lock);
    set(place_of(visits, key), key, given);
    (void)pthread_mutex_unlock(&visits->lock);
}

bool visits_on_early(struct visits *visits, const uint8_t key[TERN_KEY_SIZE], uint64_t used,
                     uint64_t given)
{
    (void)pthread_mutex_lock(&visits->lock);
    struct visit *visit = place_of(visits, key);
    bool is_latest = is_last(visit, key, used);
    if (is_latest) {
        set(visit, key, given);
    }
    (void)pthread_mutex_unlock(&visits->lock);
    return is_latest;
}

bool visits_is_latest(struct visits *visits, const uint8_t key[TERN_KEY_SIZE], uint64_t given)
{
    (void)pthread_mutex_lock(&visits->lock);
    bool is_latest = is_last(place_of(visits, key), key, given);
    (void)pthread_mutex_unlock(&visits->lock);
    return is_latest;
}
