/* The ring of sent packets and the ring of their receipts.
 * SPDX-License-Identifier: MIT */
#include "recovery/sent.h"

#define FIRST_PACKETS  32
#define FIRST_RECEIPTS 64

_Static_assert(sizeof(struct tern_sent_packet) == 48, "records are small");

void tern_sent_init(struct tern_sent *sent, struct tern_mem *mem)
{
    memset(sent, 0, sizeof *sent);
    sent->mem = mem;
}

void tern_sent_clear(struct tern_sent *sent)
{
    struct tern_mem *mem = sent->mem;
    uint64_t next_pn = sent->next_pn;
    tern_mem_free(mem, sent->packets);
    tern_mem_free(mem, sent->receipts);
    tern_sent_init(sent, mem);
    sent->base = sent->next_pn = next_pn; /* a number is never used twice */
}

static int grow_packets(struct tern_sent *sent)
{
    size_t capacity = sent->capacity == 0 ? FIRST_PACKETS : sent->capacity * 2;
    if (capacity > TERN_SENT_PACKETS_MAX) {
        return TERN_ERR_LIMIT;
    }
    struct tern_sent_packet *packets = tern_mem_alloc(sent->mem, capacity * sizeof *packets);
    if (packets == NULL) {
        return TERN_ERR_NOMEM;
    }
    for (uint64_t pn = sent->base; pn < sent->next_pn; pn++) {
        packets[(pn - sent->base) & (capacity - 1)] = *tern_sent_at(sent, pn);
    }
    tern_mem_free(sent->mem, sent->packets);
    sent->packets = packets;
    sent->origin = sent->base;
    sent->capacity = capacity;
    return 0;
}

static int grow_receipts(struct tern_sent *sent, size_t needed)
{
    size_t capacity = sent->receipt_capacity == 0 ? FIRST_RECEIPTS : sent->receipt_capacity * 2;
    while (capacity < needed) {
        capacity *= 2;
    }
    struct tern_receipt *receipts = tern_mem_alloc(sent->mem, capacity * sizeof *receipts);
    if (receipts == NULL) {
        return TERN_ERR_NOMEM;
    }
    uint64_t end = sent->receipt_end + sent->open_receipts;
    for (uint64_t i = sent->receipt_base; i < end; i++) {
        receipts[i & (capacity - 1)] = sent->receipts[i & (sent->receipt_capacity - 1)];
    }
    tern_mem_free(sent->mem, sent->receipts);
    sent->receipts = receipts;
    sent->receipt_capacity = capacity;
    return 0;
}

int tern_sent_reserve(struct tern_sent *sent, size_t receipts)
{
    int rc = 0;
    if (sent->next_pn - sent->base + 2 > sent->capacity) { /* one packet and one skipped number */
        rc = grow_packets(sent);
    }
    size_t needed =
        (size_t)(sent->receipt_end - sent->receipt_base) + sent->open_receipts + receipts;
    if (rc == 0 && needed > sent->receipt_capacity) {
        rc = grow_receipts(sent, needed);
    }
    return rc;
}

void tern_sent_note(struct tern_sent *sent, const struct tern_receipt *receipt)
{
    uint64_t at = sent->receipt_end + sent->open_receipts;
    tern_assert(at - sent->receipt_base < sent->receipt_capacity);
    sent->receipts[at & (sent->receipt_capacity - 1)] = *receipt;
    sent->open_receipts++;
}

void tern_sent_rollback(struct tern_sent *sent)
{
    sent->open_receipts = 0;
}

void tern_sent_rollback_to(struct tern_sent *sent, uint32_t open_receipts)
{
    tern_assert(open_receipts <= sent->open_receipts);
    sent->open_receipts = open_receipts;
}

struct tern_sent_packet *tern_sent_commit(struct tern_sent *sent, size_t size, unsigned flags,
                                          uint8_t path, uint8_t ecn, tern_time now)
{
    tern_assert(sent->next_pn - sent->base < sent->capacity && size <= UINT16_MAX);
    struct tern_sent_packet *packet = tern_sent_at(sent, sent->next_pn++);
    memset(packet, 0, sizeof *packet);
    packet->sent_at = now;
    packet->skips_before = sent->skips & TERN_SENT_SKIPS_MASK;
    packet->receipts = (uint32_t)sent->receipt_end;
    packet->receipt_count = (uint16_t)sent->open_receipts;
    packet->size = (uint16_t)size;
    packet->state = TERN_SENT_OUTSTANDING;
    packet->flags = flags & TERN_SENT_FLAGS_MASK;
    packet->path = path;
    packet->ecn = ecn & 3u;
    sent->receipt_end += sent->open_receipts;
    sent->open_receipts = 0;
    if ((flags & TERN_SENT_IN_FLIGHT) != 0) {
        sent->bytes_in_flight += size;
    }
    if ((flags & TERN_SENT_ELICITING) != 0) {
        sent->eliciting_outstanding++;
        sent->last_eliciting_at = now;
    }
    return packet;
}

void tern_sent_skip(struct tern_sent *sent)
{
    tern_assert(sent->next_pn - sent->base < sent->capacity);
    struct tern_sent_packet *packet = tern_sent_at(sent, sent->next_pn++);
    memset(packet, 0, sizeof *packet);
    packet->receipts = (uint32_t)sent->receipt_end;
    packet->state = TERN_SENT_SKIPPED;
    packet->skips_before = sent->skips++ & TERN_SENT_SKIPS_MASK;
    sent->skipped = sent->next_pn;
}

/* `n` elements of a ring, from the one with this index on: it may go on at the ring's beginning. */
static void fetch_ring(const void *ring, size_t capacity, size_t size, uint64_t index, size_t n)
{
    size_t at = (size_t)index & (capacity - 1);
    size_t first = TERN_MIN(n, capacity - at);
    tern_prefetch((const uint8_t *)ring + at * size, first * size);
    tern_prefetch(ring, TERN_MIN(n - first, at) * size);
}

static void fetch(const struct tern_sent *sent, uint64_t pn, uint64_t receipt, size_t n)
{
    if (sent->capacity > 0) {
        fetch_ring(sent->packets, sent->capacity, sizeof *sent->packets, pn - sent->origin, n);
    }
    if (sent->receipt_capacity > 0) {
        fetch_ring(sent->receipts, sent->receipt_capacity, sizeof *sent->receipts, receipt, n);
    }
}

void tern_sent_fetch_next(const struct tern_sent *sent, size_t most)
{
    fetch(sent, sent->next_pn, sent->receipt_end, most);
}

void tern_sent_fetch_oldest(const struct tern_sent *sent, size_t most)
{
    fetch(sent, sent->base, sent->receipt_base,
          (size_t)TERN_MIN((uint64_t)most, sent->next_pn - sent->base));
}
