/* The hub as one of several, for those outside of it: without a broker it is alone.
 * SPDX-License-Identifier: MIT */
#include "ternchat/hub_parts.h"

bool hub_spread(struct hub *hub, struct ev_loop *loop, const char *url, uint64_t age,
                char why[HUB_WHY_SIZE])
{
    hub->spread = spread_new(hub, loop, url, age, why);
    return hub->spread != NULL;
}

void hub_end(struct hub *hub, struct ev_loop *loop)
{
    if (hub->spread != NULL) {
        spread_end(hub->spread, loop);
    }
}

bool hub_is_guest(const struct hub *hub, const uint8_t key[TERN_KEY_SIZE])
{
    return hub->spread != NULL && spread_is_guest(hub->spread, key);
}

void hub_add_guest(struct hub *hub, const uint8_t key[TERN_KEY_SIZE])
{
    if (hub->spread != NULL) {
        spread_add_guest(hub->spread, key);
    }
}

bool hub_is_busy(const struct hub_session *s)
{
    return s->hub->spread != NULL && spread_is_busy(s);
}
