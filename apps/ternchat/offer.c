/* Offers are written by one program and believed by none: their names are made safe where they come in.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/offer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/term.h"

#define VERSION    1
#define ENDING_MAX 20 /* bytes of ".tar.gz" and the like that a cut leaves */

/* --- bodies ------------------------------------------------------------------------------------------- */

size_t offer_encode(const struct offer *offer, uint8_t *buf, size_t size)
{
    size_t name = strlen(offer->name), at = 0;
    if (name == 0 || name > OFFER_NAME_MAX || offer->size > OFFER_SIZE_MAX ||
        size < OFFER_BODY_MAX - OFFER_NAME_MAX + name) {
        return 0;
    }
    buf[at++] = VERSION;
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        buf[at++] = (uint8_t)(offer->size >> (shift - 8));
    }
    memcpy(buf + at, offer->hash, OFFER_HASH_SIZE);
    at += OFFER_HASH_SIZE;
    memcpy(buf + at, offer->key, OFFER_KEY_SIZE);
    at += OFFER_KEY_SIZE;
    memcpy(buf + at, offer->name, name);
    return at + name;
}

bool offer_decode(struct offer *offer, struct chat_slice body)
{
    const size_t front = OFFER_BODY_MAX - OFFER_NAME_MAX;
    memset(offer, 0, sizeof *offer);
    if (body.len <= front || body.len > OFFER_BODY_MAX || body.data[0] != VERSION) {
        return false;
    }
    for (size_t i = 1; i <= 8; i++) {
        offer->size = offer->size << 8 | body.data[i];
    }
    memcpy(offer->hash, body.data + 9, OFFER_HASH_SIZE);
    memcpy(offer->key, body.data + 9 + OFFER_HASH_SIZE, OFFER_KEY_SIZE);
    offer_safe_name(body.data + front, body.len - front, offer->name);
    return offer->size <= OFFER_SIZE_MAX;
}

/* --- names -------------------------------------------------------------------------------------------- */

/* Names that are devices on some systems, whatever follows their first dot. */
static bool is_device(const char *name)
{
    static const char *const devices[] = {"con", "prn", "aux", "nul", "com", "lpt"};
    size_t len = strcspn(name, ".");
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        bool has_number = i >= 4;
        if (len == (has_number ? 4u : 3u) && strncasecmp(name, devices[i], 3) == 0 &&
            (!has_number || isdigit((unsigned char)name[3]))) {
            return true;
        }
    }
    return false;
}

/* Where the ending begins: the last dot, or the one before in ".tar.gz"; the end when there is none. */
static size_t ending_of(const char *name)
{
    size_t len = strlen(name);
    const char *dot = strrchr(name, '.');
    if (dot == NULL || dot == name || len - (size_t)(dot - name) > ENDING_MAX) {
        return len;
    }
    if (dot - name > 4 && strncasecmp(dot - 4, ".tar", 4) == 0) {
        dot -= 4;
    }
    return (size_t)(dot - name);
}

/* So many bytes of a text at most, and no part of a character. */
static size_t cut(const char *text, size_t most)
{
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80) {
        most--;
    }
    return most;
}

/* Shortens the name in front of its ending. */
static void shorten(char *name, size_t most)
{
    size_t len = strlen(name), ending = ending_of(name);
    if (len > most) {
        size_t stem = cut(name, most - (len - ending));
        memmove(name + stem, name + ending, len - ending + 1);
    }
}

/* What can be seen, at most so many bytes of it; all else becomes an underscore, one for a run. */
static void take_visible(const unsigned char *p, size_t len, char *out, size_t size)
{
    size_t used = 0;
    bool was_bad = false;
    for (size_t n; len > 0 && used + 4 < size; p += n, len -= n) {
        n = term_printable(p, len);
        bool is_bad = n == 0 || strchr("<>:\"|?*", *p) != NULL;
        n = n == 0 ? 1 : n;
        if (!is_bad) {
            memcpy(out + used, p, n);
            used += n;
        } else if (!was_bad) {
            out[used++] = '_';
        }
        was_bad = is_bad;
    }
    out[used] = '\0';
}

void offer_safe_name(const void *name, size_t len, char out[OFFER_NAME_SIZE])
{
    char text[2048];
    const unsigned char *p = name;
    for (size_t i = len; i-- > 0;) {
        if (p[i] == '/' || p[i] == '\\') {
            len -= i + 1;
            p += i + 1;
            break;
        }
    }
    take_visible(p, len, text + 1, sizeof text - 1);
    char *from = text + 1;
    if (is_device(from)) {
        *--from = '_';
    } else if (from[0] == '.' || from[0] == '-' || from[0] == ' ' || from[0] == '~') {
        from[0] = '_';
    }
    shorten(from, OFFER_NAME_MAX);
    size_t used = strlen(from);
    while (used > 0 && (from[used - 1] == '.' || from[used - 1] == ' ')) {
        used--;
    }
    from[used] = '\0';
    (void)snprintf(out, OFFER_NAME_SIZE, "%.*s", OFFER_NAME_MAX, used == 0 ? "file" : from);
}

void offer_numbered_name(const char *name, unsigned number, char out[OFFER_NAME_SIZE])
{
    if (number == 0) {
        (void)snprintf(out, OFFER_NAME_SIZE, "%s", name);
        return;
    }
    size_t ending = ending_of(name);
    (void)snprintf(out, OFFER_NAME_SIZE, "%.*s (%u)%s", (int)ending, name, number, name + ending);
}

const char *offer_bytes_text(uint64_t bytes, char out[OFFER_BYTES_TEXT])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes / 1000;
    size_t unit = 0;
    if (bytes < 1000) {
        (void)snprintf(out, OFFER_BYTES_TEXT, "%u bytes", (unsigned)bytes);
        return out;
    }
    while (value >= 999.5 && unit < sizeof units / sizeof units[0] - 1) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(out, OFFER_BYTES_TEXT, "%.*f %s", value < 9.95 ? 1 : 0, value, units[unit]);
    return out;
}
