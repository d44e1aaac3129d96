/* Trial opening of a first Initial packet, keyed with our public key or not. [P §5.2], [P §12.3]
 * SPDX-License-Identifier: MIT */
#include "endpoint/admit.h"

#include "conn/input.h"
#include "crypto/keys.h"

static bool opens(struct tern_conn_first *first, const struct tern_header *header,
                  const uint8_t *data, uint8_t *scratch, const uint8_t *key)
{
    uint8_t client[TERN_SECRET_SIZE];
    tern_initial_secrets(client, first->tx_secret, first->dcid.bytes, first->dcid.len, key);
    int rc = tern_packet_keys_init(&first->rx, TERN_SUITE_CHACHA20_POLY1305, client);
    if (rc == 0) {
        rc = tern_packet_would_open(header, data, scratch, &first->rx);
    }
    tern_mem_wipe(client, sizeof client);
    first->has_keys = rc == 0;
    return rc == 0;
}

bool tern_admit_check(struct tern_conn_first *first, const struct tern_header *header,
                      const uint8_t *data, uint8_t *scratch, const struct tern_conn_env *env)
{
    bool guess = first->is_keyed || env->config->silent;
    for (unsigned i = 0; i < 2; i++) {
        first->is_keyed = i == 0 ? guess : !guess;
        if ((first->is_keyed || !env->config->silent) &&
            opens(first, header, data, scratch, first->is_keyed ? env->public_key : NULL)) {
            return true;
        }
    }
    return false;
}
