/* What we get: chunks that are proved go into a hidden file beside where it will be, and under its name once the
 * hash of the whole is what was offered. What is there of it already, of this run or of one before, is not sent
 * again. While a worker has a chunk the next one comes; what is behind that stays in the stream.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/steady.h"
#include "shared/term.h"
#include "ternchat/files_parts.h"
#include "ternchat/part.h"

#define PAUSE_MIN 1.0 /* s between tries, doubled each time */
#define PAUSE_MAX 30.0
#define ANSWER    45.0  /* s for the stream, or a refusal, to come */
#define PATIENCE  600.0 /* s without a byte after which nothing more is expected */
#define CUTS      3     /* ends before the end, without a chunk in between */

enum take_state {
    TAKE_QUEUED,
    TAKE_CHECKING, /* reads what is there of it */
    TAKE_WAITING,  /* asks at retry_at */
    TAKE_ASKED,
    TAKE_RUNNING,
    TAKE_ENDING /* all has come; the last of it is written, and it gets its name */
};

struct take {
    struct part part;
    struct take *next;
    struct files *files;
    bool is_out; /* a worker has the part, */
    bool is_dropped,
        is_kept; /* and nobody wants more of it when it comes back; but what is there */
    struct files_known of;
    enum take_state state;
    uint32_t fetch;
    tern_stream *stream;
    uint64_t done; /* bytes proved and written */
    bool has_come; /* some of it, in this run */
    bool has_header;
    unsigned cuts;
    struct chunks chunks;
    uint8_t in[CHUNKS_SEALED];
    size_t used;
    ev_tstamp retry_at, asked_at, moved_at;
    double pause;
};

/* What is on streams that nobody reads, and on those whose end alone is still to come. */
static char dead, tail;

/* --- ends --------------------------------------------------------------------------------------------- */

static void let_go(struct take *take, enum chat_stop why)
{
    if (take->stream != NULL) {
        int rc = tern_stream_stop(take->stream, why);
        (void)rc; /* it may have ended itself */
        tern_stream_set_user(take->stream, &dead);
        take->stream = NULL;
    }
}

static struct files_news news_of(const struct take *take, enum files_state state)
{
    return (struct files_news){.state = state,
                               .number = take->of.number,
                               .name = take->of.offer.name,
                               .done = take->done,
                               .size = take->of.offer.size};
}

/* What is kept is what there is by now, of this run or of one before; an empty file is not. */
static void put_away(struct take *take)
{
    part_close(&take->part, take->is_kept && (take->part.at > 0 || take->part.there > 0));
    sodium_memzero(take, sizeof *take);
    free(take);
}

static void drop(struct files *f, struct take *take, bool is_kept)
{
    struct take **at = &f->takes;
    while (*at != take) {
        at = &(*at)->next;
    }
    *at = take->next;
    let_go(take, CHAT_STOP_CANCELLED);
    take->is_dropped = true;
    take->is_kept = is_kept;
    if (!take->is_out) {
        put_away(take);
    }
}

static void fail(struct files *f, struct take *take, bool is_kept, const char *why)
{
    struct files_news news = news_of(take, FILES_FAILED);
    bool is_begun = take->done > 0 || take->part.there > 0;
    files_tell(f, &news, take->of.room, "%s (%u) did not come: %s%s", take->of.offer.name,
               take->of.number, why,
               is_kept && is_begun ? "; what is here of it is kept: /get goes on from there" : "");
    drop(f, take, is_kept);
}

/* It may come later: said once for each time that it had begun to come. */
static void wait_more(struct files *f, struct take *take, const char *why)
{
    struct files_news news = news_of(take, FILES_WAITING);
    bool is_new = take->state == TAKE_RUNNING || take->pause < PAUSE_MIN * 2;
    let_go(take, CHAT_STOP_CANCELLED);
    take->state = TAKE_WAITING;
    take->retry_at = steady_now() + take->pause;
    take->pause = take->pause * 2 < PAUSE_MAX ? take->pause * 2 : PAUSE_MAX;
    if (is_new) {
        files_tell(f, &news, take->of.room, "%s (%u) waits at %u %%: %s; it goes on by itself",
                   take->of.offer.name, take->of.number,
                   files_percent(take->done, take->of.offer.size), why);
    }
}

/* --- the file ----------------------------------------------------------------------------------------- */

static void hand(struct take *take, work_fn run, work_fn done)
{
    take->is_out = true;
    take->part.job = (struct work_job){.run = run, .done = done, .owner = take};
    work_submit(take->files->work, &take->part.job);
}

