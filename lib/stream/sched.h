/* Whose turn it is to send: eight strict urgencies, inside each by id or by turns (RFC 9218).
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_SCHED_H
#define TERN_STREAM_SCHED_H

#include "base/list.h"

#define TERN_SCHED_URGENCIES       8
#define TERN_SCHED_URGENCY_DEFAULT 3

struct tern_sched_entry {
    struct tern_list link;
    uint64_t id;
    uint8_t urgency;
    bool incremental;
};

/* One urgency. `ordered` runs in the order of ids; `turns` goes round. Where both have members,
 * the head of `ordered` and the round alternate, so that neither starves. */
struct tern_sched_level {
    struct tern_list ordered, turns;
    bool turns_next;
};

struct tern_sched {
    unsigned used; /* bit u: level u has members */
    struct tern_sched_level levels[TERN_SCHED_URGENCIES];
};

void tern_sched_init(struct tern_sched *sched);
void tern_sched_entry_init(struct tern_sched_entry *entry, uint64_t id);
bool tern_sched_is_queued(const struct tern_sched_entry *entry);
void tern_sched_push(struct tern_sched *sched, struct tern_sched_entry *entry); /* idempotent */
void tern_sched_drop(struct tern_sched *sched, struct tern_sched_entry *entry); /* idempotent */
struct tern_sched_entry *tern_sched_top(const struct tern_sched *sched); /* NULL when empty */

/* The entry has sent a packet's worth: the next one's turn. */
void tern_sched_turn(struct tern_sched *sched, struct tern_sched_entry *entry);

/* The top entry would be so again after its turn: no other has a share in it. */
bool tern_sched_keeps_turn(const struct tern_sched *sched, const struct tern_sched_entry *top);

/* Also while it is queued. */
void tern_sched_set(struct tern_sched *sched, struct tern_sched_entry *entry, unsigned urgency,
                    bool incremental);

#endif
