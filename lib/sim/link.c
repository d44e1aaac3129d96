/* One direction of a wire: a queue before a rate, then delay and everything that goes wrong.
 *
 * A packet's way: MTU, blackout, queue and rate, blackout again when it leaves the queue, loss,
 * duplication, and for each copy corruption, delay with jitter, and holding back. Each mishap draws
 * from a stream of its own, so that switching one on leaves the others as they were.
 * SPDX-License-Identifier: MIT */
#include "sim/link.h"

#include <stdlib.h>
#include <string.h>

#include "sim/bitrate.h"
#include "sim/clock.h"
#include "sim/codel.h"
#include "sim/delays.h"
#include "sim/dualq.h"

enum {
    CHANCE_LOSS,
    CHANCE_BURST,
    CHANCE_JITTER,
    CHANCE_DUPLICATE,
    CHANCE_REORDER,
    CHANCE_CORRUPT,
    CHANCE_MARK,
    CHANCE_AGGREGATE,
    CHANCE_AQM,
    CHANCES
};

/* The pool's shelves hold packets of at most 256 << shelf bytes. */
enum { SHELF_SMALLEST = 256, SHELVES = 9 };
#define PACKET_LARGEST ((size_t)SHELF_SMALLEST << (SHELVES - 1))

/* A packet that waits for its turn on the rate. Under droptail its start is known as it enters, and
 * it is on its way already; under an AQM it waits here itself, and its start is decided at the last
 * moment. */
struct waiting {
    tern_time at; /* it starts, or it entered if it waits here */
    size_t size;
    struct tern_packet *packet; /* NULL: on its way */
};

/* A ring; capacity is a power of two. */
struct waiting_line {
    struct waiting *entries;
    size_t capacity, head, count;
    size_t held; /* how many wait here themselves; they are behind all others */
    size_t bytes;
};

struct tern_link {
    tern_link_config config;
    uint64_t loss, burst_enter, burst_leave, duplicate, reorder, corrupt, mark; /* odds */
    struct tern_chance chances[CHANCES];
    bool in_burst;

    struct waiting_line line, low; /* low: the short one of a dual queue */
    struct tern_bitrate rate;
    struct tern_codel codel;
    struct tern_dualq dualq;
    struct tern_delays delays, low_delays;
    tern_time free_at;  /* when the rate is done with all that it accepted */
    tern_time last_due; /* jitter never overtakes */
    tern_time release;  /* of the packets that came last, when the link aggregates */

    struct tern_agenda inside;
    struct tern_packet *pool[SHELVES];
    tern_link_counters counters;
};

/* --- the waiting line --- */

static int line_reserve(struct waiting_line *line)
{
    if (line->count < line->capacity) {
        return 0;
    }
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
    return 0;
}

/* There is room. */
static void line_push(struct waiting_line *line, tern_time at, size_t size,
                      struct tern_packet *packet)
{
    line->entries[(line->head + line->count++) & (line->capacity - 1)] =
        (struct waiting){.at = at, .size = size, .packet = packet};
    line->bytes += size;
    line->held += packet != NULL;
}

static struct waiting line_pop(struct waiting_line *line)
{
    struct waiting first = line->entries[line->head];
    line->head = (line->head + 1) & (line->capacity - 1);
    line->count--;
    line->bytes -= first.size;
    line->held -= first.packet != NULL;
    return first;
}

static void line_clear(struct waiting_line *line)
{
    while (line->count > 0) {
        free(line_pop(line).packet);
    }
    free(line->entries);
}

/* --- birth and death --- */

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
    tern_bitrate_init(&link->rate, &copy);
    tern_codel_init(&link->codel, copy.aqm_target, copy.aqm_interval);
    tern_dualq_init(&link->dualq, copy.aqm_target);
    if (copy.queue == 0) {
        copy.queue = (size_t)(link->rate.peak / 8);
    }
    link->config = copy;
    link->loss = tern_chance_odds(copy.loss);
    link->burst_enter = tern_chance_odds(copy.burst_enter);
    link->burst_leave = tern_chance_odds(copy.burst_leave);
    link->duplicate = tern_chance_odds(copy.duplicate);
    link->reorder = tern_chance_odds(copy.reorder);
    link->corrupt = tern_chance_odds(copy.corrupt);
    link->mark = tern_chance_odds(copy.ecn_mark);
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
    line_clear(&link->line);
    line_clear(&link->low);
    for (size_t i = 0; i < SHELVES; i++) {
        for (struct tern_packet *packet = link->pool[i], *next; packet != NULL; packet = next) {
            next = packet->next;
            free(packet);
        }
    }
    tern_agenda_clear(&link->inside);
    free(link);
}

/* --- packets --- */

static struct tern_packet *packet_new(tern_link *link, const uint8_t *data, size_t len, uint8_t ecn,
                                      uint64_t tag)
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
    packet->ecn = ecn;
    packet->tag = tag;
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

