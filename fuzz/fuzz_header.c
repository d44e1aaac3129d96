/* Packet headers: whatever is decoded stays inside the datagram, and what we write ourselves from it
 * decodes to the same. Packet numbers survive truncation, headers survive the mask.
 *
 * Input: a datagram, coalesced packets and all; its last bytes also serve as mask and numbers.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "wire/header.h"

#define PN_MAX ((UINT64_C(1) << 62) - 1)

static bool is_inside(const uint8_t *part, size_t len, const uint8_t *data, size_t size)
{
    return part == NULL || (part >= data && len <= size && part <= data + (size - len));
}

/* A long header of ours, written again from its fields. */
static void check_rewrite(const struct tern_header *h)
{
    uint8_t buf[4096];
    struct tern_header again;
    struct tern_writer w;
    size_t body = h->packet_len - h->pn_offset;
    if (body < 1 || body > 4000 || h->token_len > sizeof buf / 2) {
        return;
    }
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_long(&w, h->type, &h->dcid, &h->scid, h->token, h->token_len, 0, 1,
                            body - 1);
    FUZZ_CHECK(!w.failed);
    FUZZ_CHECK(tern_writer_used(&w) ==
               tern_header_size(h->type, h->dcid.len, h->scid.len, h->token_len, 1));
    if (tern_write_room(&w, body - 1) == NULL) {
        return;
    }
    memset(w.at - (body - 1), 0, body - 1);
    FUZZ_CHECK(tern_header_decode(&again, buf, tern_writer_used(&w), TERN_CID_SIZE) == 0);
    FUZZ_CHECK(again.type == h->type && again.packet_len - again.pn_offset == body);
    FUZZ_CHECK(tern_cid_equal(&again.dcid, &h->dcid) && tern_cid_equal(&again.scid, &h->scid));
    FUZZ_CHECK(again.token_len == h->token_len);
}

static void check_negotiation(const struct tern_header *h, uint8_t first)
{
    uint8_t buf[1024];
    struct tern_header answer;
    struct tern_writer w;
    tern_writer_init(&w, buf, sizeof buf);
    tern_header_encode_negotiation(&w, h, first);
    FUZZ_CHECK(!w.failed);
    FUZZ_CHECK(tern_header_decode(&answer, buf, tern_writer_used(&w), TERN_CID_SIZE) == 0);
    FUZZ_CHECK(answer.type == TERN_PACKET_VERSION_NEGOTIATION);
    FUZZ_CHECK(answer.raw_dcid_len == h->raw_scid_len && answer.raw_scid_len == h->raw_dcid_len);
}

static void check_header(const struct tern_header *h, const uint8_t *data, size_t size)
{
    FUZZ_CHECK(h->packet_len <= size && h->pn_offset <= h->packet_len);
    FUZZ_CHECK(h->dcid.len <= TERN_CID_MAX && h->scid.len <= TERN_CID_MAX);
    FUZZ_CHECK(is_inside(h->raw_dcid, h->raw_dcid_len, data, size));
    FUZZ_CHECK(is_inside(h->raw_scid, h->raw_scid_len, data, size));
    FUZZ_CHECK(is_inside(h->token, h->token_len, data, size));
    FUZZ_CHECK(is_inside(h->versions, h->versions_len, data, size));
    if (h->type == TERN_PACKET_INITIAL || h->type == TERN_PACKET_HANDSHAKE) {
        check_rewrite(h);
    } else if (h->type == TERN_PACKET_VERSION_UNKNOWN) {
        check_negotiation(h, data[0]);
    }
}

static void check_mask(const struct tern_header *h, const uint8_t *data, const uint8_t mask[5])
{
    uint8_t packet[256], masked[256];
    if (h->pn_offset == 0 || h->pn_offset + 4 > sizeof packet || h->packet_len < h->pn_offset + 4) {
        return;
    }
    memcpy(packet, data, h->pn_offset + 4);
    memcpy(masked, packet, h->pn_offset + 4);
    size_t pn_len = (size_t)(packet[0] & 3) + 1;
    tern_header_mask(masked, h->pn_offset, pn_len, mask);
    FUZZ_CHECK(tern_header_unmask(masked, h->pn_offset, mask) == pn_len);
    FUZZ_CHECK(memcmp(masked, packet, h->pn_offset + 4) == 0);
}

/* A sender who knows the largest acknowledged number is understood by a receiver who has at least
 * that one and nothing newer than the packet. */
static void check_number(uint64_t pn, uint64_t behind)
{
    uint64_t acked = pn == 0 ? TERN_PN_NONE : pn - 1 - behind % TERN_MIN(pn, UINT64_C(1) << 30);
    size_t len = tern_pn_size(pn, acked);
    uint64_t truncated = pn & ((UINT64_C(1) << (8 * len)) - 1);
    FUZZ_CHECK(len >= 1 && len <= TERN_PN_MAX_SIZE);
    FUZZ_CHECK(tern_pn_decode(acked == TERN_PN_NONE ? 0 : acked + 1, truncated, len) == pn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t tail[16] = {0};
    struct tern_header h;
    memcpy(tail, data + size - TERN_MIN(size, sizeof tail), TERN_MIN(size, sizeof tail));
    for (size_t at = 0; at < size; at += h.packet_len) {
        if (tern_header_decode(&h, data + at, size - at, tail[0] % (TERN_CID_MAX + 1)) != 0 ||
            h.packet_len == 0) {
            break;
        }
        check_header(&h, data + at, size - at);
        check_mask(&h, data + at, tail + 1);
    }
    uint64_t pn, behind;
    memcpy(&pn, tail, 8);
    memcpy(&behind, tail + 8, 8);
    check_number((pn & PN_MAX) >> (tail[15] & 63), behind);
    return 0;
}
