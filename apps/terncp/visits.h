/* Which ticket each client of a server was given last, and so whether what comes with one is its latest word.
 *
 * Early data can be held back on its way and be let go later. A visit that came after it has been given another
 * ticket: then it is old, and must not undo what the later one did (docs/protocol.md, §4.10).
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_VISITS_H
#define TERNCP_VISITS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <tern/types.h>

#define VISITS_MAX 1024 /* then one gives way to another: it waits for a round trip */

struct visits {
    pthread_mutex_t lock; /* the threads of a server share it */
    struct visit {
        uint8_t key[TERN_KEY_SIZE];
        uint64_t number; /* 0: free */
    } last[VISITS_MAX];
};

void visits_init(struct visits *visits);

/* A client has shown its key, and was given this ticket. */
void visits_on_proved(struct visits *visits, const uint8_t key[TERN_KEY_SIZE], uint64_t given);

/* Somebody has come with this ticket of the client's, and is given another. True: it was the latest. */
bool visits_on_early(struct visits *visits, const uint8_t key[TERN_KEY_SIZE], uint64_t used,
                     uint64_t given);

/* Has nobody come after who was given this? */
bool visits_is_latest(struct visits *visits, const uint8_t key[TERN_KEY_SIZE], uint64_t given);

#endif
