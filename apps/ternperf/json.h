/* JSON as far as reading a trace needs it: values are found where they lie, nothing is copied or allocated.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_JSON_H
#define TERNPERF_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* A value, with what surrounds it in quotes or brackets; len 0: there is none. */
struct json {
    const char *at;
    size_t len;
};

/* The first value in the text, which may have anything behind it. False: it is malformed. */
bool json_first(struct json *out, const char *text, size_t len);

/* A member of an object. False: it is no object, or has no such member. */
bool json_find(const struct json *object, const char *key, struct json *out);

/* The members of an object, or the items of an array, one after the other: begin with *next = 0. `key` may be
 * NULL, and is without its quotes. */
bool json_next(const struct json *all, size_t *next, struct json *key, struct json *value);

/* A string without its quotes, escapes left as they are; anything else as it stands. */
struct json json_bare(const struct json *value);

double json_number(const struct json *value); /* 0 for what is none */
bool json_is(const struct json *value, const char *text);

#endif
