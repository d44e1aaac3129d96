/* The ring of symbols of each protected lane, and the repairs made from it.
 * SPDX-License-Identifier: MIT */
#include "stream/fec_out.h"

#include "stream/fec_code.h"

#define RELEASE_AFTER 32u   /* symbols: what a long message earned falls due in its middle */
#define COUNTED_MOST  2048u /* parts with a verdict, then all counts are halved */
#define LENGTHS_MAX   (4 * TERN_FEC_WINDOW)

struct symbol {
    uint64_t number; /* on its lane, from 1; 0: this place is free */
    uint64_t message;
    tern_time sent_at;
    uint32_t index, total;
    uint32_t len, filled;
    bool uses_credit, is_acked;
};

struct outlane {
    uint32_t channel;
    enum tern_lane lane;
    unsigned percent; /* 0: this place is free */
    bool is_adaptive, wants_size;
    bool is_mended; /* what was sent last can be sent again in time */
    unsigned priority;
    uint8_t repair;                   /* number of the next */
    uint64_t next;                    /* number of the next message's first symbol */
    uint64_t end;                     /* one above the latest symbol that is filled */
    uint32_t earned, due, unreleased; /* thousandths of a repair; repairs; symbols since */
    struct {
        uint32_t parts, lost, bursts;
        /* The symbol behind the last lost one: if that is lost too, it is one burst. */
        uint64_t next;
    } seen;
    struct symbol ring[TERN_FEC_WINDOW];
    uint8_t *bytes; /* of the ring's symbols */
};

struct tern_fec_out {
    struct tern_mem *mem;
    uint32_t window, size;
    struct outlane *lanes[TERN_FEC_LANES];
    /* The repair that `next` gave. */
    struct outlane *chosen;
    uint64_t first, end; /* its symbols */
    struct tern_fec_repair made;
    uint8_t lengths[LENGTHS_MAX];
};

/* --- lanes ------------------------------------------------------------------------------------- */

static struct outlane *find_outlane(const struct tern_fec_out *f, uint32_t channel,
                                    enum tern_lane lane)
{
    for (size_t i = 0; i < TERN_FEC_LANES; i++) {
        struct outlane *l = f->lanes[i];
        if (l != NULL && l->channel == channel && l->lane == lane) {
            return l;
        }
    }
    return NULL;
}

static void begin_anew(struct outlane *l)
{
    memset(l->ring, 0, sizeof l->ring);
    l->end = l->next;
    l->earned = l->due = l->unreleased = 0;
    l->wants_size = true;
}

static int resize(struct tern_fec_out *f, struct outlane *l)
{
    size_t bytes = (size_t)TERN_FEC_WINDOW * f->size;
    uint8_t *moved = bytes > 0 ? tern_mem_realloc(f->mem, l->bytes, bytes) : NULL;
    if (bytes > 0 && moved == NULL) {
        return TERN_ERR_NOMEM;
    }
    l->bytes = bytes > 0 ? moved : l->bytes;
    begin_anew(l);
    return 0;
}

static void drop_lane(struct tern_fec_out *f, struct outlane **place)
{
    tern_mem_free(f->mem, (*place)->bytes);
    tern_mem_free(f->mem, *place);
    *place = NULL;
    f->chosen = NULL;
}

static int add_lane(struct tern_fec_out *f, uint32_t channel, enum tern_lane lane,
                    struct outlane **out)
{
    size_t i = 0;
    while (i < TERN_FEC_LANES && f->lanes[i] != NULL) {
        i++;
    }
    if (i == TERN_FEC_LANES) {
        return TERN_ERR_LIMIT;
    }
    struct outlane *l = tern_mem_zalloc(f->mem, sizeof *l);
    if (l == NULL) {
        return TERN_ERR_NOMEM;
    }
    l->channel = channel;
    l->lane = lane;
    l->next = 1;
    f->lanes[i] = l;
    int rc = resize(f, l);
    if (rc != 0) {
        drop_lane(f, &f->lanes[i]);
        return rc;
    }
    *out = l;
    return 0;
}

struct tern_fec_out *tern_fec_out_new(struct tern_mem *mem, uint32_t window)
{
    struct tern_fec_out *f = tern_mem_zalloc(mem, sizeof *f);
    if (f != NULL) {
        f->mem = mem;
        f->window = TERN_MIN(window, (uint32_t)TERN_FEC_WINDOW);
    }
    return f;
}

