/* What the parts of the model share: its state, and how packets leave.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_MODEL_PARTS_H
#define TERNCHAT_MODEL_PARTS_H

#include "ternchat/model.h"

struct model {
    struct model_front front;
    bool is_connected, is_welcome;
    unsigned nick_tries;
    char wished[CHAT_NAME_MAX + 1]; /* the nick, before others had it */
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];
    uint64_t next_id;
    struct model_room *rooms[MODEL_ROOMS];
    size_t room_count;
    enum chat_presence presence;
    struct model_room console;
};

bool model_send(struct model *model, uint16_t channel, const struct chat_packet *p, bool is_latest);
void model_hello(struct model *model);
void model_tell(struct model *model, const char *text); /* a note about no room */

#endif
