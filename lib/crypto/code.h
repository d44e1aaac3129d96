/* One-time codes such as "7-orbit-salmon": their one form, and how they are made. [P §4.7]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_CODE_H
#define TERN_CRYPTO_CODE_H

#include <tern/config.h>

#include "base/def.h"

#define TERN_CODE_MIN      4 /* letters and digits in a code, the slot left out */
#define TERN_CODE_MAX      64
#define TERN_CODE_SLOT_MAX 8

struct tern_code {
    uint8_t len;      /* 0: none */
    uint8_t slot_len; /* the number in front, which goes over the wire in clear */
    char text[TERN_CODE_MAX];
};

/* Brings what a person typed into its one form: letters become small, and whatever is neither letter
 * nor digit becomes a single hyphen, or nothing at either end.
 * 0 · TERN_ERR_INVALID (too short, too long, or bytes beyond ASCII) */
TERN_MUST_CHECK int tern_code_parse(struct tern_code *code, const char *text);

#endif