/* When the group that the packet belongs to comes out. */
static tern_time release(tern_link *link, tern_time due)
{
    if (due > link->release) {
        tern_time most = link->config.aggregate < TERN_TIME_NEVER ? link->config.aggregate + 1 : 0;
        tern_time wait = tern_chance_below(&link->chances[CHANCE_AGGREGATE], most);
        link->release = tern_time_add(due, wait);
    }
    return link->release;
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
    if (link->config.aggregate > 0) {
        due = release(link, due);
    }
    link->last_due = due;
    return due;
}

/* One copy goes on its way. There is room in the agenda. */
static void put_copy(tern_link *link, struct tern_packet *packet, tern_time due)
{
    corrupt_bits(link, packet);
    if (tern_chance_hits(&link->chances[CHANCE_REORDER], link->reorder)) {
        link->counters.reordered++;
        due = tern_time_add(due, link->config.reorder_delay);
    }
    tern_agenda_push(&link->inside, due, packet);
}

/* --- from the queue on --- */

/* Lost to a blackout, to chance, or to somebody who dislikes marks. */
static bool is_lost_on_the_way(tern_link *link, const struct tern_packet *packet, tern_time leaves)
{
    if (in_blackout(&link->config, leaves)) {
        link->counters.blacked_out++;
        return true;
    }
    if (is_lost(link) || (packet->ecn != 0 && link->config.ecn == TERN_LINK_ECN_DROP)) {
        link->counters.lost++;
        return true;
    }
    return false;
}

/* The packet's last bit is on the wire at `leaves`. There is room in the agenda for it, and for its
 * double too if that can be had. */
static void depart(tern_link *link, struct tern_packet *packet, tern_time leaves)
{
    struct tern_packet *twin = NULL;
    if (is_lost_on_the_way(link, packet, leaves)) {
        tern_link_give(link, packet);
        return;
    }
    tern_time due = arrival(link, leaves);
    packet->ecn = mark_ecn(link, packet->ecn);
    if (tern_chance_hits(&link->chances[CHANCE_DUPLICATE], link->duplicate) &&
        (twin = packet_new(link, packet->data, packet->len, packet->ecn, packet->tag)) != NULL) {
        link->counters.duplicated++;
    }
    put_copy(link, packet, due);
    if (twin != NULL) {
        put_copy(link, twin, due);
    }
}

/* --- queue and rate --- */

static tern_time start_of(const tern_link *link, const struct waiting *first)
{
    return first->packet == NULL || first->at > link->free_at ? first->at : link->free_at;
}

/* Its turn on the rate begins; returns when it ends. */
static tern_time occupy(tern_link *link, size_t size, tern_time start)
{
    if (start > link->free_at) {
        link->rate.remainder = 0;
    }
    link->free_at = tern_bitrate_pass(&link->rate, size, start);
    return link->free_at;
}

/* The packet at the head of the line has waited until now: what becomes of it? */
static enum tern_verdict judge(tern_link *link, const struct waiting_line *line,
                               const struct waiting *first, tern_time now)
{
    bool is_capable = first->packet->ecn != 0;
    struct tern_codel_packet question = {.waited = now - first->at,
                                         .size = first->size,
                                         .backlog = line->bytes,
                                         .is_capable = is_capable};
    if (link->config.aqm == TERN_LINK_AQM_CODEL) {
        return tern_codel_judge(&link->codel, &question, now);
    }
    if (link->config.aqm == TERN_LINK_AQM_DUALQ) {
        return line == &link->low
                   ? tern_dualq_judge_low(&link->dualq, question.waited, line->count == 0)
                   : tern_dualq_judge_classic(&link->dualq, is_capable, &link->chances[CHANCE_AQM]);
    }
    return TERN_VERDICT_PASS;
}

static bool is_let_go(tern_link *link, const struct waiting_line *line, struct waiting *first,
                      tern_time now)
{
    struct tern_packet *packet = first->packet;
    enum tern_verdict verdict = judge(link, line, first, now);
    if (verdict == TERN_VERDICT_DROP) {
        link->counters.aqm_dropped++;
        return false;
    }
    if (verdict == TERN_VERDICT_MARK) {
        link->counters.aqm_marked++;
        link->counters.marked += packet->ecn != 3;
        packet->ecn = 3;
    }
    return true;
}

/* When the first packet of a line can start; TERN_TIME_NEVER: it is empty. */
static tern_time line_start(const tern_link *link, const struct waiting_line *line)
{
    return line->count > 0 ? start_of(link, &line->entries[line->head]) : TERN_TIME_NEVER;
}

/* How long the first packet of a line has waited at `now`; 0 when its turn is not yet. */
static tern_time waited(const tern_link *link, const struct waiting_line *line, tern_time now)
{
    return line_start(link, line) <= now ? now - line->entries[line->head].at : 0;
}

/* Whose turn is next; one of them has a packet. The low line is a dual queue's. */
static struct waiting_line *next_line(tern_link *link)
{
    struct waiting_line *line = &link->line, *low = &link->low;
    tern_time classic_at = line_start(link, line), low_at = line_start(link, low);
    tern_time now = classic_at < low_at ? classic_at : low_at;
    if (link->config.aqm == TERN_LINK_AQM_DUALQ) {
        tern_dualq_update(&link->dualq, waited(link, low, now), waited(link, line, now), now);
    }
    if (classic_at == low_at) {
        bool is_low = tern_dualq_picks_low(&link->dualq, low->entries[low->head].size,
                                           line->entries[line->head].size);
        return is_low ? low : line;
    }
    return low_at < classic_at ? low : line;
}

