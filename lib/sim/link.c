/* One direction of a wire: a droptail queue before a rate, then delay and everything that goes wrong.
 *
 * A packet's way: MTU, blackout, queue and rate, blackout again when it leaves the queue, loss,
 * duplication, and for each copy corruption, delay with jitter, and holding back. Each mishap draws
 * from a stream of its own, so that switching one on leaves the others as they were.
 * SPDX-License-Identifier: MIT */
#include "sim/link.h"

#include <stdlib.h>
#include <string.h>

#include "sim/clock.h"

enum {
    CHANCE_LOSS,
    CHANCE_BURST,
    CHANCE_JITTER,
    CHANCE_DUPLICATE,
    CHANCE_REORDER,
    CHANCE_CORRUPT,
    CHANCE_MARK,
    CHANCES
};

/* The pool's shelves hold packets of at most 256 << shelf bytes. */
enum { SHELF_SMALLEST = 256, SHELVES = 9 };
#define PACKET_LARGEST ((size_t)SHELF_SMALLEST << (SHELVES - 1))

/* A packet that waits for its turn on the rate. */
struct waiting {
    tern_time start;
    size_t size;
};

/* A ring; capacity is a power of two. */
struct waiting_line {
    struct waiting *entries;
    size_t capacity, head, count;
    size_t bytes;
};

struct tern_link {
    tern_link_config config;
    uint64_t loss, burst_enter, burst_leave, duplicate, reorder, corrupt, mark; /* odds */
    struct tern_chance chances[CHANCES];
    bool in_burst;

    struct waiting_line line;
    tern_time free_at;  /* when the rate is done with all that it accepted */
    uint64_t remainder; /* of the division by the rate, so that rounding never adds up */
    tern_time last_due; /* jitter never overtakes */

    struct tern_agenda inside;
    struct tern_packet *pool[SHELVES];
    tern_link_counters counters;
};

void tern_link_config_init(tern_link_config *config)
{
    *config = (tern_link_config){.size = sizeof *config};
}

void tern_link_set(tern_link *link, const tern_link_config *config)
{
    tern_link_config copy = {0};
    memcpy(&copy, config, config->size < sizeof copy ? config->size : sizeof copy);
    copy.size = sizeof copy;
    if (copy.reorder_delay == 0) {
        copy.reorder_delay = 2 * TERN_MSEC + copy.delay / 4;
    }
    if (copy.queue == 0) {
        copy.queue = (size_t)(copy.rate / 8);
    }
    link->config = copy;
    link->loss = tern_chance_odds(copy.loss);
    link->burst_enter = tern_chance_odds(copy.burst_enter);
    link->burst_leave = tern_chance_odds(copy.burst_leave);
    link->duplicate = tern_chance_odds(copy.duplicate);
    link->reorder = tern_chance_odds(copy.reorder);
    link->corrupt = tern_chance_odds(copy.corrupt);
    link->mark = tern_chance_odds(copy.ecn_mark);
    link->remainder = 0;
    link->in_burst = link->in_burst && link->burst_enter > 0;
}

int tern_link_new(tern_link **out, const tern_link_config *config, uint64_t seed)
{
    tern_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return TERN_ERR_NOMEM;
    }
    for (uint64_t i = 0; i < CHANCES; i++) {
        tern_chance_init(&link->chances[i], seed, i);
    }
    tern_link_set(link, config);
    *out = link;
    return 0;
}

void tern_link_free(tern_link *link)
{
    if (link == NULL) {
        return;
    }
    for (struct tern_packet *packet; (packet = tern_agenda_pop(&link->inside)) != NULL;) {
        free(packet);
    }
    for (size_t i = 0; i < SHELVES; i++) {
        for (struct tern_packet *packet = link->pool[i], *next; packet != NULL; packet = next) {
            next = packet->next;
            free(packet);
        }
    }
    tern_agenda_clear(&link->inside);
    free(link->line.entries);
    free(link);
}

/* --- packets --- */

static struct tern_packet *packet_new(tern_link *link, const uint8_t *data, size_t len)
{
    uint8_t shelf = 0;
    while (((size_t)SHELF_SMALLEST << shelf) < len) {
        shelf++;
    }
    struct tern_packet *packet = link->pool[shelf];
    if (packet != NULL) {
        link->pool[shelf] = packet->next;
    } else if ((packet = malloc(sizeof *packet + ((size_t)SHELF_SMALLEST << shelf))) == NULL) {
        return NULL;
    }
    packet->next = NULL;
    packet->shelf = shelf;
    packet->len = len;
    if (len > 0) {
        memcpy(packet->data, data, len);
    }
    return packet;
}

