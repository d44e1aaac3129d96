/* Symbols that came, symbols that are missing, and the equations between them.
 * SPDX-License-Identifier: MIT */
#include "stream/fec_in.h"

#include "stream/fec_code.h"

#define NONE (-1)

/* What a repair costs us grows with the symbols that it covers and the repairs that wait, not with its
 * bytes, of which it may have few. So it is paid for with bytes that came: else a packet full of small
 * ones would keep us busy for milliseconds. What an honest sender says earns more than it costs. [P §14] */
#define FRAME_WORTH    16u  /* what a frame earns beside its bytes */
#define EQUATION_COST  128u /* and one for each symbol covered */
#define ALLOWANCE_MOST (TERN_FEC_WINDOW * (EQUATION_COST + TERN_FEC_WINDOW))

/* Which symbol: of a message, counted from 0. */
struct key {
    uint64_t message;
    uint32_t index;
};

/* What a repair says of one. */
struct covered {
    struct key key;
    uint32_t total;
    bool uses_credit;
    uint8_t coefficient;
};

/* One that came, or a part of it. */
struct held {
    struct key key;
    uint8_t *data; /* NULL: this place is free */
    uint32_t total, len;
    uint32_t from, to; /* the bytes that are there */
    bool uses_credit, is_fresh;
};

/* One that is missing from the repairs that wait. */
struct missing {
    struct key key;
    uint32_t total;
    bool is_used, uses_credit;
};

/* A repair less all that came: the sum of the missing, each times its factor. */
struct row {
    int pivot;
    uint32_t len; /* bytes behind it are 0 */
    uint8_t factors[TERN_FEC_WINDOW];
    uint8_t data[];
};

struct lane {
    uint32_t channel;
    enum tern_lane lane;
    uint32_t size;
    size_t keep;        /* symbols, and rows */
    uint64_t last_used; /* rises with each repair of any lane */
    size_t fresh, row_count;
    struct held held[TERN_FEC_WINDOW];
    struct missing missing[TERN_FEC_WINDOW];
    struct row *rows[TERN_FEC_WINDOW];
};

struct tern_fec_in {
    struct tern_mem *mem;
    struct tern_slab *slab;
    uint32_t window;
    uint64_t uses;
    uint64_t bytes; /* of lanes, symbols and rows */
    uint32_t allowance;
    struct lane *lanes[TERN_FEC_LANES];
};

/* --- memory ------------------------------------------------------------------------------------ */

static void *take_room(struct tern_fec_in *f, size_t size)
{
    void *block = tern_slab_take(f->slab, size);
    f->bytes += block != NULL ? tern_slab_rounded(size) : 0;
    return block;
}

static void give(struct tern_fec_in *f, void *block, size_t size)
{
    f->bytes -= tern_slab_rounded(size);
    tern_slab_give(f->slab, block, size);
}

static size_t block_of(uint32_t len)
{
    return len > 0 ? len : 1;
}

static void drop_held(struct tern_fec_in *f, struct lane *l, struct held *h)
{
    if (h->data != NULL) {
        l->fresh -= h->is_fresh;
        give(f, h->data, block_of(h->len));
        h->data = NULL;
    }
}

static void drop_row(struct tern_fec_in *f, struct lane *l, size_t i)
{
    give(f, l->rows[i], sizeof(struct row) + l->size);
    l->rows[i] = l->rows[--l->row_count];
}

static void empty_lane(struct tern_fec_in *f, struct lane *l)
{
    for (size_t i = 0; i < TERN_FEC_WINDOW; i++) {
        drop_held(f, l, &l->held[i]);
        l->missing[i].is_used = false;
    }
    while (l->row_count > 0) {
        drop_row(f, l, l->row_count - 1);
    }
}

