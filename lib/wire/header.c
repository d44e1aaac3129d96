/* Reading, writing and masking of packet headers, and packet numbers.
 * SPDX-License-Identifier: MIT */
#include "wire/header.h"

#define FORM_LONG    0x80u
#define FIXED_BIT    0x40u
#define PHASE_BIT    0x04u
#define MASKED_LONG  0x0fu /* bits of the first byte under the mask: RFC 9001 §5.4.1 */
#define MASKED_SHORT 0x1fu
#define LENGTH_MAX   16383u

/* Nearly all have the length that we issue, and a copy of a length that the compiler knows is one move. */
static void copy_cid(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len == TERN_CID_SIZE) {
        memcpy(to, from, TERN_CID_SIZE);
    } else if (len > 0) {
        memcpy(to, from, len);
    }
}

static void set_cid(struct tern_cid *cid, const uint8_t *bytes, size_t len)
{
    tern_assert(len <= TERN_CID_MAX);
    cid->len = (uint8_t)len;
    copy_cid(cid->bytes, bytes, len);
}

static int decode_short(struct tern_header *out, const uint8_t *data, size_t len,
                        size_t short_cid_len)
{
    if (len < 1 + short_cid_len || (data[0] & FIXED_BIT) == 0) {
        return TERN_ERR_INVALID;
    }
    /* One by one: nearly all packets are of this kind, and zeroing the rest costs more than reading. */
    out->type = TERN_PACKET_ONE_RTT;
    out->version = 0;
    out->scid.len = out->raw_dcid_len = out->raw_scid_len = 0;
    out->raw_dcid = out->raw_scid = out->token = out->versions = NULL;
    out->token_len = out->versions_len = 0;
    set_cid(&out->dcid, data + 1, short_cid_len);
    out->pn_offset = 1 + short_cid_len;
    out->packet_len = len;
    return 0;
}

/* Behind the identifiers of a long header of our version. */
static int decode_ours(struct tern_header *out, struct tern_reader *r, const uint8_t *data)
{
    if (out->raw_dcid_len > TERN_CID_MAX || out->raw_scid_len > TERN_CID_MAX ||
        (data[0] & FIXED_BIT) == 0) {
        return TERN_ERR_INVALID;
    }
    set_cid(&out->dcid, out->raw_dcid, out->raw_dcid_len);
    set_cid(&out->scid, out->raw_scid, out->raw_scid_len);
    out->type = (enum tern_packet_type)(data[0] >> 4 & 3);
    if (out->type == TERN_PACKET_RETRY) {
        if (tern_reader_left(r) <= TERN_RETRY_TAG_SIZE) {
            return TERN_ERR_INVALID;
        }
        out->token_len = tern_reader_left(r) - TERN_RETRY_TAG_SIZE;
        out->token = tern_read_bytes(r, tern_reader_left(r));
        out->packet_len = (size_t)(r->at - data);
        return 0;
    }
    if (out->type == TERN_PACKET_INITIAL) {
        uint64_t token_len = tern_read_varint(r);
        out->token = tern_read_bytes(r, token_len);
        out->token_len = (size_t)token_len;
    }
    uint64_t length = tern_read_varint(r);
    if (r->failed || length > tern_reader_left(r)) {
        return TERN_ERR_INVALID;
    }
    out->pn_offset = (size_t)(r->at - data);
    out->packet_len = out->pn_offset + (size_t)length;
    return 0;
}

int tern_header_decode(struct tern_header *out, const uint8_t *data, size_t len,
                       size_t short_cid_len)
{
    if (len > 0 && (data[0] & FORM_LONG) == 0) {
        return decode_short(out, data, len, short_cid_len);
    }
    memset(out, 0, sizeof *out);
    if (len == 0) {
        return TERN_ERR_INVALID;
    }
    struct tern_reader r;
    tern_reader_init(&r, data + 1, len - 1);
    out->version = (uint32_t)tern_read_uint(&r, 4);
    out->raw_dcid_len = tern_read_u8(&r);
    out->raw_dcid = tern_read_bytes(&r, out->raw_dcid_len);
    out->raw_scid_len = tern_read_u8(&r);
    out->raw_scid = tern_read_bytes(&r, out->raw_scid_len);
    if (r.failed) {
        return TERN_ERR_INVALID;
    }
    if (out->version == TERN_VERSION_1) {
        return decode_ours(out, &r, data);
    }
    out->packet_len = len; /* nothing of it can be known, so nothing can follow it */
    out->type = out->version == 0 ? TERN_PACKET_VERSION_NEGOTIATION : TERN_PACKET_VERSION_UNKNOWN;
    if (out->version == 0) {
        out->versions_len = tern_reader_left(&r);
        out->versions = tern_read_bytes(&r, out->versions_len);
        return out->versions_len == 0 || out->versions_len % 4 != 0 ? TERN_ERR_INVALID : 0;
    }
    return 0;
}

size_t tern_header_size(enum tern_packet_type type, size_t dcid_len, size_t scid_len,
                        size_t token_len, size_t pn_len)
{
    if (type == TERN_PACKET_ONE_RTT) {
        return 1 + dcid_len + pn_len;
    }
    size_t token = type == TERN_PACKET_INITIAL ? tern_varint_size(token_len) + token_len : 0;
    return 1 + 4 + 1 + dcid_len + 1 + scid_len + token + 2 + pn_len;
}

