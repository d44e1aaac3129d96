/* A small table of paths, searched from end to end: once a connection.
 * SPDX-License-Identifier: MIT */
#include "terncp/recall.h"

#include <string.h>

static bool is_same_client(const tern_addr *a, const tern_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 6 ? 8 : 4) == 0;
}

bool recall_take(struct recall *recall, const tern_addr *client, tern_path_memory *out,
                 tern_time now)
{
    for (size_t i = 0; i < RECALL_PATHS; i++) {
        struct recall_path *path = &recall->paths[i];
        if (path->client.family == 0 || !is_same_client(&path->client, client)) {
            continue;
        }
        *out = path->memory;
        out->age += now > path->at ? now - path->at : 0;
        path->client.family = 0;
        return out->age < TERN_PATH_MEMORY_LIFE;
    }
    return false;
}

/* The place of the same client, else a free one, else that of the oldest. */
static struct recall_path *place_for(struct recall *recall, const tern_addr *client)
{
    struct recall_path *best = &recall->paths[0];
    for (size_t i = 0; i < RECALL_PATHS; i++) {
        struct recall_path *path = &recall->paths[i];
        if (path->client.family != 0 && is_same_client(&path->client, client)) {
            return path;
        }
        bool is_better =
            best->client.family != 0 && (path->client.family == 0 || path->at < best->at);
        best = is_better ? path : best;
    }
    return best;
}

void recall_put(struct recall *recall, const tern_addr *client, const tern_path_memory *memory,
                tern_time now)
{
    *place_for(recall, client) =
        (struct recall_path){.client = *client, .memory = *memory, .at = now};
}
