/* Pairs of endpoints that know secrets and codes, over pair_kit.h.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_MODE_KIT_H
#define TERN_TEST_MODE_KIT_H

#include "endpoint/endpoint.h"
#include "pair_kit.h"

static const uint8_t mode_secret[TERN_SECRET_SIZE] = "a secret of thirty-two bytes, s";
static const uint8_t mode_other[TERN_SECRET_SIZE] = "another one of thirty-two bytes";

/* Connects with what is given; NULL: without. */
static inline int mode_connect(struct pair *pair, const uint8_t *key, const uint8_t *secret,
                               const char *code)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = pair->side[PAIR_SERVER].addr;
    peer.key = key;
    peer.secret = secret;
    peer.code = code;
    return tern_endpoint_connect(pair->side[PAIR_CLIENT].endpoint, &peer,
                                 &pair->side[PAIR_CLIENT].conn, pair->now);
}

/* What the client's last connection came to: 0 connected at both ends, or the error of its end. */
static inline int mode_outcome(struct pair *pair)
{
    struct pair_side *client = &pair->side[PAIR_CLIENT], *server = &pair->side[PAIR_SERVER];
    unsigned connected = client->connected, accepted = server->connected, closed = client->closed;
    pair_advance(pair, 12 * TERN_SEC);
    if (client->connected == connected + 1 && server->connected == accepted + 1) {
        return 0;
    }
    assert_int_equal(client->connected, connected);
    assert_int_equal(server->connected, accepted);
    assert_int_equal(client->closed, closed + 1);
    return client->close.error;
}

#endif