struct tern_fec_in *tern_fec_in_new(struct tern_mem *mem, struct tern_slab *slab, uint32_t window)
{
    struct tern_fec_in *f = tern_mem_zalloc(mem, sizeof *f);
    if (f != NULL) {
        f->mem = mem;
        f->slab = slab;
        f->window = TERN_MIN(window, (uint32_t)TERN_FEC_WINDOW);
        f->allowance = ALLOWANCE_MOST;
    }
    return f;
}

void tern_fec_in_free(struct tern_fec_in *f)
{
    for (size_t i = 0; f != NULL && i < TERN_FEC_LANES; i++) {
        if (f->lanes[i] != NULL) {
            empty_lane(f, f->lanes[i]);
            give(f, f->lanes[i], sizeof *f->lanes[i]);
        }
    }
    if (f != NULL) {
        tern_mem_free(f->mem, f);
    }
}

uint64_t tern_fec_in_held(const struct tern_fec_in *f)
{
    return sizeof *f + f->bytes;
}

static void earn_budget(struct tern_fec_in *f, size_t bytes)
{
    f->allowance = (uint32_t)TERN_MIN(f->allowance + bytes + FRAME_WORTH, (size_t)ALLOWANCE_MOST);
}

static bool pay(struct tern_fec_in *f, uint32_t cost)
{
    bool can_pay = f->allowance >= cost;
    f->allowance -= can_pay ? cost : 0;
    return can_pay;
}

static struct lane *find_lane(const struct tern_fec_in *f, uint32_t channel, enum tern_lane lane)
{
    for (size_t i = 0; i < TERN_FEC_LANES; i++) {
        struct lane *l = f->lanes[i];
        if (l != NULL && l->channel == channel && l->lane == lane) {
            return l;
        }
    }
    return NULL;
}

/* A place for one more lane: a new one, or that of the lane that was quiet the longest. */
static struct lane *make_lane(struct tern_fec_in *f)
{
    struct lane *oldest = f->lanes[0];
    for (size_t i = 0; i < TERN_FEC_LANES; i++) {
        if (f->lanes[i] == NULL) {
            f->lanes[i] = take_room(f, sizeof *f->lanes[i]);
            if (f->lanes[i] != NULL) {
                memset(f->lanes[i], 0, sizeof *f->lanes[i]);
            }
            return f->lanes[i];
        }
        oldest = f->lanes[i]->last_used < oldest->last_used ? f->lanes[i] : oldest;
    }
    empty_lane(f, oldest);
    return oldest;
}

/* The lane that a repair speaks of, empty when its symbols have another size than before. */
static struct lane *lane_of(struct tern_fec_in *f, const struct tern_fec_repair *r)
{
    struct lane *l = find_lane(f, r->channel, r->lane);
    bool is_new = l == NULL;
    l = is_new ? make_lane(f) : l;
    if (l == NULL) {
        return NULL;
    }
    if (is_new || l->size != r->size) {
        empty_lane(f, l);
        l->channel = r->channel;
        l->lane = r->lane;
        l->size = r->size;
        l->keep = TERN_MIN(f->window, TERN_FEC_LANE_BYTES / r->size);
    }
    l->last_used = ++f->uses;
    return l;
}

/* --- symbols that came ------------------------------------------------------------------------- */

static bool is_same(const struct key *a, const struct key *b)
{
    return a->message == b->message && a->index == b->index;
}

static bool is_older(const struct key *a, const struct key *b)
{
    return a->message < b->message || (a->message == b->message && a->index < b->index);
}

static struct held *find_held(struct lane *l, const struct key *key)
{
    for (size_t i = 0; i < l->keep; i++) {
        if (l->held[i].data != NULL && is_same(&l->held[i].key, key)) {
            return &l->held[i];
        }
    }
    return NULL;
}

static bool is_whole(const struct held *h)
{
    return h->from == 0 && h->to == h->len;
}

