/* The one form of a code, and fresh ones of a number and two words. [P §4.7]
 * SPDX-License-Identifier: MIT */
#include "crypto/code.h"

#include <sodium.h>

/* 256 of them, so that two are 16 bits: with three guesses a code falls once in 21,845 times. Short,
 * common and unlike one another, to be read out over a telephone. */
static const char *const words[] = {
    /* clang-format off */
    "acorn", "actor", "album", "alert", "amber", "anchor", "angle", "apple", "april", "apron",
    "arena", "armor", "arrow", "atlas", "attic", "autumn", "bacon", "badge", "bagel", "bamboo",
    "banjo", "barley", "basil", "basket", "beacon", "beaver", "bench", "berry", "bishop", "bison",
    "blanket", "blossom", "bonnet", "border", "bottle", "branch", "breeze", "bridge", "bronze",
    "bucket", "buffalo", "button", "cabin", "cactus", "camel", "camera", "canal", "candle", "canoe",
    "canyon", "carbon", "carpet", "castle", "cedar", "cello", "chalk", "cherry", "chess", "chimney",
    "cider", "cinema", "circus", "citrus", "clover", "cobalt", "cobra", "cocoa", "comet", "copper",
    "coral", "cotton", "cougar", "cousin", "coyote", "crater", "crayon", "cricket", "crystal",
    "curtain", "cycle", "dagger", "daisy", "dance", "dawn", "desert", "diamond", "dinner",
    "dolphin", "domino", "dragon", "drawer", "dream", "drum", "eagle", "earth", "easel", "echo",
    "elbow", "elder", "ember", "engine", "fabric", "falcon", "farmer", "feather", "fennel", "ferry",
    "fiddle", "finch", "flame", "flute", "fog", "forest", "fossil", "fountain", "fox", "galaxy",
    "garden", "garlic", "gecko", "ginger", "glacier", "globe", "goblet", "gold", "goose", "grape",
    "gravel", "guitar", "hammer", "harbor", "harp", "hazel", "helmet", "heron", "hockey", "honey",
    "horizon", "hotel", "iceberg", "igloo", "indigo", "island", "ivory", "jacket", "jaguar",
    "jasmine", "jelly", "jersey", "jungle", "kayak", "kernel", "kettle", "kitchen", "kite", "koala",
    "ladder", "lagoon", "lantern", "lemon", "library", "lily", "linen", "lobster", "locket",
    "lotus", "lunar", "magnet", "mango", "maple", "marble", "market", "meadow", "melon", "mercury",
    "meteor", "mirror", "mitten", "monkey", "morning", "mosaic", "muffin", "museum", "mustard",
    "napkin", "nectar", "needle", "nickel", "noodle", "novel", "nutmeg", "oasis", "ocean", "olive",
    "onion", "opera", "orbit", "orchid", "otter", "oxygen", "oyster", "paddle", "palace", "panda",
    "paper", "parrot", "peach", "pebble", "pelican", "pencil", "pepper", "piano", "picnic",
    "pigeon", "pillow", "pilot", "pirate", "planet", "plum", "pocket", "pony", "potato", "prairie",
    "prism", "puzzle", "quartz", "rabbit", "radar", "raven", "ribbon", "river", "robin", "rocket",
    "saddle", "salmon", "sandal", "satin", "saturn", "sculptor", "shadow", "silver", "sparrow",
    "spider", "spruce", "squirrel", "summer", "sunset", "table", "tango", "temple", "thunder",
    "tiger", "timber", "toast", "tulip", "tunnel",
    /* clang-format on */
};
_Static_assert(TERN_COUNT_OF(words) == 256, "two words are 16 bits");

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A letter or digit in its one form, or 0. */
static char canonical(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return is_digit(c) || (c >= 'a' && c <= 'z') ? c : '\0';
}

static uint8_t slot_length(const struct tern_code *code)
{
    uint8_t n = 0;
    while (n < code->len && is_digit(code->text[n])) {
        n++;
    }
    return n < code->len && code->text[n] == '-' ? n : 0;
}

int tern_code_parse(struct tern_code *code, const char *text)
{
    bool wants_hyphen = false;
    memset(code, 0, sizeof *code);
    for (const char *at = text; *at != '\0'; at++) {
        char c = canonical(*at);
        if ((unsigned char)*at >= 0x80) {
            return TERN_ERR_INVALID;
        }
        if (c == '\0') {
            wants_hyphen = code->len > 0;
            continue;
        }
        if (code->len + (wants_hyphen ? 2 : 1) > TERN_CODE_MAX) {
            return TERN_ERR_INVALID;
        }
        if (wants_hyphen) {
            code->text[code->len++] = '-';
            wants_hyphen = false;
        }
        code->text[code->len++] = c;
    }
    code->slot_len = slot_length(code);
    size_t rest = code->slot_len > 0 ? code->len - code->slot_len - 1u : code->len;
    return code->slot_len <= TERN_CODE_SLOT_MAX && rest >= TERN_CODE_MIN ? 0 : TERN_ERR_INVALID;
}

static char *append(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

int tern_code_generate(char out[TERN_CODE_SIZE])
{
    if (sodium_init() < 0) {
        return TERN_ERR_UNSUPPORTED;
    }
    unsigned slot = 1 + randombytes_uniform(99);
    char *at = out;
    if (slot >= 10) {
        *at++ = (char)('0' + slot / 10);
    }
    *at++ = (char)('0' + slot % 10);
    for (int i = 0; i < 2; i++) {
        *at++ = '-';
        at = append(at, words[randombytes_uniform(TERN_COUNT_OF(words))]);
    }
    *at = '\0';
    return 0;
}
