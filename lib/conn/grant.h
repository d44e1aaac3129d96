/* Connect tokens as a server reads them. [P §12.8]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_GRANT_H
#define TERN_CONN_GRANT_H

#include <tern/token.h>

#include "base/mem.h"
#include "conn/proofs.h"

/* What a token says that must be known as long as its connection lives. */
struct tern_grant {
    uint8_t client_key[TERN_KEY_SIZE];
    uint8_t id[TERN_TOKEN_NONCE_SIZE]; /* no two tokens have the same */
    uint64_t issued, expires;          /* seconds since 1970 */
    size_t data_len;
    uint8_t data[TERN_CONNECT_DATA_MAX]; /* last: a copy holds only as much as there is */
};

/* Opens an item, which was made for one of `servers` (or for all). Looks at no clock.
 * 0 · TERN_ERR_INVALID_TOKEN */
TERN_MUST_CHECK int tern_grant_open(struct tern_grant *out, const struct tern_item *item,
                                    const uint8_t key[TERN_CONNECT_KEY_SIZE],
                                    const tern_addr *server);

/* A copy without the room that its data does not need. NULL: no memory. */
struct tern_grant *tern_grant_copy(const struct tern_grant *grant, struct tern_mem *mem);
void tern_grant_free(struct tern_grant *grant, struct tern_mem *mem); /* wipes; NULL is fine */

#endif
