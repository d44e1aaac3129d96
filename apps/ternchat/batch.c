/* One statement behind the other: which, a pointer to its types, and its values. Keys are among them, so that nothing
 * of it is left behind.
 * SPDX-License-Identifier: MIT */
#include "ternchat/batch.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 4096
#define KEY_SIZE 32

struct front {
    const char *types;
    unsigned which;
};

/* --- writing ------------------------------------------------------------------------------------------ */

static bool make_room(struct batch *b, size_t len)
{
    size_t room = b->room == 0 ? ROOM_MIN : b->room;
    while (room - b->len < len) {
        room *= 2;
    }
    if (room == b->room) {
        return true;
    }
    uint8_t *data = malloc(room); /* realloc would leave keys where they were */
    if (data == NULL) {
        return false;
    }
    if (b->len > 0) {
        memcpy(data, b->data, b->len);
        sodium_memzero(b->data, b->len);
    }
    free(b->data);
    b->data = data;
    b->room = room;
    return true;
}

static bool put(struct batch *b, const void *data, size_t len)
{
    if (!make_room(b, len)) {
        return false;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return true;
}

static bool put_bytes(struct batch *b, const void *data, size_t len)
{
    return put(b, &len, sizeof len) && (len == 0 || put(b, data, len));
}

bool batch_add(struct batch *b, unsigned which, const char *types, ...)
{
    size_t before = b->len;
    struct front front = {.types = types, .which = which};
    va_list values;
    va_start(values, types);
    bool is_whole = put(b, &front, sizeof front);
    for (; *types != '\0' && is_whole; types++) {
        if (*types == 'i') {
            int64_t value = va_arg(values, int64_t);
            is_whole = put(b, &value, sizeof value);
        } else if (*types == 't') {
            const char *text = va_arg(values, const char *);
            is_whole = put_bytes(b, text, strlen(text));
        } else if (*types == 'k') {
            is_whole = put_bytes(b, va_arg(values, const uint8_t *), KEY_SIZE);
        } else if (*types == 'b') {
            const uint8_t *data = va_arg(values, const uint8_t *);
            is_whole = put_bytes(b, data, va_arg(values, size_t));
        }
    }
    va_end(values);
    b->len = is_whole ? b->len : before;
    return is_whole;
}

static void empty(struct batch *b)
{
    if (b->len > 0) {
        sodium_memzero(b->data, b->len);
    }
    b->len = 0;
}

bool batch_move(struct batch *from, struct batch *to)
{
    bool is_moved = from->len == 0 || put(to, from->data, from->len);
    if (is_moved) {
        empty(from);
    }
    return is_moved;
}

void batch_free(struct batch *b)
{
    empty(b);
    free(b->data);
    b->data = NULL;
    b->room = 0;
}

/* --- running ------------------------------------------------------------------------------------------ */

static const uint8_t *take(const uint8_t *at, void *out, size_t len)
{
    memcpy(out, at, len);
    return at + len;
}

/* Behind its values; they stay where they are until it was run. */
static const uint8_t *bind(struct db *db, sqlite3_stmt *statement, const char *types,
                           const uint8_t *at)
{
    for (int i = 1; *types != '\0'; types++, i++) {
        int64_t value = 0;
        size_t len = 0;
        if (*types == 'r') {
            (void)sqlite3_bind_int64(statement, i, sqlite3_last_insert_rowid(db->handle));
        } else if (*types == 'i') {
            at = take(at, &value, sizeof value);
            (void)sqlite3_bind_int64(statement, i, value);
        } else {
            at = take(at, &len, sizeof len);
            (void)(*types == 't'
                       ? sqlite3_bind_text(statement, i, (const char *)at, (int)len, SQLITE_STATIC)
                       : sqlite3_bind_blob(statement, i, at, (int)len, SQLITE_STATIC));
            at += len;
        }
    }
    return at;
}

int batch_run(struct batch *b, struct db *db)
{
    int rc = 1;
    const uint8_t *at = b->data;
    while (rc > 0 && (size_t)(at - b->data) < b->len) {
        struct front front;
        at = take(at, &front, sizeof front);
        sqlite3_stmt *statement = db_ask(db, front.which, "");
        if (statement != NULL) {
            at = bind(db, statement, front.types, at);
        }
        rc = db_run(db, statement);
    }
    empty(b);
    return rc;
}
