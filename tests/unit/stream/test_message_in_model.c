/* The receiver of messages against a flat model of [P §16], frame by frame.
 *
 * Messages of a few lanes come whole, in fragments that overlap, again, are skipped, and find the credit
 * used up or the queue full. The model keeps a byte for each byte and a stamp for each event, searches all
 * of it each time, and must agree in each return value, each message, each limit and each counter.
 * SPDX-License-Identifier: MIT */
#include "msgin_kit.h"

#define CHANNELS 2
#define NUMBERS  40
#define LONGEST  2000

struct model_message {
    uint32_t total;
    bool uses_credit;
    bool is_counted;    /* credit was counted for it */
    bool is_unfinished; /* held, in parts */
    bool is_done;       /* whole, skipped, or dropped: ignored from now on */
    bool is_waiting;    /* ordered, whole, not ready */
    uint64_t ready;     /* stamp of its place among the ready, or 0 */
    uint64_t age;       /* stamp for the order of dropping */
    uint8_t has[LONGEST];
};

struct model {
    struct model_message all[CHANNELS][TERN_LANES][NUMBERS];
    uint64_t stamp, counted, freed, told, queued;
    struct model_message *lent;
    struct tern_msgin_config config;
    struct tern_msgin_counters counters;
};

static uint64_t cost_of(const struct model_message *m)
{
    return m->total + 64;
}

#define EACH(c, l, n)                                                                              \
    for (size_t c = 0; c < CHANNELS; c++)                                                          \
        for (size_t l = 0; l < TERN_LANES; l++)                                                    \
            for (size_t n = 0; n < NUMBERS; n++)

static void model_init(struct model *model, uint64_t *seed)
{
    memset(model, 0, sizeof *model);
    static const uint64_t sizes[] = {3000, 8000, 200000};
    model->config = (struct tern_msgin_config){.max_size = LONGEST,
                                               .channels = CHANNELS,
                                               .window = sizes[kit_below(seed, 3)],
                                               .queue = sizes[kit_below(seed, 3)]};
    model->told = model->config.window;
    EACH(c, l, n)
    {
        struct model_message *m = &model->all[c][l][n];
        uint64_t shape = kit_below(seed, 4);
        m->total = (uint32_t)(shape == 0 ? kit_below(seed, 3) : kit_below(seed, LONGEST));
        m->uses_credit = l == O || (l == U && kit_below(seed, 2) == 0);
    }
}

static void model_release(struct model *model, struct model_message *m)
{
    if (m->uses_credit) {
        model->freed += cost_of(m);
    } else {
        model->queued -= cost_of(m);
    }
    m->is_unfinished = false;
    m->ready = m->age = 0;
}

/* The oldest without credit that is unfinished, or ready in a lane. */
static struct model_message *model_oldest(struct model *model, bool is_unfinished, size_t lane,
                                          size_t *of)
{
    struct model_message *oldest = NULL;
    EACH(c, l, n)
    {
        struct model_message *m = &model->all[c][l][n];
        bool fits = is_unfinished ? m->is_unfinished : m->ready > 0 && l == lane;
        if (fits && !m->uses_credit && m->age > 0 && (oldest == NULL || m->age < oldest->age)) {
            oldest = m;
            *of = l;
        }
    }
    return oldest;
}

static bool model_make_room(struct model *model, uint64_t cost)
{
    while (cost <= model->config.queue && model->queued + cost > model->config.queue) {
        size_t lane = 0;
        struct model_message *m = model_oldest(model, true, 0, &lane);
        if (m != NULL) {
            m->is_done = lane == U;
            memset(m->has, 0, sizeof m->has);
        } else {
            m = model_oldest(model, false, U, &lane);
            m = m == NULL ? model_oldest(model, false, L, &lane) : m;
        }
        if (m == NULL) {
            break;
        }
        model_release(model, m);
        model->counters.dropped++;
    }
    return model->queued + cost <= model->config.queue;
}

/* Ordered ones become ready up to the first that is missing. */
static void model_advance(struct model *model, size_t channel)
{
    for (size_t n = 0; n < NUMBERS && model->all[channel][O][n].is_done; n++) {
        struct model_message *m = &model->all[channel][O][n];
        if (m->is_waiting) {
            m->is_waiting = false;
            m->ready = ++model->stamp;
        }
    }
}

static void model_pass(struct model *model, size_t channel, size_t number)
{
    for (size_t n = 0; n <= number; n++) {
        struct model_message *m = &model->all[channel][L][n];
        m->is_done = true;
        if (m->is_unfinished && n < number) {
            model_release(model, m);
            model->counters.superseded++;
        }
    }
}

static struct model_message *model_fresh(struct model *model, size_t channel)
{
    for (size_t n = 0; n < NUMBERS; n++) {
        if (model->all[channel][L][n].ready > 0) {
            return &model->all[channel][L][n];
        }
    }
    return NULL;
}