/* A free place, or that of the oldest if `key` is newer or it must be. */
static struct held *place_for(struct tern_fec_in *f, struct lane *l, const struct key *key,
                              bool must)
{
    struct held *oldest = NULL;
    for (size_t i = 0; i < l->keep; i++) {
        struct held *h = &l->held[i];
        if (h->data == NULL) {
            return h;
        }
        if (!h->is_fresh && (oldest == NULL || is_older(&h->key, &oldest->key))) {
            oldest = h;
        }
    }
    if (oldest == NULL || (!must && is_older(key, &oldest->key))) {
        return NULL;
    }
    drop_held(f, l, oldest);
    return oldest;
}

static struct held *add_held(struct tern_fec_in *f, struct lane *l, const struct covered *c,
                             bool must)
{
    struct held *h = place_for(f, l, &c->key, must);
    uint32_t len = tern_fec_symbol_len(c->total, l->size, c->key.index);
    uint8_t *data = h != NULL ? take_room(f, block_of(len)) : NULL;
    if (data == NULL) {
        return NULL;
    }
    *h = (struct held){.key = c->key,
                       .data = data,
                       .total = c->total,
                       .len = len,
                       .from = len, /* nothing is there; an empty symbol has `to` = 0, too */
                       .uses_credit = c->uses_credit};
    return h;
}

/* --- equations --------------------------------------------------------------------------------- */

static int find_missing(const struct lane *l, const struct key *key)
{
    for (int i = 0; i < TERN_FEC_WINDOW; i++) {
        if (l->missing[i].is_used && is_same(&l->missing[i].key, key)) {
            return i;
        }
    }
    return NONE;
}

/* Missing symbols of which no repair speaks any more make room. */
static void sweep(struct lane *l)
{
    for (size_t i = 0; i < TERN_FEC_WINDOW; i++) {
        bool is_needed = false;
        for (size_t j = 0; j < l->row_count && !is_needed; j++) {
            is_needed = l->rows[j]->factors[i] != 0;
        }
        l->missing[i].is_used = l->missing[i].is_used && is_needed;
    }
}

static void add_row(struct row *to, const struct row *from, uint8_t factor)
{
    tern_fec_add(to->factors, from->factors, sizeof to->factors, factor);
    tern_fec_add(to->data, from->data, from->len, factor);
    to->len = TERN_MAX(to->len, from->len);
}

/* Takes the pivots of all others out of a row, then gives it one of its own and takes that out of the
 * others. False: it says nothing new. */
static bool reduce_row(struct lane *l, struct row *row)
{
    for (size_t i = 0; i < l->row_count; i++) {
        if (l->rows[i] != row) {
            add_row(row, l->rows[i], row->factors[l->rows[i]->pivot]);
        }
    }
    row->pivot = 0;
    while (row->pivot < TERN_FEC_WINDOW && row->factors[row->pivot] == 0) {
        row->pivot++;
    }
    if (row->pivot == TERN_FEC_WINDOW) {
        return false;
    }
    uint8_t scale = tern_fec_invert(row->factors[row->pivot]);
    tern_fec_scale(row->factors, sizeof row->factors, scale);
    tern_fec_scale(row->data, row->len, scale);
    for (size_t i = 0; i < l->row_count; i++) {
        if (l->rows[i] != row) {
            add_row(l->rows[i], row, l->rows[i]->factors[row->pivot]);
        }
    }
    return true;
}

static bool is_solved(const struct row *row)
{
    size_t factors = 0;
    for (size_t i = 0; i < TERN_FEC_WINDOW; i++) {
        factors += row->factors[i] != 0;
    }
    return factors == 1;
}

/* The padding of a symbol is 0; where it is not, the sender's repairs contradict one another. */
static bool is_padded(const struct row *row, uint32_t len)
{
    for (uint32_t i = len; i < row->len; i++) {
        if (row->data[i] != 0) {
            return false;
        }
    }
    return true;
}