void tern_link_give(tern_link *link, struct tern_packet *packet)
{
    packet->next = link->pool[packet->shelf];
    link->pool[packet->shelf] = packet;
}

/* --- queue and rate --- */

static int line_push(struct waiting_line *line, tern_time start, size_t size)
{
    if (line->count == line->capacity) {
        size_t capacity = line->capacity > 0 ? line->capacity * 2 : 64;
        struct waiting *grown = malloc(capacity * sizeof *grown);
        if (grown == NULL) {
            return TERN_ERR_NOMEM;
        }
        for (size_t i = 0; i < line->count; i++) {
            grown[i] = line->entries[(line->head + i) & (line->capacity - 1)];
        }
        free(line->entries);
        line->entries = grown;
        line->capacity = capacity;
        line->head = 0;
    }
    line->entries[(line->head + line->count++) & (line->capacity - 1)] =
        (struct waiting){.start = start, .size = size};
    line->bytes += size;
    return 0;
}

static void line_drain(struct waiting_line *line, tern_time now)
{
    while (line->count > 0 && line->entries[line->head].start <= now) {
        line->bytes -= line->entries[line->head].size;
        line->head = (line->head + 1) & (line->capacity - 1);
        line->count--;
    }
}

/* 1 and *leaves is when its last bit is on the wire; 0 the queue is full; TERN_ERR_NOMEM. The
 * packet on the wire is no longer in the queue, so a lone packet always passes. */
static int queue_enter(tern_link *link, size_t len, tern_time now, tern_time *leaves)
{
    uint64_t rate = link->config.rate;
    *leaves = now;
    if (rate == 0) {
        return 1;
    }
    size_t size = len + link->config.overhead;
    line_drain(&link->line, now);
    if (link->free_at <= now) {
        link->free_at = now;
        link->remainder = 0;
    } else if (size > link->config.queue || link->line.bytes > link->config.queue - size) {
        return 0;
    } else if (line_push(&link->line, link->free_at, size) != 0) {
        return TERN_ERR_NOMEM;
    }
    if (link->line.bytes > link->counters.queue_peak) {
        link->counters.queue_peak = link->line.bytes;
    }
    uint64_t share = (uint64_t)size * 8 * TERN_SEC + link->remainder;
    link->free_at = tern_time_add(link->free_at, share / rate);
    link->remainder = share % rate;
    *leaves = link->free_at;
    return 1;
}

/* --- mishaps --- */

static bool in_blackout(const tern_link_config *config, tern_time at)
{
    if (config->blackout_length == 0 || at < config->blackout_start) {
        return false;
    }
    tern_time since = at - config->blackout_start;
    if (config->blackout_period > 0) {
        since %= config->blackout_period;
    }
    return since < config->blackout_length;
}

/* Gilbert-Elliott and independent loss; both are drawn for each packet, so that neither's pattern
 * depends on the other. */
static bool is_lost(tern_link *link)
{
    struct tern_chance *burst = &link->chances[CHANCE_BURST];
    if (link->in_burst) {
        link->in_burst = !tern_chance_hits(burst, link->burst_leave);
    } else {
        link->in_burst = tern_chance_hits(burst, link->burst_enter);
    }
    bool alone = tern_chance_hits(&link->chances[CHANCE_LOSS], link->loss);
    return alone || link->in_burst;
}

/* Flips one to four bits, all different, so that the packet is never what it was. */
static void corrupt_bits(tern_link *link, struct tern_packet *packet)
{
    struct tern_chance *chance = &link->chances[CHANCE_CORRUPT];
    if (packet->len == 0 || !tern_chance_hits(chance, link->corrupt)) {
        return;
    }
    uint64_t flipped[4] = {0};
    size_t flips = 1 + (size_t)tern_chance_below(chance, 4);
    for (size_t done = 0; done < flips;) {
        uint64_t bit = tern_chance_below(chance, (uint64_t)packet->len * 8);
        size_t seen = 0;
        while (seen < done && flipped[seen] != bit) {
            seen++;
        }
        if (seen == done) {
            packet->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            flipped[done++] = bit;
        }
    }
    link->counters.corrupted++;
}

static uint8_t mark_ecn(tern_link *link, uint8_t ecn)
{
    if (link->config.ecn == TERN_LINK_ECN_BLEACH) {
        return 0;
    }
    if (link->config.ecn == TERN_LINK_ECN_REMARK) {
        ecn = ecn == 2 ? 1 : ecn;
    }
    bool capable = ecn == 1 || ecn == 2;
    if (capable && tern_chance_hits(&link->chances[CHANCE_MARK], link->mark)) {
        link->counters.marked++;
        return 3;
    }
    return ecn;
}

