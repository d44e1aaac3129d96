/* Nicks: whoever uses one first has it, and nobody gets one that looks like it.
 * SPDX-License-Identifier: MIT */
#include <search.h>
#include <string.h>

#include "ternchat/hub_parts.h"
#include "ternchat/name.h"

static int compare_skeletons(const void *a, const void *b)
{
    const struct person *p = a, *q = b;
    return strcmp(p->skeleton, q->skeleton);
}

void hub_nick_release(struct hub *hub, struct person *p)
{
    if (p->skeleton[0] != '\0') {
        (void)tdelete(p, &hub->by_nick, compare_skeletons);
        p->skeleton[0] = '\0';
    }
}

/* Does somebody else have what looks like it? -1: the store failed. */
static int is_taken(struct hub *hub, const struct person *person, const char *skeleton,
                    bool *is_fresh)
{
    struct person like;
    uint8_t key[TERN_KEY_SIZE];
    *is_fresh = false;
    (void)memccpy(like.skeleton, skeleton, '\0', sizeof like.skeleton);
    void **node = tfind(&like, &hub->by_nick, compare_skeletons);
    if (node != NULL && *node != person) {
        return 1;
    }
    int found = hub->store == NULL
                    ? 0
                    : store_nick_owner(hub->store, skeleton, hub_wall(hub), key, is_fresh);
    return found <= 0 ? found : memcmp(key, person->key, sizeof key) != 0;
}

static void announce_all(struct person *person, const char *before)
{
    for (struct member *m = person->members; m != NULL; m = m->next_of_person) {
        if ((m->room->flags & CHAT_FLAG_PRIVATE) == 0) {
            (void)hub_announce(m, CHAT_KIND_NICK,
                               chat_text(before)); /* the next words bear it, too */
        }
    }
}

/* The nick is free, or this person's. False: no memory. */
static bool give_nick(struct hub *hub, struct person *person, const char *nick,
                      const char *skeleton)
{
    char before[CHAT_NAME_MAX + 1];
    bool was_named = person->skeleton[0] != '\0';
    memcpy(before, person->nick, sizeof before);
    hub_nick_release(hub, person);
    (void)memccpy(person->nick, nick, '\0', sizeof person->nick);
    (void)memccpy(person->skeleton, skeleton, '\0', sizeof person->skeleton);
    if (tsearch(person, &hub->by_nick, compare_skeletons) == NULL) { /* nameless, not wrong */
        person->skeleton[0] = '\0';
        return false;
    }
    if (was_named && strcmp(before, nick) != 0) {
        announce_all(person, before);
    }
    return true;
}

bool hub_take_nick(struct hub_session *s, struct chat_slice from)
{
    char nick[CHAT_NAME_MAX + 1], skeleton[CHAT_NAME_MAX + 1];
    struct hub *hub = s->hub;
    struct person *person = s->person;
    bool is_fresh;
    if (!name_take(from, NAME_NICK, nick) || !name_skeleton(nick, skeleton)) {
        hub_refuse(s, CHAT_REFUSED_NICK, 0, 0, "that is not a name");
        return false;
    }
    if (strcmp(nick, person->nick) == 0 && person->skeleton[0] != '\0') {
        return true; /* it is the person's already */
    }
    if (person->skeleton[0] != '\0' &&
        !hub_may(hub, &person->names, HUB_RENAMES, HUB_RENAME_RATE)) {
        hub_refuse(s, CHAT_REFUSED_RATE, 0, 0, "too many names; wait a little");
        return false;
    }
    int taken = is_taken(hub, person, skeleton, &is_fresh);
    if (taken == 1) {
        hub_refuse(s, CHAT_REFUSED_NICK, 0, 0,
                   "somebody else has that name, or one that looks like it");
        return false;
    }
    if (taken < 0 ||
        (hub->store != NULL && !is_fresh &&
         store_nick_claim(hub->store, skeleton, nick, person->key, hub_wall(hub)) < 0)) {
        hub_on_store_failure(hub);
        if (taken < 0 || person->skeleton[0] != '\0') {
            hub_refuse(s, CHAT_REFUSED_HISTORY, 0, 0, "the server cannot store names now");
            return false;
        } /* who comes while the disk is full may stay: the name is theirs while they do */
    }
    if (!give_nick(hub, person, nick, skeleton)) {
        hub_refuse(s, CHAT_REFUSED_FULL, 0, 0, "out of memory");
        return false;
    }
    return true;
}
