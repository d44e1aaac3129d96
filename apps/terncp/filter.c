/* Patterns as little automata: all places of a pattern where a name may stand, moved on one character
 * at a time. Stars cost no backtracking, so that a hostile pattern costs no more than its length.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { CHARACTER, ANY, STAR, STARS, CLASS };

struct token {
    enum kind kind;
    uint32_t value;                 /* CHARACTER */
    const unsigned char *from, *to; /* CLASS: what stands between the brackets */
};

struct rule {
    bool is_include;
    bool is_anchored, only_folders, with_below,
        is_whole;  /* is_whole: compared with all of a name */
    char *pattern; /* as it was given */
    struct token *tokens;
    size_t token_count;
};

struct filter {
    struct rule *rules;
    size_t count, capacity, text;
};

struct filter *filter_new(void)
{
    return calloc(1, sizeof(struct filter));
}

void filter_free(struct filter *filter)
{
    if (filter == NULL) {
        return;
    }
    for (size_t i = 0; i < filter->count; i++) {
        free(filter->rules[i].pattern);
        free(filter->rules[i].tokens);
    }
    free(filter->rules);
    free(filter);
}

/* One character, and how many bytes it has. A byte that is no UTF-8 counts as one of its own, outside
 * of what Unicode has. */
static size_t take_character(const unsigned char *p, size_t left, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80   ? 1
                 : p[0] < 0xc2 ? 0
                 : p[0] < 0xe0 ? 2
                 : p[0] < 0xf0 ? 3
                 : p[0] < 0xf5 ? 4
                               : 0;
    if (len == 1) {
        *out = p[0];
        return 1;
    }
    uint32_t value = len == 0 ? 0 : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (i >= left || (p[i] & 0xc0) != 0x80) {
            len = 0;
            break;
        }
        value = value << 6 | (p[i] & 0x3fu);
    }
    if (len == 0 || value < least[len]) {
        *out = 0x110000u + p[0];
        return 1;
    }
    *out = value;
    return len;
}

/* --- rules ------------------------------------------------------------------------------------------- */

/* The bracket that closes a class, or NULL. One right behind the opening is a member. */
static const unsigned char *end_of_class(const unsigned char *p, const unsigned char *end)
{
    p += p < end && (*p == '!' || *p == '^') ? 1 : 0;
    p += p < end && *p == ']' ? 1 : 0;
    while (p < end && *p != ']') {
        const unsigned char *close = p + 1 < end && p[0] == '[' && p[1] == ':'
                                         ? memmem(p, (size_t)(end - p), ":]", 2)
                                         : NULL;
        p += close != NULL ? (size_t)(close - p) + 2 : *p == '\\' && p + 1 < end ? 2 : 1;
    }
    return p < end ? p : NULL;
}

static enum filter_error compile(struct rule *rule, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + len;
    rule->tokens = calloc(len, sizeof *rule->tokens);
    if (rule->tokens == NULL) {
        return FILTER_MEMORY;
    }
    while (p < end) {
        struct token *token = &rule->tokens[rule->token_count++];
        if (*p == '*') {
            token->kind = p + 1 < end && p[1] == '*' ? STARS : STAR;
            while (p < end && *p == '*') {
                p++;
            }
        } else if (*p == '?') {
            token->kind = ANY;
            p++;
        } else if (*p == '[') {
            token->kind = CLASS;
            token->from = p + 1;
            token->to = end_of_class(p + 1, end);
            if (token->to == NULL) {
                return FILTER_BRACKET;
            }
            p = token->to + 1;
        } else {
            p += *p == '\\' && p + 1 < end ? 1 : 0;
            token->kind = CHARACTER;
            p += take_character(p, (size_t)(end - p), &token->value);
        }
    }
    return FILTER_OK;
}

static enum filter_error make_rule(struct rule *rule, bool is_include)
{
    const char *text = rule->pattern;
    rule->is_include = is_include;
    size_t len = strlen(text);
    if (len > 4 && strcmp(text + len - 4, "/***") == 0) {
        rule->with_below = true;
        len -= 4;
    } else if (len > 1 && text[len - 1] == '/') {
        rule->only_folders = true;
        len--;
    }
    if (len > 0 && text[0] == '/') {
        rule->is_anchored = true;
        text++;
        len--;
    }
    if (len == 0 || strspn(text, "/") >= len) {
        return FILTER_EMPTY;
    }
    enum filter_error error = compile(rule, text, len);
    rule->is_whole = rule->is_anchored || rule->with_below || memchr(text, '/', len) != NULL;
    for (size_t i = 0; i < rule->token_count; i++) {
        rule->is_whole = rule->is_whole || rule->tokens[i].kind == STARS;
    }
    return error;
}

