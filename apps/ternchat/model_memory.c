/* A room is looked up when it is entered, and everything in it written as it happens, each event with all
 * that it changes between two calls of model_keep. What a person says is kept at once, before it leaves, unless the disk
 * is busy.
 * SPDX-License-Identifier: MIT */
#include "ternchat/model_memory.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/model_seal.h"

#define SAID 1 /* ms that words wait for the disk before they leave */

struct place {
    struct model *model;
    struct model_room *room;
    uint64_t question;
};

/* --- what is remembered ------------------------------------------------------------------------------- */

static void on_known(void *user, const uint8_t key[TERN_KEY_SIZE], const char *nick,
                     bool is_verified, uint64_t seen)
{
    struct model *model = user;
    struct known *k = model_known_add(model, key);
    if (k != NULL) {
        model_known_name(k, nick);
        k->is_verified = is_verified;
        k->seen = seen;
        model->known_seen = seen > model->known_seen ? seen : model->known_seen;
    }
}

void model_remember(struct model *model, struct memory *memory, size_t lines)
{
    model->memory = memory;
    model->recalled = lines;
    if (memory != NULL) {
        memory_all_known(memory, on_known, model);
    }
}

static void on_room(void *user, const struct memory_room *room)
{
    struct model *model = user;
    if ((room->flags & CHAT_FLAG_PRIVATE) == 0) {
        (void)model_join(model, room->name, room->flags);
    } else {
        (void)model_reopen(model, room->name, room->title, room->with);
    }
}

void model_rejoin(struct model *model)
{
    if (model->memory != NULL) {
        memory_rooms(model->memory, on_room, model);
    }
}

bool model_keep(struct model *model)
{
    const char *why = model->memory == NULL ? NULL : memory_keep(model->memory);
    if (why != NULL) {
        char text[CHAT_TEXT_MAX];
        (void)snprintf(
            text, sizeof text,
            "the memory cannot be written (%s): talk goes on, but from here on nothing is "
            "remembered",
            why);
        model_tell(model, text);
    }
    return why == NULL;
}

/* --- a room as it was --------------------------------------------------------------------------------- */

static void on_line(void *user, const struct memory_line *l)
{
    struct place *at = user;
    struct line about = {.kind = (enum line_kind)l->kind,
                         .seq = l->seq,
                         .time = l->time,
                         .is_own = l->is_own,
                         .is_replay = true,
                         .is_remembered = true};
    if (l->kind > LINE_WARNING) {
        return; /* a later version's */
    }
    memcpy(about.key, l->key, sizeof about.key);
    memcpy(about.nick, l->nick, sizeof about.nick);
    if (l->kind == LINE_FILE) {
        model_offer_recall(at->model, at->room, &about, l->text);
    } else {
        model_line(at->model, at->room, &about, chat_text(l->text));
    }
}

static void on_chain(void *user, const uint8_t key[TERN_KEY_SIZE], uint32_t program,
                     struct chat_slice dump)
{
    const struct place *at = user;
    (void)seal_load(at->room->seal->seal, key, program, dump);
}

static void on_unheard(void *user, uint64_t id, uint8_t kind, struct chat_slice body)
{
    const struct place *at = user;
    (void)model_queue(at->room, id, (enum chat_kind)kind, body.data, body.len);
}

static void on_person(void *user, const uint8_t key[TERN_KEY_SIZE], const char *nick)
{
    const struct place *at = user;
    model_person_add(at->model, at->room, key, chat_text(nick), CHAT_GONE);
}

static void on_held(void *user, struct chat_slice packet)
{
    const struct place *at = user;
    struct chat_packet p;
    if (chat_decode(&p, packet.data, packet.len) && p.type == CHAT_EVENT) {
        model_held_restore(at->model, at->room, &p);
    }
}

