/* Proofs of address: sealed tokens by which a server knows again, without memory, whom it has reached.
 *
 * The token field of an Initial packet is a list of items, type u8 ‖ length u16 ‖ value. A client passes
 * them on and understands none. [P §12.5]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_PROOFS_H
#define TERN_CONN_PROOFS_H

#include "base/cursor.h"
#include "crypto/token.h"
#include "wire/header.h"

/* From a Retry: as long as a handshake may take, one address and port. */
#define TERN_ITEM_RETRY   0x01u
#define TERN_ITEM_ADDRESS 0x02u /* from NEW_TOKEN: a day, one address */
#define TERN_ITEM_CONNECT 0x03u /* from a matchmaker: whom to admit */

#define TERN_ITEM_HEADER     3
#define TERN_RETRY_ITEM_MAX  (TERN_ITEM_HEADER + TERN_TOKEN_OVERHEAD + 8 + 1 + TERN_CID_MAX)
#define TERN_ADDRESS_ITEM    (TERN_ITEM_HEADER + TERN_TOKEN_OVERHEAD + 8)
#define TERN_ADDRESS_LIFE_MS (24 * 3600 * UINT64_C(1000))

/* One item; the value leads into the packet. */
struct tern_item {
    uint8_t type;
    const uint8_t *value;
    size_t len;
};

/* False at the end, or where the rest makes no sense. */
bool tern_item_next(struct tern_reader *field, struct tern_item *out);

struct tern_proofs {
    uint8_t key[TERN_TOKEN_KEY_SIZE];
    uint64_t wall_ms; /* at `wall_at`: since 1970, or since whenever if nobody has told */
    tern_time wall_at;
    uint64_t retry_life_ms;
};

/* unix_time: seconds since 1970, or 0. Without it the tokens of one endpoint mean nothing to another or
 * after a restart, since the clocks would not agree. A Retry's token holds as long as a handshake may take. */
void tern_proofs_init(struct tern_proofs *proofs, const uint8_t static_key[TERN_KEY_SIZE],
                      uint64_t unix_time, tern_time handshake_timeout, struct tern_random *random,
                      tern_time now);

/* Milliseconds since 1970, if that is known. */
uint64_t tern_proofs_wall(const struct tern_proofs *proofs, tern_time now);

/* The item for a Retry with the identifier `scid`, to a client that chose `odcid`. Returns its length. */
size_t tern_proofs_seal_retry(const struct tern_proofs *proofs, uint8_t out[TERN_RETRY_ITEM_MAX],
                              struct tern_random *random, const tern_addr *local,
                              const tern_addr *remote, const struct tern_cid *scid,
                              const struct tern_cid *odcid, tern_time now);
/* In a packet to `dcid`. 0 and *odcid · TERN_ERR_INVALID_TOKEN */
TERN_MUST_CHECK int tern_proofs_open_retry(const struct tern_proofs *proofs,
                                           const struct tern_item *item, const tern_addr *local,
                                           const tern_addr *remote, const struct tern_cid *dcid,
                                           struct tern_cid *odcid, tern_time now);

/* The item for NEW_TOKEN. */
void tern_proofs_seal_address(const struct tern_proofs *proofs, uint8_t out[TERN_ADDRESS_ITEM],
                              struct tern_random *random, const tern_addr *remote, tern_time now);
/* A bad one is as good as none (RFC 9000 §8.1.3). */
bool tern_proofs_open_address(const struct tern_proofs *proofs, const struct tern_item *item,
                              const tern_addr *remote, tern_time now);

#endif
