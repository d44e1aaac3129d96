/* Birth, keys and discard of a packet number space.
 * SPDX-License-Identifier: MIT */
#include "conn/space.h"

void tern_space_init(struct tern_space *space, struct tern_mem *mem, tern_time max_ack_delay)
{
    memset(space, 0, sizeof *space);
    space->mem = mem;
    space->skip_at = UINT64_MAX;
    tern_acks_init(&space->acks, mem, max_ack_delay);
    tern_loss_init(&space->loss, mem);
    tern_crypto_flow_init(&space->crypto, mem);
}

static void drop_keys(struct tern_space *space)
{
    if (space->keys != NULL) {
        tern_key_phase_clear(space->keys);
        tern_mem_free(space->mem, space->keys);
        space->keys = NULL;
    }
}

void tern_space_clear(struct tern_space *space)
{
    drop_keys(space);
    tern_acks_clear(&space->acks);
    tern_loss_clear(&space->loss);
    tern_crypto_flow_clear(&space->crypto);
}

static int keep_keys(struct tern_space *space, struct tern_key_phase *keys, int rc)
{
    if (rc != 0) {
        tern_mem_free(space->mem, keys);
        return rc;
    }
    drop_keys(space);
    space->keys = keys;
    return 0;
}

int tern_space_install(struct tern_space *space, unsigned suite, const uint8_t tx_secret[32],
                       const uint8_t rx_secret[32])
{
    struct tern_key_phase *keys = tern_mem_alloc(space->mem, sizeof *keys);
    return keys == NULL
               ? TERN_ERR_NOMEM
               : keep_keys(space, keys, tern_key_phase_init(keys, suite, tx_secret, rx_secret));
}

int tern_space_install_opened(struct tern_space *space, const uint8_t tx_secret[32],
                              const struct tern_packet_keys *rx)
{
    struct tern_key_phase *keys = tern_mem_alloc(space->mem, sizeof *keys);
    return keys == NULL ? TERN_ERR_NOMEM
                        : keep_keys(space, keys, tern_key_phase_init_opened(keys, tx_secret, rx));
}

uint64_t tern_space_discard(struct tern_space *space)
{
    uint64_t in_flight = tern_loss_discard(&space->loss);
    tern_space_clear(space);
    space->is_discarded = true;
    space->probes = 0;
    return in_flight;
}

uint64_t tern_space_restart(struct tern_space *space)
{
    uint64_t in_flight = tern_loss_discard(&space->loss);
    tern_space_clear(space);
    space->has_opened = false;
    space->probes = 0;
    return in_flight;
}