void model_memory_enter(struct model *model, struct model_room *room)
{
    struct memory_room r = {0};
    struct place at = {.model = model, .room = room};
    if (model->memory == NULL) {
        return;
    }
    memcpy(r.name, room->name, sizeof r.name);
    bool is_there = memory_room(model->memory, room->name, &r) == 1;
    if (is_there) {
        room->last = r.last;
        room->is_known = r.last != 0;
        room->flags = room->is_known ? r.flags : room->flags;
        room->remembered = r.id;
        if (r.title[0] != '\0' && (room->flags & CHAT_FLAG_PRIVATE) != 0) {
            memcpy(room->title, r.title, sizeof room->title);
        }
        memory_lines(model->memory, r.id, model->recalled, on_line, &at);
    }
    model_memory_joined(model, room);
    if (is_there && room->is_known) {
        room->is_entering = true;
        memory_people(model->memory, r.id, on_person, &at);
        room->is_entering = false;
    }
    if (is_there && (room->flags & CHAT_FLAG_OPEN) == 0 && room->is_known &&
        model_seal_make(model, room)) {
        memory_chains(model->memory, r.id, on_chain, &at);
        memory_held(model->memory, r.id, on_held, &at);
        room->seal->is_fresh = false;
    }
    if (is_there) {
        memory_unheard(model->memory, r.id, on_unheard, &at);
    }
}

/* --- what happens ------------------------------------------------------------------------------------- */

void model_memory_joined(struct model *model, struct model_room *room)
{
    struct memory_room r = {
        .id = room->remembered, .flags = room->flags, .last = room->last, .is_in = true};
    if (model->memory == NULL || room == &model->console) {
        return;
    }
    memcpy(r.name, room->name, sizeof r.name);
    memcpy(r.title, room->title, sizeof r.title);
    memcpy(r.with, room->with, sizeof r.with);
    memory_room_put(model->memory, &r);
    room->remembered = r.id;
}

static struct memory *memory_of(const struct model *model, const struct model_room *room)
{
    return room->remembered == 0 ? NULL : model->memory;
}

void model_memory_last(struct model *model, struct model_room *room)
{
    struct memory *m = memory_of(model, room);
    if (m != NULL) {
        memory_last(m, room->remembered, room->last);
    }
}

void model_memory_leave(struct model *model, struct model_room *room)
{
    struct memory *m = memory_of(model, room);
    if (m != NULL) {
        memory_leave(m, room->remembered);
        room->remembered = 0;
        (void)model_keep(model);
    }
}

static void keep_line(struct model *model, struct model_room *room, const struct line *line,
                      const char *text)
{
    struct memory *m = memory_of(model, room);
    if (m == NULL || line->is_remembered || line->seq == 0) {
        return; /* what was no event was for the moment */
    }
    struct memory_line l = {.seq = line->seq,
                            .time = line->time,
                            .kind = (uint8_t)line->kind,
                            .is_own = line->is_own,
                            .text = text};
    memcpy(l.key, line->key, sizeof l.key);
    memcpy(l.nick, line->nick, sizeof l.nick);
    memory_line(m, room->remembered, &l, line->kind < LINE_NOTE);
}

void model_memory_line(struct model *model, struct model_room *room, const struct line *line)
{
    if (line->kind != LINE_FILE) {
        keep_line(model, room, line, line->text);
    }
}

void model_memory_offer(struct model *model, struct model_room *room, const struct line *line,
                        const char *text)
{
    keep_line(model, room, line, text);
}

void model_memory_said(struct model *model, struct model_room *room, const struct unheard *u)
{
    struct memory *m = memory_of(model, room);
    if (m != NULL) {
        memory_say(m, room->remembered, u->id, u->kind, (struct chat_slice){u->body, u->len});
        (void)model_keep(model);
        memory_wait(m, SAID);
    }
}

void model_memory_heard(struct model *model, struct model_room *room, uint64_t id)
{
    struct memory *m = memory_of(model, room);
    if (m != NULL) {
        memory_heard(m, room->remembered, id);
    }
}

