/* Handshake bytes of one level: a kept outgoing message and a small reassembly buffer.
 * SPDX-License-Identifier: MIT */
#include "conn/cryptoflow.h"

#define FLOW_RANGES_MAX 32

void tern_crypto_flow_init(struct tern_crypto_flow *flow, struct tern_mem *mem)
{
    memset(flow, 0, sizeof *flow);
    flow->mem = mem;
    tern_ranges_init(&flow->unsent, mem, FLOW_RANGES_MAX);
    tern_ranges_init(&flow->received, mem, FLOW_RANGES_MAX);
}

void tern_crypto_flow_clear(struct tern_crypto_flow *flow)
{
    struct tern_mem *mem = flow->mem;
    if (flow->out != NULL) {
        tern_mem_wipe(flow->out, flow->out_len);
        tern_mem_free(mem, flow->out);
    }
    tern_crypto_flow_forget(flow);
    tern_ranges_clear(&flow->unsent);
    tern_ranges_clear(&flow->received);
    tern_crypto_flow_init(flow, mem);
}

int tern_crypto_flow_write(struct tern_crypto_flow *flow, const uint8_t *data, size_t len)
{
    if (len > TERN_CRYPTO_FLOW_MAX - flow->out_len) {
        return TERN_ERR_CRYPTO_BUFFER;
    }
    if (len == 0) {
        return 0;
    }
    uint8_t *grown = flow->out == NULL
                         ? tern_mem_alloc(flow->mem, len)
                         : tern_mem_realloc(flow->mem, flow->out, flow->out_len + len);
    if (grown == NULL) {
        return TERN_ERR_NOMEM;
    }
    flow->out = grown;
    int rc = tern_ranges_add(&flow->unsent, flow->out_len, flow->out_len + len);
    if (rc != 0) {
        return rc;
    }
    memcpy(flow->out + flow->out_len, data, len);
    flow->out_len += len;
    return 0;
}

bool tern_crypto_flow_wants(const struct tern_crypto_flow *flow)
{
    return flow->unsent.count > 0;
}

const uint8_t *tern_crypto_flow_peek(const struct tern_crypto_flow *flow, uint64_t *offset,
                                     size_t *len)
{
    tern_assert(flow->unsent.count > 0);
    const struct tern_range *first = &flow->unsent.items[0];
    *offset = first->start;
    *len = TERN_MIN(*len, (size_t)(first->end - first->start));
    return flow->out + first->start;
}

int tern_crypto_flow_on_sent(struct tern_crypto_flow *flow, uint64_t offset, size_t len)
{
    return len == 0 ? 0 : tern_ranges_drop(&flow->unsent, offset, offset + len);
}

void tern_crypto_flow_on_acked(struct tern_crypto_flow *flow, uint64_t offset, size_t len)
{
    int rc = tern_crypto_flow_on_sent(flow, offset, len);
    (void)rc; /* without memory to split a range the bytes leave once more than needed, no worse */
}

int tern_crypto_flow_on_lost(struct tern_crypto_flow *flow, uint64_t offset, size_t len)
{
    if (len == 0 || flow->out == NULL) {
        return 0;
    }
    return tern_ranges_add(&flow->unsent, offset, offset + len);
}

int tern_crypto_flow_receive(struct tern_crypto_flow *flow, uint64_t offset, const uint8_t *data,
                             size_t len)
{
    if (offset > TERN_CRYPTO_FLOW_MAX || len > TERN_CRYPTO_FLOW_MAX - offset) {
        return TERN_ERR_CRYPTO_BUFFER;
    }
    if (len == 0 || offset + len <= flow->in_read) {
        return 0;
    }
    if (flow->in == NULL) {
        flow->in = tern_mem_alloc(flow->mem, TERN_CRYPTO_FLOW_MAX);
        if (flow->in == NULL) {
            return TERN_ERR_NOMEM;
        }
    }
    if (tern_ranges_covers(&flow->received, offset, offset + len)) {
        return 0;
    }
    int rc = tern_ranges_add(&flow->received, offset, offset + len);
    if (rc != 0) {
        return rc == TERN_ERR_LIMIT ? TERN_ERR_CRYPTO_BUFFER : rc;
    }
    /* Bytes before in_read were judged already and must not change under the handshake. */
    size_t skip = offset < flow->in_read ? flow->in_read - (size_t)offset : 0;
    memcpy(flow->in + offset + skip, data + skip, len - skip);
    return 0;
}

/* Bytes were written as far as the last range. */
static void drop_heard(struct tern_crypto_flow *flow)
{
    const struct tern_ranges *received = &flow->received;
    if (flow->in != NULL) {
        if (received->count > 0) {
            tern_mem_wipe(flow->in, (size_t)received->items[received->count - 1].end);
        }
        tern_mem_free(flow->mem, flow->in);
        flow->in = NULL;
    }
}

const uint8_t *tern_crypto_flow_readable(const struct tern_crypto_flow *flow, size_t *len)
{
    *len = 0;
    if (flow->received.count == 0 || flow->received.items[0].start != 0) {
        return NULL;
    }
    *len = (size_t)flow->received.items[0].end - flow->in_read;
    return *len == 0 ? NULL : flow->in + flow->in_read;
}

void tern_crypto_flow_take(struct tern_crypto_flow *flow, size_t len)
{
    flow->in_read += len;
}

void tern_crypto_flow_rest(struct tern_crypto_flow *flow)
{
    const struct tern_ranges *received = &flow->received;
    if (flow->in != NULL && received->count == 1 && received->items[0].end == flow->in_read) {
        drop_heard(flow);
    }
}

void tern_crypto_flow_forget(struct tern_crypto_flow *flow)
{
    drop_heard(flow);
    flow->in_read = 0;
    tern_ranges_clear(&flow->received);
}
