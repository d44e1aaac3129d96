/* What we offer: looked at once to be named by its hash, then read again for each who fetches it, if it is still
 * the same file.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/term.h"
#include "ternchat/files_parts.h"

enum given_state { GIVEN_HASHING, GIVEN_HASHED, GIVEN_SAID };

struct given {
    crypto_generichash_state hash;
    struct given *next;
    enum given_state state;
    char path[FILES_PATH_MAX], room[CHAT_NAME_MAX + 1];
    struct stat was;
    int fd;        /* while it is hashed */
    uint64_t done; /* bytes hashed */
    uint64_t id;   /* of what was said */
    unsigned number;
    struct offer offer;
};

struct give {
    struct give *next;
    struct given *of;
    tern_stream *stream;
    int fd;
    bool is_full; /* WRITABLE follows */
    bool is_ended;
    struct chunks chunks;
    uint8_t out[CHUNKS_SEALED];
    size_t len, at; /* in `out`: what is still to be written */
    char who[CHAT_NAME_MAX + 1];
};

/* --- sending ------------------------------------------------------------------------------------------ */

static void give_free(struct files *f, struct give *give)
{
    struct give **at = &f->gives;
    while (*at != give) {
        at = &(*at)->next;
    }
    *at = give->next;
    tern_stream_set_user(give->stream, NULL);
    (void)close(give->fd);
    sodium_memzero(give, sizeof *give);
    free(give);
}

/* why NULL: nothing is said. */
static void give_end(struct files *f, struct give *give, enum files_state state,
                     enum chat_stop code, const char *why)
{
    const struct given *of = give->of;
    struct files_news news = {.state = state,
                              .is_ours = true,
                              .number = of->number,
                              .name = of->offer.name,
                              .done = give->chunks.offset,
                              .size = of->offer.size};
    if (state == FILES_FAILED) {
        int rc = tern_stream_reset(give->stream, code);
        (void)rc; /* it may have ended itself */
    }
    if (why != NULL) {
        files_tell(f, &news, of->room, "%s (%u) was %ssent to %s%s%s", of->offer.name, of->number,
                   state == FILES_DONE ? "" : "not ", give->who, *why == '\0' ? "" : ": ", why);
    }
    give_free(f, give);
}

static bool is_same(const struct stat *was, const struct stat *is)
{
    return was->st_dev == is->st_dev && was->st_ino == is->st_ino && was->st_size == is->st_size &&
           was->st_mtim.tv_sec == is->st_mtim.tv_sec && was->st_mtim.tv_nsec == is->st_mtim.tv_nsec;
}

/* The next chunk, sealed in `out`. False: the file is not what it was. */
static bool fill(struct files *f, struct give *give)
{
    struct stat now;
    size_t plain = chunks_plain(&give->chunks);
    give->len = chunks_sealed(&give->chunks);
    give->at = 0;
    if (files_read(give->fd, f->piece, plain, give->chunks.offset) != (ptrdiff_t)plain) {
        return false;
    }
    chunks_seal(&give->chunks, f->piece, give->out);
    return !give->chunks.is_over || (fstat(give->fd, &now) == 0 && is_same(&give->of->was, &now));
}

/* Writes what is ready. False: not now, or it is over. */
static bool give_write(struct give *give)
{
    unsigned flags = give->chunks.is_over ? TERN_FIN : 0;
    ptrdiff_t n =
        tern_stream_write(give->stream, give->out + give->at, give->len - give->at, flags);
    if (n < 0) { /* stopped: the event brings the code */
        give->is_full = true;
        return false;
    }
    give->at += (size_t)n;
    give->is_full = give->at < give->len;
    give->is_ended = !give->is_full && give->chunks.is_over;
    return !give->is_full && !give->is_ended;
}

/* A piece of one. True: there is more to do. */
static bool give_work(struct files *f, struct give *give)
{
    for (size_t done = 0; !give->is_full && !give->is_ended && done < FILES_PIECE;
         done += CHUNKS_PLAIN) {
        if (give->at == give->len && !fill(f, give)) {
            give_end(f, give, FILES_FAILED, CHAT_STOP_CHANGED, "it was changed meanwhile");
            return false;
        }
        if (!give_write(give)) {
            return false;
        }
    }
    return !give->is_full && !give->is_ended;
}

