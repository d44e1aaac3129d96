/* Somebody on the path who changes message 1, over pair_kit.h: Initial keys are no secret.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_MEDDLE_KIT_H
#define TERN_TEST_MEDDLE_KIT_H

#include "conn/handshake.h"
#include "conn/input.h"
#include "crypto/keys.h"
#include "pair_kit.h"
#include "wire/header.h"

/* What to change in the bytes of message 1. */
struct meddle_change {
    size_t at;
    uint8_t flip;
};

/* Opens the client's first Initial, which any observer can, changes the message and seals it again. */
static inline void change_message_1(uint8_t *data, const struct meddle_change *change,
                                    const uint8_t *key)
{
    uint8_t secrets[2][32], mask[TERN_MASK_SIZE];
    struct tern_packet_keys open_keys, seal_keys;
    struct tern_header header;
    struct tern_opened opened;
    assert_int_equal(tern_header_decode(&header, data, 1200, TERN_CID_SIZE), 0);
    tern_initial_secrets(secrets[0], secrets[1], header.dcid.bytes, header.dcid.len, key);
    assert_int_equal(tern_packet_keys_init(&open_keys, TERN_SUITE_CHACHA20_POLY1305, secrets[0]),
                     0);
    assert_int_equal(tern_packet_keys_init(&seal_keys, TERN_SUITE_CHACHA20_POLY1305, secrets[0]),
                     0);
    assert_int_equal(tern_packet_unseal(&opened, &header, data, &open_keys, 0), 0);
    assert_int_equal(opened.payload[0], 0x06); /* CRYPTO, offset 0, length of two bytes */
    opened.payload[4 + change->at] ^= change->flip;
    size_t header_len = (size_t)(opened.payload - data), pn_len = header_len - header.pn_offset;
    assert_int_equal(tern_packet_seal(&seal_keys, 0, opened.pn, data, header_len, opened.payload,
                                      opened.payload_len),
                     0);
    tern_aead_mask(&seal_keys.mask, data + header.pn_offset + 4, mask);
    tern_header_mask(data, header.pn_offset, pn_len, mask);
}

static struct meddle_change meddle_change;
static bool meddle_is_keyed;
static unsigned meddled;

static inline bool meddle(struct pair *pair, int from, uint8_t *data, size_t len)
{
    if (from == PAIR_CLIENT && (data[0] & 0xb0) == 0x80 && len >= 1200) {
        change_message_1(data, &meddle_change, meddle_is_keyed ? pair->key : NULL);
        meddled++;
    }
    return true;
}

static inline void meddle_in(struct pair *pair)
{
    pair->wire = meddle;
    meddled = 0;
}

#endif
