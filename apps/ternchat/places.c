/* A list of hosts, each with the key that is expected there.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/places.h"

#include <stdio.h>
#include <string.h>
#include <tern/udp.h>

#include "shared/cli.h"
#include "shared/net.h"
#include "ternchat/invite.h"
#include "ternchat/proto.h"

/* 7-orbit-salmon */
static bool looks_like_code(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && text[digits] == '-' && strpbrk(text, ".:") == NULL;
}

static int add(struct places *places, const struct options *o, const char *text)
{
    struct place *place = &places->all[places->count];
    uint16_t port = CHAT_PORT;
    const char *reason = NULL;
    if (!net_split(text, place->host, sizeof place->host, &port)) {
        cli_error(o->host, "not a host", "give host, host:port or [v6]:port");
        return CLI_USAGE;
    }
    if (tern_udp_resolve(&place->addr, place->host, port, o->family, &reason) != 0) {
        cli_error(place->host, reason,
                  looks_like_code(text) ? "a code needs its server behind it: CODE@HOST"
                                        : "check the name");
        return CLI_CONNECT;
    }
    struct trust_options trust = {.pin = o->pin,
                                  .known_hosts = o->known_hosts,
                                  .accept_new = o->accept_new,
                                  .batch = o->batch};
    int code = trust_find(&place->trust, &trust, place->host, port);
    places->count += code < 0 ? 1 : 0;
    return code;
}

int places_find(struct places *places, const struct options *o, struct ev_loop *loop,
                const uint8_t secret[TERN_KEY_SIZE])
{
    char host[300];
    if (strchr(o->host, '@') != NULL) {
        int code = invite_take(o, loop, secret, host, sizeof host);
        return code < 0 ? add(places, o, host) : code;
    }
    int code = -1;
    for (const char *at = o->host; code < 0 && at != NULL;) {
        size_t len = strcspn(at, ",");
        if (places->count == PLACES_MAX || len >= sizeof host) {
            cli_error(o->host, "too many servers, or too long a name", "eight may be named");
            return CLI_USAGE;
        }
        (void)snprintf(host, sizeof host, "%.*s", (int)len, at);
        code = add(places, o, host);
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return code;
}

struct place *places_now(struct places *places)
{
    return &places->all[places->at];
}

struct place *places_next(struct places *places)
{
    places->at = (places->at + 1) % places->count;
    return places_now(places);
}

int places_decide(struct places *places, struct place *place, const uint8_t key[TERN_KEY_SIZE],
                  bool may_ask)
{
    bool accept_new = place->trust.options.accept_new, is_batch = place->trust.options.batch;
    for (size_t i = 0; i < places->count; i++) {
        const struct trust *other = &places->all[i].trust;
        if (other->has_key && memcmp(other->key, key, TERN_KEY_SIZE) == 0) {
            place->trust.options.accept_new = true;
        }
    }
    place->trust.options.batch = is_batch || !may_ask;
    int code = trust_decide(&place->trust, key);
    place->trust.options.accept_new = accept_new;
    place->trust.options.batch = is_batch;
    return code;
}