void tern_fec_out_free(struct tern_fec_out *f)
{
    if (f == NULL) {
        return;
    }
    for (size_t i = 0; i < TERN_FEC_LANES; i++) {
        if (f->lanes[i] != NULL) {
            drop_lane(f, &f->lanes[i]);
        }
    }
    tern_mem_free(f->mem, f);
}

int tern_fec_out_set(struct tern_fec_out *f, uint32_t channel, enum tern_lane lane,
                     unsigned percent, bool adaptive)
{
    struct outlane *l = find_outlane(f, channel, lane);
    if (percent == 0) {
        for (size_t i = 0; l != NULL && i < TERN_FEC_LANES; i++) {
            if (f->lanes[i] == l) {
                drop_lane(f, &f->lanes[i]);
                l = NULL;
            }
        }
        return 0;
    }
    if (l == NULL) {
        int rc = add_lane(f, channel, lane, &l);
        if (rc != 0) {
            return rc;
        }
    }
    l->percent = percent;
    l->is_adaptive = adaptive;
    return 0;
}

int tern_fec_out_set_size(struct tern_fec_out *f, uint32_t size)
{
    size = TERN_MIN(size, (uint32_t)TERN_FEC_SIZE_MAX);
    if (size == f->size) {
        return 0;
    }
    f->size = size;
    f->chosen = NULL;
    for (size_t i = 0; i < TERN_FEC_LANES; i++) {
        int rc = f->lanes[i] != NULL ? resize(f, f->lanes[i]) : 0;
        if (rc != 0) { /* a lane's block is too small now: without protection all goes on */
            drop_lane(f, &f->lanes[i]);
            return rc;
        }
    }
    return 0;
}

uint32_t tern_fec_out_cut(const struct tern_fec_out *f, uint32_t channel, enum tern_lane lane)
{
    return find_outlane(f, channel, lane) != NULL ? f->size : 0;
}

/* --- how many ---------------------------------------------------------------------------------- */

static struct symbol *symbol_at(struct outlane *l, uint64_t number)
{
    return &l->ring[number % TERN_FEC_WINDOW];
}

static bool is_filled(struct outlane *l, uint64_t number)
{
    struct symbol *s = symbol_at(l, number);
    return s->number == number && s->filled == s->len;
}

/* How many symbols a repair would cover now, whatever their age. */
static uint32_t open_symbols(struct outlane *l, uint32_t window)
{
    uint64_t oldest = l->end, first = oldest;
    while (l->end - first < window && first > 1 && is_filled(l, first - 1)) {
        first--;
        oldest = symbol_at(l, first)->is_acked ? oldest : first;
    }
    return (uint32_t)(l->end - oldest);
}

/* Thousandths of a repair that a symbol earns. Adaptive: half as much again as the losses that are to be
 * expected, and, once in a window, six times the mean burst that they come in: of bursts that end at any time
 * with the same chance one in 400 is longer, and some repairs are lost too. Where nearly all is sent again in
 * time, half a burst is enough for the rest. */
static uint32_t rate_of(struct outlane *l, uint32_t window)
{
    uint32_t most = l->percent * 10;
    if (!l->is_adaptive) {
        return most;
    }
    if (l->seen.lost == 0 || l->seen.parts == 0) {
        return 0;
    }
    uint32_t open = open_symbols(l, window);
    open = TERN_MAX(open, 1u);
    uint32_t mean = 1500 * l->seen.lost / l->seen.parts;
    uint32_t weight = l->is_mended ? 500 : 6000;
    uint32_t burst = weight * l->seen.lost / TERN_MAX(l->seen.bursts, 1u) / open;
    return TERN_MIN(mean + burst, most);
}

static void count(struct outlane *l, bool is_lost, uint64_t first, uint64_t end)
{
    if (l->seen.parts >= COUNTED_MOST) {
        l->seen.parts /= 2;
        l->seen.lost /= 2;
        l->seen.bursts /= 2;
    }
    l->seen.parts++;
    if (is_lost) {
        l->seen.lost++;
        l->seen.bursts += first != l->seen.next;
        l->seen.next = end;
    }
}

static void release_symbols(struct outlane *l, uint32_t window)
{
    l->earned += l->unreleased * rate_of(l, window);
    l->unreleased = 0;
    l->due = TERN_MIN(l->due + l->earned / 1000, window);
    l->earned %= 1000;
}

/* --- symbols ----------------------------------------------------------------------------------- */

