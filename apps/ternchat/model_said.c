/* Words on their way until the server has put them in order.
 *
 * What a person says bears a number: which program said it, and its how manieth words they are. The server
 * takes each number once. So after a lost connection everything that did not come back as an event is said
 * again, and is there once.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/model_memory.h"
#include "ternchat/model_seal.h"

struct unheard **model_said_find(struct model_room *room, uint64_t id)
{
    struct unheard **at = &room->unheard;
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    return at;
}

void model_said_drop(struct model_room *room, struct unheard **at)
{
    struct unheard *u = *at;
    *at = u->next;
    room->unheard_tail = *at == NULL ? at : room->unheard_tail;
    room->unsent = room->unsent == u ? u->next : room->unsent;
    room->unheard_count--;
    sodium_memzero(u->body, u->len);
    free(u->sealed);
    free(u);
}

bool model_waiting(const struct model_room *room, size_t i, enum line_kind *kind,
                   struct chat_slice *text)
{
    const struct unheard *u = room->unheard; /* as they were typed; what leaves is beside it */
    while (u != NULL && i > 0) {
        u = u->next;
        i--;
    }
    if (u != NULL) {
        *kind = u->kind == CHAT_KIND_TEXT     ? LINE_TEXT
                : u->kind == CHAT_KIND_ACTION ? LINE_ACTION
                : u->kind == CHAT_KIND_FILE   ? LINE_FILE
                                              : LINE_NOTE;
        *text = u->kind == CHAT_KIND_FILE ? chat_text("offers a file")
                                          : (struct chat_slice){u->body, u->len};
    }
    return u != NULL;
}

size_t model_unheard(const struct model *model)
{
    size_t n = 0;
    for (size_t i = 0; i < model->room_count; i++) {
        n += model->rooms[i]->unheard_count;
    }
    return n;
}

struct unheard *model_queue(struct model_room *room, uint64_t id, enum chat_kind kind,
                            const void *body, size_t len)
{
    struct unheard *u = len > CHAT_WORDS_MAX || room->unheard_count >= MODEL_UNHEARD
                            ? NULL
                            : malloc(sizeof *u + len);
    if (u == NULL) {
        return NULL;
    }
    *u = (struct unheard){.id = id, .kind = (uint8_t)kind, .len = len};
    if (len > 0) {
        memcpy(u->body, body, len);
    }
    *room->unheard_tail = u;
    room->unheard_tail = &u->next;
    room->unheard_count++;
    room->unsent = room->unsent == NULL ? u : room->unsent;
    return u;
}

bool model_say(struct model *model, struct model_room *room, enum chat_kind kind, const void *body,
               size_t len, uint64_t *id)
{
    struct unheard *u = model_queue(room, model->next_id, kind, body, len);
    if (u == NULL) {
        return false;
    }
    *id = model->next_id++;
    room->is_called = false;
    model_memory_said(model, room, u);
    model_send_unsent(model, room);
    return true;
}

void model_send_unsent(struct model *model, struct model_room *room)
{
    while (room->channel != 0 && room->unsent != NULL && !room->is_held) {
        struct unheard *u = room->unsent;
        struct chat_packet p = {.type = CHAT_SAY, .id = u->id, .kind = u->kind};
        if (!model_seal_word(model, room, u, &p.body) ||
            !model_send(model, room->channel, &p, false)) {
            return;
        }
        room->unsent = u->next;
    }
}

void model_said_in_vain(struct model *model, struct model_room *room, struct unheard **at)
{
    uint64_t id = (*at)->id;
    model_said_drop(room, at);
    model_memory_heard(model, room, id);
    model->front.on_refused(model->front.user, room, id);
}

void model_said_refused(struct model *model, struct model_room *room, uint64_t id, bool is_later)
{
    struct unheard **at = model_said_find(room, id);
    if (*at == NULL || is_later) {
        room->is_held = *at != NULL || model_seal_is_keys(room, id);
        return;
    }
    model_said_in_vain(model, room, at);
}
