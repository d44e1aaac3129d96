/* What a person asks of the server, beside words: who they are and how they are, lists, what was said before,
 * and what moderators may.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "ternchat/model_memory.h"
#include "ternchat/name.h"

static bool tell(struct model *model, const struct chat_packet *p)
{
    return model->is_welcome && model_send(model, CHAT_CONTROL, p, false);
}

void model_presence(struct model *model, enum chat_presence presence)
{
    struct chat_packet p = {.type = CHAT_STATE, .code = (uint8_t)presence};
    model->presence = presence; /* told again after each new connection */
    (void)tell(model, &p);
}

bool model_list(struct model *model)
{
    struct chat_packet p = {.type = CHAT_LIST};
    return tell(model, &p);
}

static bool server_knows(const struct model *model, const struct model_room *room)
{
    return model->is_welcome && room->channel != 0 && (room->flags & CHAT_FLAG_OPEN) != 0;
}

bool model_search(struct model *model, struct model_room *room, const char *text, uint64_t id)
{
    if (!server_knows(model, room)) {
        return model_memory_search(model, room, text, id);
    }
    struct chat_packet p = {
        .type = CHAT_SEARCH, .channel = room->channel, .id = id, .text = chat_text(text)};
    return tell(model, &p);
}

bool model_before(struct model *model, struct model_room *room, uint64_t seq, uint64_t id)
{
    if (!server_knows(model, room)) {
        return model_memory_before(model, room, seq, id);
    }
    struct chat_packet p = {.type = CHAT_BEFORE, .channel = room->channel, .id = id, .seq = seq};
    return room->channel != 0 && tell(model, &p);
}

bool model_invite(struct model *model)
{
    struct chat_packet p = {.type = CHAT_INVITE};
    return tell(model, &p);
}

bool model_kick(struct model *model, const struct model_room *room,
                const uint8_t key[TERN_KEY_SIZE], enum model_kick what)
{
    struct chat_packet p = {.type = CHAT_KICK, .channel = room->channel, .code = (uint8_t)what};
    memcpy(p.key, key, sizeof p.key);
    return room->channel != 0 && tell(model, &p);
}

bool model_fetch(struct model *model, const struct model_room *room, uint32_t id, uint64_t seq,
                 uint64_t offset)
{
    struct chat_packet p = {
        .type = CHAT_FETCH, .channel = room->channel, .id = id, .seq = seq, .offset = offset};
    return room->channel != 0 && tell(model, &p);
}

bool model_deny(struct model *model, uint64_t id, enum chat_stop why)
{
    struct chat_packet p = {.type = CHAT_DENY, .code = (uint8_t)why, .id = id};
    return tell(model, &p);
}

bool model_topic(struct model *model, struct model_room *room, const char *topic)
{
    uint64_t id;
    return strlen(topic) <= CHAT_TEXT_MAX &&
           model_say(model, room, CHAT_KIND_TOPIC, topic, strlen(topic), &id);
}

struct model_person *model_person(struct model_room *room, const char *nick)
{
    for (size_t i = 0; i < room->people_count; i++) {
        if (strcmp(room->people[i].nick, nick) == 0) {
            return &room->people[i];
        }
    }
    return NULL;
}

void model_nick(struct model *model, const char *nick)
{
    struct chat_packet p = {.type = CHAT_NICK, .nick = chat_text(nick)};
    char checked[CHAT_NAME_MAX + 1];
    if (!name_take(p.nick, NAME_NICK, checked)) {
        model_tell(model, "that is not a nick: no blanks, \"/\", \"@\" or \"#\", at most 64 bytes");
    } else if (model->is_welcome) {
        if (!model_send(model, CHAT_CONTROL, &p, false)) {
            model_tell(model, "the connection is full: try again");
        }
    } else { /* the server did not take the other one, or there is none yet */
        memcpy(model->nick, checked, sizeof model->nick);
        memcpy(model->wished, checked, sizeof model->wished);
        model->nick_tries = 0;
        if (model->is_connected) {
            model_hello(model);
        }
    }
}