/* The number of a message's first symbol, from one of its symbols that is still there; 0: none is. */
static uint64_t base_of(const struct outlane *l, uint64_t message)
{
    for (size_t i = 0; i < TERN_FEC_WINDOW; i++) {
        if (l->ring[i].number != 0 && l->ring[i].message == message) {
            return l->ring[i].number - l->ring[i].index;
        }
    }
    return 0;
}

static uint8_t *bytes_at(const struct tern_fec_out *f, const struct outlane *l, uint64_t number)
{
    return l->bytes + (size_t)(number % TERN_FEC_WINDOW) * f->size;
}

/* What a part has of one symbol. Parts leave in order, so a hole means that the symbol began before its
 * lane did. */
static void fill_symbol(struct tern_fec_out *f, struct outlane *l, uint64_t base, uint32_t index,
                        const struct tern_message_part *part, const uint8_t *data, tern_time now)
{
    uint32_t begin = index * f->size;
    struct symbol *s = symbol_at(l, base + index);
    if (s->number > base + index) { /* newer ones of another message have the place */
        return;
    }
    if (s->number < base + index) {
        *s = (struct symbol){.number = base + index,
                             .message = part->number,
                             .index = index,
                             .total = part->total,
                             .len = tern_fec_symbol_len(part->total, f->size, index),
                             .uses_credit = part->uses_credit};
    }
    uint32_t from = TERN_MAX(part->offset, begin);
    uint32_t len = TERN_MIN(part->offset + part->len, begin + s->len) - from;
    if (from - begin != s->filled || (s->filled == s->len && s->len > 0)) {
        return;
    }
    if (len > 0) {
        memcpy(bytes_at(f, l, s->number) + s->filled, data + (from - part->offset), len);
    }
    s->filled += len;
    if (s->filled == s->len) {
        s->sent_at = now;
        l->end = TERN_MAX(l->end, s->number + 1);
        l->unreleased++;
        if (index + 1 == tern_fec_count(part->total, f->size) || l->unreleased >= RELEASE_AFTER) {
            release_symbols(l, f->window);
        }
    }
}

/* The symbols that a part touches: [*first, *end). */
static void touched(const struct tern_fec_out *f, const struct tern_message_part *part,
                    uint32_t *first, uint32_t *end)
{
    *first = part->offset / f->size;
    *end = part->len == 0 ? *first + 1 : (part->offset + part->len - 1) / f->size + 1;
}

void tern_fec_out_on_sent(struct tern_fec_out *f, const struct tern_message_part *part,
                          const uint8_t *data, unsigned priority, bool is_mended, tern_time now)
{
    struct outlane *l = find_outlane(f, part->channel, part->lane);
    uint32_t first, end;
    if (l == NULL || f->size == 0) {
        return;
    }
    f->chosen = NULL;
    uint64_t base = base_of(l, part->number);
    if (base == 0 && part->offset == 0) {
        base = l->next;
        l->next += tern_fec_count(part->total, f->size);
    }
    if (base == 0) {
        return;
    }
    l->priority = priority;
    l->is_mended = is_mended;
    touched(f, part, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        fill_symbol(f, l, base, i, part, data, now);
    }
}

void tern_fec_out_on_acked(struct tern_fec_out *f, const struct tern_message_part *part)
{
    struct outlane *l = find_outlane(f, part->channel, part->lane);
    uint32_t first, end;
    uint64_t base = l != NULL && f->size > 0 ? base_of(l, part->number) : 0;
    if (base == 0) {
        return;
    }
    touched(f, part, &first, &end);
    count(l, false, base + first, base + end);
    for (uint32_t i = first; i < end; i++) {
        struct symbol *s = symbol_at(l, base + i);
        uint32_t begin = i * f->size;
        bool is_whole = s->number == base + i && part->offset <= begin &&
                        begin + s->len <= part->offset + part->len;
        s->is_acked = s->is_acked || is_whole;
    }
}

void tern_fec_out_on_lost(struct tern_fec_out *f, const struct tern_message_part *part)
{
    struct outlane *l = find_outlane(f, part->channel, part->lane);
    uint32_t first, end;
    uint64_t base = l != NULL && f->size > 0 ? base_of(l, part->number) : 0;
    if (base != 0) {
        touched(f, part, &first, &end);
        count(l, true, base + first, base + end);
    }
}

/* --- repairs ----------------------------------------------------------------------------------- */

static bool wants(const struct outlane *l)
{
    return l != NULL && (l->wants_size || l->due > 0);
}

