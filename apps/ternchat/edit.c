/* The cursor moves by characters with their marks, as people see them.
 * SPDX-License-Identifier: MIT */
#include "ternchat/edit.h"

#include <stdlib.h>
#include <string.h>

#include "ternchat/text.h"

void edit_init(struct edit *e)
{
    memset(e, 0, sizeof *e);
}

void edit_clear(struct edit *e)
{
    for (size_t i = 0; i < EDIT_HISTORY; i++) {
        free(e->past[i]);
    }
    free(e->unsent);
    edit_init(e);
}

static void put(struct edit *e, size_t from, size_t to, const char *text, size_t len)
{
    memmove(e->text + from + len, e->text + to, e->len - to);
    memcpy(e->text + from, text, len);
    e->len = e->len - (to - from) + len;
    e->text[e->len] = '\0';
    e->at = from + len;
}

bool edit_replace(struct edit *e, size_t from, size_t to, const char *text)
{
    size_t len = strlen(text);
    if (e->len - (to - from) + len > EDIT_MAX) {
        return false;
    }
    put(e, from, to, text, len);
    return true;
}

/* A mark joins the character before the cursor, so the part of the line before it is cleaned together with
 * what comes. */
bool edit_insert(struct edit *e, const char *text, size_t len)
{
    static char joined[2 * EDIT_MAX + 1], clean[TEXT_CLEAN(2 * EDIT_MAX)];
    size_t behind = e->len - e->at;
    if (len > EDIT_MAX) {
        return false;
    }
    memcpy(joined, e->text, e->at);
    memcpy(joined + e->at, text, len);
    size_t n = text_clean(joined, e->at + len, true, clean, sizeof clean);
    if (n + behind > EDIT_MAX || (n == e->at && memcmp(clean, e->text, n) == 0)) {
        return false;
    }
    put(e, 0, e->at, clean, n);
    return true;
}

bool edit_insert_code(struct edit *e, uint32_t code)
{
    char text[4] = "";
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char front[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 0; code >>= 6) {
        text[i] = (char)(i > 0 ? 0x80 | (code & 0x3f) : front[len] | code);
    }
    return edit_insert(e, text, len);
}

void edit_set(struct edit *e, const char *text)
{
    size_t len = strlen(text);
    put(e, 0, e->len, text, len < EDIT_MAX ? len : EDIT_MAX);
}

static size_t before(const struct edit *e, size_t at)
{
    size_t last = 0;
    unsigned columns;
    for (size_t i = 0; i < at; i += text_next(e->text + i, e->len - i, &columns)) {
        last = i;
    }
    return last;
}

static size_t behind(const struct edit *e, size_t at)
{
    unsigned columns;
    return at == e->len ? at : at + text_next(e->text + at, e->len - at, &columns);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n';
}

/* Blanks are ASCII, so going by bytes never ends inside of a character. */
static size_t word_before(const struct edit *e)
{
    size_t at = e->at;
    while (at > 0 && is_blank(e->text[at - 1])) {
        at--;
    }
    while (at > 0 && !is_blank(e->text[at - 1])) {
        at--;
    }
    return at;
}

static size_t word_behind(const struct edit *e)
{
    size_t at = e->at;
    while (at < e->len && is_blank(e->text[at])) {
        at++;
    }
    while (at < e->len && !is_blank(e->text[at])) {
        at++;
    }
    return at;
}

static bool move(struct edit *e, size_t at)
{
    bool is_new = at != e->at;
    e->at = at;
    return is_new;
}

static bool erase(struct edit *e, size_t from, size_t to)
{
    if (from == to) {
        return false;
    }
    put(e, from, to, "", 0);
    return true;
}

static bool cut(struct edit *e, size_t from, size_t to)
{
    if (from == to) {
        return false;
    }
    memcpy(e->cut, e->text + from, to - from);
    e->cut[to - from] = '\0';
    return erase(e, from, to);
}

