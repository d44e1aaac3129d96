/* The servers at which one chat can be had: what a client does at one it can go on with at the next.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_PLACES_H
#define TERNCHAT_PLACES_H

#include <ev.h>
#include <tern/types.h>

#include "shared/trust.h"
#include "ternchat/options.h"

#define PLACES_MAX 8

struct place {
    char host[256];
    tern_addr addr;
    struct trust trust;
    bool is_strange; /* its key is not to be trusted */
};

struct places {
    struct place all[PLACES_MAX];
    size_t count, at;
};

/* Those that options->host names, separated by commas, or the one of an invitation; secret: our key, which
 * that is for. -1, or an exit code after a message. */
int places_find(struct places *places, const struct options *options, struct ev_loop *loop,
                const uint8_t secret[TERN_KEY_SIZE]);
struct place *places_now(struct places *places);
struct place *places_next(struct places *places); /* which is the one now, from now on */

/* The unknown server there has shown this key: one that another of them has is as good as known; else it is
 * asked for, if that may_ask be. -1, or an exit code. */
int places_decide(struct places *places, struct place *place, const uint8_t key[TERN_KEY_SIZE],
                  bool may_ask);

#endif
