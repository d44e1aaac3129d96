/* Two halves a splice, each read from one stream and written to the other as far as the budget goes.
 * SPDX-License-Identifier: MIT */
#include "terncp/splice.h"

#include <stdlib.h>
#include <string.h>

#include "terncp/passing.h"

#define MEMORY_MAX ((size_t)32 << 20) /* passed on and not acknowledged, over all streams */

/* Lent memory. It outlives the splices, since the transport may hold it for longer. */
struct budget {
    size_t bytes, lent;
    uint64_t released;
    struct ev_loop *loop;
    struct ev_watcher kick; /* never started: fed when memory comes back */
    bool is_orphan;
};

struct loan {
    struct budget *budget;
    size_t len;
    uint8_t data[];
};

struct splice {
    struct splices *all;
    tern_stream *from, *to; /* NULL once closed; `to` is NULL until it can be opened, too */
    bool has_to, is_lost;   /* it could be opened; `from` was closed before */
    size_t ahead; /* bytes at the front of `from` that were looked at, and not passed on */
    bool forth_over, back_over; /* the end, a reset or a stop was passed on */
    struct passing passing;
    char name[PROTO_PATH_MAX + 1]; /* the newest of its entries */
    struct splice *next, **link;
};

struct splices {
    struct splices_request request;
    struct budget *budget;
    struct splice *list;
    bool is_bad;
    char current[PROTO_PATH_MAX + 1];
};

static void pump_all(struct splices *all);

static void on_kick(struct ev_loop *loop, struct ev_watcher *watcher, int events)
{
    (void)loop;
    (void)events;
    pump_all(watcher->data);
}

struct splices *splices_new(const struct splices_request *request)
{
    struct splices *all = calloc(1, sizeof *all);
    if (all == NULL || (all->budget = calloc(1, sizeof *all->budget)) == NULL) {
        free(all);
        return NULL;
    }
    all->request = *request;
    all->budget->loop = request->loop;
    ev_init(&all->budget->kick, on_kick);
    all->budget->kick.data = all;
    return all;
}

/* Runs inside endpoint calls: only memory is touched. */
static void on_released(void *arg, const void *data, size_t len)
{
    struct loan *loan = arg;
    struct budget *budget = loan->budget;
    (void)data;
    (void)len;
    budget->bytes -= loan->len;
    budget->released += loan->len;
    budget->lent--;
    free(loan);
    if (!budget->is_orphan) {
        ev_feed_event(budget->loop, &budget->kick, EV_CUSTOM);
    } else if (budget->lent == 0) {
        free(budget);
    }
}

static void refuse(struct splices *all, const char *why)
{
    if (!all->is_bad) {
        all->is_bad = true;
        all->request.refused(all->request.user, why);
    }
}

/* What is tried again is not given up, and what is left out is no failure. */
static void on_given_up(void *user, const char *name, uint64_t status)
{
    struct splices *all = user;
    bool is_failure = status < PROTO_LEFT_OUT || status > PROTO_LEFT_OUTSIDE;
    if (is_failure) {
        all->request.given_up(
            all->request.user, name[0] == '\0' ? "an entry" : name,
            status > PROTO_OK && status < PROTO_LEFT_OUT ? (enum proto_status)status : PROTO_IO);
    }
}

/* --- bytes -------------------------------------------------------------------------------------------- */

/* Passes on some bytes. How many; 0: not now; negative: the other side takes no more. */
static ptrdiff_t lend(struct splices *all, tern_stream *to, const uint8_t *data, size_t len)
{
    struct budget *budget = all->budget;
    if (budget->bytes >= MEMORY_MAX) {
        return 0;
    }
    struct loan *loan = malloc(sizeof *loan + len);
    if (loan == NULL) {
        return 0;
    }
    loan->budget = budget;
    loan->len = len;
    memcpy(loan->data, data, len);
    ptrdiff_t n = tern_stream_write_ref(to, loan->data, len, on_released, loan, 0);
    if (n <= 0) {
        free(loan);
        return n;
    }
    budget->bytes += len;
    budget->lent++;
    return n;
}

/* One half: from one stream into another. True: its end was passed on. */
static bool flow(struct splice *s, tern_stream *from, tern_stream *to, bool is_forth)
{
    const uint8_t *data;
    size_t len;
    while (!s->all->is_bad) {
        int rc = tern_stream_peek(from, &data, &len);
        if (rc == TERN_ERR_RESET) {
            uint64_t status = tern_stream_reset_code(from);
            if (is_forth) {
                on_given_up(s->all, s->name, status);
            }
            rc = tern_stream_reset(to, status);
            (void)rc; /* it may have ended itself */
            return true;
        }
        if (rc != 0) {
            return rc != TERN_ERR_AGAIN;
        }
        len = len > PROTO_BLOCK ? PROTO_BLOCK : len;
        if (is_forth && len > s->ahead) {
            const char *why = passing_look(&s->passing, data + s->ahead, len - s->ahead, s->name);
            s->ahead = len;
            memcpy(s->all->current, s->name, strlen(s->name) + 1);
            if (why != NULL) {
                refuse(s->all, why);
            }
        }
        if (s->all->is_bad) {
            return false;
        }
        ptrdiff_t n =
            len == 0 ? tern_stream_write(to, NULL, 0, TERN_FIN) : lend(s->all, to, data, len);
        if (n < 0) {
            return true; /* it was stopped: the event brings the code */
        }
        if ((n == 0 && len > 0) || tern_stream_consume(from, (size_t)n) != 0) {
            return false;
        }
        s->ahead -= is_forth ? (size_t)n : 0;
        if (len == 0) {
            return true;
        }
    }
    return false;
}