static bool swap(struct edit *e)
{
    size_t at = e->at == e->len ? before(e, e->at) : e->at;
    size_t first = before(e, at), end = behind(e, at);
    char kept[2 * TEXT_CHARACTER];
    if (at == 0 || end == at || end - first > sizeof kept) {
        return false;
    }
    memcpy(kept, e->text + at, end - at);
    memcpy(kept + (end - at), e->text + first, at - first);
    memcpy(e->text + first, kept, end - first);
    e->at = end;
    return true;
}

static char *copy(const char *text, size_t len)
{
    char *c = malloc(len + 1);
    if (c != NULL) {
        memcpy(c, text, len);
        c[len] = '\0';
    }
    return c;
}

static bool go_back(struct edit *e, size_t back)
{
    size_t kept = e->past_count < EDIT_HISTORY ? e->past_count : EDIT_HISTORY;
    if (back > kept || back == e->back) {
        return false;
    }
    if (e->back == 0) {
        free(e->unsent);
        e->unsent = copy(e->text, e->len);
    }
    e->back = back;
    const char *text = back == 0 ? e->unsent : e->past[(e->past_count - back) % EDIT_HISTORY];
    edit_set(e, text == NULL ? "" : text);
    return true;
}

bool edit_do(struct edit *e, enum edit_act act)
{
    switch (act) {
    case EDIT_LEFT:
        return move(e, before(e, e->at));
    case EDIT_RIGHT:
        return move(e, behind(e, e->at));
    case EDIT_WORD_LEFT:
        return move(e, word_before(e));
    case EDIT_WORD_RIGHT:
        return move(e, word_behind(e));
    case EDIT_HOME:
        return move(e, 0);
    case EDIT_END:
        return move(e, e->len);
    case EDIT_RUB:
        return erase(e, before(e, e->at), e->at);
    case EDIT_DELETE:
        return erase(e, e->at, behind(e, e->at));
    case EDIT_CUT_WORD:
        return cut(e, word_before(e), e->at);
    case EDIT_CUT_NEXT:
        return cut(e, e->at, word_behind(e));
    case EDIT_CUT_BEFORE:
        return cut(e, 0, e->at);
    case EDIT_CUT_BEHIND:
        return cut(e, e->at, e->len);
    case EDIT_PASTE:
        return edit_insert(e, e->cut, strlen(e->cut));
    case EDIT_SWAP:
        return swap(e);
    case EDIT_OLDER:
        return go_back(e, e->back + 1);
    case EDIT_NEWER:
        return e->back > 0 && go_back(e, e->back - 1);
    }
    return false;
}

bool edit_control(struct edit *e, uint32_t letter)
{
    static const char letters[] = "abefdkuwtypn";
    static const enum edit_act acts[] = {
        EDIT_HOME,       EDIT_LEFT,     EDIT_END,  EDIT_RIGHT, EDIT_DELETE, EDIT_CUT_BEHIND,
        EDIT_CUT_BEFORE, EDIT_CUT_WORD, EDIT_SWAP, EDIT_PASTE, EDIT_OLDER,  EDIT_NEWER};
    const char *found = letter == 0 ? NULL : strchr(letters, (int)letter);
    return found != NULL && edit_do(e, acts[found - letters]);
}

static bool is_as_before(const struct edit *e)
{
    const char *last = e->past_count == 0 ? NULL : e->past[(e->past_count - 1) % EDIT_HISTORY];
    return last != NULL && strcmp(last, e->text) == 0;
}

void edit_taken(struct edit *e)
{
    char *line = e->len == 0 || is_as_before(e) ? NULL : copy(e->text, e->len);
    if (line != NULL) {
        char **place = &e->past[e->past_count++ % EDIT_HISTORY];
        free(*place);
        *place = line;
    }
    e->back = 0;
    put(e, 0, e->len, "", 0);
}