/* A message is whole. */
static void model_whole(struct model *model, size_t channel, size_t lane, size_t number)
{
    struct model_message *m = &model->all[channel][lane][number];
    m->is_unfinished = false;
    m->is_done = true;
    m->age = ++model->stamp;
    if (lane == O) {
        m->is_waiting = true;
        model_advance(model, channel);
        return;
    }
    m->ready = m->age;
    if (lane == L) {
        m->ready = 0;
        struct model_message *old = model_fresh(model, channel);
        m->ready = old == NULL ? m->age : old->ready;
        model_pass(model, channel, number);
        if (old != NULL) {
            old->ready = old->age = 0;
            model->counters.superseded++;
        }
    }
}

/* How many runs lie behind the first gap. */
static size_t model_pieces(const uint8_t *has, uint32_t total)
{
    size_t runs = 0;
    for (uint32_t i = 1; i < total; i++) {
        runs += has[i] && !has[i - 1];
    }
    return runs;
}

/* No room, or no credit? 1: dropped */
static int model_let_in(struct model *model, size_t channel, size_t lane, size_t number)
{
    struct model_message *m = &model->all[channel][lane][number];
    if (m->uses_credit) {
        if (model->counted + cost_of(m) > model->told) {
            return TERN_ERR_FLOW_CONTROL;
        }
        model->counted += cost_of(m);
        m->is_counted = true;
        return 0;
    }
    if (!model_make_room(model, cost_of(m))) {
        model->counters.dropped++;
        m->is_done = true;
        if (lane == L) {
            model_pass(model, channel, number);
        }
        return 1;
    }
    model->queued += cost_of(m);
    return 0;
}

static int model_begin_whole(struct model *model, size_t channel, size_t lane, size_t number)
{
    struct model_message *fresh = lane == L ? model_fresh(model, channel) : NULL;
    if (fresh != NULL) {
        model->queued -= cost_of(fresh);
        fresh->age = 0; /* it cannot be dropped for its successor */
    }
    int rc = model_let_in(model, channel, lane, number);
    if (rc == 0) {
        model_whole(model, channel, lane, number);
    } else if (fresh != NULL) {
        model->queued += cost_of(fresh);
        fresh->age = ++model->stamp;
    }
    return rc;
}

/* Is there a place among the unfinished of a latest lane? */
static bool model_make_place(struct model *model, size_t channel, size_t number)
{
    size_t count = 0, oldest = NUMBERS;
    for (size_t n = NUMBERS; n-- > 0;) {
        if (model->all[channel][L][n].is_unfinished) {
            count++;
            oldest = n;
        }
    }
    if (count == 4 && number < oldest) {
        return false;
    }
    if (count == 4) {
        struct model_message *m = &model->all[channel][L][oldest];
        memset(m->has, 0, sizeof m->has);
        model_release(model, m);
        model->counters.superseded++;
    }
    return true;
}

static int model_part(struct model *model, const struct tern_message_part *part)
{
    struct model_message *m = &model->all[part->channel][part->lane][part->number];
    if (m->is_done) {
        model->counters.duplicates++;
        return 0;
    }
    if (!m->is_unfinished && part->len == part->total) {
        int rc = model_begin_whole(model, part->channel, part->lane, part->number);
        return rc == 1 ? 0 : rc;
    }
    if (!m->is_unfinished) {
        if (part->lane == L && !model_make_place(model, part->channel, part->number)) {
            return 0;
        }
        int rc = model_let_in(model, part->channel, part->lane, part->number);
        if (rc != 0) {
            return rc == 1 ? 0 : rc;
        }
        m->is_unfinished = true;
        m->age = ++model->stamp;
    }
    static uint8_t after[LONGEST];
    memcpy(after, m->has, sizeof after);
    memset(after + part->offset, 1, part->len);
    if (model_pieces(after, m->total) > 2 + m->total / 512) {
        return TERN_ERR_AGAIN;
    }
    bool is_new = memcmp(after, m->has, sizeof after) != 0;
    model->counters.duplicates += !is_new && part->len > 0;
    memcpy(m->has, after, sizeof after);
    if (memchr(after, 0, m->total) == NULL) {
        struct model_message *fresh = part->lane == L ? model_fresh(model, part->channel) : NULL;
        model->queued -= fresh != NULL ? cost_of(fresh) : 0;
        model_whole(model, part->channel, part->lane, part->number);
    }
    return 0;
}

static int model_skip(struct model *model, const struct tern_message_skip *s)
{
    uint64_t cost = 0;
    for (uint64_t n = s->first; n < s->first + s->count; n++) {
        struct model_message *m = &model->all[s->channel][s->lane][n];
        if (m->is_unfinished && s->cost != (m->uses_credit ? cost_of(m) : 0)) {
            return TERN_ERR_PROTOCOL;
        }
        cost += m->is_done || m->is_unfinished ? 0 : s->cost;
    }
    if (model->counted + cost > model->told) {
        return TERN_ERR_FLOW_CONTROL;
    }
    model->counted += cost;
    model->freed += cost;
    for (uint64_t n = s->first; n < s->first + s->count; n++) {
        struct model_message *m = &model->all[s->channel][s->lane][n];
        if (m->is_unfinished) {
            model_release(model, m);
        }
        m->is_done = true;
    }
    if (s->lane == O) {
        model_advance(model, s->channel);
    }
    return 0;
}

