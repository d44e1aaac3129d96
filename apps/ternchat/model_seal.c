/* Keys go out before the words that need them: to everybody before the first word of a chain, to a newcomer
 * before the next word, or at once if words are on their way. KEYS have a number of their program beside
 * that of words, for they are made when words leave, and a word's number is older than that.
 *
 * After a new connection nothing is sealed before the replay is over: only then it is known which of our
 * words came before whose coming.
 * SPDX-License-Identifier: MIT */
#include "ternchat/model_seal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/model_memory.h"

#define GIVEN_AT_ONCE 1000 /* to so many in one event */
#define CHAIN_WORDS   1000 /* then a new one is begun */
/* Of a private room, after which it is given again, so that who comes late and is shown the last
 * CHAT_REPLAY can read them. */
#define PAIR_EVENTS 50
#define ASK_PAUSE   30 /* seconds */
#define ASK_COST    10 /* of one ask of somebody's: they are answered at once while they have */
#define ASK_MOST    30 /* used up no more than this; their programs ask every ASK_PAUSE */

_Static_assert(CHAIN_WORDS <= SEAL_JUMP, "all words of a chain but the last may be lost");

static bool is_pair(const struct model_room *room)
{
    return (room->flags & CHAT_FLAG_PRIVATE) != 0;
}

static bool is_sealed_kind(unsigned kind)
{
    return kind == CHAT_KIND_TEXT || kind == CHAT_KIND_ACTION || kind == CHAT_KIND_FILE;
}

/* --- who is to read ----------------------------------------------------------------------------------- */

struct place {
    const struct model *model;
    const struct model_room *room;
};

/* In a private room that is nobody but the two, whatever the server says. */
static bool may_read(void *user, const uint8_t key[TERN_KEY_SIZE])
{
    const struct place *at = user;
    if (is_pair(at->room)) {
        return memcmp(key, at->room->with, TERN_KEY_SIZE) == 0 ||
               memcmp(key, at->model->key, TERN_KEY_SIZE) == 0;
    }
    return model_person_in(at->room, key) != NULL;
}

/* Those who may read and lack the present chain; *out is the caller's to free. */
static size_t find_lacking(const struct model *model, const struct model_room *room, uint8_t **out)
{
    const struct seal *seal = room->seal->seal;
    size_t most = is_pair(room) ? 2 : room->people_count, count = 0;
    *out = malloc(most * TERN_KEY_SIZE + 1);
    for (size_t i = 0; *out != NULL && i < most; i++) {
        const uint8_t *key = !is_pair(room) ? room->people[i].key
                             : i == 0       ? room->with
                                            : model->key;
        if (!seal_is_reader(seal, key)) {
            memcpy(*out + count++ * TERN_KEY_SIZE, key, TERN_KEY_SIZE);
        }
    }
    return count;
}

/* --- KEYS on their way -------------------------------------------------------------------------------- */

static bool queue(struct room_seal *s, uint64_t id, const uint8_t *body, size_t len)
{
    struct keys_item *item =
        len == 0 || s->keys_count >= KEYS_WAITING ? NULL : malloc(sizeof *item + len);
    if (item == NULL) {
        return false;
    }
    *item = (struct keys_item){.id = id, .len = len};
    memcpy(item->body, body, len);
    *s->keys_tail = item;
    s->keys_tail = &item->next;
    s->unsent = s->unsent == NULL ? item : s->unsent;
    s->keys_count++;
    return true;
}

static bool give(struct model *model, struct room_seal *s, size_t chain, const uint8_t *to,
                 size_t count)
{
    uint8_t body[CHAT_BODY_MAX];
    if (s->keys_count >= KEYS_WAITING) {
        return false; /* before they count as readers */
    }
    uint64_t id = model->next_keys_id++;
    return queue(s, id, body, seal_keys(s->seal, chain, id, to, count, body, sizeof body));
}

static void ask(struct model *model, struct room_seal *s)
{
    uint8_t body[1] = {0};
    s->wants_ask = !queue(s, model->next_keys_id++, body, seal_ask(body, sizeof body));
    s->ask_pause = ASK_PAUSE;
}

/* False: the connection has no room for more. */
static bool flush(struct model *model, struct model_room *room)
{
    struct room_seal *s = room->seal;
    while (s->unsent != NULL) {
        const struct keys_item *item = s->unsent;
        struct chat_packet p = {.type = CHAT_SAY,
                                .id = item->id,
                                .kind = CHAT_KIND_KEYS,
                                .body = {item->body, item->len}};
        if (room->channel == 0 || room->is_held || !model_send(model, room->channel, &p, false)) {
            return false;
        }
        s->unsent = item->next;
    }
    return true;
}

