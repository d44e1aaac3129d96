/* What only some may: put people out of a room, keep them out, set its topic.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "shared/term.h"
#include "ternchat/hub_parts.h"

enum kick { KICK_OUT = 0, KICK_AND_BAN = 1, KICK_PARDON = 2 };

#define BANS_MAX 1000 /* of a room in memory */

bool hub_is_moderator(const struct room *room, const struct person *person)
{
    const struct hub_port *port = &room->hub->port;
    return (room->flags & CHAT_FLAG_PRIVATE) == 0 &&
           (sodium_memcmp(room->creator, person->key, TERN_KEY_SIZE) == 0 ||
            (port->is_moderator != NULL && port->is_moderator(port->user, person->key)));
}

static struct ban **find_ban(struct room *room, const uint8_t key[TERN_KEY_SIZE])
{
    struct ban **at = &room->bans;
    while (*at != NULL && memcmp((*at)->key, key, TERN_KEY_SIZE) != 0) {
        at = &(*at)->next;
    }
    return at;
}

bool hub_is_banned(struct room *room, const struct person *person)
{
    if (hub_is_moderator(room, person)) {
        return false;
    }
    if (room->stored == 0) {
        return *find_ban(room, person->key) != NULL;
    }
    int banned = store_is_banned(room->hub->store, room->stored, person->key);
    if (banned < 0) {
        hub_on_store_failure(room->hub);
    }
    return banned != 0; /* if in doubt, they stay out */
}

static bool set_ban(struct room *room, const uint8_t key[TERN_KEY_SIZE], bool is_banned)
{
    if (room->stored != 0) {
        if (store_ban(room->hub->store, room->stored, key, is_banned) < 0) {
            hub_on_store_failure(room->hub);
            return false;
        }
        return true;
    }
    struct ban **at = find_ban(room, key), *ban = *at;
    if (!is_banned && ban != NULL) {
        *at = ban->next;
        free(ban);
    }
    if (!is_banned || ban != NULL) {
        return true;
    }
    size_t count = 0;
    for (ban = room->bans; ban != NULL; ban = ban->next) {
        count++;
    }
    ban = count >= BANS_MAX ? NULL : calloc(1, sizeof *ban);
    if (ban == NULL) {
        return false;
    }
    memcpy(ban->key, key, TERN_KEY_SIZE);
    ban->next = room->bans;
    room->bans = ban;
    return true;
}

void hub_put_out(struct member *m, const char *why)
{
    struct room *room = m->room;
    struct chat_packet p = {.type = CHAT_PARTED, .text = chat_text(why)};
    while (m->seats != NULL) {
        struct seat *seat = m->seats;
        session_tell_on(seat->session, seat->channel, &p);
        session_seat_close(seat->session, seat->channel);
        room_rise(seat);
    }
    hub_mark(room);
    room_exit(m);
}

static void kick(struct hub_session *s, struct member *by, struct member *m, bool is_ban)
{
    struct chat_packet p = {.kind = CHAT_KIND_KICK,
                            .nick = chat_text(s->person->nick),
                            .body = {m->person->key, TERN_KEY_SIZE}};
    struct room *room = by->room;
    struct person *person = m->person;
    memcpy(p.key, s->person->key, sizeof p.key);
    if (room_say(room, &p) == 0) {
        hub_refuse(s, CHAT_REFUSED_HISTORY, 0, 0, "it could not be stored");
        return;
    }
    hub_note(s->hub, "kicked", person, room->name);
    hub_put_out(m, is_ban ? "a moderator has put you out of this room for good"
                          : "a moderator has put you out of this room");
    if (room->member_count == 0) { /* they have put out themselves */
        hub_remove_room(room);
    }
    hub_forget_if_idle(s->hub, person);
}

void hub_on_kick(struct hub_session *s, const struct chat_packet *p)
{
    struct seat *seat = session_seat(s, p->channel);
    if (seat == NULL || p->code > KICK_PARDON) {
        hub_refuse(s, CHAT_REFUSED_ROOM, p->channel, 0, "no such room");
        return;
    }
    struct room *room = seat->member->room;
    if (!hub_is_moderator(room, s->person)) {
        hub_refuse(s, CHAT_REFUSED_RIGHT, p->channel, 0,
                   "only a moderator of the room may do that");
        return;
    }
    if (p->code != KICK_OUT && !set_ban(room, p->key, p->code == KICK_AND_BAN)) {
        hub_refuse(s, CHAT_REFUSED_HISTORY, p->channel, 0, "it could not be stored");
        return;
    }
    struct person *person = p->code == KICK_PARDON ? NULL : hub_find_person(s->hub, p->key);
    struct member *m = person == NULL ? NULL : room_member(room, person);
    if (m != NULL) {
        kick(s, seat->member, m, p->code == KICK_AND_BAN);
    } else if (p->code == KICK_OUT) {
        hub_refuse(s, CHAT_REFUSED_ROOM, p->channel, 0, "they are not in this room");
    }
}

static bool is_topic(struct chat_slice text)
{
    size_t len = 1;
    for (size_t at = 0; len > 0 && at < text.len; at += len) {
        len = term_printable(text.data + at, text.len - at);
    }
    return len > 0 && text.len <= CHAT_TEXT_MAX;
}

bool hub_may_set_topic(struct hub_session *s, struct seat *seat, const struct chat_packet *p)
{
    if (!hub_is_moderator(seat->member->room, s->person)) {
        hub_refuse(s, CHAT_REFUSED_RIGHT, seat->channel, p->id,
                   "only a moderator may set the topic");
        return false;
    }
    if (!is_topic(p->body)) {
        hub_refuse(s, CHAT_REFUSED_SIZE, seat->channel, p->id, "a topic is one line of text");
        return false;
    }
    return true;
}