void model_memory_chain(struct model *model, struct model_room *room,
                        const uint8_t from[TERN_KEY_SIZE], struct chat_slice body)
{
    uint8_t dump[SEAL_DUMP];
    struct memory *m = memory_of(model, room);
    uint32_t program = seal_program(body);
    size_t len = m == NULL ? 0 : seal_dump(room->seal->seal, from, program, dump);
    if (len > 0) {
        memory_chain(m, room->remembered, from, program, room->last,
                     (struct chat_slice){dump, len});
        sodium_memzero(dump, sizeof dump);
    }
}

void model_memory_hold(struct model *model, struct model_room *room, const struct chat_packet *p)
{
    uint8_t packet[CHAT_PACKET_MAX];
    struct memory *m = memory_of(model, room);
    size_t len = m == NULL ? 0 : chat_encode(p, packet, sizeof packet);
    if (len > 0) {
        memory_hold(m, room->remembered, p->seq, packet, len);
    }
}

void model_memory_let_go(struct model *model, struct model_room *room, uint64_t seq)
{
    struct memory *m = memory_of(model, room);
    if (m != NULL) {
        memory_let_go(m, room->remembered, seq);
    }
}

void model_memory_person(struct model *model, struct model_room *room,
                         const struct model_person *person)
{
    struct memory *m = memory_of(model, room);
    if (m != NULL && !room->is_entering) {
        memory_person(m, room->remembered, person->key, person->nick);
    }
}

void model_memory_no_person(struct model *model, struct model_room *room,
                            const uint8_t key[TERN_KEY_SIZE])
{
    struct memory *m = memory_of(model, room);
    if (m != NULL) {
        memory_no_person(m, room->remembered, key);
    }
}

void model_memory_known(struct model *model, const struct known *k)
{
    if (model->memory != NULL) {
        memory_known(model->memory, k->key, k->nick, k->is_verified, k->seen);
    }
}

/* --- questions ---------------------------------------------------------------------------------------- */

/* As the server would put it. */
static void on_found(void *user, const struct memory_line *l)
{
    struct place *at = user;
    bool is_offer = l->kind == LINE_FILE; /* what is behind its words is not for the eye */
    struct chat_slice text = {(const uint8_t *)l->text,
                              is_offer ? strcspn(l->text, "\n") : strlen(l->text)};
    struct chat_packet p = {.type = CHAT_FOUND,
                            .channel = at->room->channel,
                            .id = at->question,
                            .seq = l->seq,
                            .time = l->time,
                            .kind = is_offer || l->kind == LINE_ACTION ? CHAT_KIND_ACTION
                                                                       : CHAT_KIND_TEXT,
                            .nick = chat_text(l->nick),
                            .body = text};
    at->room->asked = l->seq;
    at->model->front.on_answer(at->model->front.user, &p);
}

static void end(const struct place *at)
{
    struct chat_packet p = {.type = CHAT_FOUND, .channel = at->room->channel, .id = at->question};
    at->model->front.on_answer(at->model->front.user, &p);
}

bool model_memory_search(struct model *model, struct model_room *room, const char *text,
                         uint64_t id)
{
    struct place at = {.model = model, .room = room, .question = id};
    struct memory *m = memory_of(model, room);
    uint64_t asked = room->asked;
    if (m == NULL) {
        return false;
    }
    memory_search(m, room->remembered, chat_text(text), on_found, &at);
    room->asked = asked;
    end(&at);
    return true;
}

bool model_memory_before(struct model *model, struct model_room *room, uint64_t seq, uint64_t id)
{
    struct place at = {.model = model, .room = room, .question = id};
    struct memory *m = memory_of(model, room);
    if (m == NULL) {
        return false;
    }
    memory_before(m, room->remembered, seq, on_found, &at);
    end(&at);
    return true;
}