/* A row that has but its pivot left is that symbol. */
static void harvest(struct tern_fec_in *f, struct lane *l, const struct row *row)
{
    struct missing *m = &l->missing[row->pivot];
    struct covered c = {.key = m->key, .total = m->total, .uses_credit = m->uses_credit};
    struct held *h = find_held(l, &c.key);
    m->is_used = false;
    if (!is_padded(row, tern_fec_symbol_len(c.total, l->size, c.key.index))) {
        return;
    }
    h = h == NULL ? add_held(f, l, &c, true) : h;
    if (h == NULL) {
        return;
    }
    memcpy(h->data, row->data, h->len);
    h->from = 0;
    h->to = h->len;
    h->is_fresh = true;
    l->fresh++;
}

static void harvest_all(struct tern_fec_in *f, struct lane *l)
{
    for (size_t i = l->row_count; i > 0; i--) {
        if (is_solved(l->rows[i - 1])) {
            harvest(f, l, l->rows[i - 1]);
            drop_row(f, l, i - 1);
        }
    }
}

/* A symbol has come that repairs were waiting for. */
static void substitute(struct tern_fec_in *f, struct lane *l, const struct held *h)
{
    int column = l->row_count > 0 ? find_missing(l, &h->key) : NONE;
    struct row *loose = NULL;
    if (column == NONE) {
        return;
    }
    for (size_t i = 0; i < l->row_count; i++) {
        struct row *row = l->rows[i];
        tern_fec_add(row->data, h->data, h->len, row->factors[column]);
        row->len = row->factors[column] != 0 ? TERN_MAX(row->len, h->len) : row->len;
        loose = row->factors[column] != 0 && row->pivot == column ? row : loose;
        row->factors[column] = 0;
    }
    l->missing[column].is_used = false;
    for (size_t i = 0; loose != NULL && i < l->row_count; i++) {
        if (l->rows[i] == loose && !reduce_row(l, loose)) {
            drop_row(f, l, i);
            loose = NULL;
        }
    }
    harvest_all(f, l);
}

/* --- parts ------------------------------------------------------------------------------------- */

/* A piece of a symbol. Two that do not touch cannot both be kept: the longer one is. */
static void merge(struct held *h, uint32_t from, uint32_t to, const uint8_t *data)
{
    bool touches = h->from <= h->to && from <= h->to && to >= h->from;
    if (!touches && h->from < h->to && to - from < h->to - h->from) {
        return;
    }
    if (to > from) {
        memcpy(h->data + from, data, to - from);
    }
    h->from = touches ? TERN_MIN(h->from, from) : from;
    h->to = touches ? TERN_MAX(h->to, to) : to;
}

static void keep_piece(struct tern_fec_in *f, struct lane *l, const struct tern_message_part *part,
                       const uint8_t *data, uint32_t index)
{
    struct covered c = {
        .key = {part->number, index}, .total = part->total, .uses_credit = part->uses_credit};
    struct held *h = find_held(l, &c.key);
    if (h == NULL) { /* however old, if a repair waits for it */
        h = add_held(f, l, &c, l->row_count > 0 && find_missing(l, &c.key) != NONE);
    } else if (is_whole(h)) {
        return;
    }
    if (h == NULL || h->total != part->total) {
        return;
    }
    uint32_t begin = index * l->size;
    uint32_t from = TERN_MAX(part->offset, begin);
    uint32_t to = TERN_MIN(part->offset + part->len, begin + h->len);
    merge(h, from - begin, to - begin, data + (from - part->offset));
    if (is_whole(h)) {
        substitute(f, l, h);
    }
}

void tern_fec_in_on_part(struct tern_fec_in *f, const struct tern_message_part *part,
                         const uint8_t *data)
{
    struct lane *l = find_lane(f, part->channel, part->lane);
    if (l == NULL) {
        return;
    }
    uint32_t first = part->offset / l->size;
    uint32_t end = part->len == 0 ? first + 1 : (part->offset + part->len - 1) / l->size + 1;
    earn_budget(f, part->len);
    /* Of a part with more symbols than are kept, which none has that was cut for them, the last. */
    uint32_t keep = (uint32_t)l->keep;
    for (uint32_t i = end - first > keep ? end - keep : first; i < end; i++) {
        keep_piece(f, l, part, data, i);
    }
}

