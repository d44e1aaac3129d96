/* What has happened in a room, event by event: words, ours among them, and what the server says of people.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "ternchat/model_memory.h"
#include "ternchat/model_seal.h"
#include "ternchat/name.h"

#define MODEL_NEW_ROOM 1000000 /* a gap of so many is a new room */

void model_set_topic(struct model_room *room, struct chat_slice topic)
{
    size_t len = topic.len < sizeof room->topic ? topic.len : sizeof room->topic - 1;
    if (len > 0) {
        memcpy(room->topic, topic.data, len);
    }
    room->topic[len] = '\0';
}

static void on_kicked(struct model *model, struct model_room *room, const struct chat_packet *p,
                      struct line *about)
{
    const struct model_person *who =
        p->body.len == TERN_KEY_SIZE ? model_person_in(room, p->body.data) : NULL;
    char nick[CHAT_NAME_MAX + 1];
    (void)snprintf(nick, sizeof nick, "%s", who == NULL ? "somebody" : who->nick);
    if (p->body.len == TERN_KEY_SIZE) {
        model_person_left(model, room, p->body.data, p->seq);
    }
    model_happening(model, room, about, " put out ", nick);
}

/* What the server itself has to say of somebody. */
static void on_happening(struct model *model, struct model_room *room, const struct chat_packet *p,
                         struct line *about)
{
    char more[CHAT_TEXT_MAX];
    (void)snprintf(more, sizeof more, "%.*s", (int)(p->body.len < 500 ? p->body.len : 500),
                   p->body.len == 0 ? "" : (const char *)p->body.data);
    switch (p->kind) {
    case CHAT_KIND_JOIN:
        model_person_came(model, room, p);
        model_happening(model, room, about, " came", "");
        model_seal_on_came(model, room, p->key);
        break;
    case CHAT_KIND_LEAVE:
        model_person_left(model, room, p->key, p->seq);
        model_happening(model, room, about, strcmp(more, "lost") == 0 ? " was lost" : " left", "");
        break;
    case CHAT_KIND_NICK:
        if (model_person_in(room, p->key) != NULL) { /* or nobody would see them come */
            model_person_add(model, room, p->key, p->nick, CHAT_HERE);
        }
        if (memcmp(p->key, model->key, sizeof p->key) == 0 && !room->is_replay) {
            (void)name_take(p->nick, NAME_NICK, model->nick);
        }
        model_happening(model, room, about, " was called ", more);
        break;
    case CHAT_KIND_KICK:
        on_kicked(model, room, p, about);
        break;
    case CHAT_KIND_TOPIC:
        model_set_topic(room, p->body);
        model_happening(model, room, about, " set the topic: ", more);
        break;
    default:
        break; /* of a later version: its number counts all the same */
    }
}

void model_show(struct model *model, struct model_room *room, const struct chat_packet *p,
                struct line *about)
{
    if (p->kind == CHAT_KIND_TEXT || p->kind == CHAT_KIND_ACTION) {
        about->kind = p->kind == CHAT_KIND_TEXT ? LINE_TEXT : LINE_ACTION;
        model_line(model, room, about, p->body);
    } else if (p->kind == CHAT_KIND_FILE) {
        model_offer(model, room, p, about);
    } else {
        on_happening(model, room, p, about);
    }
}

/* One of ours has come back: what it says we know. False: another program of ours has said it. */
static bool on_own(struct model *model, struct model_room *room, const struct chat_packet *p,
                   struct line *about)
{
    struct unheard **at = model_said_find(room, p->id);
    struct chat_packet said = *p;
    if (*at == NULL) {
        return false;
    }
    said.kind = (*at)->kind;
    said.body = (struct chat_slice){(*at)->body, (*at)->len};
    model_seal_on_heard(room, *at);
    model_memory_heard(model, room, p->id);
    model_show(model, room, &said, about);
    model_said_drop(room, at);
    model->front.on_heard(model->front.user, room, p->id);
    return true;
}

/* In a sealed room words go by their key, and the nick is the one under which that is in the room: or a server
 * could show the words of one as those of another. */
static void name_writer(const struct model_room *room, const struct chat_packet *p,
                        char nick[CHAT_NAME_MAX + 1])
{
    const struct model_person *person = model_person_in(room, p->key);
    if (person != NULL && p->kind < CHAT_KIND_TOPIC && (room->flags & CHAT_FLAG_OPEN) == 0) {
        memcpy(nick, person->nick, sizeof person->nick);
    } else if (!name_take(p->nick, NAME_NICK, nick)) {
        (void)snprintf(nick, CHAT_NAME_MAX + 1, "?");
    }
}

void model_on_event(struct model *model, struct model_room *room, const struct chat_packet *p)
{
    struct line about = {.seq = p->seq, .time = p->time, .is_replay = room->is_replay};
    about.is_missed = room->is_replay && room->is_missed;
    if (p->seq <= room->last) {
        return;
    }
    memcpy(about.key, p->key, sizeof about.key);
    name_writer(room, p, about.nick);
    if (room->last != 0 && p->seq != room->last + 1) {
        struct line gap = {.kind = LINE_GAP, .seq = p->seq - 1, .time = p->time};
        char text[100];
        uint64_t lost = p->seq - room->last - 1;
        (void)snprintf(text, sizeof text, "%llu events are lost: the server no longer has them",
                       (unsigned long long)lost);
        if (lost > MODEL_NEW_ROOM) { /* numbers begin at the time at which a room is made */
            (void)snprintf(text, sizeof text, "the server has lost what was said here before");
        }
        model_line(model, room, &gap, chat_text(text));
        model_seal_on_gap(room);
    }
    room->last = p->seq;
    model_memory_last(model, room);
    about.is_own = memcmp(p->key, model->key, sizeof p->key) == 0;
    if (!(about.is_own && on_own(model, room, p, &about)) &&
        !model_seal_take(model, room, p, &about)) {
        model_show(model, room, p, &about);
    }
}