enum filter_error filter_add(struct filter *filter, bool is_include, const char *pattern)
{
    size_t len = strlen(pattern);
    if (len > FILTER_PATTERN_MAX) {
        return FILTER_LONG;
    }
    if (filter->text + len + 1 > FILTER_TEXT_MAX) {
        return FILTER_MANY;
    }
    if (filter->count == filter->capacity) {
        size_t capacity = filter->capacity == 0 ? 8 : filter->capacity * 2;
        struct rule *grown = realloc(filter->rules, capacity * sizeof *grown);
        if (grown == NULL) {
            return FILTER_MEMORY;
        }
        filter->rules = grown;
        filter->capacity = capacity;
    }
    struct rule *rule = &filter->rules[filter->count];
    *rule = (struct rule){.pattern = strdup(pattern)};
    enum filter_error error = rule->pattern == NULL ? FILTER_MEMORY : make_rule(rule, is_include);
    if (error != FILTER_OK) {
        free(rule->pattern);
        free(rule->tokens);
        return error;
    }
    filter->count++;
    filter->text += len + 1;
    return FILTER_OK;
}

enum filter_error filter_add_rule(struct filter *filter, const char *rule)
{
    if ((rule[0] != '+' && rule[0] != '-') || rule[1] != ' ') {
        return FILTER_RULE;
    }
    return filter_add(filter, rule[0] == '+', rule + 2);
}

const char *filter_error_text(enum filter_error error)
{
    static const char *const texts[] = {
        [FILTER_OK] = "fine",
        [FILTER_EMPTY] = "the pattern is empty",
        [FILTER_LONG] = "the pattern is longer than 1024 bytes",
        [FILTER_MANY] = "all patterns together are longer than 64 KiB",
        [FILTER_BRACKET] = "a \"[\" has no \"]\"",
        [FILTER_RULE] = "a rule begins with \"+ \" or \"- \"",
        [FILTER_MEMORY] = "out of memory",
    };
    return texts[error];
}

static enum filter_error add_line(struct filter *filter, bool is_include, char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        text[--len] = '\0';
    }
    if (strlen(text) != len) {
        return FILTER_EMPTY; /* a NUL inside */
    }
    if (len == 0 || text[0] == '#' || text[0] == ';') {
        return FILTER_OK;
    }
    bool is_rule = (text[0] == '+' || text[0] == '-') && text[1] == ' ';
    return is_rule ? filter_add_rule(filter, text) : filter_add(filter, is_include, text);
}

