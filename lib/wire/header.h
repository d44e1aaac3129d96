/* Packet headers: what can be read before and after the mask is off, and how they are written.
 * RFC 8999, RFC 9000 section 17, [P §3].
 * SPDX-License-Identifier: MIT */
#ifndef TERN_WIRE_HEADER_H
#define TERN_WIRE_HEADER_H

#include "base/cursor.h"
#include "wire/limits.h"

struct tern_cid {
    uint8_t len; /* 0..20 */
    uint8_t bytes[TERN_CID_MAX];
};

static inline bool tern_cid_equal(const struct tern_cid *a, const struct tern_cid *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* The first four are the two type bits of a long header. */
enum tern_packet_type {
    TERN_PACKET_INITIAL = 0,
    TERN_PACKET_ZERO_RTT = 1,
    TERN_PACKET_HANDSHAKE = 2,
    TERN_PACKET_RETRY = 3,
    TERN_PACKET_ONE_RTT = 4,
    TERN_PACKET_VERSION_NEGOTIATION = 5,
    TERN_PACKET_VERSION_UNKNOWN = 6
};

/* What a protected packet shows. Pointers lead into the datagram. */
struct tern_header {
    enum tern_packet_type type;
    uint32_t version;                   /* 0 for short headers */
    struct tern_cid dcid, scid;         /* empty for VERSION_UNKNOWN: see raw_ */
    const uint8_t *raw_dcid, *raw_scid; /* long headers of any version: up to 255 bytes */
    uint8_t raw_dcid_len, raw_scid_len;
    const uint8_t *token; /* INITIAL; RETRY: the token with its 16-byte tag behind it */
    size_t token_len;
    const uint8_t *versions; /* VERSION_NEGOTIATION: a list of 4-byte numbers */
    size_t versions_len;
    size_t pn_offset;  /* from the packet's first byte; 0 where there is no number */
    size_t packet_len; /* of this packet in the datagram, the sealed payload included */
};

/* Reads one packet's header at the front of `data`. Short headers carry identifiers of
 * `short_cid_len` bytes. 0 · TERN_ERR_INVALID (not a packet that we could know: drop it) */
TERN_MUST_CHECK int tern_header_decode(struct tern_header *out, const uint8_t *data, size_t len,
                                       size_t short_cid_len);

/* Bytes of a header up to and including its packet number. */
size_t tern_header_size(enum tern_packet_type type, size_t dcid_len, size_t scid_len,
                        size_t token_len, size_t pn_len);

/* Writes a long header. body_len: sealed payload behind the number, tag included; at most 16383 less
 * the number, since the length field takes two bytes. */
void tern_header_encode_long(struct tern_writer *w, enum tern_packet_type type,
                             const struct tern_cid *dcid, const struct tern_cid *scid,
                             const uint8_t *token, size_t token_len, uint64_t pn, size_t pn_len,
                             size_t body_len);

void tern_header_encode_short(struct tern_writer *w, const struct tern_cid *dcid, bool key_phase,
                              uint64_t pn, size_t pn_len);

/* A Version Negotiation that answers `to` (its identifiers swapped) with our one version. The seven
 * low bits of the first byte are arbitrary (RFC 8999 §6). */
void tern_header_encode_negotiation(struct tern_writer *w, const struct tern_header *to,
                                    uint8_t first);

/* A Retry: the token and the integrity tag over what stands before it (RFC 9000 §17.2.5). The four low
 * bits of the first byte are arbitrary. */
void tern_header_encode_retry(struct tern_writer *w, const struct tern_cid *dcid,
                              const struct tern_cid *scid, const uint8_t *token, size_t token_len,
                              const uint8_t tag[TERN_RETRY_TAG_SIZE], uint8_t first);

/* Header protection, RFC 9001 §5.4.1: puts the mask on, or takes it off and returns the length of
 * the packet number. */
void tern_header_mask(uint8_t *packet, size_t pn_offset, size_t pn_len, const uint8_t mask[5]);
size_t tern_header_unmask(uint8_t *packet, size_t pn_offset, const uint8_t mask[5]);

#define TERN_PN_NONE UINT64_MAX /* nothing was acknowledged yet */

/* Bytes that a packet number needs so that the receiver cannot mistake it: RFC 9000 A.2. */
size_t tern_pn_size(uint64_t pn, uint64_t largest_acked);

/* Of a 1-RTT packet. RFC 9000 §17.1 asks for twice the distance to what is acknowledged. A packet that comes a
 * round trip late finds the receiver farther on, in slow start by twice the flight, and would not open: eight
 * times the distance is allowed for, and never less than two bytes. */
size_t tern_pn_size_generous(uint64_t pn, uint64_t largest_acked);

/* The number that is meant, near `expected` (largest received + 1): RFC 9000 A.3. */
uint64_t tern_pn_decode(uint64_t expected, uint64_t truncated, size_t pn_len);

#endif
