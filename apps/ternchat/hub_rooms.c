/* Rooms: found by their names, loaded or made, told of, and gone.
 * SPDX-License-Identifier: MIT */
#include <search.h>
#include <string.h>

#include "ternchat/hub_parts.h"

#define FIRST_SHIFT 10 /* the first number of a room: ms since 1970, and this to its left */

static int compare_names(const void *a, const void *b)
{
    const struct room *p = a, *q = b;
    return strcmp(p->name, q->name);
}

struct room *hub_find_room(struct hub *hub, const char *name)
{
    struct room like;
    (void)memccpy(like.name, name, '\0', sizeof like.name);
    void **node = tfind(&like, &hub->by_name, compare_names);
    return node == NULL ? NULL : *node;
}

bool hub_add_room(struct hub *hub, struct room *room)
{
    if (tsearch(room, &hub->by_name, compare_names) == NULL) {
        return false;
    }
    room->next = hub->rooms;
    room->link = &hub->rooms;
    if (room->next != NULL) {
        room->next->link = &room->next;
    }
    hub->rooms = room;
    hub->room_count++;
    return true;
}

void hub_remove_room(struct room *room)
{
    struct hub *hub = room->hub;
    for (struct room **at = &hub->news; *at != NULL; at = &(*at)->next_news) {
        if (*at == room) {
            *at = room->next_news;
            break;
        }
    }
    (void)tdelete(room, &hub->by_name, compare_names);
    *room->link = room->next;
    if (room->next != NULL) {
        room->next->link = room->link;
    }
    hub->trimmed = hub->trimmed == room ? room->next : hub->trimmed;
    hub->room_count--;
    room_free(room);
}

/* A number that no room of this name had before, even if its history was lost: so a client sees that it
 * has missed something, and never takes new words for old ones. */
static uint64_t first_number(const struct hub *hub)
{
    uint64_t first = hub_wall(hub) << FIRST_SHIFT;
    return first == 0 ? 1 : first;
}

static struct room *make_room(struct hub *hub, const char *name, uint8_t flags, struct person *by,
                              enum chat_refusal *code, const char **why)
{
    struct store_room stored = {.flags = flags, .next = first_number(hub)};
    if (!hub_may(hub, &by->makes, HUB_MAKES, HUB_MAKE_RATE)) {
        *code = CHAT_REFUSED_RATE;
        *why = "too many new rooms; wait a little";
        return NULL;
    }
    memcpy(stored.creator, by->key, sizeof stored.creator);
    if (hub->store != NULL && store_room_make(hub->store, name, &stored) < 0) {
        hub_on_store_failure(hub);
        *code = CHAT_REFUSED_HISTORY;
        *why = "the server cannot store a room now";
        return NULL;
    }
    struct room *room = room_new(hub, name, flags, stored.next);
    if (room != NULL) {
        room->stored = stored.id;
        memcpy(room->creator, by->key, sizeof room->creator);
    }
    return room;
}

static struct room *load_room(struct hub *hub, const char *name, uint8_t flags, struct person *by,
                              enum chat_refusal *code, const char **why)
{
    struct store_room stored;
    int found = hub->store == NULL ? 0 : store_room_find(hub->store, name, &stored);
    if (found < 0) {
        hub_on_store_failure(hub);
        *code = CHAT_REFUSED_HISTORY;
        *why = "the server cannot read its history now";
        return NULL;
    }
    return found == 1 ? room_load(hub, name, &stored) : make_room(hub, name, flags, by, code, why);
}

struct room *hub_room(struct hub *hub, const char *name, uint8_t flags, struct person *by,
                      enum chat_refusal *code, const char **why)
{
    struct room *room = hub_find_room(hub, name);
    *code = CHAT_REFUSED_FULL;
    *why = "the server has no room for it";
    if (room != NULL || hub->room_count == HUB_ROOMS ||
        (room = load_room(hub, name, flags, by, code, why)) == NULL) {
        return room;
    }
    if (!hub_add_room(hub, room)) {
        room_free(room);
        return NULL;
    }
    return room;
}

void hub_mark(struct room *room)
{
    if (!room->has_news) {
        room->has_news = true;
        room->next_news = room->hub->news;
        room->hub->news = room;
    }
}

uint64_t hub_announce(struct member *m, enum chat_kind kind, struct chat_slice body)
{
    struct chat_packet p = {
        .kind = (uint8_t)kind, .nick = chat_text(m->person->nick), .body = body};
    memcpy(p.key, m->person->key, sizeof p.key);
    return room_say(m->room, &p);
}

/* Room by room the older half goes, so that nobody can push the others' words out by their own alone. Once
 * around is enough. */
void hub_trim_logs(struct hub *hub, size_t more)
{
    size_t rooms = hub->room_count;
    while (hub->log_bytes + more > hub->log_limit && rooms-- > 0) {
        struct room *room = hub->trimmed == NULL ? hub->rooms : hub->trimmed;
        log_trim(&room->log, (size_t)(room->log.next - room->log.first) / 2);
        hub->trimmed = room->next;
    }
}
