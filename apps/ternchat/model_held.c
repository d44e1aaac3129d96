/* Words that cannot be read yet: their keys may be right behind them.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ternchat/model_memory.h"
#include "ternchat/model_seal.h"
#include "ternchat/name.h"

#define OLD ((uint64_t)24 * 3600 * 1000) /* ms between writing and coming that people are told of */

static void drop_first(struct room_seal *s)
{
    struct held *first = s->held;
    s->held = first->next;
    s->held_tail = s->held == NULL ? &s->held : s->held_tail;
    s->held_count--;
    s->held_bytes -= first->len;
    free(first);
}

void model_held_clear(struct room_seal *s)
{
    while (s->held != NULL) {
        drop_first(s);
    }
}

static struct line about_of(const struct held *h)
{
    struct line about = {.seq = h->seq, .time = h->time, .is_replay = h->is_replay};
    memcpy(about.key, h->key, sizeof about.key);
    memcpy(about.nick, h->nick, sizeof about.nick);
    about.is_own = h->is_own;
    about.is_missed = h->is_missed;
    return about;
}

/* So many from the first on, for good; one line tells of them. */
static void give_up(struct model *model, struct model_room *room, size_t count, bool is_before)
{
    char text[CHAT_NAME_MAX + 200];
    struct room_seal *s = room->seal;
    bool is_one = true;
    const struct held *last = s->held;
    if (count == 0) {
        return;
    }
    for (size_t i = 1; i < count; i++) {
        is_one = is_one && memcmp(last->key, last->next->key, TERN_KEY_SIZE) == 0;
        last = last->next;
    }
    struct line about = about_of(last);
    about.kind = LINE_NOTE;
    if (is_before) {
        (void)snprintf(text, sizeof text,
                       "%zu %s said here before you came: only who was here can read %s", count,
                       count == 1 ? "word was" : "words were", count == 1 ? "it" : "them");
    } else {
        (void)snprintf(text, sizeof text, "%zu %s of %s cannot be read: no key for %s has come",
                       count, count == 1 ? "word" : "words", is_one ? last->nick : "several people",
                       count == 1 ? "it" : "them");
    }
    model_line(model, room, &about, chat_text(text));
    while (count-- > 0) {
        model_memory_let_go(model, room, s->held->seq);
        drop_first(s);
    }
}

void model_held_give_up(struct model *model, struct model_room *room)
{
    give_up(model, room, room->seal->held_count, true);
}

void model_held_tick(struct model *model, struct model_room *room)
{
    size_t count = 0;
    for (struct held *h = room->seal->held; h != NULL; h = h->next) {
        count += ++h->ticks > HELD_TICKS ? 1 : 0; /* those in front have waited for longest */
    }
    give_up(model, room, count, false);
}

/* --- opening ------------------------------------------------------------------------------------------ */

