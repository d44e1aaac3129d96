/* Words by which two people make sure that no third one is between them.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_WORDS_H
#define TERNCHAT_WORDS_H

#include <stdint.h>
#include <tern/types.h>

#define WORDS_COUNT 8
#define WORDS_SIZE  (WORDS_COUNT * 6) /* five letters each, what is between them, the end */

/* The same whichever of the two keys comes first. Takes some milliseconds, on purpose. */
void words_of(const uint8_t one[TERN_KEY_SIZE], const uint8_t other[TERN_KEY_SIZE],
              char text[WORDS_SIZE]);

#endif