/* NULL: nothing is to be done with it any more. */
static struct take *take_back(struct work_job *job)
{
    struct take *take = job->owner;
    struct files *f = take->files;
    take->is_out = false;
    if (take->is_dropped) {
        put_away(take);
        return NULL;
    }
    if (f->is_over) {
        return NULL;
    }
    take->done = take->part.at;
    files_work(f);
    return take;
}

/* Has what the worker did failed? That was the end of it. */
static bool has_failed(struct take *take, bool is_kept)
{
    const struct part *part = &take->part;
    if (part->why == NULL && part->job.error == 0) {
        return false;
    }
    fail(take->files, take, is_kept, part->why != NULL ? part->why : strerror(part->job.error));
    return true;
}

/* A piece of what an earlier run has left; then the rest may be asked for. */
static void on_checked(struct work_job *job)
{
    struct take *take = take_back(job);
    if (take == NULL || has_failed(take, false)) {
        return;
    }
    if (take->done < take->part.there) {
        hand(take, part_check, on_checked);
        return;
    }
    take->state = TAKE_WAITING;
    take->moved_at = steady_now();
    takes_tick(take->files);
}

static void on_opened_part(struct work_job *job)
{
    char size[OFFER_BYTES_TEXT], from[64] = "";
    struct take *take = take_back(job);
    if (take == NULL || has_failed(take, true)) {
        return;
    }
    struct files_news news = news_of(take, FILES_STARTED);
    const struct offer *offer = &take->of.offer;
    if (take->part.there > 0) {
        (void)snprintf(from, sizeof from, ", %u %% of which is here",
                       files_percent(take->part.there, offer->size));
    }
    files_tell(take->files, &news, take->of.room, "getting %s (%u; %s%s) of %s", offer->name,
               take->of.number, offer_bytes_text(offer->size, size), from, take->of.nick);
    hand(take, part_check, on_checked);
}

static void begin(struct files *f, struct take *take)
{
    take->state = TAKE_CHECKING;
    take->moved_at = steady_now();
    part_init(&take->part, f->downloads, &take->of.offer);
    hand(take, part_open, on_opened_part);
}

/* All of it is there. */
static void on_named(struct work_job *job)
{
    struct take *take = take_back(job);
    if (take == NULL || has_failed(take, take->part.why == NULL)) {
        return;
    }
    const char *path = take->part.named;
    char safe[2 * sizeof take->part.named];
    struct files_news news = news_of(take, FILES_DONE);
    news.path = path;
    files_tell(take->files, &news, take->of.room, "%s (%u) is here: %s", take->of.offer.name,
               take->of.number, term_escape(path, strlen(path), safe, sizeof safe));
    drop(take->files, take, true);
}

static void on_written(struct work_job *job)
{
    struct take *take = take_back(job);
    if (take != NULL && !has_failed(take, true) && take->state == TAKE_ENDING) {
        hand(take, part_name, on_named);
    }
}

/* --- what comes --------------------------------------------------------------------------------------- */

/* Behind the last chunk there is nothing, but that has to be seen. */
static void end(struct take *take)
{
    take->state = TAKE_ENDING;
    if (take->stream != NULL) {
        tern_stream_set_user(take->stream, &tail);
        take->stream = NULL;
    }
}

/* A chunk is whole, and the worker is free for it. False: that was the end of it. */
static bool take_chunk(struct files *f, struct take *take)
{
    take->part.len = chunks_plain(&take->chunks);
    if (!chunks_unseal(&take->chunks, take->in, take->part.data)) {
        fail(f, take, true, "it was changed on its way");
        return false;
    }
    take->used = 0;
    take->has_come = true;
    take->cuts = 0;
    take->pause = PAUSE_MIN;
    take->moved_at = steady_now();
    if (take->chunks.is_over) {
        end(take);
    }
    hand(take, part_write, on_written);
    return !take->chunks.is_over;
}

static bool take_header(struct files *f, struct take *take)
{
    take->used = 0;
    take->has_header = true;
    if (!chunks_unseal_begin(&take->chunks, &take->of.offer, take->done, take->in)) {
        fail(f, take, true, "it was changed on its way");
        return false;
    }
    return true;
}

/* The stream has ended before the file. */
static void on_cut(struct files *f, struct take *take)
{
    let_go(take, CHAT_STOP_BAD);
    if (++take->cuts >= CUTS) {
        fail(f, take, true, "it ends too early");
    } else {
        wait_more(f, take, "it was cut off");
    }
}

