/* Two halves a splice, each read from one stream and written to the other as far as the budget goes.
 * SPDX-License-Identifier: MIT */
#include "terncp/splice.h"

#include <stdlib.h>
#include <string.h>

#include "terncp/tree.h"

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

/* Where the names are in what passes. */
struct scan {
    uint8_t header[PROTO_HEADER_MAX];
    size_t used;   /* of a header that is not whole yet */
    uint64_t skip; /* bytes until the next one */
    bool is_over;  /* a file's own stream has but one */
};

struct splice {
    struct splices *all;
    tern_stream *from, *to; /* NULL once closed; `to` is NULL until it can be opened, too */
    bool has_to, is_lost;   /* it could be opened; `from` was closed before */
    size_t ahead; /* bytes at the front of `from` that were looked at, and not passed on */
    bool forth_over, back_over; /* the end, a reset or a stop was passed on */
    bool is_file;
    struct scan scan;
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

/* --- names -------------------------------------------------------------------------------------------- */

static void refuse(struct splices *all, const char *why)
{
    if (!all->is_bad) {
        all->is_bad = true;
        all->request.refused(all->request.user, why);
    }
}

/* A whole header: is it a name that was asked for, and how far is it to the next? */
static void on_entry(struct splice *s, const struct proto_entry *entry)
{
    struct splices *all = s->all;
    bool is_recursive = (all->request.flags & PROTO_FLAG_RECURSIVE) != 0;
    if (!tree_is_safe(entry->name) ||
        !tree_is_under(entry->name, all->request.only, is_recursive)) {
        refuse(all, "it sends a name that was not asked for");
        return;
    }
    memcpy(all->current, entry->name, strlen(entry->name) + 1);
    if (s->is_file) {
        s->scan.is_over = true;
        return;
    }
    int64_t size = proto_packed_size(entry, all->request.flags);
    if (size < 0) {
        refuse(all, "it sends a malformed entry");
        return;
    }
    s->scan.skip = (uint64_t)size;
}

static void look_at(struct splice *s, const uint8_t *data, size_t len)
{
    struct scan *scan = &s->scan;
    while (len > 0 && !scan->is_over && !s->all->is_bad) {
        if (scan->skip > 0) {
            size_t n = len < scan->skip ? len : (size_t)scan->skip;
            scan->skip -= n;
            data += n;
            len -= n;
            continue;
        }
        struct proto_entry entry;
        size_t before = scan->used, n = sizeof scan->header - before;
        n = len < n ? len : n;
        memcpy(scan->header + before, data, n);
        scan->used += n;
        int used = proto_entry_decode(&entry, scan->header, scan->used);
        if (used == 0 && scan->used < sizeof scan->header) {
            return;
        }
        if (used <= 0) {
            refuse(s->all, "it sends a malformed entry");
            return;
        }
        scan->used = 0;
        data += (size_t)used - before;
        len -= (size_t)used - before;
        on_entry(s, &entry);
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
            rc = tern_stream_reset(to, tern_stream_reset_code(from));
            (void)rc; /* it may have ended itself */
            return true;
        }
        if (rc != 0) {
            return rc != TERN_ERR_AGAIN;
        }
        len = len > PROTO_BLOCK ? PROTO_BLOCK : len;
        if (is_forth && len > s->ahead) {
            look_at(s, data + s->ahead, len - s->ahead);
            s->ahead = len;
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
    enum tern_stream_kind kind = s->is_file ? TERN_STREAM_BIDI : TERN_STREAM_UNI;
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
    if (s->is_file && !s->back_over) {
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
    s->is_file = tern_stream_kind_of(stream) == TERN_STREAM_BIDI;
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
    while (all->list != NULL) {
        struct splice *s = all->list;
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