static void note_queue(tern_link *link)
{
    link->counters.queue_now = link->line.bytes + link->low.bytes;
    if (link->counters.queue_now > link->counters.queue_peak) {
        link->counters.queue_peak = link->counters.queue_now;
    }
}

/* All turns that begin until now. */
static void line_advance(tern_link *link, tern_time now)
{
    while (line_start(link, &link->line) <= now || line_start(link, &link->low) <= now) {
        struct waiting_line *line = next_line(link);
        tern_time start = line_start(link, line);
        struct waiting first = line_pop(line);
        link->counters.queue_now = link->line.bytes + link->low.bytes;
        if (first.packet == NULL) {
            continue;
        }
        if (is_let_go(link, line, &first, start)) {
            tern_delays_note(line == &link->low ? &link->low_delays : &link->delays,
                             start - first.at);
            depart(link, first.packet, occupy(link, first.size, start));
        } else {
            tern_link_give(link, first.packet);
        }
    }
}

/* Packets that wait here themselves. */
static size_t held_count(const tern_link *link)
{
    return link->line.held + link->low.held;
}

static bool is_queue_full(const tern_link *link, size_t size)
{
    size_t most = link->config.queue;
    return size > most || link->line.bytes + link->low.bytes > most - size;
}

/* The packet takes its place behind the others. A lone packet always passes: the one on the wire is
 * no longer in the queue. */
static void queue_enter(tern_link *link, struct tern_packet *packet, tern_time now)
{
    size_t size = packet->len + link->config.overhead;
    bool is_busy = link->free_at > now;
    bool is_held = link->config.aqm != TERN_LINK_AQM_NONE || held_count(link) > 0;
    if (!tern_bitrate_is_finite(&link->rate) && held_count(link) == 0) {
        depart(link, packet, now);
        return;
    }
    if (is_busy && is_queue_full(link, size)) {
        link->counters.queue_dropped++;
        tern_link_give(link, packet);
        return;
    }
    if (is_held) {
        bool is_low = link->config.aqm == TERN_LINK_AQM_DUALQ && tern_dualq_is_low(packet->ecn);
        line_push(is_low ? &link->low : &link->line, now, size, packet);
        line_advance(link, now);
    } else {
        tern_time start = is_busy ? link->free_at : now;
        if (is_busy) {
            line_push(&link->line, start, size, NULL);
        }
        tern_delays_note(&link->delays, start - now);
        depart(link, packet, occupy(link, size, start));
    }
    note_queue(link);
}

/* --- in and out --- */

/* Lost before it reaches the queue. */
static bool is_refused(tern_link *link, size_t len, tern_time now)
{
    if (len > PACKET_LARGEST || (link->config.mtu > 0 && len > link->config.mtu)) {
        link->counters.too_big++;
        return true;
    }
    if (in_blackout(&link->config, now)) {
        link->counters.blacked_out++;
        return true;
    }
    return false;
}

int tern_link_send(tern_link *link, const uint8_t *data, size_t len, uint8_t ecn, uint64_t tag,
                   tern_time now)
{
    link->counters.packets_in++;
    link->counters.bytes_in += len;
    line_advance(link, now);
    if (is_refused(link, len, now)) {
        return 0;
    }
    /* Room for this one, for all that wait, and for a double of each. */
    struct tern_packet *packet = NULL;
    if (line_reserve(&link->line) != 0 || line_reserve(&link->low) != 0 ||
        tern_agenda_reserve(&link->inside, 2 * (held_count(link) + 1)) != 0 ||
        (packet = packet_new(link, data, len, ecn, tag)) == NULL) {
        return TERN_ERR_NOMEM;
    }
    queue_enter(link, packet, now);
    return 0;
}

tern_time tern_link_next(const tern_link *link)
{
    tern_time next = tern_agenda_next(&link->inside);
    if (held_count(link) > 0) {
        tern_time line = line_start(link, &link->line), low = line_start(link, &link->low);
        next = line < next ? line : next;
        next = low < next ? low : next;
    }
    return next;
}

struct tern_packet *tern_link_take(tern_link *link, tern_time now)
{
    line_advance(link, now);
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
    line_advance(link, now);
    const struct tern_packet *first = tern_agenda_peek(&link->inside);
    if (first != NULL && first->len > capacity && tern_agenda_next(&link->inside) <= now) {
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

tern_time tern_link_queue_delay(const tern_link *link, unsigned percent)
{
    return tern_delays_percentile(&link->delays, percent);
}

tern_time tern_link_low_delay(const tern_link *link, unsigned percent)
{
    return tern_delays_percentile(&link->low_delays, percent);
}

void tern_link_stats(const tern_link *link, tern_link_counters *out)
{
    size_t size = out->size < sizeof *out ? out->size : sizeof *out;
    tern_link_counters copy = link->counters;
    copy.size = size;
    memcpy(out, &copy, size);
}
