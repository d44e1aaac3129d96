/* Packets with long headers as somebody seals them who has the keys; and a client's message 1, to say again.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_SEAL_KIT_H
#define TERN_TEST_SEAL_KIT_H

#include "conn/input.h"
#include "crypto/keys.h"
#include "pair_kit.h"
#include "wire/header.h"

#define SEAL_MAX 1500 /* of a packet */

struct seal_head {
    enum tern_packet_type type;
    const struct tern_cid *dcid, *scid;
    uint64_t pn;
};

/* With these frames, and PADDING behind them up to `body` bytes. Returns its length; zeros follow. */
static inline size_t seal_long(uint8_t packet[SEAL_MAX], const struct seal_head *head,
                               struct tern_packet_keys *keys, const void *frames, size_t len,
                               size_t body)
{
    uint8_t mask[TERN_MASK_SIZE];
    struct tern_writer w;
    size_t tag = tern_suite_tag_size(keys->suite);
    assert_true(len <= body);
    memset(packet, 0, SEAL_MAX);
    tern_writer_init(&w, packet, SEAL_MAX);
    tern_header_encode_long(&w, head->type, head->dcid, head->scid, NULL, 0, head->pn, 2,
                            body + tag);
    size_t header = tern_writer_used(&w);
    assert_true(header + body + tag <= SEAL_MAX);
    memcpy(packet + header, frames, len);
    assert_int_equal(tern_packet_seal(keys, 0, head->pn, packet, header, packet + header, body), 0);
    tern_aead_mask(&keys->mask, packet + header - 2 + 4, mask);
    tern_header_mask(packet, header - 2, 2, mask);
    return header + body + tag;
}

/* Of Initial packets. key: of the server that the client knows; NULL: first contact. */
static inline void seal_initial_keys(struct tern_packet_keys *keys, int from,
                                     const struct tern_cid *dcid, const uint8_t *key)
{
    uint8_t secrets[2][32];
    tern_initial_secrets(secrets[PAIR_CLIENT], secrets[PAIR_SERVER], dcid->bytes, dcid->len, key);
    assert_int_equal(tern_packet_keys_init(keys, TERN_SUITE_CHACHA20_POLY1305, secrets[from]), 0);
}

/* In first contact message 1 does not depend on the identifier that it is sent to. */
struct seal_message {
    uint8_t frames[1200];
    size_t len;
    struct tern_cid scid;
};

/* Out of the client's first datagram, which is opened in place. */
static inline void seal_take_message_1(struct seal_message *out, uint8_t *datagram, size_t len)
{
    struct tern_header header;
    struct tern_packet_keys keys;
    struct tern_opened opened;
    assert_int_equal(tern_header_decode(&header, datagram, len, TERN_CID_SIZE), 0);
    seal_initial_keys(&keys, PAIR_CLIENT, &header.dcid, NULL);
    assert_int_equal(tern_packet_unseal(&opened, &header, datagram, &keys, 0), 0);
    tern_packet_keys_clear(&keys);
    out->scid = header.scid;
    out->len = opened.payload_len;
    while (opened.payload[out->len - 1] == 0) { /* PADDING */
        out->len--;
    }
    memcpy(out->frames, opened.payload, out->len);
}

#endif
