/* Kinds of handshake: their octet on the wire, their Noise names, and which of them we take. [P §4.1]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_MODES_H
#define TERN_CONN_MODES_H

#include "crypto/code.h"
#include "crypto/keys.h"

/* Pattern octet of message 1, [P §4.3]. */
#define TERN_PATTERN_XX   0x01u
#define TERN_PATTERN_XK   0x02u
#define TERN_PATTERN_PSK  0x10u /* with a secret that both ends share */
#define TERN_PATTERN_CODE 0x20u /* which comes from a one-time code, by CPace */
#define TERN_PATTERN_HFS  0x40u /* the post-quantum hybrid */

#define TERN_CODE_GUESSES 3 /* [P §4.7]: so many wrong ones, and the code is burnt */

/* What an endpoint shares with others. */
struct tern_modes {
    bool wants_hybrid; /* as a server: all clients must come with it, else none may */
    bool has_secret;
    uint8_t secret[TERN_SECRET_SIZE];
    bool wants_code; /* as a server: also once the code is spent, so that no door opens by it */
    struct tern_code code; /* empty when there is none, or it is spent */
    unsigned guesses;      /* that are left */
};

/* The Noise protocol name of a pattern octet; NULL: no such pattern. */
const char *tern_mode_protocol(uint8_t pattern);

static inline bool tern_mode_is_xk(uint8_t pattern)
{
    return (pattern & TERN_PATTERN_XK) != 0;
}

/* The peer shows only in its last word that it knows the secret. */
static inline bool tern_mode_has_psk(uint8_t pattern)
{
    return (pattern & TERN_PATTERN_PSK) != 0;
}

static inline bool tern_mode_has_code(uint8_t pattern)
{
    return (pattern & TERN_PATTERN_CODE) != 0;
}

/* Messages 1 and 2 take two packets each. */
static inline bool tern_mode_has_hfs(uint8_t pattern)
{
    return (pattern & TERN_PATTERN_HFS) != 0;
}

/* Does a server with these modes take a client that comes with this pattern and slot? */
bool tern_modes_take(const struct tern_modes *modes, uint8_t pattern, const uint8_t *slot,
                     size_t slot_len);

/* NULL: clients need none any more. */
void tern_modes_set_code(struct tern_modes *modes, const struct tern_code *code);
/* A client has guessed wrong: the third time burns the code. */
void tern_modes_on_wrong_code(struct tern_modes *modes);
/* ... or right, which spends it. */
void tern_modes_on_right_code(struct tern_modes *modes);

#endif
