/* A name as the eye takes it: look-alikes come out the same.
 *
 * A small table of our own, in the spirit of UTS 39: what occurs in names and can be mistaken for a Latin
 * letter. Other scripts stay themselves, folded in case.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <string.h>

#include "ternchat/name.h"

struct run {
    uint32_t first, last;
};

/* What combines with the letter before it, or cannot be seen. */
static const struct run unseen[] = {
    {0x00ad, 0x00ad}, {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},   {0x0610, 0x061a},
    {0x064b, 0x065f}, {0x0670, 0x0670}, {0x115f, 0x1160}, {0x17b4, 0x17b5},   {0x180b, 0x180f},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
    {0x20d0, 0x20f0}, {0x302a, 0x302f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfe20, 0xfe2f},
    {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
};

/* Letters, and what they look like. What is not in it is itself. */
static const struct look {
    uint16_t code;
    char as[3];
} looks[] = {
    {'!', "l"},    {'0', "o"},    {'1', "l"},    {'3', "e"},    {'5', "s"},    {'8', "b"},
    {'i', "l"},    {'|', "l"},    {0xa1, "l"},   {0xa2, "c"},   {0xb5, "u"},   {0xdf, "ss"},
    {0xe6, "ae"},  {0xf0, "d"},   {0xf8, "o"},   {0xfe, "p"},   {0x111, "d"},  {0x127, "h"},
    {0x110, "d"},  {0x126, "h"},  {0x131, "l"},  {0x132, "lj"}, {0x133, "lj"}, {0x138, "k"},
    {0x13f, "l"},  {0x140, "l"},  {0x141, "l"},  {0x142, "l"},  {0x149, "n"},  {0x14a, "n"},
    {0x14b, "n"},  {0x152, "oe"}, {0x153, "oe"}, {0x166, "t"},  {0x167, "t"},  {0x17f, "s"},
    {0x180, "b"},  {0x192, "f"},  {0x1c0, "l"},  {0x251, "a"},  {0x261, "g"},  {0x269, "l"},
    {0x26a, "l"},  {0x274, "n"},  {0x280, "r"},  {0x28f, "y"},  {0x2c9, "-"},  {0x391, "a"},
    {0x3b1, "a"},  {0x3b2, "b"},  {0x3b3, "y"},  {0x3b5, "e"},  {0x3b6, "z"},  {0x3b7, "n"},
    {0x3b9, "l"},  {0x3ba, "k"},  {0x3bc, "u"},  {0x3bd, "v"},  {0x3bf, "o"},  {0x3c1, "p"},
    {0x3c2, "s"},  {0x3c3, "o"},  {0x3c4, "t"},  {0x3c5, "u"},  {0x3c7, "x"},  {0x3c9, "w"},
    {0x3f2, "c"},  {0x3f3, "j"},  {0x430, "a"},  {0x432, "b"},  {0x433, "r"},  {0x435, "e"},
    {0x437, "e"},  {0x43a, "k"},  {0x43c, "m"},  {0x43d, "h"},  {0x43e, "o"},  {0x43f, "n"},
    {0x440, "p"},  {0x441, "c"},  {0x442, "t"},  {0x443, "y"},  {0x445, "x"},  {0x44c, "b"},
    {0x455, "s"},  {0x456, "l"},  {0x458, "j"},  {0x461, "w"},  {0x475, "v"},  {0x4af, "y"},
    {0x4bb, "h"},  {0x4cf, "l"},  {0x4e9, "o"},  {0x501, "d"},  {0x51b, "q"},  {0x51d, "w"},
    {0x561, "w"},  {0x566, "q"},  {0x570, "h"},  {0x578, "n"},  {0x57d, "u"},  {0x581, "g"},
    {0x585, "o"},  {0x5c0, "l"},  {0x5d5, "l"},  {0x5e1, "o"},  {0x627, "l"},  {0x647, "o"},
    {0x661, "l"},  {0x665, "o"},  {0x966, "o"},  {0x2010, "-"}, {0x2011, "-"}, {0x2012, "-"},
    {0x2013, "-"}, {0x2014, "-"}, {0x2015, "-"}, {0x2018, "'"}, {0x2019, "'"}, {0x2113, "l"},
    {0x2170, "l"}, {0x2174, "v"}, {0x2179, "x"}, {0x217c, "l"}, {0x217d, "c"}, {0x217e, "d"},
    {0x217f, "m"}, {0x2212, "-"}, {0x2223, "l"}, {0x2c9c, "m"}, {0x2ca3, "p"},
};

/* Accented Latin letters from U+00E0 and U+0100 on, without their accents; '.': see `looks`. */
static const char latin1[] = "aaaaaa.ceeeellll.nooooo..uuuuy.y";
static const char latin_a[] = "aaaaaaccccccccdd..eeeeeeeeeegggggggghh..lllllllll...jjkk.llllll."
                              "...nnnnnn...oooooo..rrrrrrsssssssstttt..uuuuuuuuuuuuwwyyyzzzzzz";

static bool is_in(uint32_t code, const struct run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (code >= runs[i].first && code <= runs[i].last) {
            return true;
        }
    }
    return false;
}

