/* Headers are put together and decoded; what stands between them is counted.
 * SPDX-License-Identifier: MIT */
#include "terncp/passing.h"

#include <string.h>

#include "terncp/tree.h"

/* A whole header: is it a name that was asked for, and how far is it to the next? */
static const char *look_at(struct passing *p, const struct proto_entry *entry)
{
    bool is_recursive = (p->flags & PROTO_FLAG_RECURSIVE) != 0;
    if (!tree_is_safe(entry->name) || !tree_is_under(entry->name, p->only, is_recursive)) {
        return "it sends a name that was not asked for";
    }
    if (p->is_file) {
        p->is_over = true;
        return NULL;
    }
    if (entry->type == PROTO_VOID && p->given_up != NULL) {
        p->given_up(p->user, entry->name, entry->mode);
    }
    int64_t size = proto_packed_size(entry, p->flags);
    p->skip = size < 0 ? 0 : (uint64_t)size;
    return size < 0 ? "it sends a malformed entry" : NULL;
}

const char *passing_look(struct passing *p, const uint8_t *data, size_t len,
                         char name[PROTO_PATH_MAX + 1])
{
    while (len > 0 && !p->is_over) {
        if (p->skip > 0) {
            size_t n = len < p->skip ? len : (size_t)p->skip;
            p->skip -= n;
            data += n;
            len -= n;
            continue;
        }
        struct proto_entry entry;
        size_t before = p->used, n = sizeof p->header - before;
        n = len < n ? len : n;
        memcpy(p->header + before, data, n);
        p->used += n;
        int used = proto_entry_decode(&entry, p->header, p->used);
        if (used == 0 && p->used < sizeof p->header) {
            return NULL;
        }
        if (used <= 0) {
            return "it sends a malformed entry";
        }
        p->used = 0;
        data += (size_t)used - before;
        len -= (size_t)used - before;
        const char *why = look_at(p, &entry);
        if (why != NULL) {
            return why;
        }
        memcpy(name, entry.name, strlen(entry.name) + 1);
    }
    return NULL;
}