bool gives_work(struct files *f)
{
    bool has_more = false;
    struct give *next;
    for (struct give *give = f->gives; give != NULL; give = next) {
        next = give->next;
        has_more = give_work(f, give) || has_more;
    }
    return has_more;
}

static const char *nick_of(struct files *f, const char *name, const uint8_t key[TERN_KEY_SIZE])
{
    const struct model_room *room = model_find(f->model, name);
    for (size_t i = 0; room != NULL && i < room->people_count; i++) {
        if (memcmp(room->people[i].key, key, TERN_KEY_SIZE) == 0) {
            return room->people[i].nick;
        }
    }
    return "somebody";
}

/* The number of the relay, and the header of what follows. */
static bool begin_stream(struct files *f, struct give *give, uint64_t id)
{
    uint8_t front[FILES_NUMBER + CHUNKS_HEADER];
    for (unsigned i = 0; i < FILES_NUMBER; i++) {
        front[i] = (uint8_t)(id >> (56 - 8 * i));
    }
    if (tern_conn_open_stream(f->conn, TERN_STREAM_UNI, &give->stream) != 0) {
        give->stream = NULL;
        return false;
    }
    chunks_seal_begin(&give->chunks, &give->of->offer, give->chunks.offset, front + FILES_NUMBER);
    tern_stream_set_user(give->stream, give);
    return tern_stream_set_priority(give->stream, FILES_URGENCY, true) == 0 &&
           tern_stream_write(give->stream, front, sizeof front, 0) == (ptrdiff_t)sizeof front;
}

static void give_new(struct files *f, struct given *of, int fd, const struct chat_packet *p)
{
    struct give *give = calloc(1, sizeof *give);
    struct files_news news = {.state = FILES_STARTED,
                              .is_ours = true,
                              .number = of->number,
                              .name = of->offer.name,
                              .done = p->offset,
                              .size = of->offer.size};
    if (give == NULL) {
        (void)close(fd);
        (void)model_deny(f->model, p->id, CHAT_STOP_BUSY);
        return;
    }
    give->of = of;
    give->fd = fd;
    give->chunks.offset = p->offset;
    (void)snprintf(give->who, sizeof give->who, "%s", nick_of(f, of->room, p->key));
    if (!begin_stream(f, give, p->id)) {
        if (give->stream != NULL) {
            int rc = tern_stream_reset(give->stream, CHAT_STOP_BUSY);
            (void)rc; /* it has failed already */
            tern_stream_set_user(give->stream, NULL);
        }
        (void)close(fd);
        free(give);
        (void)model_deny(f->model, p->id, CHAT_STOP_BUSY);
        return;
    }
    give->next = f->gives;
    f->gives = give;
    files_tell(f, &news, of->room, "sending %s (%u) to %s", of->offer.name, of->number, give->who);
    files_work(f);
}

static size_t count_gives(const struct files *f)
{
    size_t count = 0;
    for (const struct give *give = f->gives; give != NULL; give = give->next) {
        count++;
    }
    return count;
}