/* The server says by a packet why there is no more. */
static void on_reset(struct take *take)
{
    tern_stream_set_user(take->stream, &dead);
    take->stream = NULL;
    take->state = TAKE_ASKED;
    take->asked_at = steady_now();
}

/* Some bytes. False: nothing is there now, or it is over. */
static bool read_some(struct files *f, struct take *take, size_t need)
{
    const uint8_t *data;
    size_t len;
    int rc = tern_stream_peek(take->stream, &data, &len);
    if (rc == TERN_ERR_RESET) {
        on_reset(take);
    } else if (rc == 0 && len == 0) {
        rc = tern_stream_consume(take->stream, 0);
        on_cut(f, take);
    }
    if (rc != 0 || len == 0) {
        return false;
    }
    len = len < need - take->used ? len : need - take->used;
    memcpy(take->in + take->used, data, len);
    take->used += len;
    return tern_stream_consume(take->stream, len) == 0;
}

/* A step further. False: it cannot be made now. Where the next chunk belongs is known when the worker is back with the
 * one before it, also if that came on a stream that the server has reset. */
static bool step(struct files *f, struct take *take)
{
    size_t need = take->has_header ? chunks_sealed(&take->chunks) : CHUNKS_HEADER;
    if (take->used < need) {
        return read_some(f, take, need);
    }
    if (take->is_out) {
        return false;
    }
    return take->has_header ? take_chunk(f, take) : take_header(f, take);
}

/* One chunk of each. */
bool takes_work(struct files *f)
{
    bool has_more = false;
    struct take *next;
    for (struct take *take = f->takes; take != NULL; take = next) {
        next = take->next;
        bool is_on = take->state == TAKE_RUNNING;
        for (bool was_out = take->is_out; is_on && take->is_out == was_out;) {
            is_on = step(f, take);
        }
        has_more = has_more || is_on;
    }
    return has_more;
}

static void read_tail(tern_stream *stream)
{
    const uint8_t *data;
    size_t len;
    int rc = tern_stream_peek(stream, &data, &len);
    if (rc == 0 && len == 0) {
        rc = tern_stream_consume(stream, 0);
        tern_stream_set_user(stream, &dead);
    } else if (rc == 0) {
        rc = tern_stream_stop(stream, CHAT_STOP_BAD);
        tern_stream_set_user(stream, &dead);
    }
    (void)rc; /* the file is whole, whatever becomes of the stream */
}

/* The number at the front of a stream tells whose it is. */
static void on_opened(struct files *f, tern_stream *stream)
{
    const uint8_t *data;
    size_t len;
    uint64_t fetch = 0;
    int rc = tern_stream_peek(stream, &data, &len);
    if (rc == TERN_ERR_AGAIN || (rc == 0 && len > 0 && len < FILES_NUMBER)) {
        return;
    }
    for (size_t i = 0; rc == 0 && len > 0 && i < FILES_NUMBER; i++) {
        fetch = fetch << 8 | data[i];
    }
    struct take *take = f->takes;
    while (take != NULL && (take->state != TAKE_ASKED || take->fetch != fetch)) {
        take = take->next;
    }
    if (take == NULL || tern_stream_consume(stream, FILES_NUMBER) != 0) {
        rc = tern_stream_stop(stream, CHAT_STOP_CANCELLED);
        (void)rc; /* it was reset */
        tern_stream_set_user(stream, &dead);
        return;
    }
    take->state = TAKE_RUNNING;
    take->stream = stream;
    take->has_header = false;
    take->used = 0;
    tern_stream_set_user(stream, take);
}

void takes_on_stream(struct files *f, const tern_event *ev)
{
    void *user = tern_stream_user(ev->stream);
    if (user == &dead) {
        return;
    }
    if (user == &tail) {
        read_tail(ev->stream);
        return;
    }
    if (user == NULL && ev->type != TERN_EVENT_STREAM_CLOSED) {
        on_opened(f, ev->stream);
    } else if (user != NULL && ev->type == TERN_EVENT_STREAM_CLOSED) {
        on_reset(user);
    }
    files_work(f);
}

/* --- asking ------------------------------------------------------------------------------------------- */

static void ask(struct files *f, struct take *take, ev_tstamp now)
{
    const struct model_room *room = model_find(f->model, take->of.room);
    if (room == NULL) {
        fail(f, take, true, "you have left the room");
        return;
    }
    if (f->conn == NULL || room->channel == 0) {
        return;
    }
    f->last_fetch = f->last_fetch == UINT32_MAX || f->last_fetch < MODEL_FETCH ? MODEL_FETCH
                                                                               : f->last_fetch + 1;
    if (model_fetch(f->model, room, f->last_fetch, take->of.seq, take->done)) {
        take->fetch = f->last_fetch;
        take->state = TAKE_ASKED;
        take->asked_at = now;
    }
}