/* Gives the stream its other end. False: the peer allows no more streams now. */
static bool open_to(struct splice *s)
{
    enum tern_stream_kind kind = s->passing.is_file ? TERN_STREAM_BIDI : TERN_STREAM_UNI;
    if (!s->has_to && tern_conn_open_stream(s->all->request.to, kind, &s->to) == 0) {
        s->has_to = true;
        tern_stream_set_user(s->to, s);
    }
    return s->has_to;
}

static void splice_free(struct splice *s)
{
    *s->link = s->next;
    if (s->next != NULL) {
        s->next->link = s->link;
    }
    free(s);
}

static void pump(struct splice *s)
{
    if (!open_to(s) || s->to == NULL) {
        return;
    }
    if (s->is_lost) { /* the receiver counts it, and must hear of it */
        on_given_up(s->all, s->name, PROTO_IO);
        int rc = tern_stream_reset(s->to, PROTO_IO);
        (void)rc; /* the stream is fresh, or has ended since */
        s->is_lost = false;
    }
    if (s->from == NULL) {
        return;
    }
    if (!s->forth_over) {
        s->forth_over = flow(s, s->from, s->to, true);
    }
    if (s->passing.is_file && !s->back_over) {
        s->back_over = flow(s, s->to, s->from, false);
    }
}

static void pump_all(struct splices *all)
{
    for (struct splice *s = all->list, *next; s != NULL; s = next) {
        next = s->next;
        pump(s);
    }
}

/* --- events ------------------------------------------------------------------------------------------- */

void splices_add(struct splices *all, tern_stream *stream)
{
    struct splice *s = calloc(1, sizeof *s);
    if (s == NULL) {
        refuse(all, "out of memory");
        return;
    }
    s->all = all;
    s->from = stream;
    s->passing = (struct passing){.is_file = tern_stream_kind_of(stream) == TERN_STREAM_BIDI,
                                  .flags = all->request.flags,
                                  .only = all->request.only,
                                  .given_up = on_given_up,
                                  .user = all};
    s->link = &all->list;
    s->next = all->list;
    if (s->next != NULL) {
        s->next->link = &s->next;
    }
    all->list = s;
    tern_stream_set_user(stream, s);
    pump(s);
}

/* One end is closed for good. The other follows: it was ended, reset or stopped. */
static void on_closed(struct splice *s, const tern_stream *stream)
{
    if (stream == s->from) {
        s->from = NULL;
        s->is_lost = !s->has_to;
    } else {
        s->to = NULL;
    }
    if (s->from == NULL && s->has_to && s->to == NULL) {
        splice_free(s);
    }
}

void splices_on_event(struct splices *all, const tern_event *event)
{
    struct splice *s = event->stream == NULL ? NULL : tern_stream_user(event->stream);
    if (event->type == TERN_EVENT_OPENABLE) {
        pump_all(all);
    }
    if (s == NULL) {
        return;
    }
    if (event->type == TERN_EVENT_STREAM_STOPPED) {
        tern_stream *other = event->stream == s->from ? s->to : s->from;
        if (other != NULL) {
            int rc = tern_stream_stop(other, event->code);
            (void)rc; /* it may have ended itself */
        }
    }
    pump(s);
    if (event->type == TERN_EVENT_STREAM_CLOSED) {
        tern_stream_set_user(event->stream, NULL);
        on_closed(s, event->stream);
    }
}

uint64_t splices_bytes(const struct splices *all)
{
    return all->budget->released;
}

const char *splices_current(const struct splices *all)
{
    return all->current;
}

void splices_free(struct splices *all)
{
    if (all == NULL) {
        return;
    }
    struct splice *next;
    for (struct splice *s = all->list; s != NULL; s = next) {
        next = s->next;
        if (s->from != NULL) {
            tern_stream_set_user(s->from, NULL);
        }
        if (s->to != NULL) {
            tern_stream_set_user(s->to, NULL);
        }
        splice_free(s);
    }
    (void)ev_clear_pending(all->budget->loop, &all->budget->kick);
    all->budget->is_orphan = true;
    if (all->budget->lent == 0) {
        free(all->budget);
    }
    free(all);
}
