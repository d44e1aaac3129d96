/* Tokens of peers in a map, tokens of ours from a keyed hash.
 * SPDX-License-Identifier: MIT */
#include "endpoint/resets.h"

#include "crypto/token.h"

#define COST  (10 * TERN_MSEC)
#define BURST (640 * TERN_MSEC)

void tern_resets_init(struct tern_resets *resets, struct tern_mem *mem, struct tern_random *random,
                      const tern_config *config)
{
    memset(resets, 0, sizeof *resets);
    resets->shape = tern_cid_shape_of(config);
    tern_map_init(&resets->by_token, mem, random);
}

void tern_resets_clear(struct tern_resets *resets)
{
    tern_map_clear(&resets->by_token);
}

/* The token of the identifier in use; NULL when the peer gave none, or none that counts. */
static const uint8_t *token_in_use(const struct tern_conn *conn)
{
    static const uint8_t none[TERN_RESET_TOKEN_SIZE];
    const struct tern_cid_remote *slot = &conn->cids.remote[conn->cids.active];
    bool is_good = conn->life.state == TERN_LIFE_ESTABLISHED && slot->is_used && slot->has_token &&
                   memcmp(slot->reset_token, none, sizeof none) != 0; /* CVE-2026-44434 */
    return is_good ? slot->reset_token : NULL;
}

void tern_resets_drop(struct tern_resets *resets, struct tern_conn *conn)
{
    if (conn->door.has_reset_token) {
        (void)tern_map_drop(&resets->by_token, conn->door.reset_token,
                            sizeof conn->door.reset_token);
        conn->door.has_reset_token = false;
    }
}

void tern_resets_follow(struct tern_resets *resets, struct tern_conn *conn)
{
    const uint8_t *token = token_in_use(conn);
    if (token != NULL && conn->door.has_reset_token &&
        memcmp(token, conn->door.reset_token, sizeof conn->door.reset_token) == 0) {
        return;
    }
    tern_resets_drop(resets, conn);
    /* A second connection with the same token, which an honest peer never gives, goes without. */
    if (token != NULL &&
        tern_map_put(&resets->by_token, token, sizeof conn->door.reset_token, conn) == 0) {
        memcpy(conn->door.reset_token, token, sizeof conn->door.reset_token);
        conn->door.has_reset_token = true;
    }
}

struct tern_conn *tern_resets_find(const struct tern_resets *resets, const tern_datagram *in,
                                   const uint8_t *data, size_t len)
{
    if (len < TERN_RESET_MIN) {
        return NULL;
    }
    const uint8_t *token = data + len - TERN_RESET_TOKEN_SIZE;
    struct tern_conn *conn = tern_map_find(&resets->by_token, token, TERN_RESET_TOKEN_SIZE);
    if (conn == NULL || !tern_token_equal(conn->door.reset_token, token) ||
        !tern_addr_equal(&conn->path.remote, &in->remote)) {
        return NULL;
    }
    return conn;
}

static bool take_turn(struct tern_resets *resets, tern_time now)
{
    /* fuller than full is what a clock leaves that was set back */
    resets->next_at = TERN_MIN(resets->next_at, tern_add_sat(now, BURST + COST));
    if (resets->next_at > tern_add_sat(now, BURST)) {
        return false;
    }
    resets->next_at = TERN_MAX(resets->next_at, now) + COST;
    return true;
}

void tern_resets_answer(struct tern_resets *resets, struct tern_stateless *stateless,
                        const struct tern_header *header, const tern_datagram *in, size_t len,
                        const struct tern_hmac *reset_key, struct tern_random *random,
                        tern_time now)
{
    uint8_t reset[TERN_RESET_MAX];
    /* Shorter than what asked for it, so that two who know nothing of each other fall silent. */
    size_t size = TERN_MIN(len - 1, (size_t)TERN_RESET_MAX);
    if (size < TERN_RESET_MIN || !tern_cid_may_be_ours(&header->dcid, &resets->shape) ||
        !take_turn(resets, now)) {
        return;
    }
    tern_random_fill(random, reset, size);
    reset[0] = (uint8_t)(0x40u | (reset[0] & 0x3fu));
    tern_token_reset(reset + size - TERN_RESET_TOKEN_SIZE, reset_key, header->dcid.bytes,
                     header->dcid.len);
    resets->sent += tern_stateless_push(stateless, in, reset, size) ? 1 : 0;
}
