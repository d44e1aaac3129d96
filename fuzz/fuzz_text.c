/* Text of others on its way to a terminal, and the small texts that people give: what is made harmless is so,
 * its width is what its parts take, and what is parsed prints to what parses again.
 *
 * Input: a byte for the width, one for the size of the buffer, then the text.
 * SPDX-License-Identifier: MIT */
#include <locale.h>

#include "fuzz.h"
#include "shared/keyring.h"
#include "shared/term.h"
#include "ternchat/name.h"
#include "ternchat/text.h"

#define LEN_MAX 3000

static void check_printable(const char *text, size_t len, bool has_lines)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t n; len > 0; len -= n, p += n) {
        n = has_lines && *p == '\n' ? 1 : term_printable(p, len);
        FUZZ_CHECK(n > 0 && n <= len);
    }
}

/* What every program prints of a peer's words. */
static void try_escape(const uint8_t *data, size_t len, size_t size, size_t columns)
{
    static char whole[4 * LEN_MAX + 1], again[4 * LEN_MAX + 1];
    char *cut = malloc(size + 1);
    FUZZ_CHECK(cut != NULL);
    FUZZ_CHECK(term_escape((const char *)data, len, whole, sizeof whole) == whole);
    (void)term_escape((const char *)data, len, cut, size + 1);
    FUZZ_CHECK(strlen(cut) <= size && strncmp(cut, whole, strlen(cut)) == 0);
    check_printable(whole, strlen(whole), false);
    check_printable(cut, strlen(cut), false);
    FUZZ_CHECK(strcmp(term_escape(whole, strlen(whole), again, sizeof again), whole) == 0);
    size_t fits = term_fit(whole, columns);
    FUZZ_CHECK(fits <= strlen(whole));
    whole[fits] = '\0';
    FUZZ_CHECK(term_columns(whole) <= columns);
    free(cut);
}

static void try_rows(const char *text, size_t len, size_t columns)
{
    size_t width = TERN_MAX(columns, (size_t)2); /* there are characters of two */
    for (size_t at = 0, skip; at < len;) {
        size_t n = text_row(text + at, len - at, width, &skip);
        FUZZ_CHECK(n + skip > 0 && n + skip <= len - at);
        FUZZ_CHECK(text_columns(text + at, n) <= width);
        at += n + skip;
    }
    FUZZ_CHECK(text_columns(text, text_fit(text, len, columns)) <= columns);
}

/* What the chat shows of them. */
static void try_clean(const uint8_t *data, size_t len, size_t size, size_t columns)
{
    static char clean[TEXT_CLEAN(LEN_MAX)], again[sizeof clean];
    for (int has_lines = 0; has_lines < 2; has_lines++) {
        size_t n = text_clean((const char *)data, len, has_lines != 0, clean, sizeof clean);
        FUZZ_CHECK(n < TEXT_CLEAN(len) && strlen(clean) == n);
        check_printable(clean, n, has_lines != 0);
        FUZZ_CHECK(text_clean(clean, n, has_lines != 0, again, sizeof again) == n &&
                   memcmp(clean, again, n) == 0);
        try_rows(clean, n, columns);
        size_t sum = 0;
        unsigned wide;
        for (size_t at = 0; at < n; sum += wide) {
            at += text_next(clean + at, n - at, &wide);
            FUZZ_CHECK(wide <= 2 && at <= n);
        }
        FUZZ_CHECK(sum == text_columns(clean, n));
        char *cut = malloc(size + 1);
        FUZZ_CHECK(cut != NULL);
        n = text_clean((const char *)data, len, has_lines != 0, cut, size + 1);
        FUZZ_CHECK(n <= size && strlen(cut) == n);
        check_printable(cut, n, has_lines != 0);
        free(cut);
    }
}

static void try_find(const uint8_t *data, size_t len, size_t split)
{
    static char text[TEXT_CLEAN(LEN_MAX)], words[TEXT_CLEAN(LEN_MAX)];
    size_t at = TERN_MIN(split, len), found;
    (void)text_clean((const char *)data, at, false, words, sizeof words);
    size_t n = text_clean((const char *)data + at, len - at, false, text, sizeof text);
    const char *place = text_find(text, n, words, &found);
    FUZZ_CHECK(place == NULL ||
               (place >= text && found <= n && (size_t)(place - text) <= n - found));
    FUZZ_CHECK(!text_mentions(text, n, words) || place != NULL);
}

/* Names that are taken are shown as they are; looking like a name is an equivalence. */
static void try_names(const uint8_t *data, size_t len)
{
    char name[CHAT_NAME_MAX + 1], skeleton[CHAT_NAME_MAX + 1];
    struct chat_slice from = {data, len};
    for (int use = NAME_NICK; use <= NAME_ROOM; use++) {
        if (name_take(from, (enum name_use)use, name)) {
            FUZZ_CHECK(strlen(name) == len && len <= CHAT_NAME_MAX);
            check_printable(name, len, false);
            FUZZ_CHECK(!name_skeleton(name, skeleton) || strlen(skeleton) <= CHAT_NAME_MAX);
        }
    }
}

static void try_addresses(const char *text, size_t len)
{
    tern_addr addr, again;
    char form[TERN_ADDR_TEXT_SIZE], key_text[KEYRING_TEXT_SIZE];
    uint8_t key[TERN_KEY_SIZE], same[TERN_KEY_SIZE];
    if (tern_addr_parse(&addr, text) == 0) {
        FUZZ_CHECK(tern_addr_parse(&again, tern_addr_format(&addr, form, sizeof form)) == 0);
        FUZZ_CHECK(tern_addr_equal(&addr, &again));
    }
    if (keyring_parse(text, len, key)) {
        keyring_format(key, key_text);
        FUZZ_CHECK(keyring_parse(key_text, strlen(key_text), same));
        FUZZ_CHECK(memcmp(key, same, sizeof key) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t columns = fuzz_u8(&in), room = fuzz_u8(&in), len;
    const uint8_t *bytes = fuzz_bytes(&in, LEN_MAX, &len);
    char *text = malloc(len + 1);
    FUZZ_CHECK(text != NULL && setlocale(LC_CTYPE, "C.UTF-8") != NULL);
    memcpy(text, len > 0 ? bytes : (const uint8_t *)"", len);
    text[len] = '\0';
    bytes = (const uint8_t *)text;
    try_escape(bytes, len, room, columns);
    try_clean(bytes, len, room, columns);
    try_find(bytes, len, columns % 16);
    try_names(bytes, len);
    try_addresses(text, len);
    free(text);
    return 0;
}
