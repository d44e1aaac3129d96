/* Answers from a fixed ring, each smaller than what asked for it. [P §12.2], [P §12.3]
 * SPDX-License-Identifier: MIT */
#include "endpoint/stateless.h"

#include "conn/cids.h"
#include "crypto/keys.h"
#include "wire/encode.h"
#include "wire/limits.h"

#define REFUSAL_PN_LEN 4 /* nothing is known of what the client has acknowledged */

int tern_stateless_init(struct tern_stateless *stateless, struct tern_mem *mem, size_t capacity)
{
    memset(stateless, 0, sizeof *stateless);
    stateless->mem = mem;
    stateless->capacity = capacity;
    stateless->replies = tern_mem_zalloc(mem, capacity * sizeof *stateless->replies);
    return stateless->replies == NULL ? TERN_ERR_NOMEM : 0;
}

void tern_stateless_clear(struct tern_stateless *stateless)
{
    if (stateless->replies != NULL) {
        tern_mem_free(stateless->mem, stateless->replies);
        stateless->replies = NULL;
    }
}

/* The slot for one answer more, which counts once it is `kept`; NULL: the ring is full. */
static struct tern_stateless_reply *next_slot(struct tern_stateless *stateless,
                                              const tern_datagram *in, struct tern_writer *w)
{
    if (stateless->count == stateless->capacity) {
        return NULL;
    }
    size_t at = (stateless->head + stateless->count) % stateless->capacity;
    struct tern_stateless_reply *reply = &stateless->replies[at];
    reply->local = in->local;
    reply->remote = in->remote;
    tern_writer_init(w, reply->data, sizeof reply->data);
    return reply;
}

static void keep(struct tern_stateless *stateless, struct tern_stateless_reply *reply,
                 const struct tern_writer *w)
{
    tern_assert(!w->failed); /* the longest answer of each kind has room */
    reply->len = tern_writer_used(w);
    stateless->count++;
}

void tern_stateless_negotiate(struct tern_stateless *stateless, const struct tern_header *header,
                              const tern_datagram *in, size_t len, struct tern_random *random)
{
    struct tern_writer w;
    uint8_t first;
    struct tern_stateless_reply *reply =
        len < TERN_INITIAL_DATAGRAM_MIN ? NULL : next_slot(stateless, in, &w);
    if (reply == NULL) {
        return;
    }
    tern_random_fill(random, &first, 1);
    tern_header_encode_negotiation(&w, header, first);
    keep(stateless, reply, &w);
    stateless->negotiations++;
}

void tern_stateless_retry(struct tern_stateless *stateless, const struct tern_header *header,
                          const tern_datagram *in, const struct tern_proofs *proofs,
                          const struct tern_retry_keys *keys, struct tern_random *random,
                          tern_time now)
{
    struct tern_writer w;
    struct tern_stateless_reply *reply = next_slot(stateless, in, &w);
    struct tern_cid scid;
    uint8_t token[TERN_RETRY_ITEM_MAX], tag[TERN_RETRY_TAG_SIZE] = {0};
    if (reply == NULL) {
        return;
    }
    tern_cid_generate(&scid, NULL, random); /* to an Initial: no shard is chosen by it */
    size_t token_len = tern_proofs_seal_retry(proofs, token, random, &in->local, &in->remote, &scid,
                                              &header->dcid, now);
    tern_header_encode_retry(&w, &header->scid, &scid, token, token_len, tag, 0);
    keep(stateless, reply, &w);
    size_t tag_at = reply->len - TERN_RETRY_TAG_SIZE;
    tern_retry_tag(reply->data + tag_at, keys, header->dcid.bytes, header->dcid.len, reply->data,
                   tag_at);
    stateless->retries++;
}

/* Seals the frame behind the header in `w` as packet 0 of the server's Initial keys. Another refusal may
 * repeat key and number, which gives nothing away: whoever sees the client's packet can derive both. */
static void seal_initial(struct tern_writer *w, size_t header_len, const struct tern_cid *dcid,
                         const uint8_t *server_public)
{
    uint8_t client[TERN_SECRET_SIZE], server[TERN_SECRET_SIZE], mask[TERN_MASK_SIZE];
    struct tern_packet_keys keys;
    tern_initial_secrets(client, server, dcid->bytes, dcid->len, server_public);
    int rc = tern_packet_keys_init(&keys, TERN_SUITE_CHACHA20_POLY1305, server);
    tern_assert(rc == 0); /* that suite is in every libsodium */
    (void)rc;
    size_t len = tern_writer_used(w) - header_len;
    (void)tern_write_room(w, tern_suite_tag_size(TERN_SUITE_CHACHA20_POLY1305));
    tern_assert(!w->failed);
    int sealed = tern_packet_seal(&keys, 0, 0, w->start, header_len, w->start + header_len, len);
    tern_assert(sealed == 0); /* the first under its keys */
    (void)sealed;
    tern_aead_mask(&keys.mask, w->start + header_len, mask);
    tern_header_mask(w->start, header_len - REFUSAL_PN_LEN, REFUSAL_PN_LEN, mask);
    tern_packet_keys_clear(&keys);
    tern_mem_wipe(client, sizeof client);
    tern_mem_wipe(server, sizeof server);
}

void tern_stateless_refuse(struct tern_stateless *stateless, const struct tern_header *header,
                           const tern_datagram *in, const uint8_t *server_public, uint64_t code,
                           const char *reason)
{
    struct tern_writer w, frame;
    struct tern_cid scid = header->dcid; /* no connection of ours: any will do */
    uint8_t body[TERN_STATELESS_MAX / 2];
    struct tern_stateless_reply *reply = next_slot(stateless, in, &w);
    if (reply == NULL) {
        return;
    }
    tern_writer_init(&frame, body, sizeof body);
    tern_frame_encode_connection_close(&frame, false, code, 0, (const uint8_t *)reason,
                                       strlen(reason));
    size_t len = tern_writer_used(&frame);
    tern_header_encode_long(&w, TERN_PACKET_INITIAL, &header->scid, &scid, NULL, 0, 0,
                            REFUSAL_PN_LEN,
                            len + tern_suite_tag_size(TERN_SUITE_CHACHA20_POLY1305));
    size_t header_len = tern_writer_used(&w);
    tern_write_bytes(&w, body, len);
    tern_assert(!frame.failed);
    seal_initial(&w, header_len, &header->dcid, server_public);
    keep(stateless, reply, &w);
    stateless->refusals++;
}

bool tern_stateless_push(struct tern_stateless *stateless, const tern_datagram *in,
                         const uint8_t *data, size_t len)
{
    struct tern_writer w;
    struct tern_stateless_reply *reply = next_slot(stateless, in, &w);
    if (reply == NULL) {
        return false;
    }
    tern_write_bytes(&w, data, len);
    keep(stateless, reply, &w);
    return true;
}

bool tern_stateless_next(struct tern_stateless *stateless, tern_train *train)
{
    if (stateless->count == 0) {
        return false;
    }
    const struct tern_stateless_reply *reply = &stateless->replies[stateless->head];
    stateless->head = (stateless->head + 1) % stateless->capacity;
    stateless->count--;
    tern_assert(reply->len <= train->capacity); /* which the endpoint has seen to */
    memcpy(train->data, reply->data, reply->len);
    train->local = reply->local;
    train->remote = reply->remote;
    train->len = train->segment = reply->len;
    train->ecn = 0;
    return true;
}
