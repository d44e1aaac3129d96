/* Sealing and opening of the tokens of Retry and NEW_TOKEN. [P §12.5]
 * SPDX-License-Identifier: MIT */
#include "conn/proofs.h"

#include "base/addr.h"
#include "wire/limits.h"

#define SALT_SIZE 16
#define AD_MAX    (1 + 4 + TERN_ADDR_KEY_SIZE + 2 + 1 + TERN_CID_MAX)

bool tern_item_next(struct tern_reader *field, struct tern_item *out)
{
    if (tern_reader_left(field) == 0) {
        return false;
    }
    out->type = tern_read_u8(field);
    out->len = (size_t)tern_read_uint(field, 2);
    out->value = tern_read_bytes(field, out->len);
    return !field->failed;
}

void tern_proofs_init(struct tern_proofs *proofs, const uint8_t static_key[TERN_KEY_SIZE],
                      uint64_t unix_time, tern_time handshake_timeout, struct tern_random *random,
                      tern_time now)
{
    uint8_t salt[SALT_SIZE];
    size_t salt_len = unix_time == 0 ? sizeof salt : 0;
    tern_random_fill(random, salt, sizeof salt);
    tern_token_key(proofs->key, static_key, "address token", salt, salt_len);
    proofs->wall_ms = unix_time == 0 ? now / TERN_MSEC : unix_time * 1000;
    proofs->wall_at = now;
    proofs->retry_life_ms = handshake_timeout / TERN_MSEC;
}

uint64_t tern_proofs_wall(const struct tern_proofs *proofs, tern_time now)
{
    return proofs->wall_ms + tern_sub_sat(now, proofs->wall_at) / TERN_MSEC;
}

/* What a token is bound to, besides what it says. */
static size_t write_ad(uint8_t out[AD_MAX], unsigned type, const tern_addr *remote,
                       const tern_addr *local, const struct tern_cid *cid)
{
    struct tern_writer w;
    tern_addr who = *remote;
    uint8_t key[TERN_ADDR_KEY_SIZE];
    who.scope = 0;
    who.port = type == TERN_ITEM_RETRY ? who.port : 0;
    tern_addr_key(key, &who);
    tern_writer_init(&w, out, AD_MAX);
    tern_write_u8(&w, (uint8_t)type);
    tern_write_uint(&w, TERN_VERSION_1, 4);
    tern_write_bytes(&w, key, sizeof key);
    if (type == TERN_ITEM_RETRY) {
        tern_write_uint(&w, local->port, 2);
        tern_write_u8(&w, cid->len);
        tern_write_bytes(&w, cid->bytes, cid->len);
    }
    tern_assert(!w.failed);
    return tern_writer_used(&w);
}

static void write_item_header(uint8_t *out, unsigned type, size_t len)
{
    out[0] = (uint8_t)type;
    out[1] = (uint8_t)(len >> 8);
    out[2] = (uint8_t)len;
}

/* Made neither too long ago nor in the future, which is what a clock that was set back shows. */
static bool is_young(uint64_t made, uint64_t wall, uint64_t life)
{
    return made <= wall && wall - made <= life;
}

size_t tern_proofs_seal_retry(const struct tern_proofs *proofs, uint8_t out[TERN_RETRY_ITEM_MAX],
                              struct tern_random *random, const tern_addr *local,
                              const tern_addr *remote, const struct tern_cid *scid,
                              const struct tern_cid *odcid, tern_time now)
{
    uint8_t plain[8 + 1 + TERN_CID_MAX], ad[AD_MAX];
    struct tern_writer w;
    tern_writer_init(&w, plain, sizeof plain);
    tern_write_uint(&w, tern_proofs_wall(proofs, now), 8);
    tern_write_u8(&w, odcid->len);
    tern_write_bytes(&w, odcid->bytes, odcid->len);
    tern_assert(!w.failed);
    size_t len = tern_writer_used(&w);
    size_t ad_len = write_ad(ad, TERN_ITEM_RETRY, remote, local, scid);
    write_item_header(out, TERN_ITEM_RETRY, len + TERN_TOKEN_OVERHEAD);
    tern_token_seal(out + TERN_ITEM_HEADER, proofs->key, random, ad, ad_len, plain, len);
    return TERN_ITEM_HEADER + len + TERN_TOKEN_OVERHEAD;
}

int tern_proofs_open_retry(const struct tern_proofs *proofs, const struct tern_item *item,
                           const tern_addr *local, const tern_addr *remote,
                           const struct tern_cid *dcid, struct tern_cid *odcid, tern_time now)
{
    uint8_t plain[8 + 1 + TERN_CID_MAX], ad[AD_MAX];
    size_t ad_len = write_ad(ad, TERN_ITEM_RETRY, remote, local, dcid);
    if (item->len < TERN_TOKEN_OVERHEAD || item->len > sizeof plain + TERN_TOKEN_OVERHEAD ||
        tern_token_open(plain, proofs->key, ad, ad_len, item->value, item->len) != 0) {
        return TERN_ERR_INVALID_TOKEN;
    }
    struct tern_reader r;
    tern_reader_init(&r, plain, item->len - TERN_TOKEN_OVERHEAD);
    uint64_t made = tern_read_uint(&r, 8);
    odcid->len = tern_read_u8(&r);
    const uint8_t *bytes = tern_read_bytes(&r, odcid->len);
    tern_assert(!r.failed && odcid->len <= TERN_CID_MAX); /* we have sealed it */
    memcpy(odcid->bytes, bytes, odcid->len);
    return is_young(made, tern_proofs_wall(proofs, now), proofs->retry_life_ms)
               ? 0
               : TERN_ERR_INVALID_TOKEN;
}

void tern_proofs_seal_address(const struct tern_proofs *proofs, uint8_t out[TERN_ADDRESS_ITEM],
                              struct tern_random *random, const tern_addr *remote, tern_time now)
{
    uint8_t plain[8], ad[AD_MAX];
    struct tern_writer w;
    tern_writer_init(&w, plain, sizeof plain);
    tern_write_uint(&w, tern_proofs_wall(proofs, now), 8);
    size_t ad_len = write_ad(ad, TERN_ITEM_ADDRESS, remote, NULL, NULL);
    write_item_header(out, TERN_ITEM_ADDRESS, sizeof plain + TERN_TOKEN_OVERHEAD);
    tern_token_seal(out + TERN_ITEM_HEADER, proofs->key, random, ad, ad_len, plain, sizeof plain);
}

bool tern_proofs_open_address(const struct tern_proofs *proofs, const struct tern_item *item,
                              const tern_addr *remote, tern_time now)
{
    uint8_t plain[8], ad[AD_MAX];
    size_t ad_len = write_ad(ad, TERN_ITEM_ADDRESS, remote, NULL, NULL);
    if (item->len != sizeof plain + TERN_TOKEN_OVERHEAD ||
        tern_token_open(plain, proofs->key, ad, ad_len, item->value, item->len) != 0) {
        return false;
    }
    struct tern_reader r;
    tern_reader_init(&r, plain, sizeof plain);
    return is_young(tern_read_uint(&r, 8), tern_proofs_wall(proofs, now), TERN_ADDRESS_LIFE_MS);
}
