/* Packet protection: what was sealed opens to the same, under every suite, with its number found from the few
 * bytes that are sent; and nothing that was touched on the way opens.
 *
 * Input: the suite and form, key updates, sizes, the number and what of it is known, then pairs of three bytes
 * that damage the packet, then the payload.
 * SPDX-License-Identifier: MIT */
#include "conn/input.h"
#include "fuzz.h"

#define PAYLOAD_MAX 1500
#define PACKET_MAX  2200
#define PN_MAX      ((UINT64_C(1) << 62) - 1)

struct packet {
    unsigned suite;
    bool is_long;
    uint8_t updates;
    uint64_t pn, acked;
    struct tern_cid dcid, scid;
    uint8_t payload[PAYLOAD_MAX];
    size_t payload_len;
    uint8_t data[PACKET_MAX];
    size_t len;
};

static void keys_of(const struct packet *p, struct tern_packet_keys *keys)
{
    static const uint8_t secret[TERN_SECRET_SIZE] = {3, 1, 4};
    struct tern_packet_seed seed;
    FUZZ_CHECK(tern_packet_keys_init(keys, p->suite, secret) == 0);
    for (uint8_t i = 0; i < p->updates; i++) {
        FUZZ_CHECK(tern_packet_keys_update(keys, keys) == 0);
    }
    tern_packet_keys_fold(&seed, keys); /* as a connection at rest does */
    FUZZ_CHECK(tern_packet_keys_unfold(keys, &seed) == 0);
}

static void read_packet(struct fuzz_input *in, struct packet *p)
{
    unsigned ranked[4];
    (void)tern_suites_available(ranked);
    uint8_t form = fuzz_u8(in);
    p->suite = ranked[form & 3] != 0 ? ranked[form & 3] : ranked[0];
    p->is_long = (form & 4) != 0;
    p->updates = form >> 6;
    p->dcid.len = fuzz_u8(in) % (TERN_CID_MAX + 1);
    p->scid.len = fuzz_u8(in) % (TERN_CID_MAX + 1);
    p->pn = fuzz_number(in, 8) & PN_MAX;
    uint64_t behind = fuzz_number(in, 4) % (UINT64_C(1) << 30);
    p->acked = p->pn == 0 ? TERN_PN_NONE : p->pn - 1 - TERN_MIN(behind, p->pn - 1);
}

static void seal(struct packet *p, struct tern_packet_keys *keys)
{
    struct tern_writer w;
    uint8_t mask[TERN_MASK_SIZE];
    size_t pn_len = tern_pn_size(p->pn, p->acked);
    size_t tag = tern_suite_tag_size(p->suite);
    tern_writer_init(&w, p->data, sizeof p->data);
    if (p->is_long) {
        tern_header_encode_long(&w, TERN_PACKET_HANDSHAKE, &p->dcid, &p->scid, NULL, 0, p->pn,
                                pn_len, p->payload_len + tag);
    } else {
        tern_header_encode_short(&w, &p->dcid, (p->updates & 1) != 0, p->pn, pn_len);
    }
    size_t header_len = tern_writer_used(&w);
    tern_write_bytes(&w, p->payload, p->payload_len);
    FUZZ_CHECK(!w.failed);
    FUZZ_CHECK(tern_packet_seal(keys, 0, p->pn, p->data, header_len, p->data + header_len,
                                p->payload_len) == 0);
    tern_aead_mask(&keys->mask, p->data + header_len - pn_len + 4, mask);
    tern_header_mask(p->data, header_len - pn_len, pn_len, mask);
    p->len = header_len + p->payload_len + tag;
}

/* 0 and the plaintext in `copy`, or why not. */
static int open_packet(const struct packet *p, const uint8_t *data, uint8_t copy[PACKET_MAX],
                       struct tern_opened *out)
{
    struct tern_header header;
    struct tern_packet_keys keys;
    memcpy(copy, data, p->len);
    if (tern_header_decode(&header, copy, p->len, p->dcid.len) != 0 || header.pn_offset == 0) {
        return TERN_ERR_INVALID;
    }
    FUZZ_CHECK(header.packet_len <= p->len);
    keys_of(p, &keys);
    int rc =
        tern_packet_unseal(out, &header, copy, &keys, p->acked == TERN_PN_NONE ? 0 : p->acked + 1);
    tern_packet_keys_clear(&keys);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct packet p = {0};
    struct tern_packet_keys keys;
    struct tern_opened opened;
    uint8_t copy[PACKET_MAX], damaged[PACKET_MAX];
    read_packet(&in, &p);
    uint8_t damages = fuzz_u8(&in) & 7, change[3 * 8];
    for (unsigned i = 0; i < 3u * damages; i++) {
        change[i] = fuzz_u8(&in);
    }
    const uint8_t *rest = fuzz_bytes(&in, PAYLOAD_MAX - 4, &p.payload_len);
    if (p.payload_len > 0) {
        memcpy(p.payload, rest, p.payload_len);
    }
    p.payload_len += 4; /* there is always enough for a sample of the mask */
    keys_of(&p, &keys);
    seal(&p, &keys);
    tern_packet_keys_clear(&keys);
    FUZZ_CHECK(open_packet(&p, p.data, copy, &opened) == 0);
    FUZZ_CHECK(opened.pn == p.pn && opened.payload_len == p.payload_len);
    FUZZ_CHECK(p.is_long || opened.phase_bit == ((p.updates & 1) != 0));
    FUZZ_CHECK(!opened.has_reserved_bits);
    FUZZ_CHECK(memcmp(opened.payload, p.payload, p.payload_len) == 0);
    memcpy(damaged, p.data, p.len);
    for (unsigned i = 0; i < damages; i++) {
        damaged[((size_t)change[3 * i] << 8 | change[3 * i + 1]) % p.len] ^= change[3 * i + 2];
    }
    bool is_same = memcmp(damaged, p.data, p.len) == 0;
    FUZZ_CHECK((open_packet(&p, damaged, copy, &opened) == 0) == is_same);
    return 0;
}
