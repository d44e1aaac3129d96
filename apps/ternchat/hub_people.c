/* People: found by their keys, what each may ask for, and how long they are remembered for it.
 * SPDX-License-Identifier: MIT */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "ternchat/hub_parts.h"

#define ASKS     300.0 /* joins and questions at once: a client comes back to its rooms */
#define ASK_RATE 5.0   /* and a second */
#define RESTING  10000 /* who have gone, and whose limits are remembered */

static int compare_keys(const void *a, const void *b)
{
    const struct person *p = a, *q = b;
    return memcmp(p->key, q->key, TERN_KEY_SIZE);
}

struct person *hub_find_person(struct hub *hub, const uint8_t key[TERN_KEY_SIZE])
{
    struct person like;
    memcpy(like.key, key, sizeof like.key);
    void **node = tfind(&like, &hub->by_key, compare_keys);
    return node == NULL ? NULL : *node;
}

struct person *hub_person(struct hub *hub, const uint8_t key[TERN_KEY_SIZE])
{
    struct person *p = hub_find_person(hub, key);
    if (p != NULL || (p = calloc(1, sizeof *p)) == NULL) {
        return p;
    }
    memcpy(p->key, key, TERN_KEY_SIZE);
    if (tsearch(p, &hub->by_key, compare_keys) == NULL) {
        free(p);
        return NULL;
    }
    p->next = hub->persons;
    p->link = &hub->persons;
    if (p->next != NULL) {
        p->next->link = &p->next;
    }
    hub->persons = p;
    return p;
}

void hub_forget(struct hub *hub, struct person *p)
{
    hub_nick_release(hub, p);
    hub->resting_count -= p->is_resting ? 1 : 0;
    (void)tdelete(p, &hub->by_key, compare_keys);
    *p->link = p->next;
    if (p->next != NULL) {
        p->next->link = p->link;
    }
    free(p);
}

bool hub_may(struct hub *hub, struct allowance *a, double burst, double rate)
{
    a->left = a->filled == 0 ? burst : a->left + (double)(hub->now - a->filled) / 1e9 * rate;
    a->left = a->left < burst ? a->left : burst;
    a->filled = hub->now > 0 ? hub->now : 1;
    if (a->left < 1) {
        return false;
    }
    a->left -= 1;
    return true;
}

static bool is_used(const struct hub *hub, const struct allowance *a, double burst, double rate)
{
    return a->filled != 0 && a->left + (double)(hub->now - a->filled) / 1e9 * rate < burst;
}

bool hub_may_ask(struct hub_session *s, const struct chat_packet *p)
{
    if (hub_may(s->hub, &s->person->dear, ASKS, ASK_RATE)) {
        return true;
    }
    struct chat_packet answer = {.channel = p->channel, .id = p->id, .room = p->room};
    session_refuse(s, &answer, CHAT_REFUSED_RATE, "too much at once; wait a little");
    return false;
}

/* Who has used up much is remembered until it would be theirs again: or they would have it by coming anew. */
static bool must_rest(const struct hub *hub, const struct person *p)
{
    return (p->is_resting || hub->resting_count < RESTING) &&
           (is_used(hub, &p->dear, ASKS, ASK_RATE) ||
            is_used(hub, &p->makes, HUB_MAKES, HUB_MAKE_RATE) ||
            is_used(hub, &p->names, HUB_RENAMES, HUB_RENAME_RATE) ||
            is_used(hub, &p->states, HUB_STATES, HUB_STATE_RATE));
}

void hub_forget_if_idle(struct hub *hub, struct person *p)
{
    if (p->members != NULL || p->sessions != NULL) {
        return;
    }
    if (!must_rest(hub, p)) {
        hub_forget(hub, p);
    } else if (!p->is_resting) {
        hub_nick_release(hub, p);
        p->nick[0] = '\0';
        p->is_resting = true;
        hub->resting_count++;
    }
}
