/* What a client does with the tokens that servers give it. RFC 9000 §17.2.5, §8.1.3
 * SPDX-License-Identifier: MIT */
#include "conn/retry.h"

#include <tern/token.h>

#include "conn/handshake.h"
#include "crypto/token.h"

/* The items of `kept` and of `fresh` one after the other into the handshake's token. */
static int set_token(struct tern_conn *conn, const uint8_t *kept, size_t kept_len,
                     const uint8_t *fresh, size_t fresh_len)
{
    struct tern_handshake *hs = conn->handshake;
    uint8_t *token = NULL;
    if (kept_len + fresh_len > 0) {
        token = tern_mem_alloc(conn->env->mem, kept_len + fresh_len);
        if (token == NULL) {
            return TERN_ERR_NOMEM;
        }
        if (kept_len > 0) {
            memcpy(token, kept, kept_len);
        }
        if (fresh_len > 0) {
            memcpy(token + kept_len, fresh, fresh_len);
        }
    }
    tern_mem_free(conn->env->mem, hs->token);
    hs->token = token;
    hs->token_len = kept_len + fresh_len;
    hs->kept_len = kept_len;
    return 0;
}

int tern_retry_take_tokens(struct tern_conn *conn, const tern_peer *peer)
{
    if (peer->token_len > TERN_ADDRESS_TOKEN_MAX ||
        peer->connect_token_len > TERN_CONNECT_TOKEN_MAX) {
        return TERN_ERR_INVALID;
    }
    return set_token(conn, peer->connect_token,
                     peer->connect_token != NULL ? peer->connect_token_len : 0, peer->token,
                     peer->token != NULL ? peer->token_len : 0);
}

/* RFC 9000 §17.2.5.2: one only, none once the server has spoken, none that changes nothing. */
static bool may_heed(const struct tern_conn *conn, const struct tern_header *header,
                     const uint8_t *packet)
{
    const struct tern_handshake *hs = conn->handshake;
    if (conn->is_server || hs == NULL || hs->before != NULL || conn->has_peer_key ||
        conn->life.state != TERN_LIFE_HANDSHAKING ||
        !tern_space_is_live(&conn->spaces[TERN_LEVEL_INITIAL])) {
        return false;
    }
    size_t tag_at = header->packet_len - TERN_RETRY_TAG_SIZE;
    return header->scid.len >= TERN_INITIAL_DCID_MIN &&
           !tern_cid_equal(&header->scid, &hs->original_dcid) &&
           header->token_len <= TERN_ADDRESS_TOKEN_MAX &&
           tern_retry_verify(packet + tag_at, hs->is_keyed ? hs->work->server_key : NULL,
                             hs->original_dcid.bytes, hs->original_dcid.len, packet, tag_at);
}

/* The message that went out belongs to another prologue. A fresh key must go into the next one: in XK the
 * same would seal two plaintexts under one key and nonce. [P §4.3] */
static int start_again(struct tern_conn *conn, const struct tern_header *header)
{
    struct tern_handshake *hs = conn->handshake;
    int rc = set_token(conn, hs->token, hs->kept_len, header->token, header->token_len);
    if (rc != 0) {
        return rc;
    }
    hs->before = tern_mem_alloc(conn->env->mem, sizeof *hs->before);
    if (hs->before == NULL) {
        return TERN_ERR_NOMEM;
    }
    *hs->before = (struct tern_retry_before){.noise = hs->noise, .initial_dcid = hs->initial_dcid};
    hs->before->cpace = hs->work->cpace;
    memcpy(hs->before->session, hs->work->session, sizeof hs->work->session);
    memcpy(hs->before->kem_seed, hs->work->kem_seed, sizeof hs->work->kem_seed);
    hs->has_retry = true;
    hs->initial_dcid = header->scid;
    tern_cids_set_remote(&conn->cids, &header->scid);
    tern_noise_clear(&hs->noise);
    hs->has_noise = false;
    tern_cc_on_discarded(&conn->path.cc, tern_space_restart(&conn->spaces[TERN_LEVEL_INITIAL]));
    conn->pto_count = 0;
    rc = tern_handshake_install_initial(conn);
    return rc == 0 ? tern_handshake_start(conn) : rc;
}

bool tern_retry_on_packet(struct tern_conn *conn, const struct tern_header *header,
                          const uint8_t *packet, tern_time now)
{
    if (!may_heed(conn, header, packet)) {
        return false;
    }
    tern_life_forget_hint(&conn->life);
    int rc = start_again(conn, header);
    if (rc != 0) {
        tern_conn_fail(conn, rc, 0, NULL, now);
    }
    return true;
}

static void exchange(struct tern_handshake *hs)
{
    struct tern_retry_before other = *hs->before;
    hs->before->noise = hs->noise;
    hs->before->cpace = hs->work->cpace;
    memcpy(hs->before->session, hs->work->session, sizeof hs->work->session);
    memcpy(hs->before->kem_seed, hs->work->kem_seed, sizeof hs->work->kem_seed);
    hs->before->initial_dcid = hs->initial_dcid;
    hs->before->has_retry = hs->has_retry;
    hs->noise = other.noise;
    hs->work->cpace = other.cpace;
    memcpy(hs->work->session, other.session, sizeof hs->work->session);
    memcpy(hs->work->kem_seed, other.kem_seed, sizeof hs->work->kem_seed);
    hs->initial_dcid = other.initial_dcid;
    hs->has_retry = other.has_retry;
    tern_mem_wipe(&other, sizeof other);
}

bool tern_retry_change_sides(struct tern_conn *conn)
{
    struct tern_handshake *hs = conn->handshake;
    if (hs == NULL || hs->before == NULL) {
        return false;
    }
    exchange(hs);
    if (tern_handshake_install_initial(conn) != 0) {
        exchange(hs);
        return false;
    }
    return true;
}

void tern_retry_forget_before(struct tern_handshake *hs, struct tern_mem *mem)
{
    if (hs->before != NULL) {
        tern_noise_clear(&hs->before->noise);
        tern_mem_free(mem, hs->before);
        hs->before = NULL;
    }
}

bool tern_retry_on_negotiation(struct tern_conn *conn, const struct tern_header *header)
{
    static const char words[] = "the server speaks other versions";
    const struct tern_cid *dcid = tern_cids_remote(&conn->cids);
    if (conn->is_server || conn->has_peer_key || conn->life.state != TERN_LIFE_HANDSHAKING ||
        header->raw_scid_len != dcid->len ||
        memcmp(header->raw_scid, dcid->bytes, dcid->len) != 0) {
        return false;
    }
    struct tern_reader r;
    tern_reader_init(&r, header->versions, header->versions_len);
    while (tern_reader_left(&r) >= 4) {
        if (tern_read_uint(&r, 4) == TERN_VERSION_1) {
            return false; /* RFC 9000 §6.2: then it was no answer to what we have sent */
        }
    }
    tern_life_hint(&conn->life, false, tern_life_code(TERN_ERR_VERSION), (const uint8_t *)words,
                   sizeof words - 1);
    return true;
}

void tern_retry_keep_token(struct tern_conn *conn, const uint8_t *token, size_t len)
{
    if (len > TERN_ADDRESS_TOKEN_MAX) {
        return;
    }
    uint8_t *copy = tern_mem_alloc(conn->env->mem, len);
    if (copy != NULL) {
        memcpy(copy, token, len);
        tern_mem_free(conn->env->mem, conn->door.address_token);
        conn->door.address_token = copy;
        conn->door.address_token_len = len;
    }
}
