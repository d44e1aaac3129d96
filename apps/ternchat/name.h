/* What may be a nick or the name of a room, and when two look alike.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_NAME_H
#define TERNCHAT_NAME_H

#include "ternchat/proto.h"

enum name_use { NAME_NICK, NAME_ROOM };

/* Copies a name if it is one: 1 to CHAT_NAME_MAX bytes of valid UTF-8 that can be seen, without blanks,
 * "/" or "@"; a nick has no "#" either. */
bool name_take(struct chat_slice from, enum name_use use, char out[CHAT_NAME_MAX + 1]);

/* What a name looks like: names with the same skeleton are one name to the eye. Case, accents and other
 * marks that combine, letters of other scripts that look Latin, and digits that look like letters make no
 * difference. False: nothing of it can be seen. */
bool name_skeleton(const char *name, char out[CHAT_NAME_MAX + 1]);

/* The name of the room of two: "@" and a hash of both keys, whichever comes first. */
#define NAME_PRIVATE_LEN 53
void name_private(const uint8_t one[TERN_KEY_SIZE], const uint8_t other[TERN_KEY_SIZE],
                  char out[CHAT_NAME_MAX + 1]);

#endif