static void tell_of(struct model *model, struct model_room *room, const struct line *about,
                    const struct seal_opened *opened)
{
    char text[CHAT_NAME_MAX + 160], when[32] = "?";
    struct line note = *about;
    if (opened->missed > 0) {
        note.kind = LINE_GAP;
        (void)snprintf(text, sizeof text, "%lu %s of %s did not come: the server kept %s back",
                       (unsigned long)opened->missed, opened->missed == 1 ? "word" : "words",
                       about->nick, opened->missed == 1 ? "it" : "them");
        model_line(model, room, &note, chat_text(text));
    }
    if (opened->is_late) {
        model_warn(model, room, about, "the server has brought these words of ", " late:");
    }
    uint64_t age =
        about->time > opened->time ? about->time - opened->time : opened->time - about->time;
    time_t at = (time_t)(opened->time / 1000);
    struct tm local;
    if (age > OLD) {
        if (localtime_r(&at, &local) != NULL) {
            (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
        }
        note.kind = LINE_NOTE;
        (void)snprintf(text, sizeof text,
                       "by the clock of %s these words were written on %s:", about->nick, when);
        model_line(model, room, &note, chat_text(text));
    }
}

/* False: its key is not here. */
static bool take(struct model *model, struct model_room *room, const struct chat_packet *p,
                 struct line *about)
{
    uint8_t plain[CHAT_BODY_MAX];
    struct seal_opened opened;
    enum seal_result result = seal_open(room->seal->seal, p->key, p->id, (enum chat_kind)p->kind,
                                        p->body, plain, &opened);
    if (result == SEAL_DONE) {
        model_memory_chain(model, room, p->key, p->body);
        tell_of(model, room, about, &opened);
        struct chat_packet shown = *p;
        shown.body = (struct chat_slice){plain, opened.len};
        model_show(model, room, &shown, about);
        sodium_memzero(plain, opened.len);
    } else if (result == SEAL_FALSE) {
        model_warn(model, room, about, "words came as those of ", " that are not: not shown");
    } else if (result == SEAL_REPEAT) {
        model_warn(model, room, about, "the server has brought words of ", " again: not shown");
    }
    return result != SEAL_NO_KEY;
}

static bool keep(struct model *model, struct model_room *room, const struct chat_packet *p,
                 const struct line *about)
{
    struct room_seal *s = room->seal;
    while (s->held_count > 0 &&
           (s->held_count == HELD_WORDS || s->held_bytes + p->body.len > HELD_BYTES)) {
        give_up(model, room, 1, false);
    }
    struct held *h = malloc(sizeof *h + p->body.len);
    if (h == NULL) {
        model_tell(model, "out of memory: a line is not shown");
        return false;
    }
    *h = (struct held){.id = p->id, .kind = p->kind, .len = p->body.len, .seq = p->seq};
    h->time = p->time;
    h->is_own = about->is_own;
    h->is_replay = about->is_replay;
    h->is_missed = about->is_missed;
    memcpy(h->key, about->key, sizeof h->key);
    memcpy(h->nick, about->nick, sizeof h->nick);
    memcpy(h->body, p->body.data, p->body.len);
    *s->held_tail = h;
    s->held_tail = &h->next;
    s->held_count++;
    s->held_bytes += h->len;
    return true;
}

void model_hold(struct model *model, struct model_room *room, const struct chat_packet *p,
                struct line *about)
{
    struct room_seal *s = room->seal;
    if (take(model, room, p, about)) {
        return;
    }
    s->wants_ask = s->wants_ask || (!about->is_replay && s->is_caught_up);
    if (keep(model, room, p, about)) {
        model_memory_hold(model, room, p);
    }
}

void model_held_restore(struct model *model, struct model_room *room, const struct chat_packet *p)
{
    struct line about = {.is_replay = true};
    memcpy(about.key, p->key, sizeof about.key);
    if (!name_take(p->nick, NAME_NICK, about.nick)) {
        (void)snprintf(about.nick, sizeof about.nick, "?");
    }
    about.is_own = memcmp(p->key, model->key, sizeof p->key) == 0;
    (void)keep(model, room, p, &about);
}

void model_held_retry(struct model *model, struct model_room *room,
                      const uint8_t from[TERN_KEY_SIZE])
{
    struct room_seal *s = room->seal;
    struct held **at = &s->held;
    while (*at != NULL) {
        struct held *h = *at;
        struct chat_packet p = {.type = CHAT_EVENT,
                                .id = h->id,
                                .kind = h->kind,
                                .seq = h->seq,
                                .time = h->time,
                                .nick = chat_text(h->nick),
                                .body = {h->body, h->len}};
        struct line about = about_of(h);
        memcpy(p.key, h->key, sizeof p.key);
        if (memcmp(p.key, from, sizeof p.key) != 0 || !take(model, room, &p, &about)) {
            at = &h->next;
            continue;
        }
        model_memory_let_go(model, room, h->seq);
        *at = h->next;
        s->held_count--;
        s->held_bytes -= h->len;
        free(h);
    }
    s->held_tail = at;
}