/* When the packet comes out: never before the one that went in before it. */
static tern_time arrival(tern_link *link, tern_time leaves)
{
    tern_time due = tern_time_add(leaves, link->config.delay);
    if (link->config.jitter > 0) {
        tern_time most = link->config.jitter < TERN_TIME_NEVER ? link->config.jitter + 1 : 0;
        due = tern_time_add(due, tern_chance_below(&link->chances[CHANCE_JITTER], most));
    }
    if (due < link->last_due) {
        due = link->last_due;
    }
    link->last_due = due;
    return due;
}

/* One copy goes on its way. */
static int put_copy(tern_link *link, const uint8_t *data, size_t len, uint8_t ecn, uint64_t tag,
                    tern_time due)
{
    struct tern_packet *packet = NULL;
    if (tern_agenda_reserve(&link->inside) != 0 || (packet = packet_new(link, data, len)) == NULL) {
        return TERN_ERR_NOMEM;
    }
    packet->tag = tag;
    packet->ecn = ecn;
    corrupt_bits(link, packet);
    if (tern_chance_hits(&link->chances[CHANCE_REORDER], link->reorder)) {
        link->counters.reordered++;
        due = tern_time_add(due, link->config.reorder_delay);
    }
    tern_agenda_push(&link->inside, due, packet);
    return 0;
}

/* --- in and out --- */

/* Through MTU, blackout, queue and loss. 1 it leaves the queue at *leaves; 0 it is gone;
 * TERN_ERR_NOMEM. */
static int pass_bottleneck(tern_link *link, size_t len, tern_time now, tern_time *leaves)
{
    tern_link_counters *counters = &link->counters;
    if (len > PACKET_LARGEST || (link->config.mtu > 0 && len > link->config.mtu)) {
        counters->too_big++;
        return 0;
    }
    if (in_blackout(&link->config, now)) {
        counters->blacked_out++;
        return 0;
    }
    int rc = queue_enter(link, len, now, leaves);
    if (rc <= 0) {
        counters->queue_dropped += rc == 0;
        return rc;
    }
    if (in_blackout(&link->config, *leaves)) {
        counters->blacked_out++;
        return 0;
    }
    if (is_lost(link)) {
        counters->lost++;
        return 0;
    }
    return 1;
}

int tern_link_send(tern_link *link, const uint8_t *data, size_t len, uint8_t ecn, uint64_t tag,
                   tern_time now)
{
    tern_time leaves = now;
    link->counters.packets_in++;
    link->counters.bytes_in += len;
    int rc = pass_bottleneck(link, len, now, &leaves);
    if (rc <= 0) {
        return rc;
    }
    if (ecn != 0 && link->config.ecn == TERN_LINK_ECN_DROP) {
        link->counters.lost++;
        return 0;
    }
    tern_time due = arrival(link, leaves);
    ecn = mark_ecn(link, ecn);
    rc = put_copy(link, data, len, ecn, tag, due);
    if (rc == 0 && tern_chance_hits(&link->chances[CHANCE_DUPLICATE], link->duplicate)) {
        link->counters.duplicated++;
        rc = put_copy(link, data, len, ecn, tag, due);
    }
    return rc;
}

tern_time tern_link_next(const tern_link *link)
{
    return tern_agenda_next(&link->inside);
}

struct tern_packet *tern_link_take(tern_link *link, tern_time now)
{
    if (tern_agenda_next(&link->inside) > now) {
        return NULL;
    }
    struct tern_packet *packet = tern_agenda_pop(&link->inside);
    if (packet != NULL) {
        link->counters.packets_out++;
        link->counters.bytes_out += packet->len;
    }
    return packet;
}

int tern_link_receive(tern_link *link, uint8_t *buf, size_t capacity, size_t *len, uint8_t *ecn,
                      uint64_t *tag, tern_time now)
{
    const struct tern_packet *first = tern_agenda_peek(&link->inside);
    if (first != NULL && first->len > capacity && tern_link_next(link) <= now) {
        return TERN_ERR_BUFFER;
    }
    struct tern_packet *packet = tern_link_take(link, now);
    if (packet == NULL) {
        return 0;
    }
    if (packet->len > 0) {
        memcpy(buf, packet->data, packet->len);
    }
    *len = packet->len;
    *ecn = packet->ecn;
    *tag = packet->tag;
    tern_link_give(link, packet);
    return 1;
}

void tern_link_stats(const tern_link *link, tern_link_counters *out)
{
    size_t size = out->size < sizeof *out ? out->size : sizeof *out;
    tern_link_counters copy = link->counters;
    copy.size = size;
    memcpy(out, &copy, size);
}