static void model_receive(struct model *model, struct receiver *r)
{
    struct model_message *first = NULL;
    uint32_t channel = 0;
    size_t lane = 0, number = 0;
    tern_message got;
    if (model->lent != NULL) {
        model_release(model, model->lent);
        model->lent = NULL;
    }
    EACH(c, l, n)
    {
        struct model_message *m = &model->all[c][l][n];
        if (m->ready > 0 && (first == NULL || m->ready < first->ready)) {
            first = m;
            channel = (uint32_t)c;
            lane = l;
            number = n;
        }
    }
    assert_int_equal(take(r, &got), first != NULL);
    if (first != NULL) {
        assert_int_equal(got.channel, channel);
        assert_int_equal(lane_of(got.order), lane);
        assert_int_equal(got.number, number);
        assert_int_equal(got.len, first->total);
        first->ready = first->age = 0;
        model->lent = first;
        model->counters.received++;
        model->counters.bytes += first->total;
    }
}

/* Some part of some message: whole, or cut anyhow. */
static void one_part(struct model *model, struct receiver *r, uint64_t *seed, uint64_t progress)
{
    uint64_t ahead = progress + kit_below(seed, 8), n = TERN_MIN(ahead, NUMBERS - 1);
    struct tern_message_part part = {.channel = (uint32_t)kit_below(seed, CHANNELS),
                                     .lane = (enum tern_lane)kit_below(seed, TERN_LANES),
                                     .number = n - kit_below(seed, TERN_MIN(n, 12) + 1)};
    const struct model_message *m = &model->all[part.channel][part.lane][part.number];
    part.uses_credit = m->uses_credit;
    part.len = part.total = m->total;
    if (m->total > 0 && kit_below(seed, 3) > 0) {
        uint32_t step = m->total / 5 + 1;
        part.is_fragment = true;
        part.offset = kit_below(seed, 4) > 0 ? (uint32_t)kit_below(seed, 5) * step
                                             : (uint32_t)kit_below(seed, m->total);
        part.offset = TERN_MIN(part.offset, m->total);
        part.len = kit_below(seed, 4) > 0 ? step : (uint32_t)kit_below(seed, m->total + 1);
        part.len = TERN_MIN(part.len, m->total - part.offset);
    }
    int rc = model_part(model, &part);
    assert_int_equal(piece_of(r, &part, false), rc);
}

static void one_skip(struct model *model, struct receiver *r, uint64_t *seed, uint64_t progress)
{
    struct tern_message_skip s = {.channel = (uint32_t)kit_below(seed, CHANNELS),
                                  .lane = kit_below(seed, 3) == 0 ? U : O};
    s.first = kit_below(seed, progress + 1);
    s.count = kit_below(seed, TERN_MIN(4, NUMBERS - s.first)) + 1;
    const struct model_message *m = &model->all[s.channel][s.lane][s.first];
    s.cost = m->uses_credit ? cost_of(m) : 0;
    assert_int_equal(tern_msgin_on_skip(r->m, &s), model_skip(model, &s));
}

static void compare(struct model *model, struct receiver *r)
{
    uint64_t credit = model->counted - model->freed;
    assert_true(credit <= model->config.window && model->queued <= model->config.queue);
    assert_int_equal(tern_msgin_held(r->m), credit + model->queued);
    assert_memory_equal(tern_msgin_counters(r->m), &model->counters, sizeof model->counters);
    uint64_t limit = model->config.window + model->freed;
    uint64_t gain = limit - model->told, most = model->config.max_size + 64;
    assert_int_equal(tern_msgin_wants_limit(r->m),
                     gain >= model->config.window / 8 || model->config.window - gain < most);
}

static void run(uint64_t seed)
{
    static struct model model;
    struct receiver r;
    model_init(&model, &seed);
    receiver_init(&r, &model.config);
    uint64_t reads = kit_below(&seed, 4);
    for (uint64_t i = 0; i < 400; i++) {
        uint64_t what = kit_below(&seed, 20), progress = i * NUMBERS / 400;
        if (what == 0) {
            one_skip(&model, &r, &seed, progress);
        } else if (what <= reads) {
            model_receive(&model, &r);
        } else {
            one_part(&model, &r, &seed, progress);
        }
        compare(&model, &r);
        if (tern_msgin_wants_limit(r.m) && kit_below(&seed, 2) == 0) {
            model.told = model.config.window + model.freed;
            assert_int_equal(tern_msgin_take_limit(r.m), model.told);
        }
    }
    while (tern_msgin_has_message(r.m)) {
        model_receive(&model, &r);
    }
    model_receive(&model, &r);
    compare(&model, &r);
    end(&r);
}

static void a_thousand_runs_agree_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        run(seed);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_thousand_runs_agree_with_the_model),
};

TERN_TEST_MAIN(tests)
