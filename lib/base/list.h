/* An intrusive doubly linked list. A node that is in no list points to itself.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_LIST_H
#define TERN_BASE_LIST_H

#include "base/def.h"

struct tern_list {
    struct tern_list *next, *prev;
};

static inline void tern_list_init(struct tern_list *node)
{
    node->next = node->prev = node;
}

static inline bool tern_list_is_empty(const struct tern_list *head)
{
    return head->next == head;
}

/* For a node: is it in some list? */
static inline bool tern_list_is_linked(const struct tern_list *node)
{
    return node->next != node;
}

static inline void tern_list_push_back(struct tern_list *head, struct tern_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void tern_list_push_front(struct tern_list *head, struct tern_list *node)
{
    tern_list_push_back(head->next, node);
}

static inline void tern_list_drop(struct tern_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    tern_list_init(node);
}

/* The one list iterator; the body may drop the current node. */
#define TERN_LIST_EACH(node, following, head)                                                      \
    for ((node) = (head)->next, (following) = (node)->next; (node) != (head);                      \
         (node) = (following), (following) = (node)->next)

#endif
