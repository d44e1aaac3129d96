/* The way in: a datagram's packets are unmasked, opened and handed to handle, frame by frame.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_INPUT_H
#define TERN_CONN_INPUT_H

#include "conn/conn.h"
#include "wire/header.h"

/* A packet that opened. */
struct tern_opened {
    uint8_t *payload;
    size_t payload_len;
    uint64_t pn;
    bool phase_bit;
    bool has_reserved_bits; /* a protocol violation, known only once it has opened */
};

/* Unmasks and opens one long-header packet of `header->packet_len` bytes in place with known keys.
 * `expected`: one more than the largest number that opened. 0 · TERN_ERR_CRYPTO */
TERN_MUST_CHECK int tern_packet_unseal(struct tern_opened *out, const struct tern_header *header,
                                       uint8_t *packet, struct tern_packet_keys *keys,
                                       uint64_t expected);

/* Whether an Initial packet would open with these keys; it stays as it is. `scratch` has room for its header
 * and 20 bytes more. 0 · TERN_ERR_CRYPTO */
TERN_MUST_CHECK int tern_packet_would_open(const struct tern_header *header, const uint8_t *packet,
                                           uint8_t *scratch, const struct tern_packet_keys *keys);

/* A datagram for this connection: never fails, whatever the bytes are. */
void tern_conn_on_datagram(struct tern_conn *conn, const tern_datagram *in, uint8_t *data,
                           size_t len, tern_time now);

/* The same for packets one behind the other, all of `segment` bytes but the last, that came in one train: the first
 * of them whose beginning says that they are of the connection's usual kind. Returns how many were dealt with, 0
 * where the first or the connection is in any way special; then nothing has happened. */
size_t tern_conn_on_train(struct tern_conn *conn, const tern_datagram *in, uint8_t *data,
                          size_t len, size_t segment, tern_time now);

#endif