static struct keys_item **find_item(struct room_seal *s, uint64_t id)
{
    struct keys_item **at = &s->keys;
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    return at;
}

bool model_seal_is_keys(const struct model_room *room, uint64_t id)
{
    return room->seal != NULL && *find_item(room->seal, id) != NULL;
}

static bool drop_item(struct room_seal *s, uint64_t id)
{
    struct keys_item **at = find_item(s, id), *item = *at;
    if (item == NULL) {
        return false;
    }
    s->unsent = s->unsent == item ? item->next : s->unsent;
    *at = item->next;
    s->keys_tail = *at == NULL ? at : s->keys_tail;
    s->keys_count--;
    free(item);
    return true;
}

void model_seal_say_again(struct model_room *room)
{
    if (room->seal != NULL) {
        room->seal->unsent = room->seal->keys;
    }
}

/* --- chains ------------------------------------------------------------------------------------------- */

static bool is_worn(const struct model_room *room)
{
    const struct room_seal *s = room->seal;
    return seal_words(s->seal) >= CHAIN_WORDS ||
           (is_pair(room) && room->last - s->given >= PAIR_EVENTS);
}

/* The present chain is given to all who may read, and to nobody else. */
static bool prepare(struct model *model, struct model_room *room)
{
    struct room_seal *s = room->seal;
    struct place at = {model, room};
    uint8_t *lacking;
    bool is_done = true;
    if (s->keys_count >= KEYS_WAITING) {
        return false;
    }
    if (seal_has_chain(s->seal) &&
        (is_worn(room) || (s->is_dirty && seal_has_other(s->seal, may_read, &at)))) {
        seal_end(s->seal);
    }
    if (!seal_has_chain(s->seal)) {
        seal_begin(s->seal);
        s->given = room->last;
        s->is_dirty = true;
    }
    if (!s->is_dirty) {
        return true;
    }
    size_t count = find_lacking(model, room, &lacking);
    for (size_t i = 0; lacking != NULL && is_done && i < count; i += GIVEN_AT_ONCE) {
        size_t some = count - i < GIVEN_AT_ONCE ? count - i : GIVEN_AT_ONCE;
        is_done = give(model, s, seal_chains(s->seal) - 1, lacking + i * TERN_KEY_SIZE, some);
    }
    s->is_dirty = lacking == NULL || !is_done;
    free(lacking);
    return !s->is_dirty;
}

bool model_seal_word(struct model *model, struct model_room *room, struct unheard *u,
                     struct chat_slice *body)
{
    uint8_t sealed[CHAT_BODY_MAX];
    struct room_seal *s = room->seal;
    *body = (struct chat_slice){u->body, u->len};
    if ((room->flags & CHAT_FLAG_OPEN) != 0 || !is_sealed_kind(u->kind)) {
        return true;
    }
    /* What is queued goes first, for there may be too much of it for more. */
    if (s == NULL || !s->is_caught_up || !flush(model, room) || !prepare(model, room) ||
        !flush(model, room)) {
        return false;
    }
    if (u->sealed == NULL) {
        size_t len = seal_body(s->seal, u->id, (enum chat_kind)u->kind, model_clock(), *body,
                               sealed, sizeof sealed);
        u->sealed = len == 0 ? NULL : malloc(len);
        if (u->sealed == NULL) {
            return false;
        }
        memcpy(u->sealed, sealed, len);
        u->sealed_len = len;
    }
    *body = (struct chat_slice){u->sealed, u->sealed_len};
    return true;
}

void model_seal_on_heard(struct model_room *room, const struct unheard *u)
{
    if (room->seal != NULL && u->sealed != NULL) {
        seal_on_heard(room->seal->seal, (struct chat_slice){u->sealed, u->sealed_len});
    }
}

/* They are to get all from the first word on that is on its way: at once, if there is one. */
static void give_again(struct model *model, struct model_room *room,
                       const uint8_t key[TERN_KEY_SIZE])
{
    struct room_seal *s = room->seal;
    seal_forget_reader(s->seal, key);
    s->is_dirty = true;
    for (size_t i = 0; i < seal_chains(s->seal); i++) {
        if (seal_is_on_its_way(s->seal, i)) {
            (void)give(model, s, i, key, 1);
        }
    }
    (void)flush(model, room);
}

void model_seal_on_came(struct model *model, struct model_room *room,
                        const uint8_t key[TERN_KEY_SIZE])
{
    if (room->seal == NULL) {
        return;
    }
    if (memcmp(key, model->key, TERN_KEY_SIZE) == 0) {
        room->seal->wants_ask = false; /* the others have seen us come */
    }
    give_again(model, room, key);
}

