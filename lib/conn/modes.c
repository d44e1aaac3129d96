/* The table of patterns, and the life of a one-time code. [P §4.1], [P §4.7]
 * SPDX-License-Identifier: MIT */
#include "conn/modes.h"

#include "base/mem.h"

#define REST "_ChaChaPoly_SHA256"

static const struct {
    uint8_t pattern; /* the bit of codes left out */
    const char *protocol;
} modes_table[] = {
    {TERN_PATTERN_XK, "Noise_XK_25519" REST},
    {TERN_PATTERN_XX, "Noise_XX_25519" REST},
    {TERN_PATTERN_XK | TERN_PATTERN_PSK, "Noise_XKpsk3_25519" REST},
    {TERN_PATTERN_XX | TERN_PATTERN_PSK, "Noise_XXpsk3_25519" REST},
    {TERN_PATTERN_XK | TERN_PATTERN_HFS, "Noise_XKhfs_25519+MLKEM768" REST},
    {TERN_PATTERN_XX | TERN_PATTERN_HFS, "Noise_XXhfs_25519+MLKEM768" REST},
    {TERN_PATTERN_XK | TERN_PATTERN_PSK | TERN_PATTERN_HFS, "Noise_XKhfs+psk3_25519+MLKEM768" REST},
    {TERN_PATTERN_XX | TERN_PATTERN_PSK | TERN_PATTERN_HFS, "Noise_XXhfs+psk3_25519+MLKEM768" REST},
};

const char *tern_mode_protocol(uint8_t pattern)
{
    /* A code is a psk like any other to Noise; it belongs to first contact alone. */
    bool is_code = (pattern & TERN_PATTERN_CODE) != 0;
    uint8_t wanted = pattern & (uint8_t)~TERN_PATTERN_CODE;
    if (is_code && (wanted & ~TERN_PATTERN_HFS) != (TERN_PATTERN_XX | TERN_PATTERN_PSK)) {
        return NULL;
    }
    for (size_t i = 0; i < TERN_COUNT_OF(modes_table); i++) {
        if (modes_table[i].pattern == wanted) {
            return modes_table[i].protocol;
        }
    }
    return NULL;
}

bool tern_modes_take(const struct tern_modes *modes, uint8_t pattern, const uint8_t *slot,
                     size_t slot_len)
{
    if (tern_mode_has_hfs(pattern) != modes->wants_hybrid) {
        return false;
    }
    if (tern_mode_has_code(pattern)) {
        return modes->code.len > 0 && slot_len == modes->code.slot_len &&
               memcmp(slot, modes->code.text, slot_len) == 0;
    }
    if (tern_mode_has_psk(pattern)) {
        return modes->has_secret;
    }
    /* Who has a secret, or a code to give, wants it proved by everybody. */
    return !modes->has_secret && !modes->wants_code;
}

void tern_modes_set_code(struct tern_modes *modes, const struct tern_code *code)
{
    tern_mem_wipe(&modes->code, sizeof modes->code);
    modes->wants_code = code != NULL;
    modes->guesses = code != NULL ? TERN_CODE_GUESSES : 0;
    if (code != NULL) {
        modes->code = *code;
    }
}

void tern_modes_on_wrong_code(struct tern_modes *modes)
{
    modes->guesses -= modes->guesses > 0 ? 1 : 0;
    if (modes->guesses == 0) {
        tern_mem_wipe(&modes->code, sizeof modes->code);
    }
}

void tern_modes_on_right_code(struct tern_modes *modes)
{
    modes->guesses = 0;
    tern_mem_wipe(&modes->code, sizeof modes->code);
}
