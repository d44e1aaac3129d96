/* Whose turn it is to send: eight strict urgencies, inside each by id or by turns (RFC 9218).
 * SPDX-License-Identifier: MIT */
#include "stream/sched.h"

static struct tern_sched_entry *entry_of(struct tern_list *link)
{
    return TERN_CONTAINER_OF(link, struct tern_sched_entry, link);
}

void tern_sched_init(struct tern_sched *sched)
{
    for (size_t i = 0; i < TERN_SCHED_URGENCIES; i++) {
        tern_list_init(&sched->levels[i].ordered);
        tern_list_init(&sched->levels[i].turns);
        sched->levels[i].turns_next = false;
    }
    sched->used = 0;
}

void tern_sched_entry_init(struct tern_sched_entry *entry, uint64_t id)
{
    tern_list_init(&entry->link);
    entry->id = id;
    entry->urgency = TERN_SCHED_URGENCY_DEFAULT;
    entry->incremental = false;
}

bool tern_sched_is_queued(const struct tern_sched_entry *entry)
{
    return tern_list_is_linked(&entry->link);
}

/* From the back, since streams mostly come in the order of their ids. */
static void push_ordered(struct tern_list *head, struct tern_sched_entry *entry)
{
    struct tern_list *at = head->prev;
    while (at != head && entry_of(at)->id > entry->id) {
        at = at->prev;
    }
    tern_list_push_front(at, &entry->link);
}

void tern_sched_push(struct tern_sched *sched, struct tern_sched_entry *entry)
{
    if (tern_sched_is_queued(entry)) {
        return;
    }
    struct tern_sched_level *level = &sched->levels[entry->urgency];
    if (entry->incremental) {
        tern_list_push_back(&level->turns, &entry->link);
    } else {
        push_ordered(&level->ordered, entry);
    }
    sched->used |= 1u << entry->urgency;
}

void tern_sched_drop(struct tern_sched *sched, struct tern_sched_entry *entry)
{
    if (!tern_sched_is_queued(entry)) {
        return;
    }
    struct tern_sched_level *level = &sched->levels[entry->urgency];
    tern_list_drop(&entry->link);
    if (tern_list_is_empty(&level->ordered) && tern_list_is_empty(&level->turns)) {
        sched->used &= ~(1u << entry->urgency);
    }
}

struct tern_sched_entry *tern_sched_top(const struct tern_sched *sched)
{
    if (sched->used == 0) {
        return NULL;
    }
    size_t urgency = 0;
    while ((sched->used >> urgency & 1) == 0) {
        urgency++;
    }
    const struct tern_sched_level *level = &sched->levels[urgency];
    bool by_turns = !tern_list_is_empty(&level->turns) &&
                    (level->turns_next || tern_list_is_empty(&level->ordered));
    return entry_of(by_turns ? level->turns.next : level->ordered.next);
}

void tern_sched_turn(struct tern_sched *sched, struct tern_sched_entry *entry)
{
    struct tern_sched_level *level = &sched->levels[entry->urgency];
    if (!tern_sched_is_queued(entry)) {
        return;
    }
    if (entry->incremental) {
        tern_list_drop(&entry->link);
        tern_list_push_back(&level->turns, &entry->link);
    }
    level->turns_next = !entry->incremental;
}

bool tern_sched_keeps_turn(const struct tern_sched *sched, const struct tern_sched_entry *top)
{
    const struct tern_sched_level *level = &sched->levels[top->urgency];
    if (!top->incremental) {
        return tern_list_is_empty(&level->turns);
    }
    return tern_list_is_empty(&level->ordered) && level->turns.next->next == &level->turns;
}

void tern_sched_set(struct tern_sched *sched, struct tern_sched_entry *entry, unsigned urgency,
                    bool incremental)
{
    bool was_queued = tern_sched_is_queued(entry);
    tern_sched_drop(sched, entry);
    entry->urgency = (uint8_t)urgency;
    entry->incremental = incremental;
    if (was_queued) {
        tern_sched_push(sched, entry);
    }
}