/* Letters that are typeset otherwise: full width, mathematical, circled. */
static uint32_t plain(uint32_t code)
{
    if (code >= 0xff01 && code <= 0xff5e) {
        return code - 0xff01 + '!';
    }
    if (code >= 0x1d400 && code <= 0x1d6a3) {
        uint32_t at = (code - 0x1d400) % 52;
        return at < 26 ? 'a' + at : 'a' + at - 26;
    }
    if (code >= 0x1d7ce && code <= 0x1d7ff) {
        return '0' + (code - 0x1d7ce) % 10;
    }
    if (code >= 0x24b6 && code <= 0x24e9) {
        return 'a' + (code - 0x24b6) % 26;
    }
    return code;
}

static uint32_t fold(uint32_t code)
{
    if ((code >= 'A' && code <= 'Z') || (code >= 0xc0 && code <= 0xde && code != 0xd7) ||
        (code >= 0x391 && code <= 0x3ab) || (code >= 0x410 && code <= 0x42f)) {
        return code + 32;
    }
    if (code >= 0x400 && code <= 0x40f) {
        return code + 80;
    }
    if (code == 0x130) {
        return 'i';
    }
    if (code >= 0x531 && code <= 0x556) {
        return code + 48;
    }
    if (code == 0x4c0) {
        return 0x4cf;
    }
    if ((code >= 0x460 && code <= 0x481) || (code >= 0x48a && code <= 0x52f)) {
        return code | 1;
    }
    return code;
}

/* Letters of Greek and Cyrillic whose accents are part of their code. */
static uint32_t bare(uint32_t code)
{
    static const uint16_t pairs[][2] = {
        {0x386, 0x3b1}, {0x388, 0x3b5}, {0x389, 0x3b7}, {0x38a, 0x3b9}, {0x38c, 0x3bf},
        {0x38e, 0x3c5}, {0x38f, 0x3c9}, {0x390, 0x3b9}, {0x3ac, 0x3b1}, {0x3ad, 0x3b5},
        {0x3ae, 0x3b7}, {0x3af, 0x3b9}, {0x3b0, 0x3c5}, {0x3ca, 0x3b9}, {0x3cb, 0x3c5},
        {0x3cc, 0x3bf}, {0x3cd, 0x3c5}, {0x3ce, 0x3c9}, {0x439, 0x438}, {0x450, 0x435},
        {0x451, 0x435}, {0x457, 0x456}, {0x45c, 0x43a}, {0x45d, 0x438}, {0x45e, 0x443},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i][0] == code) {
            return pairs[i][1];
        }
    }
    return code;
}

/* As Latin letters, or "" when it looks like none. */
static const char *looks_like(uint32_t code, char one[2])
{
    one[0] = one[1] = '\0';
    if (code >= 0xe0 && code <= 0xff) {
        one[0] = latin1[code - 0xe0] == '.' ? '\0' : latin1[code - 0xe0];
    } else if (code >= 0x100 && code <= 0x17e) {
        one[0] = latin_a[code - 0x100] == '.' ? '\0' : latin_a[code - 0x100];
    }
    for (size_t i = 0; one[0] == '\0' && i < sizeof looks / sizeof looks[0]; i++) {
        if (looks[i].code == code) {
            return looks[i].as;
        }
    }
    return one;
}

static size_t decode(const unsigned char *p, uint32_t *code)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    *code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) { /* no name: name_take has seen to that */
            return i;
        }
        *code = *code << 6 | (p[i] & 0x3fu);
    }
    return n;
}

static size_t encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)((0xf00u >> n & 0xff) | code);
    return n;
}

/* "rn" is "m" to the eye, and "vv" is "w". */
static size_t join_pairs(char *text, size_t len)
{
    static const char *const pairs[] = {"rnm", "vvw"};
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        text[used++] = text[i];
        for (size_t k = 0; used >= 2 && k < 2; k++) {
            if (memcmp(text + used - 2, pairs[k], 2) == 0) {
                text[--used - 1] = pairs[k][2];
            }
        }
    }
    return used;
}

bool name_skeleton(const char *name, char out[CHAT_NAME_MAX + 1])
{
    const unsigned char *p = (const unsigned char *)name;
    size_t used = 0;
    while (*p != '\0') {
        char one[4];
        uint32_t code;
        p += decode(p, &code);
        if (is_in(code, unseen, sizeof unseen / sizeof unseen[0])) {
            continue;
        }
        code = bare(fold(plain(code)));
        const char *like = looks_like(code, one);
        size_t len = strlen(like);
        if (len == 0) {
            len = encode(code, one);
            like = one;
        }
        if (used + len > CHAT_NAME_MAX) {
            return false;
        }
        memcpy(out + used, like, len);
        used += len;
    }
    used = join_pairs(out, used);
    out[used] = '\0';
    return used > 0;
}

void name_private(const uint8_t one[TERN_KEY_SIZE], const uint8_t other[TERN_KEY_SIZE],
                  char out[CHAT_NAME_MAX + 1])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t keys[2 * TERN_KEY_SIZE], hash[33] = {0};
    bool is_first = memcmp(one, other, TERN_KEY_SIZE) <= 0;
    memcpy(keys, is_first ? one : other, TERN_KEY_SIZE);
    memcpy(keys + TERN_KEY_SIZE, is_first ? other : one, TERN_KEY_SIZE);
    (void)crypto_generichash(hash, 32, keys, sizeof keys, NULL, 0);
    out[0] = '@';
    for (size_t i = 0; i < NAME_PRIVATE_LEN - 1; i++) {
        unsigned two = (unsigned)hash[i * 5 / 8] << 8 | hash[i * 5 / 8 + 1];
        out[1 + i] = digits[two >> (11 - i * 5 % 8) & 31];
    }
    out[NAME_PRIVATE_LEN] = '\0';
}