int filter_add_file(struct filter *filter, bool is_include, const char *path, unsigned *line,
                    enum filter_error *error)
{
    char text[FILTER_PATTERN_MAX + 8];
    FILE *file = fopen(path, "re");
    int rc = file == NULL ? errno : 0;
    *line = 0;
    *error = FILTER_OK;
    while (rc == 0 && *error == FILTER_OK) {
        size_t len = 0;
        int c;
        (*line)++;
        while ((c = getc(file)) != EOF && c != '\n' && len < sizeof text - 1) {
            text[len++] = (char)c;
        }
        text[len] = '\0';
        if (c == EOF && len == 0) {
            rc = ferror(file) ? errno : 0;
            break;
        }
        *error = c != EOF && c != '\n' ? FILTER_LONG : add_line(filter, is_include, text, len);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return rc != 0 ? rc : *error != FILTER_OK ? -1 : 0;
}

/* --- matching ---------------------------------------------------------------------------------------- */

/* "[:digit:]" and the like, of ASCII; true with *is_in set when there stands one. */
static bool take_named(const unsigned char **at, const unsigned char *end, uint32_t c, bool *is_in)
{
    static const struct {
        const char *name;
        int (*has)(int);
    } named[] = {{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
                 {"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
                 {"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit}};
    if (end - *at < 4 || (*at)[0] != '[' || (*at)[1] != ':') {
        return false;
    }
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        size_t len = strlen(named[i].name);
        if ((size_t)(end - *at) >= len + 4 && memcmp(*at + 2, named[i].name, len) == 0 &&
            (*at)[2 + len] == ':' && (*at)[3 + len] == ']') {
            *is_in = *is_in || (c < 0x80 && named[i].has((int)c) != 0);
            *at += len + 4;
            return true;
        }
    }
    return false;
}

static uint32_t take_member(const unsigned char **at, const unsigned char *end)
{
    uint32_t value;
    *at += **at == '\\' && *at + 1 < end ? 1 : 0;
    *at += take_character(*at, (size_t)(end - *at), &value);
    return value;
}

static bool is_in_class(const struct token *token, uint32_t c)
{
    const unsigned char *at = token->from, *end = token->to;
    bool is_negated = at < end && (*at == '!' || *at == '^');
    bool is_in = false;
    at += is_negated ? 1 : 0;
    while (at < end) {
        if (take_named(&at, end, c, &is_in)) {
            continue;
        }
        uint32_t low = take_member(&at, end), high = low;
        if (end - at >= 2 && at[0] == '-') {
            at++;
            high = take_member(&at, end);
        }
        is_in = is_in || (c >= low && c <= high);
    }
    return is_in != is_negated;
}

/* The places where the pattern may be after one more character; true when there is any. */
static bool step(const struct rule *rule, uint32_t c, const bool *now, bool *next)
{
    bool is_any = false;
    memset(next, 0, rule->token_count + 1);
    for (size_t i = 0; i < rule->token_count; i++) {
        const struct token *token = &rule->tokens[i];
        if (!now[i]) {
            continue;
        }
        bool fits = token->kind == CHARACTER ? c == token->value
                    : token->kind == STARS   ? true
                    : token->kind == CLASS   ? c != '/' && is_in_class(token, c)
                                             : c != '/';
        if (fits) {
            next[token->kind == STAR || token->kind == STARS ? i : i + 1] = true;
            is_any = true;
        }
    }
    return is_any;
}

/* Stars may match nothing. */
static void pass_stars(const struct rule *rule, bool *places)
{
    for (size_t i = 0; i < rule->token_count; i++) {
        if (places[i] && (rule->tokens[i].kind == STAR || rule->tokens[i].kind == STARS)) {
            places[i + 1] = true;
        }
    }
}

static bool fits(const struct rule *rule, const char *name)
{
    bool places[2][FILTER_PATTERN_MAX + 1];
    const unsigned char *p = (const unsigned char *)name;
    const char *slash = rule->is_whole ? NULL : strrchr(name, '/');
    p = slash == NULL ? p : (const unsigned char *)slash + 1;
    size_t left = strlen((const char *)p);
    unsigned at = 0;
    memset(places[0], 0, rule->token_count + 1);
    places[0][0] = true;
    pass_stars(rule, places[0]);
    while (left > 0) {
        uint32_t c;
        size_t n = take_character(p, left, &c);
        if (rule->with_below && c == '/' && places[at][rule->token_count]) {
            return true;
        }
        bool is_any = step(rule, c, places[at], places[1 - at]);
        at = 1 - at;
        if (c == '/' && rule->is_whole && !rule->is_anchored) { /* it may begin at any component */
            places[at][0] = is_any = true;
        }
        if (!is_any && (rule->is_anchored || !rule->is_whole)) {
            return false;
        }
        pass_stars(rule, places[at]);
        p += n;
        left -= n;
    }
    return places[at][rule->token_count];
}

bool filter_leaves_out(const struct filter *filter, const char *name, bool is_folder)
{
    for (size_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct rule *rule = &filter->rules[i];
        if ((is_folder || !rule->only_folders) && fits(rule, name)) {
            return !rule->is_include;
        }
    }
    return false;
}

size_t filter_count(const struct filter *filter)
{
    return filter == NULL ? 0 : filter->count;
}

size_t filter_rule(const struct filter *filter, size_t i, char *buf, size_t size)
{
    const struct rule *rule = &filter->rules[i];
    int n = snprintf(buf, size, "%c %s", rule->is_include ? '+' : '-', rule->pattern);
    return n < 0 ? 0 : (size_t)n;
}