static void tick(struct files *f, struct take *take, ev_tstamp now)
{
    if (take->state == TAKE_ASKED && now - take->asked_at > ANSWER) {
        wait_more(f, take, "the server does not answer");
    } else if (take->state == TAKE_WAITING && now - take->moved_at > PATIENCE) {
        fail(f, take, true, "nothing has come for ten minutes");
    } else if (take->state == TAKE_WAITING && !take->is_out && now >= take->retry_at) {
        ask(f, take, now);
    }
}

void takes_tick(struct files *f)
{
    struct take *next;
    size_t count = 0;
    for (const struct take *take = f->takes; take != NULL; take = take->next) {
        count += take->state != TAKE_QUEUED ? 1 : 0;
    }
    for (struct take *take = f->takes; take != NULL; take = next) {
        next = take->next;
        if (take->state != TAKE_QUEUED) {
            tick(f, take, steady_now());
        } else if (count < FILES_TAKES) {
            count++;
            begin(f, take);
        }
    }
}

void takes_add(struct files *f, const struct files_known *known)
{
    struct take **at = &f->takes;
    size_t count = 0;
    while (*at != NULL && (*at)->of.number != known->number) {
        at = &(*at)->next;
        count++;
    }
    if (*at != NULL || count >= FILES_QUEUE) {
        files_note(f, *at != NULL ? "it is on its way already" : "too many files are on their way");
        return;
    }
    struct take *take = aligned_alloc(_Alignof(struct take), sizeof *take);
    if (take == NULL) {
        files_note(f, "out of memory");
        return;
    }
    memset(take, 0, sizeof *take);
    take->files = f;
    take->of = *known;
    take->part.fd = -1;
    take->pause = PAUSE_MIN;
    *at = take;
    takes_tick(f);
}

bool takes_cancel(struct files *f, unsigned number)
{
    struct take *take = f->takes;
    while (take != NULL && take->of.number != number) {
        take = take->next;
    }
    if (take != NULL) {
        struct files_news news = news_of(take, FILES_CANCELLED);
        files_tell(f, &news, take->of.room, "%s (%u) is not wanted any more", take->of.offer.name,
                   number);
        drop(f, take, false);
    }
    return take != NULL;
}

bool takes_on_refused(struct files *f, const struct chat_packet *p)
{
    char why[2 * CHAT_TEXT_MAX];
    struct take *take = f->takes;
    while (take != NULL &&
           (take->fetch != p->id || take->state < TAKE_ASKED || take->state == TAKE_ENDING)) {
        take = take->next;
    }
    if (take == NULL) {
        return p->id >= MODEL_FETCH && p->id <= UINT32_MAX; /* of one that is over */
    }
    (void)term_escape((const char *)p->text.data, p->text.len, why, sizeof why);
    if (p->code == CHAT_REFUSED_FULL || p->code == CHAT_REFUSED_RATE ||
        (p->code == CHAT_REFUSED_AWAY && take->has_come)) {
        wait_more(f, take, why);
    } else {
        fail(f, take, true, why);
    }
    return true;
}

void takes_lost(struct files *f)
{
    for (struct take *take = f->takes; take != NULL; take = take->next) {
        if (take->state == TAKE_ASKED || take->state == TAKE_RUNNING) {
            take->stream = NULL; /* it is gone with its connection */
            take->pause = 0;
            wait_more(f, take, "the connection is lost");
            take->pause = PAUSE_MIN;
        }
    }
}

void takes_free(struct files *f)
{
    while (f->takes != NULL) {
        drop(f, f->takes, true);
    }
}

size_t takes_progress(const struct files *f, char *out, size_t size)
{
    size_t used = 0;
    for (const struct take *take = f->takes; take != NULL && used < size; take = take->next) {
        static const char *const words[] = {"waits for its turn", "is looked at", "waits",
                                            "is asked for"};
        used += (size_t)snprintf(out + used, size - used, "%s%s ", used == 0 ? "" : ", ",
                                 take->of.offer.name);
        if (used < size && take->state >= TAKE_RUNNING) {
            used += (size_t)snprintf(out + used, size - used, "%u %%",
                                     files_percent(take->done, take->of.offer.size));
        } else if (used < size) {
            used += (size_t)snprintf(out + used, size - used, "%s", words[take->state]);
        }
    }
    return used < size ? used : size - 1;
}
