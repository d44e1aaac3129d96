/* Private conversations: rooms of two, named by their keys. Both are always in it, whether they sit there
 * or not; who has not opened it is called when there is something new.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "ternchat/hub_parts.h"
#include "ternchat/name.h"

static struct member *other_of(const struct room *room, const struct person *person)
{
    struct member *m = room->members;
    while (m != NULL && m->person == person) {
        m = m->next_in_room;
    }
    return m;
}

/* Enters one of the two, if they are not in it. */
static struct member *enter(struct room *room, struct person *person)
{
    struct member *m = room_member(room, person);
    if (m == NULL && (m = room_enter(room, person)) != NULL && person->sessions == NULL) {
        m->presence = CHAT_GONE;
        m->gone_since = room->hub->now;
    }
    return m;
}

/* Somebody whom the server has seen; NULL: refused. */
static struct person *find_other(struct hub_session *s, const uint8_t key[TERN_KEY_SIZE])
{
    char nick[CHAT_NAME_MAX + 1];
    struct hub *hub = s->hub;
    struct person *other = hub_find_person(hub, key);
    if (other != NULL && other->nick[0] != '\0') {
        if (other == s->person) {
            hub_refuse(s, CHAT_REFUSED_ROOM, 0, 0, "that is you");
            return NULL;
        }
        return other;
    }
    if (hub->store == NULL || store_nick_of(hub->store, key, nick) <= 0) {
        hub_refuse(s, CHAT_REFUSED_ROOM, 0, 0, "nobody here has that key");
        return NULL;
    }
    other = hub_person(hub, key);
    if (other != NULL && other->nick[0] == '\0') { /* to be shown; it is claimed in the store */
        (void)memccpy(other->nick, nick, '\0', sizeof other->nick);
    }
    return other;
}

static bool remember_pair(struct room *room, const struct person *one, const struct person *other)
{
    if (room->stored != 0 && store_pair(room->hub->store, room->stored, one->key, other->key) < 0) {
        hub_on_store_failure(room->hub);
        return false;
    }
    return true;
}

void hub_on_open(struct hub_session *s, const struct chat_packet *p)
{
    char name[CHAT_NAME_MAX + 1];
    enum chat_refusal code = CHAT_REFUSED_FULL;
    const char *why = "out of memory";
    struct hub *hub = s->hub;
    struct person *other = find_other(s, p->key);
    if (other == NULL) {
        return;
    }
    name_private(s->person->key, p->key, name);
    struct room *room = hub_room(hub, name, CHAT_FLAG_PRIVATE, s->person, &code, &why);
    bool is_new = room != NULL && room->member_count == 0;
    struct member *m = room == NULL ? NULL : enter(room, s->person);
    struct member *with = m == NULL ? NULL : enter(room, other);
    if (with != NULL && hub_seat_in(s, m) != NULL) {
        return;
    }
    if (with == NULL || (is_new && !remember_pair(room, s->person, other)) ||
        !hub_seat(s, m, p->seq, room->log.next - 1)) {
        hub_refuse_room(s, code, name, why);
        if (is_new) {
            hub_remove_room(room);
        }
    }
    hub_forget_if_idle(hub, other);
}

/* --- calling ------------------------------------------------------------------------------------------ */

static void tell_called(struct hub_session *s, const uint8_t key[TERN_KEY_SIZE], const char *nick,
                        uint64_t last)
{
    struct chat_packet p = {.type = CHAT_CALLED, .seq = last, .nick = chat_text(nick)};
    memcpy(p.key, key, sizeof p.key);
    session_tell(s, &p);
}

void hub_call(struct room *room, const struct person *from)
{
    const struct member *to = other_of(room, from);
    for (struct hub_session *s = to == NULL ? NULL : to->person->sessions; s != NULL; s = s->next) {
        if (s->is_welcome && hub_seat_in(s, to) == NULL) {
            tell_called(s, from->key, from->nick, room->log.next - 1);
        }
    }
}

static void on_unread(void *user, const uint8_t other[TERN_KEY_SIZE], uint64_t last)
{
    char nick[CHAT_NAME_MAX + 1] = "";
    struct hub_session *s = user;
    const struct person *person = hub_find_person(s->hub, other);
    if (person == NULL || person->nick[0] == '\0') {
        (void)store_nick_of(s->hub->store, other, nick);
    }
    tell_called(s, other, person == NULL || person->nick[0] == '\0' ? nick : person->nick, last);
}

void hub_call_back(struct hub_session *s)
{
    struct hub *hub = s->hub;
    for (struct member *m = s->person->members; m != NULL; m = m->next_of_person) {
        const struct room *room = m->room;
        if ((room->flags & CHAT_FLAG_PRIVATE) == 0) {
            continue;
        }
        if (m->presence == CHAT_GONE) {
            m->presence = s->person->state;
            hub_mark(m->room);
        }
        const struct member *other = other_of(room, s->person);
        if (hub->store == NULL && other != NULL && room->log.next - 1 > m->read &&
            room->log.first < room->log.next) {
            tell_called(s, other->person->key, other->person->nick, room->log.next - 1);
        }
    }
    if (hub->store != NULL && store_pairs_unread(hub->store, s->person->key, on_unread, s) < 0) {
        hub_on_store_failure(hub);
    }
}

void hub_on_pair_read(struct member *m)
{
    struct room *room = m->room;
    if (room->stored != 0 &&
        store_pair_read(room->hub->store, room->stored, m->person->key, m->read) < 0) {
        hub_on_store_failure(room->hub);
    }
}

void hub_on_pair_left(struct person *person)
{
    for (struct member *m = person->members; m != NULL; m = m->next_of_person) {
        if ((m->room->flags & CHAT_FLAG_PRIVATE) != 0 && m->presence != CHAT_GONE) {
            m->presence = CHAT_GONE;
            m->gone_since = m->room->hub->now;
            hub_mark(m->room);
        }
    }
}

bool hub_is_pair_over(const struct room *room, tern_time now)
{
    for (const struct member *m = room->members; m != NULL; m = m->next_in_room) {
        if (m->presence != CHAT_GONE || now - m->gone_since < HUB_GRACE) {
            return false;
        }
    }
    return true;
}
