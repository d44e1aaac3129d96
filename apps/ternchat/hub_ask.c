/* Questions: which rooms there are, what was said in one, and codes for those who are to come.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "ternchat/hub_parts.h"

#define ANSWER_BYTES ((size_t)256 * 1024) /* of one question */
#define LISTED       1000                 /* rooms that a list has */

void hub_on_list(struct hub_session *s)
{
    struct chat_packet p = {.type = CHAT_ROOMS};
    unsigned count = 0;
    for (const struct room *room = s->hub->rooms; room != NULL && count < LISTED;
         room = room->next) {
        if ((room->flags & CHAT_FLAG_PRIVATE) == 0) {
            p.flags = room->flags;
            p.count = room->member_count;
            p.room = chat_text(room->name);
            p.text = chat_text(room->topic);
            session_tell(s, &p);
            count++;
        }
    }
    p = (struct chat_packet){.type = CHAT_ROOMS};
    session_tell(s, &p);
}

struct answer {
    struct hub_session *session;
    uint16_t channel;
    uint64_t id;
    size_t bytes;
    unsigned count;
};

static bool tell_found(void *user, uint64_t seq, const uint8_t *packet, size_t len)
{
    struct answer *a = user;
    struct chat_packet p;
    (void)seq;
    if (!chat_decode(&p, packet, len) || p.type != CHAT_EVENT) {
        return true; /* the file is damaged there */
    }
    if (a->bytes > 0 && a->bytes + len > ANSWER_BYTES) {
        return false;
    }
    p.type = CHAT_FOUND;
    p.channel = a->channel;
    p.id = a->id;
    session_tell(a->session, &p);
    a->bytes += len;
    return ++a->count < STORE_FOUND;
}

static void tell_end(const struct answer *a)
{
    struct chat_packet p = {.type = CHAT_FOUND, .channel = a->channel, .id = a->id};
    session_tell(a->session, &p);
}

void hub_on_search(struct hub_session *s, const struct chat_packet *p)
{
    const struct seat *seat = session_seat(s, p->channel);
    struct answer a = {.session = s, .channel = p->channel, .id = p->id};
    if (seat == NULL) {
        hub_refuse(s, CHAT_REFUSED_ROOM, p->channel, p->id, "no such room");
        return;
    }
    const struct room *room = seat->member->room;
    if ((room->flags & CHAT_FLAG_OPEN) == 0) {
        hub_refuse(s, CHAT_REFUSED_RIGHT, p->channel, p->id,
                   "the server cannot read what is said there");
        return;
    }
    if (room->stored == 0) {
        hub_refuse(s, CHAT_REFUSED_HISTORY, p->channel, p->id, "this server keeps no history");
        return;
    }
    if (store_search(s->hub->store, room->stored, p->text, tell_found, &a) < 0) {
        hub_on_store_failure(s->hub);
    }
    tell_end(&a);
}

static void before_in_memory(const struct log *log, uint64_t before, struct answer *a)
{
    for (uint64_t seq = before; seq > log->first; seq--) {
        const struct log_event *event = log_find(log, seq - 1);
        if (event == NULL || !tell_found(a, seq - 1, event->packet, event->len)) {
            return;
        }
    }
}

void hub_on_before(struct hub_session *s, const struct chat_packet *p)
{
    const struct seat *seat = session_seat(s, p->channel);
    struct answer a = {.session = s, .channel = p->channel, .id = p->id};
    if (seat == NULL) {
        hub_refuse(s, CHAT_REFUSED_ROOM, p->channel, p->id, "no such room");
        return;
    }
    const struct room *room = seat->member->room;
    uint64_t before = p->seq < room->log.next ? p->seq : room->log.next;
    if (room->stored == 0) {
        before_in_memory(&room->log, before, &a);
    } else if (store_before(s->hub->store, room->stored, before, tell_found, &a) < 0) {
        hub_on_store_failure(s->hub);
    }
    tell_end(&a);
}

void hub_on_invite(struct hub_session *s)
{
    const struct hub_port *port = &s->hub->port;
    char code[CHAT_TEXT_MAX + 1] = "";
    struct chat_packet p = {.type = CHAT_INVITED};
    const char *why = "this server invites nobody";
    if (port->is_moderator == NULL || !port->is_moderator(port->user, s->person->key)) {
        hub_refuse(s, CHAT_REFUSED_RIGHT, 0, 0, "only a moderator of the server may invite");
        return;
    }
    if (port->invite == NULL || (why = port->invite(port->user, code, sizeof code)) != NULL) {
        hub_refuse(s, CHAT_REFUSED_RIGHT, 0, 0, why);
        return;
    }
    hub_note(s->hub, "invited", s->person, NULL);
    p.text = chat_text(code);
    session_tell(s, &p);
}
