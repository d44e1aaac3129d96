/* Asking before sending: -u, --checksum and dry runs. Entries go first without contents; what the receiver
 * wants of them follows under the same index.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "terncp/push_parts.h"

bool push_asks_about(const struct push *push, const struct item *item)
{
    uint64_t flags = push->request.flags;
    return item->type != PROTO_VOID &&
           ((flags & PROTO_FLAG_DRY_RUN) != 0 ||
            (item->type == PROTO_FILE && (flags & PROTO_FLAGS_ASK) != 0));
}

void push_ask_wait(struct push *push, struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) { /* these were sent, or never will be */
        struct item *item = &batch->items[i];
        if (!item->is_asked) {
            item->type = PROTO_VOID;
            item->is_named = false;
        }
    }
    batch_reset(batch);
    batch->next = push->asked;
    push->asked = batch;
    push->asked_count++;
}

void push_ask_free(struct push *push)
{
    while (push->asked != NULL) {
        struct batch *batch = push->asked;
        push->asked = batch->next;
        batch_free(batch);
    }
}

static void drop(struct item *item)
{
    batch_close_item(item);
    item->type = PROTO_VOID;
    item->is_large = false;
    item->mode = 0;
}

static void take_answer(struct push *push, struct batch *batch, struct item *item, bool is_wanted)
{
    const char *name = batch_name(batch, item);
    bool is_dry = (push->request.flags & PROTO_FLAG_DRY_RUN) != 0;
    item->is_asked = false;
    batch->unanswered--;
    if (!is_wanted || is_dry) {
        push->request.left(push->request.user, name,
                           is_wanted ? PROTO_IS_WANTED : PROTO_IS_CURRENT);
        drop(item);
    }
}

/* All of a batch is answered: what is wanted goes the way of any entry. */
static void send_wanted(struct push *push, struct batch *batch)
{
    unsigned small = 0;
    batch->small = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        if (item->type == PROTO_VOID) {
            continue;
        }
        if (!item->is_large) {
            push->counts.files++;
            push->counts.total += item->size;
            batch->small += item->size + item->attrs_len;
            small++;
        } else if (!push_file_add(push, batch, item)) { /* it has an index, and cannot come */
            tern_conn_close(push->conn, 1, "out of memory");
        }
    }
    push_pack(push, batch, small);
}

void push_on_answer(struct push *push, const struct proto_message *message)
{
    bool is_wanted = message->type == PROTO_WANT;
    for (struct batch **link = &push->asked, *batch; (batch = *link) != NULL;) {
        for (unsigned i = 0; i < batch->count; i++) {
            struct item *item = &batch->items[i];
            for (unsigned r = 0; r < message->range_count && item->is_asked; r++) {
                if (item->index - message->ranges[r].first < message->ranges[r].count) {
                    take_answer(push, batch, item, is_wanted);
                }
            }
        }
        if (batch->unanswered > 0) {
            link = &batch->next;
            continue;
        }
        *link = batch->next;
        push->asked_count--;
        send_wanted(push, batch);
    }
    push_pump(push);
}
