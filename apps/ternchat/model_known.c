/* Whose key is whose, as we have seen it: a nick that comes with another key is told of, and marks of those
 * whose words were compared stay with the key.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/model_memory.h"
#include "ternchat/name.h"
#include "ternchat/words.h"

static struct known *find(struct model *model, const uint8_t key[TERN_KEY_SIZE])
{
    for (size_t i = 0; i < model->known_count; i++) {
        if (memcmp(model->known[i].key, key, TERN_KEY_SIZE) == 0) {
            return &model->known[i];
        }
    }
    return NULL;
}

/* Servers let nobody have a nick that looks like another's; should one do so all the same, it is told of as if
 * it were the same one. */
void model_known_name(struct known *k, const char *nick)
{
    (void)snprintf(k->nick, sizeof k->nick, "%s", nick);
    if (!name_skeleton(nick, k->looks)) {
        memcpy(k->looks, k->nick, sizeof k->looks);
    }
}

/* The one that bore the nick last, or one that looks like it. */
static const struct known *bearer(const struct model *model, const char *nick)
{
    const struct known *last = NULL;
    struct known like;
    model_known_name(&like, nick);
    for (size_t i = 0; i < model->known_count; i++) {
        const struct known *k = &model->known[i];
        if (strcmp(k->looks, like.looks) == 0 && (last == NULL || k->seen > last->seen)) {
            last = k;
        }
    }
    return last;
}

struct known *model_known_add(struct model *model, const uint8_t key[TERN_KEY_SIZE])
{
    struct known *k = find(model, key);
    if (k != NULL) {
        return k;
    }
    if (model->known_count ==
        MODEL_KNOWN) { /* the one not seen for longest, if its words were not compared */
        for (size_t i = 0; i < model->known_count; i++) {
            struct known *other = &model->known[i];
            k = !other->is_verified && (k == NULL || other->seen < k->seen) ? other : k;
        }
        if (k == NULL) {
            return NULL;
        }
    } else if (model->known_count == model->known_room) {
        size_t more = model->known_room == 0 ? 64 : 2 * model->known_room;
        struct known *known = realloc(model->known, more * sizeof *known);
        if (known == NULL) {
            return NULL;
        }
        model->known = known;
        model->known_room = more;
    }
    k = k != NULL ? k : &model->known[model->known_count++];
    memset(k, 0, sizeof *k);
    memcpy(k->key, key, sizeof k->key);
    return k;
}

void model_known_see(struct model *model, struct model_room *room,
                     const struct model_person *person)
{
    const struct known *before = bearer(model, person->nick);
    bool is_other = before != NULL && memcmp(before->key, person->key, TERN_KEY_SIZE) != 0;
    bool was_verified = is_other && before->is_verified;
    char as[CHAT_NAME_MAX + 30] = "";
    if (is_other && strcmp(before->nick, person->nick) != 0) {
        (void)snprintf(as, sizeof as, " looks like %s, and", before->nick);
    }
    struct known *k = model_known_add(model, person->key);
    if (k == NULL) {
        return;
    }
    k->seen = ++model->known_seen;
    if (is_other || strcmp(k->nick, person->nick) != 0) {
        model_known_name(k, person->nick);
        model_memory_known(model, k);
    }
    if (is_other) {
        struct line about = {.time = model_clock()};
        memcpy(about.key, person->key, sizeof about.key);
        memcpy(about.nick, person->nick, sizeof about.nick);
        char text[sizeof as + 150];
        (void)snprintf(text, sizeof text,
                       "%s has another key than %s: it may be somebody else; /verify", as,
                       was_verified ? "the one whose words you compared" : "before");
        model_warn(model, room, &about, "", text);
    }
}

bool model_is_verified(const struct model *model, const uint8_t key[TERN_KEY_SIZE])
{
    for (size_t i = 0; i < model->known_count; i++) {
        if (memcmp(model->known[i].key, key, TERN_KEY_SIZE) == 0) {
            return model->known[i].is_verified;
        }
    }
    return false;
}

bool model_verified(struct model *model, const uint8_t key[TERN_KEY_SIZE], bool is_verified)
{
    struct known *k = model_known_add(model, key);
    if (k != NULL) {
        k->is_verified = is_verified;
        model_memory_known(model, k);
        (void)model_keep(model);
    }
    return k != NULL;
}

bool model_words(const struct model *model, const uint8_t key[TERN_KEY_SIZE], char text[WORDS_SIZE])
{
    if (!model->has_identity) {
        return false;
    }
    words_of(model->key, key, text);
    return true;
}