/* The file, open; negative: *code says why not. */
static int open_again(const struct given *of, enum chat_stop *code)
{
    struct stat now;
    int fd = open(of->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *code = CHAT_STOP_CHANGED;
    if (fd < 0) {
        *code = CHAT_STOP_GONE;
    } else if (fstat(fd, &now) != 0 || !is_same(&of->was, &now)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

void given_on_wanted(struct files *f, const struct chat_packet *p)
{
    struct given *of = f->given;
    enum chat_stop code = CHAT_STOP_GONE;
    while (of != NULL && (of->state != GIVEN_SAID || of->id != p->offer)) {
        of = of->next;
    }
    if (of == NULL || f->conn == NULL) {
        (void)model_deny(f->model, p->id, CHAT_STOP_GONE);
        return;
    }
    if (!chunks_may_begin(p->offset, of->offer.size) || count_gives(f) >= FILES_GIVES) {
        (void)model_deny(f->model, p->id, CHAT_STOP_BUSY);
        return;
    }
    int fd = open_again(of, &code);
    if (fd >= 0) {
        give_new(f, of, fd, p);
        return;
    }
    struct files_news news = {
        .state = FILES_FAILED, .is_ours = true, .number = of->number, .name = of->offer.name};
    files_tell(f, &news, of->room, "%s (%u) was not sent to %s: it %s", of->offer.name, of->number,
               nick_of(f, of->room, p->key),
               code == CHAT_STOP_GONE ? "is not there any more"
                                      : "was changed since you offered it");
    (void)model_deny(f->model, p->id, code);
}

bool gives_on_stream(struct files *f, const tern_event *ev)
{
    struct give *give = tern_stream_user(ev->stream);
    if (!tern_stream_is_local(ev->stream)) {
        return false;
    }
    if (give == NULL) {
        return true;
    }
    if (ev->type == TERN_EVENT_STREAM_STOPPED) {
        give_end(f, give, FILES_FAILED, CHAT_STOP_CANCELLED,
                 ev->code == CHAT_STOP_CANCELLED ? "they have stopped it"
                 : ev->code == CHAT_STOP_AWAY    ? "their connection is lost"
                                                 : "the server has stopped it");
    } else if (ev->type == TERN_EVENT_STREAM_CLOSED) {
        bool is_done = give->is_ended;
        give_end(f, give, is_done ? FILES_DONE : FILES_FAILED, CHAT_STOP_BAD,
                 is_done ? "" : "broken");
    } else if (ev->type == TERN_EVENT_STREAM_WRITABLE) {
        give->is_full = false;
        files_work(f);
    }
    return true;
}

void gives_lost(struct files *f)
{
    while (f->gives != NULL) { /* who fetches asks again */
        give_free(f, f->gives);
    }
}

/* --- offering ----------------------------------------------------------------------------------------- */

static void given_drop(struct files *f, struct given *of)
{
    struct given **at = &f->given;
    struct give *next;
    for (struct give *give = f->gives; give != NULL; give = next) {
        next = give->next;
        if (give->of == of) {
            give_end(f, give, FILES_FAILED, CHAT_STOP_CANCELLED, NULL);
        }
    }
    while (*at != of) {
        at = &(*at)->next;
    }
    *at = of->next;
    if (of->fd >= 0) {
        (void)close(of->fd);
    }
    sodium_memzero(of, sizeof *of);
    free(of);
}

static size_t count_given(const struct files *f)
{
    size_t count = 0;
    for (const struct given *of = f->given; of != NULL; of = of->next) {
        count++;
    }
    return count;
}

/* Opens it; false: a note says why not. */
static bool open_first(struct files *f, struct given *of, const char *path)
{
    char safe[2 * FILES_LINE];
    const char *home = path[0] == '~' && path[1] == '/' ? getenv("HOME") : NULL;
    (void)term_escape(path, strlen(path), safe, sizeof safe);
    if (snprintf(of->path, sizeof of->path, "%s%s", home == NULL ? "" : home,
                 home == NULL ? path : path + 1) >= (int)sizeof of->path) {
        files_note(f, "%s: the name is too long", safe);
        return false;
    }
    of->fd =
        open(of->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would wait for its writer */
    if (of->fd < 0 || fstat(of->fd, &of->was) != 0) {
        files_note(f, "%s: %s", safe, strerror(errno));
        return false;
    }
    if (!S_ISREG(of->was.st_mode)) {
        files_note(f, "%s: %s", safe,
                   S_ISDIR(of->was.st_mode) ? "a folder; pack it first" : "not a file");
        return false;
    }
    return true;
}

void files_send(struct files *f, const struct model_room *room, const char *path)
{
    if (count_given(f) >= FILES_OURS) {
        files_note(f, "you offer %d files already: take one back with /cancel", FILES_OURS);
        return;
    }
    struct given *of = aligned_alloc(_Alignof(struct given), sizeof *of);
    if (of == NULL) {
        files_note(f, "out of memory");
        return;
    }
    memset(of, 0, sizeof *of);
    of->fd = -1;
    of->next = f->given;
    f->given = of;
    if (!open_first(f, of, path)) {
        given_drop(f, of);
        return;
    }
    of->offer.size = (uint64_t)of->was.st_size;
    offer_safe_name(path, strlen(path), of->offer.name);
    memcpy(of->room, room->name, sizeof of->room);
    randombytes_buf(of->offer.key, sizeof of->offer.key);
    (void)crypto_generichash_init(&of->hash, NULL, 0, OFFER_HASH_SIZE);
    files_work(f);
}

/* A piece of the hash. False: the file is not what it was. */
static bool hash_piece(struct files *f, struct given *of)
{
    struct stat now;
    uint64_t left = of->offer.size - of->done;
    size_t len = left < sizeof f->piece ? (size_t)left : sizeof f->piece;
    if (files_read(of->fd, f->piece, len, of->done) != (ptrdiff_t)len) {
        return false;
    }
    (void)crypto_generichash_update(&of->hash, f->piece, len);
    of->done += len;
    if (of->done < of->offer.size) {
        return true;
    }
    (void)crypto_generichash_final(&of->hash, of->offer.hash, sizeof of->offer.hash);
    of->state = GIVEN_HASHED;
    bool is_whole = fstat(of->fd, &now) == 0 && is_same(&of->was, &now);
    (void)close(of->fd);
    of->fd = -1;
    return is_whole;
}

/* Says it in its room, as soon as there is room for the words. */
static void say(struct files *f, struct given *of)
{
    uint8_t body[OFFER_BODY_MAX];
    struct model_room *room = model_find(f->model, of->room);
    if (room == NULL) {
        files_note(f, "%s is not offered: you have left the room", of->offer.name);
        given_drop(f, of);
        return;
    }
    size_t len = offer_encode(&of->offer, body, sizeof body);
    of->state = GIVEN_SAID; /* its event may come inside of the call */
    if (!model_say(f->model, room, CHAT_KIND_FILE, body, len, &of->id)) {
        of->state = GIVEN_HASHED;
    }
    sodium_memzero(body, sizeof body);
}

bool given_work(struct files *f)
{
    bool has_more = false;
    struct given *next;
    for (struct given *of = f->given; of != NULL; of = next) {
        next = of->next;
        if (of->state == GIVEN_HASHING && !hash_piece(f, of)) {
            files_note(f, "%s is not offered: it cannot be read, or changes meanwhile",
                       of->offer.name);
            given_drop(f, of);
        } else if (of->state == GIVEN_HASHED) {
            say(f, of); /* again at the next tick, when too much waits */
        } else {
            has_more = has_more || of->state == GIVEN_HASHING;
        }
    }
    return has_more;
}

void given_on_own(struct files *f, uint64_t id, unsigned number)
{
    for (struct given *of = f->given; of != NULL; of = of->next) {
        if (of->state == GIVEN_SAID && of->id == id) {
            of->number = number;
        }
    }
}

void given_on_refused(struct files *f, uint64_t id)
{
    struct given *of = f->given;
    while (of != NULL && (of->state != GIVEN_SAID || of->id != id)) {
        of = of->next;
    }
    if (of != NULL) {
        given_drop(f, of);
    }
}

bool given_has(const struct files *f, unsigned number)
{
    const struct given *of = f->given;
    while (of != NULL && of->number != number) {
        of = of->next;
    }
    return of != NULL;
}

bool given_cancel(struct files *f, unsigned number)
{
    struct given *of = f->given;
    while (of != NULL && (of->number != number || number == 0)) {
        of = of->next;
    }
    if (of == NULL) {
        return false;
    }
    files_note(f, "%s (%u) is not offered any more", of->offer.name, number);
    given_drop(f, of);
    return true;
}

void given_free(struct files *f)
{
    while (f->given != NULL) {
        given_drop(f, f->given);
    }
}

bool given_is_moving(const struct files *f)
{
    bool is_moving = f->gives != NULL;
    for (const struct given *of = f->given; of != NULL; of = of->next) {
        is_moving = is_moving || of->state != GIVEN_SAID;
    }
    return is_moving;
}

size_t gives_progress(const struct files *f, char *out, size_t size)
{
    size_t used = 0;
    for (const struct given *of = f->given; of != NULL && used < size; of = of->next) {
        if (of->state == GIVEN_HASHING) {
            used += (size_t)snprintf(out + used, size - used, "%slooking at %s: %u %%",
                                     used == 0 ? "" : ", ", of->offer.name,
                                     files_percent(of->done, of->offer.size));
        }
    }
    for (const struct give *give = f->gives; give != NULL && used < size; give = give->next) {
        used += (size_t)snprintf(out + used, size - used, "%s%s to %s: %u %%",
                                 used == 0 ? "" : ", ", give->of->offer.name, give->who,
                                 files_percent(give->chunks.offset, give->of->offer.size));
    }
    return used < size ? used : size - 1;
}