/* --- repairs ----------------------------------------------------------------------------------- */

/* Which symbols a repair covers. False: it says that otherwise in two places. */
static bool read_covered(const struct tern_fec_repair *r, struct covered out[TERN_FEC_WINDOW])
{
    struct tern_reader reader;
    uint32_t done = 0, index = r->skip, longest = 0;
    tern_reader_init(&reader, r->lengths, r->lengths_len);
    for (uint32_t i = 0; i < r->messages && done < r->symbols; i++) {
        uint64_t word = tern_read_varint(&reader);
        if (reader.failed || word >> 1 > TERN_MESSAGE_MAX ||
            (r->lane == TERN_LANE_LATEST && (word & 1) != 0) ||
            index >= tern_fec_count((uint32_t)(word >> 1), r->size)) {
            return false;
        }
        uint32_t total = (uint32_t)(word >> 1), n = tern_fec_count(total, r->size);
        for (; index < n && done < r->symbols; index++, done++) {
            out[done] = (struct covered){
                .key = {r->message + i, index},
                .total = total,
                .uses_credit = (word & 1) != 0,
                .coefficient = tern_fec_coefficient(r->number, (unsigned)r->first + done)};
            longest = TERN_MAX(longest, tern_fec_symbol_len(total, r->size, index));
        }
        index = i + 1 < r->messages ? 0 : index;
    }
    /* Each message that is listed is covered, and none is missing from the list. */
    return done == r->symbols && tern_reader_left(&reader) == 0 && longest == r->len &&
           (done == 0 || out[done - 1].key.message == r->message + r->messages - 1);
}

/* Whether a repair says the same of its messages as those before it; *unknown: how many of its symbols did
 * not come. */
static bool agrees(struct lane *l, const struct tern_fec_repair *r, const struct covered *covered,
                   size_t *unknown)
{
    *unknown = 0;
    for (uint32_t i = 0; i < r->symbols; i++) {
        const struct held *h = find_held(l, &covered[i].key);
        int column = find_missing(l, &covered[i].key);
        const struct missing *m = column != NONE ? &l->missing[column] : NULL;
        bool differs =
            h != NULL && (h->total != covered[i].total || h->uses_credit != covered[i].uses_credit);
        differs = differs || (m != NULL && (m->total != covered[i].total ||
                                            m->uses_credit != covered[i].uses_credit));
        if (differs) {
            return false;
        }
        *unknown += h == NULL || !is_whole(h);
    }
    return true;
}

static bool is_covered(const struct tern_fec_repair *r, const struct covered *covered,
                       const struct key *key)
{
    for (uint32_t i = 0; i < r->symbols; i++) {
        if (is_same(&covered[i].key, key)) {
            return true;
        }
    }
    return false;
}

/* Gives up the oldest missing symbol that is not covered by `r`, and all repairs that speak of it. False:
 * there is none. */
static bool give_up(struct tern_fec_in *f, struct lane *l, const struct tern_fec_repair *r,
                    const struct covered *covered)
{
    int oldest = NONE;
    for (int i = 0; i < TERN_FEC_WINDOW; i++) {
        const struct missing *m = &l->missing[i];
        if (m->is_used && !is_covered(r, covered, &m->key) &&
            (oldest == NONE || is_older(&m->key, &l->missing[oldest].key))) {
            oldest = i;
        }
    }
    if (oldest == NONE) {
        return false;
    }
    for (size_t i = l->row_count; i > 0; i--) {
        if (l->rows[i - 1]->factors[oldest] != 0) {
            drop_row(f, l, i - 1);
        }
    }
    sweep(l);
    return true;
}

static size_t free_columns(const struct lane *l)
{
    size_t n = 0;
    for (size_t i = 0; i < TERN_FEC_WINDOW; i++) {
        n += !l->missing[i].is_used;
    }
    return n;
}

