/* Which names of a tree are copied: rules of --exclude and --include, the first that fits decides.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_FILTER_H
#define TERNCP_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#define FILTER_PATTERN_MAX 1024         /* bytes of one pattern */
#define FILTER_TEXT_MAX    (64u * 1024) /* bytes of all of them: a peer may have written them */

struct filter;

enum filter_error {
    FILTER_OK = 0,
    FILTER_EMPTY,   /* no pattern, or nothing but slashes */
    FILTER_LONG,    /* one pattern is too long */
    FILTER_MANY,    /* all of them are */
    FILTER_BRACKET, /* "[" without "]" */
    FILTER_RULE,    /* filter_add_rule: neither "+ PATTERN" nor "- PATTERN" */
    FILTER_MEMORY
};

struct filter *filter_new(void); /* NULL: no memory */
void filter_free(struct filter *filter);

/* Adds a rule behind the others. Patterns are those of rsync: `*` and `?` match no slash, `**` any
 * bytes, `[a-z]`, `[!a-z]` and `[[:digit:]]` one character; a backslash takes the next one as it is.
 * A slash in front anchors at the top of what is copied, one at the end fits folders only, "/" and
 * three stars at the end fit a folder and all in it. A pattern with a slash inside, or with `**`, is
 * compared with the end of the whole name, others with its last component. */
enum filter_error filter_add(struct filter *filter, bool is_include, const char *pattern);
/* "+ PATTERN" or "- PATTERN", as rules are told to a peer and may stand in files. */
enum filter_error filter_add_rule(struct filter *filter, const char *rule);
const char *filter_error_text(enum filter_error error);

/* Rules from a file, one a line; empty lines and those that begin with "#" or ";" are none; "+ " or
 * "- " in front of a pattern decides against is_include. 0, an errno, or -1 with *line and *error. */
int filter_add_file(struct filter *filter, bool is_include, const char *path, unsigned *line,
                    enum filter_error *error);

/* `name` is relative to the top of what is copied. A NULL filter leaves nothing out. */
bool filter_leaves_out(const struct filter *filter, const char *name, bool is_folder);

size_t filter_count(const struct filter *filter); /* NULL: 0 */
/* The rule as filter_add_rule() reads it; cut to size. Returns its whole length. */
size_t filter_rule(const struct filter *filter, size_t i, char *buf, size_t size);

#endif
