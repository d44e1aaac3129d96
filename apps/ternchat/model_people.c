/* Who is in a room, as the server tells it, and whom it has not told of.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/model_memory.h"
#include "ternchat/model_seal.h"
#include "ternchat/name.h"

struct model_person *model_person_in(const struct model_room *room,
                                     const uint8_t key[TERN_KEY_SIZE])
{
    for (size_t i = 0; i < room->people_count; i++) {
        if (memcmp(room->people[i].key, key, TERN_KEY_SIZE) == 0) {
            return &room->people[i];
        }
    }
    return NULL;
}

static struct model_person *make_person(struct model_room *room, const uint8_t key[TERN_KEY_SIZE])
{
    if (room->people_count == MODEL_PEOPLE) {
        return NULL;
    }
    if (room->people_count == room->people_room) {
        size_t more = room->people_room == 0 ? 16 : 2 * room->people_room;
        struct model_person *people = realloc(room->people, more * sizeof *people);
        if (people == NULL) {
            return NULL; /* the list lacks somebody; their words still come */
        }
        room->people = people;
        room->people_room = more;
    }
    struct model_person *person = &room->people[room->people_count++];
    memset(person, 0, sizeof *person);
    memcpy(person->key, key, sizeof person->key);
    return person;
}

/* A server that starts again knows nobody until they are back. */
#define ABSENT_MAX 600 /* s for which they are members all the same */

void model_person_add(struct model *model, struct model_room *room,
                      const uint8_t key[TERN_KEY_SIZE], struct chat_slice nick, uint8_t presence)
{
    struct model_person *person = model_person_in(room, key);
    if (person == NULL && (person = make_person(room, key)) == NULL) {
        return;
    }
    if (!name_take(nick, NAME_NICK, person->nick)) {
        (void)snprintf(person->nick, sizeof person->nick, "?");
    }
    person->presence = presence;
    person->is_unseen = false;
    person->absent = 0;
    if ((room->flags & CHAT_FLAG_PRIVATE) != 0 && memcmp(key, room->with, TERN_KEY_SIZE) == 0) {
        memcpy(room->title, person->nick, sizeof room->title);
    }
    model_memory_person(model, room, person);
    model_known_see(model, room, person);
}

static void drop_person(struct model *model, struct model_room *room, struct model_person *person)
{
    model_memory_no_person(model, room, person->key);
    *person = room->people[--room->people_count];
}

/* The list was made later than that, and knows better. */
static bool is_before_list(const struct model_room *room, uint64_t seq)
{
    return room->is_replay && seq <= room->listed;
}

void model_person_came(struct model *model, struct model_room *room, const struct chat_packet *p)
{
    struct model_person *person = model_person_in(room, p->key);
    if (!is_before_list(room, p->seq)) {
        model_person_add(model, room, p->key, p->nick, CHAT_HERE);
    } else if (person != NULL) {
        person->is_unseen = false;
    } /* else they have left since: words for them would be read by somebody who is not here */
}

void model_person_left(struct model *model, struct model_room *room,
                       const uint8_t key[TERN_KEY_SIZE], uint64_t seq)
{
    struct model_person *person = model_person_in(room, key);
    /* Who has left before the list was made, and is in it, has come again. */
    if (person != NULL && (!is_before_list(room, seq) || person->absent > 0)) {
        drop_person(model, room, person);
    }
    model_seal_on_gone(room, key);
}

static bool is_among(const struct model_person *people, size_t count,
                     const uint8_t key[TERN_KEY_SIZE])
{
    size_t i = 0;
    while (i < count && memcmp(people[i].key, key, TERN_KEY_SIZE) != 0) {
        i++;
    }
    return i < count;
}

void model_people_set(struct model *model, struct model_room *room, struct chat_slice list,
                      bool was_here)
{
    struct model_person *before = room->people;
    size_t count = room->people_count;
    struct chat_member m;
    room->people = NULL;
    room->people_count = room->people_room = 0;
    while (chat_member_next(&list, &m)) {
        model_person_add(model, room, m.key, m.nick, m.presence);
        struct model_person *person = model_person_in(room, m.key);
        if (person != NULL) {
            person->is_unseen = was_here && !is_among(before, count, m.key);
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct model_person *person = model_person_in(room, before[i].key);
        if (person == NULL && (person = make_person(room, before[i].key)) != NULL) {
            *person = before[i];
            person->presence = CHAT_GONE;
            person->absent = 1;
        }
    }
    free(before);
    struct model_person *we = model_person_in(room, model->key);
    if (we != NULL) {
        we->may = room->may; /* of the others the next status tells */
    }
}

void model_people_tick(struct model *model, struct model_room *room)
{
    for (size_t i = 0; i < room->people_count; i++) {
        room->people[i].asked -= room->people[i].asked > 0 ? 1 : 0;
    }
    for (size_t i = room->people_count; room->channel != 0 && i-- > 0;) {
        struct model_person *person = &room->people[i];
        person->absent += person->absent > 0 ? 1 : 0;
        if (person->absent > ABSENT_MAX) {
            struct line about = {.time = model_clock()};
            memcpy(about.key, person->key, sizeof about.key);
            memcpy(about.nick, person->nick, sizeof about.nick);
            drop_person(model, room, person);
            model_seal_on_gone(room, about.key);
            model_happening(model, room, &about, " was lost", "");
        }
    }
}

void model_people_caught_up(struct model *model, struct model_room *room)
{
    for (size_t i = 0; i < room->people_count; i++) {
        struct model_person *person = &room->people[i];
        if (person->is_unseen && memcmp(person->key, model->key, TERN_KEY_SIZE) != 0) {
            struct line about = {.time = model_clock()};
            memcpy(about.key, person->key, sizeof about.key);
            memcpy(about.nick, person->nick, sizeof about.nick);
            model_happening(model, room, &about, " is here: when they came is not known", "");
        }
        room->people[i].is_unseen = false;
    }
}

void model_on_status(struct model_room *room, struct chat_slice list)
{
    struct chat_status s;
    for (size_t i = 0; i < room->people_count; i++) {
        room->people[i].presence = room->people[i].absent > 0 ? CHAT_GONE : CHAT_HERE;
        room->people[i].is_typing = room->people[i].may = false;
    }
    while (chat_status_next(&list, &s)) {
        struct model_person *person = model_person_in(room, s.key);
        if (person != NULL) {
            person->presence = s.presence;
            person->is_typing = s.is_typing;
            person->may = s.may;
            person->read = s.read > person->read ? s.read : person->read;
        }
    }
}