/* The column of a missing symbol; there is room. */
static int column_for(struct lane *l, const struct covered *c)
{
    int column = find_missing(l, &c->key);
    for (int i = 0; column == NONE && i < TERN_FEC_WINDOW; i++) {
        column = l->missing[i].is_used ? NONE : i;
    }
    tern_assert(column != NONE);
    l->missing[column] = (struct missing){
        .key = c->key, .total = c->total, .is_used = true, .uses_credit = c->uses_credit};
    return column;
}

/* A repair as a row: what came is taken out of it at once. */
static void fill_row(struct lane *l, struct row *row, const struct tern_fec_repair *r,
                     const struct covered *covered)
{
    memset(row, 0, sizeof *row);
    memcpy(row->data, r->data, r->len);
    memset(row->data + r->len, 0, l->size - r->len);
    row->len = (uint32_t)r->len;
    for (uint32_t i = 0; i < r->symbols; i++) {
        const struct held *h = find_held(l, &covered[i].key);
        if (h != NULL && is_whole(h)) {
            tern_fec_add(row->data, h->data, h->len, covered[i].coefficient);
        } else {
            row->factors[column_for(l, &covered[i])] = covered[i].coefficient;
        }
    }
}

static int add_equation(struct tern_fec_in *f, struct lane *l, const struct tern_fec_repair *r,
                        const struct covered *covered, size_t unknown)
{
    while (free_columns(l) < unknown || l->row_count >= l->keep) {
        if (!give_up(f, l, r, covered)) {
            break;
        }
    }
    if (l->row_count >= l->keep) {
        return 0; /* as many as symbols are kept, and all of the same: it would say nothing new */
    }
    struct row *row = take_room(f, sizeof *row + l->size);
    if (row == NULL) {
        return TERN_ERR_NOMEM;
    }
    fill_row(l, row, r, covered);
    l->rows[l->row_count++] = row;
    if (!reduce_row(l, row)) {
        drop_row(f, l, l->row_count - 1);
        sweep(l);
    }
    harvest_all(f, l);
    return 0;
}

int tern_fec_in_on_repair(struct tern_fec_in *f, const struct tern_fec_repair *r)
{
    struct covered covered[TERN_FEC_WINDOW];
    size_t unknown;
    if (r->size == 0 || r->size > TERN_FEC_SIZE_MAX || r->symbols > f->window ||
        r->messages > r->symbols || r->lane >= TERN_LANES ||
        r->message > TERN_VARINT_MAX - r->messages || !read_covered(r, covered)) {
        return TERN_ERR_PROTOCOL;
    }
    struct lane *l = lane_of(f, r);
    if (l == NULL) {
        return TERN_ERR_NOMEM;
    }
    earn_budget(f, r->lengths_len + r->len);
    if (!pay(f, r->symbols)) {
        return 0;
    }
    if (!agrees(l, r, covered, &unknown)) {
        return TERN_ERR_PROTOCOL;
    }
    return unknown > 0 && pay(f, EQUATION_COST) ? add_equation(f, l, r, covered, unknown) : 0;
}

bool tern_fec_in_next(struct tern_fec_in *f, struct tern_message_part *part, const uint8_t **data)
{
    for (size_t i = 0; i < TERN_FEC_LANES; i++) {
        struct lane *l = f->lanes[i];
        for (size_t j = 0; l != NULL && l->fresh > 0 && j < l->keep; j++) {
            struct held *h = &l->held[j];
            if (h->data == NULL || !h->is_fresh) {
                continue;
            }
            h->is_fresh = false;
            l->fresh--;
            *part = (struct tern_message_part){.channel = l->channel,
                                               .lane = l->lane,
                                               .uses_credit = h->uses_credit,
                                               .is_fragment = h->len != h->total,
                                               .number = h->key.message,
                                               .offset = h->key.index * l->size,
                                               .len = h->len,
                                               .total = h->total};
            *data = h->data;
            return true;
        }
    }
    return false;
}