void model_seal_on_gone(struct model_room *room, const uint8_t key[TERN_KEY_SIZE])
{
    if (room->seal != NULL && seal_is_reader(room->seal->seal, key)) {
        seal_end(room->seal->seal);
    }
}

void model_seal_on_gap(struct model_room *room)
{
    if (room->seal != NULL) {
        room->seal->wants_ask = true;
    }
}

/* --- coming and going --------------------------------------------------------------------------------- */

bool model_seal_make(struct model *model, struct model_room *room)
{
    struct room_seal *s = room->seal;
    if (s != NULL || !model->has_identity) {
        return s != NULL;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL || (s->seal = seal_new(room->name, model->secret)) == NULL) {
        free(s);
        model_tell(model, "out of memory: nothing can be said in this room");
        return false;
    }
    s->keys_tail = &s->keys;
    s->held_tail = &s->held;
    s->is_fresh = true;
    room->seal = s;
    return true;
}

void model_seal_on_joined(struct model *model, struct model_room *room)
{
    if ((room->flags & CHAT_FLAG_OPEN) != 0 || !model_seal_make(model, room)) {
        return;
    }
    struct room_seal *s = room->seal;
    s->unsent = s->keys;
    s->is_caught_up = false;
    s->is_dirty = true;
}

void model_seal_on_caught_up(struct model *model, struct model_room *room)
{
    struct room_seal *s = room->seal;
    if (s == NULL || s->is_caught_up) {
        return;
    }
    s->is_caught_up = true;
    if (s->is_fresh) {
        s->is_fresh = false;
        s->wants_ask = !is_pair(room) && room->people_count > 1; /* unless our coming is told now */
        if (s->held != NULL && is_pair(room)) {
            s->wants_ask = true;
        }
        model_held_give_up(model, room);
    }
    (void)flush(model, room);
}

void model_seal_on_lost(struct model_room *room)
{
    if (room->seal != NULL) {
        room->seal->is_caught_up = false;
        room->seal->unsent = NULL;
    }
}

void model_seal_clear(struct model_room *room)
{
    struct room_seal *s = room->seal;
    if (s == NULL) {
        return;
    }
    while (s->keys != NULL) {
        (void)drop_item(s, s->keys->id);
    }
    model_held_clear(s);
    seal_free(s->seal);
    free(s);
    room->seal = NULL;
}

void model_seal_tick(struct model *model, struct model_room *room)
{
    struct room_seal *s = room->seal;
    if (s == NULL || !s->is_caught_up) {
        return;
    }
    model_held_tick(model, room);
    s->ask_pause -= s->ask_pause > 0 ? 1 : 0;
    if (s->wants_ask && s->ask_pause == 0) {
        ask(model, s);
        (void)flush(model, room);
    }
}

/* --- what comes --------------------------------------------------------------------------------------- */

/* Or one who asks without end would have all of us say keys, and nothing else. */
static bool may_ask(const struct model_room *room, const uint8_t key[TERN_KEY_SIZE])
{
    struct model_person *person = model_person_in(room, key);
    if (person == NULL) { /* the other one of a private room */
        return true;
    }
    bool may = person->asked <= ASK_MOST;
    person->asked += may ? ASK_COST : 0;
    return may;
}

static void on_keys(struct model *model, struct model_room *room, const struct chat_packet *p,
                    const struct line *about)
{
    struct room_seal *s = room->seal;
    struct place at = {model, room};
    if (about->is_own && drop_item(s, p->id)) {
        model_send_unsent(model, room); /* words may have waited for its place */
        return;
    }
    if (seal_is_ask(p->body)) {
        if (may_read(&at, p->key) && may_ask(room, p->key)) { /* else nobody sees who asks */
            give_again(model, room, p->key);
        }
        return;
    }
    enum seal_result result = seal_take_keys(s->seal, p->key, p->id, p->body);
    if (result == SEAL_DONE) {
        model_memory_chain(model, room, p->key, p->body);
        model_held_retry(model, room, p->key);
    } else if (result == SEAL_FALSE) {
        model_warn(model, room, about, "keys came as those of ", " that are not: not taken");
    }
}

bool model_seal_take(struct model *model, struct model_room *room, const struct chat_packet *p,
                     struct line *about)
{
    if ((room->flags & CHAT_FLAG_OPEN) != 0) {
        return p->kind == CHAT_KIND_KEYS;
    }
    if (!is_sealed_kind(p->kind) && p->kind != CHAT_KIND_KEYS) {
        return false;
    }
    if (room->seal != NULL && p->kind == CHAT_KIND_KEYS) {
        on_keys(model, room, p, about);
    } else if (room->seal != NULL) {
        model_hold(model, room, p, about);
    }
    return true;
}
