/* What may be a nick or the name of a room, and when two look alike.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_NAME_H
#define TERNCHAT_NAME_H

#include "ternchat/proto.h"

enum name_use { NAME_NICK, NAME_ROOM };

/* Copies a name if it is one: 1 to CHAT_NAME_MAX bytes of valid UTF-8 that can be seen, without blanks,
 * "/" or "@"; a nick has no "#" either. */
bool name_take(struct chat_slice from, enum name_use use, char out[CHAT_NAME_MAX + 1]);

#endif