/* What all long headers of our version begin with. */
static void write_invariants(struct tern_writer *w, unsigned first, const struct tern_cid *dcid,
                             const struct tern_cid *scid)
{
    tern_write_u8(w, (uint8_t)first);
    tern_write_uint(w, TERN_VERSION_1, 4);
    tern_write_u8(w, dcid->len);
    tern_write_bytes(w, dcid->bytes, dcid->len);
    tern_write_u8(w, scid->len);
    tern_write_bytes(w, scid->bytes, scid->len);
}

void tern_header_encode_long(struct tern_writer *w, enum tern_packet_type type,
                             const struct tern_cid *dcid, const struct tern_cid *scid,
                             const uint8_t *token, size_t token_len, uint64_t pn, size_t pn_len,
                             size_t body_len)
{
    tern_assert(pn_len + body_len <= LENGTH_MAX);
    write_invariants(w, FORM_LONG | FIXED_BIT | (unsigned)type << 4 | (unsigned)(pn_len - 1), dcid,
                     scid);
    if (type == TERN_PACKET_INITIAL) {
        tern_write_varint(w, token_len);
        tern_write_bytes(w, token, token_len);
    }
    tern_write_uint(w, 0x4000u | (pn_len + body_len), 2); /* a varint of two bytes in any case */
    tern_write_uint(w, pn, pn_len);
}

void tern_header_encode_short(struct tern_writer *w, const struct tern_cid *dcid, bool key_phase,
                              uint64_t pn, size_t pn_len)
{
    uint8_t *at = tern_write_room(w, 1 + dcid->len + pn_len);
    if (at == NULL) {
        return;
    }
    *at++ = (uint8_t)(FIXED_BIT | (key_phase ? PHASE_BIT : 0) | (pn_len - 1));
    copy_cid(at, dcid->bytes, dcid->len);
    at += dcid->len;
    for (size_t i = 0; i < pn_len; i++) {
        at[i] = (uint8_t)(pn >> (8 * (pn_len - 1 - i)));
    }
}

void tern_header_encode_negotiation(struct tern_writer *w, const struct tern_header *to,
                                    uint8_t first)
{
    tern_write_u8(w, (uint8_t)(FORM_LONG | first));
    tern_write_uint(w, 0, 4);
    tern_write_u8(w, to->raw_scid_len);
    tern_write_bytes(w, to->raw_scid, to->raw_scid_len);
    tern_write_u8(w, to->raw_dcid_len);
    tern_write_bytes(w, to->raw_dcid, to->raw_dcid_len);
    tern_write_uint(w, TERN_VERSION_1, 4);
}

void tern_header_encode_retry(struct tern_writer *w, const struct tern_cid *dcid,
                              const struct tern_cid *scid, const uint8_t *token, size_t token_len,
                              const uint8_t tag[TERN_RETRY_TAG_SIZE], uint8_t first)
{
    write_invariants(w, FORM_LONG | FIXED_BIT | TERN_PACKET_RETRY << 4 | (first & 0x0fu), dcid,
                     scid);
    tern_write_bytes(w, token, token_len);
    tern_write_bytes(w, tag, TERN_RETRY_TAG_SIZE);
}

void tern_header_mask(uint8_t *packet, size_t pn_offset, size_t pn_len, const uint8_t mask[5])
{
    unsigned hidden = (packet[0] & FORM_LONG) != 0 ? MASKED_LONG : MASKED_SHORT;
    packet[0] = (uint8_t)(packet[0] ^ (mask[0] & hidden));
    for (size_t i = 0; i < pn_len; i++) {
        packet[pn_offset + i] ^= mask[1 + i];
    }
}

size_t tern_header_unmask(uint8_t *packet, size_t pn_offset, const uint8_t mask[5])
{
    unsigned hidden = (packet[0] & FORM_LONG) != 0 ? MASKED_LONG : MASKED_SHORT;
    packet[0] = (uint8_t)(packet[0] ^ (mask[0] & hidden));
    size_t pn_len = (size_t)(packet[0] & 3) + 1;
    for (size_t i = 0; i < pn_len; i++) {
        packet[pn_offset + i] ^= mask[1 + i];
    }
    return pn_len;
}

size_t tern_pn_size(uint64_t pn, uint64_t largest_acked)
{
    uint64_t span = largest_acked == TERN_PN_NONE ? pn + 1 : pn - largest_acked;
    size_t size = 1;
    while (size < TERN_PN_MAX_SIZE && span >= UINT64_C(1) << (8 * size - 1)) {
        size++;
    }
    return size;
}

size_t tern_pn_size_generous(uint64_t pn, uint64_t largest_acked)
{
    uint64_t distance = largest_acked == TERN_PN_NONE ? pn + 1 : pn - largest_acked;
    return TERN_MAX(tern_pn_size(4 * distance, 0), (size_t)2);
}

uint64_t tern_pn_decode(uint64_t expected, uint64_t truncated, size_t pn_len)
{
    uint64_t window = UINT64_C(1) << (8 * pn_len);
    uint64_t half = window / 2;
    uint64_t candidate = (expected & ~(window - 1)) | truncated;
    if (candidate + half <= expected && candidate < (UINT64_C(1) << 62) - window) {
        return candidate + window;
    }
    if (candidate > expected + half && candidate >= window) {
        return candidate - window;
    }
    return candidate;
}