static struct outlane *most_urgent(const struct tern_fec_out *f)
{
    struct outlane *best = NULL;
    for (size_t i = 0; f->size > 0 && i < TERN_FEC_LANES; i++) {
        struct outlane *l = f->lanes[i];
        if (wants(l) && (best == NULL || (l->wants_size && !best->wants_size) ||
                         (l->wants_size == best->wants_size && l->priority < best->priority))) {
            best = l;
        }
    }
    return best;
}

bool tern_fec_out_has_news(const struct tern_fec_out *f)
{
    const struct outlane *l = most_urgent(f);
    return l != NULL && l->wants_size;
}

unsigned tern_fec_out_top(const struct tern_fec_out *f)
{
    const struct outlane *l = most_urgent(f);
    return l == NULL ? TERN_PRIORITIES : l->wants_size ? 0 : l->priority;
}

/* Whether the symbol before `number` can stand in one run with it: all of its message, or of the one
 * before, was seen. */
static bool goes_on(struct outlane *l, uint64_t number)
{
    const struct symbol *s = symbol_at(l, number), *before = symbol_at(l, number - 1);
    return s->index > 0 ? before->message == s->message : before->message + 1 == s->message;
}

/* The symbols that a repair is made of: the latest ones, back to the oldest that is neither acknowledged
 * nor too old. */
static void choose(struct tern_fec_out *f, struct outlane *l, tern_time since)
{
    uint64_t at = l->end;
    f->end = f->first = l->end;
    while (f->end - at < f->window && at > 1 && is_filled(l, at - 1) &&
           symbol_at(l, at - 1)->sent_at >= since && (at == f->end || goes_on(l, at))) {
        at--;
        f->first = symbol_at(l, at)->is_acked ? f->first : at;
    }
}

/* The header of the repair over [first, end). */
static void describe_repair(struct tern_fec_out *f, const struct outlane *l)
{
    struct tern_fec_repair *r = &f->made;
    struct tern_writer w;
    tern_writer_init(&w, f->lengths, sizeof f->lengths);
    *r = (struct tern_fec_repair){
        .channel = l->channel, .lane = l->lane, .size = f->size, .lengths = f->lengths};
    for (uint64_t at = f->first; at < f->end; at++) {
        const struct symbol *s = &l->ring[at % TERN_FEC_WINDOW];
        if (at == f->first) {
            r->message = s->message;
            r->skip = s->index;
        }
        if (at == f->first || s->index == 0) {
            tern_write_varint(&w, (uint64_t)s->total << 1 | s->uses_credit);
            r->messages++;
        }
        r->len = TERN_MAX(r->len, s->len);
    }
    r->symbols = (uint32_t)(f->end - f->first);
    r->first = r->symbols > 0 ? (uint8_t)(f->first & 127) : 0;
    r->number = r->symbols > 0 ? l->repair : 0;
    r->lengths_len = tern_writer_used(&w);
}

bool tern_fec_out_next(struct tern_fec_out *f, size_t room, size_t full, tern_time since,
                       struct tern_fec_repair *out)
{
    struct outlane *l;
    f->chosen = NULL;
    while ((l = most_urgent(f)) != NULL) {
        f->first = f->end = l->end;
        if (!l->wants_size) {
            choose(f, l, since);
            if (f->first == f->end) { /* nothing is worth it any more */
                l->due = 0;
                continue;
            }
        }
        describe_repair(f, l);
        while (tern_fec_repair_size(&f->made) > full && f->first + 1 < f->end) {
            f->first++;
            describe_repair(f, l);
        }
        if (tern_fec_repair_size(&f->made) > room) {
            return false;
        }
        f->chosen = l;
        *out = f->made;
        return true;
    }
    return false;
}

void tern_fec_out_write(const struct tern_fec_out *f, uint8_t *data)
{
    const struct outlane *l = f->chosen;
    tern_assert(l != NULL);
    if (f->made.len > 0) {
        memset(data, 0, f->made.len);
    }
    for (uint64_t at = f->first; at < f->end; at++) {
        tern_fec_add(data, bytes_at(f, l, at), l->ring[at % TERN_FEC_WINDOW].len,
                     tern_fec_coefficient(l->repair, (unsigned)(at & 127)));
    }
}

void tern_fec_out_on_repair_sent(struct tern_fec_out *f)
{
    struct outlane *l = f->chosen;
    tern_assert(l != NULL);
    if (f->made.symbols > 0) {
        l->due--;
        l->repair = (l->repair + 1) & 127;
    } else {
        l->wants_size = false;
    }
    f->chosen = NULL;
}
