/* One pass over the text, and never past its end.
 * SPDX-License-Identifier: MIT */
#include "ternperf/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

/* --- lengths: 0 when what begins there is malformed ---------------------------------------------------- */

static size_t blanks(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && (text[n] == ' ' || text[n] == '\t' || text[n] == '\n' || text[n] == '\r')) {
        n++;
    }
    return n;
}

static size_t string_len(const char *text, size_t len)
{
    for (size_t n = 1; n < len; n++) {
        if (text[n] == '\\') {
            n++;
        } else if (text[n] == '"') {
            return n + 1;
        }
    }
    return 0;
}

/* Numbers and words: what viewers would refuse in them does no harm here. */
static bool is_of_word(char c)
{
    return c == '+' || c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static size_t word_len(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && is_of_word(text[n])) {
        n++;
    }
    return n;
}

/* Of brackets the matching one ends it: which values stand between them is seen when they are read. */
static size_t group_len(const char *text, size_t len)
{
    char open[DEPTH_MAX];
    size_t depth = 0, n = 0;
    while (n < len) {
        char c = text[n];
        if (c == '"') {
            size_t skipped = string_len(text + n, len - n);
            if (skipped == 0) {
                return 0;
            }
            n += skipped;
            continue;
        }
        if (c == '{' || c == '[') {
            if (depth == DEPTH_MAX) {
                return 0;
            }
            open[depth++] = c;
        } else if (c == '}' || c == ']') {
            if (open[--depth] != (c == '}' ? '{' : '[')) {
                return 0;
            }
            if (depth == 0) {
                return n + 1;
            }
        }
        n++;
    }
    return 0;
}

bool json_first(struct json *out, const char *text, size_t len)
{
    size_t before = blanks(text, len);
    text += before;
    len -= before;
    size_t n = 0;
    if (len > 0) {
        n = *text == '"'                   ? string_len(text, len)
            : *text == '{' || *text == '[' ? group_len(text, len)
                                           : word_len(text, len);
    }
    *out = (struct json){.at = text, .len = n};
    return n > 0;
}

/* --- members ------------------------------------------------------------------------------------------- */

/* Behind blanks and one of the character. False: it is not there. */
static bool pass(const struct json *all, size_t *at, char wanted)
{
    *at += blanks(all->at + *at, all->len - *at);
    if (*at >= all->len || all->at[*at] != wanted) {
        return false;
    }
    (*at)++;
    return true;
}

bool json_next(const struct json *all, size_t *next, struct json *key, struct json *value)
{
    size_t at = *next;
    struct json name = {.at = "", .len = 0};
    if (all->len < 2 || (*all->at != '{' && *all->at != '[')) {
        return false;
    }
    if (at == 0) {
        at = 1;
    } else if (!pass(all, &at, ',')) {
        return false;
    }
    if (*all->at == '{') {
        if (!json_first(&name, all->at + at, all->len - at) || *name.at != '"') {
            return false;
        }
        at = (size_t)(name.at - all->at) + name.len;
        if (!pass(all, &at, ':')) {
            return false;
        }
        name = json_bare(&name);
    }
    if (!json_first(value, all->at + at, all->len - at)) {
        return false;
    }
    *next = (size_t)(value->at - all->at) + value->len;
    if (key != NULL) {
        *key = name;
    }
    return true;
}

bool json_find(const struct json *object, const char *key, struct json *out)
{
    struct json name, value;
    size_t next = 0;
    while (object->len > 0 && *object->at == '{' && json_next(object, &next, &name, &value)) {
        if (json_is(&name, key)) {
            *out = value;
            return true;
        }
    }
    *out = (struct json){.at = "", .len = 0};
    return false;
}

struct json json_bare(const struct json *value)
{
    bool is_string = value->len >= 2 && *value->at == '"';
    return (struct json){.at = value->at + (is_string ? 1 : 0),
                         .len = value->len - (is_string ? 2 : 0)};
}

double json_number(const struct json *value)
{
    char text[40];
    struct json bare = json_bare(value);
    int n =
        snprintf(text, sizeof text, "%.*s", (int)(bare.len < sizeof text ? bare.len : 0), bare.at);
    return n > 0 ? strtod(text, NULL) : 0;
}

bool json_is(const struct json *value, const char *text)
{
    struct json bare = json_bare(value);
    return bare.len == strlen(text) && memcmp(bare.at, text, bare.len) == 0;
}
