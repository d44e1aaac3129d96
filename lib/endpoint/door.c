/* Limits, in the order of what they cost the one who is turned away. [P §12.3]
 * SPDX-License-Identifier: MIT */
#include "endpoint/door.h"

#include "endpoint/endpoint.h"

#define ADMIT ((struct tern_door_verdict){.answer = TERN_DOOR_ADMIT})
#define RETRY ((struct tern_door_verdict){.answer = TERN_DOOR_RETRY})
#define DROP  ((struct tern_door_verdict){.answer = TERN_DOOR_DROP})

static struct tern_door_verdict refuse(int error, const char *reason)
{
    return (struct tern_door_verdict){.answer = TERN_DOOR_REFUSE, .error = error, .reason = reason};
}

/* Did it come from there, once, and does it come for the first time? Tokens travel in clear. */
static bool take_address(struct tern_door *door, const struct tern_item *item,
                         const tern_addr *remote, tern_time now)
{
    if (!tern_proofs_open_address(&door->proofs, item, remote, now) ||
        tern_strikes_has(&door->shown, item->value, sizeof door->shown_id, now)) {
        return false;
    }
    door->is_shown = true;
    memcpy(door->shown_id, item->value, sizeof door->shown_id);
    return true;
}

void tern_door_use_up(struct tern_door *door, tern_time now)
{
    if (!door->is_shown) {
        return;
    }
    if (!tern_strikes_mark(&door->shown, door->shown_id, sizeof door->shown_id, now)) {
        tern_strikes_make_room(&door->shown, now); /* it was not marked before: the table is full */
        (void)tern_strikes_mark(&door->shown, door->shown_id, sizeof door->shown_id, now);
    }
    door->is_shown = false;
}

/* False: a Retry's token that does not hold. Only this server, a moment ago, can have made it, so that
 * the client had better begin anew (RFC 9000 §8.1.3). */
static bool read_door_tokens(struct tern_door *door, struct tern_conn_first *first,
                             const struct tern_header *header, tern_time now)
{
    struct tern_reader field;
    struct tern_item item;
    door->is_shown = false;
    tern_reader_init(&field, header->token, header->token_len);
    while (tern_item_next(&field, &item)) {
        if (item.type == TERN_ITEM_RETRY && !first->has_retry) {
            if (tern_proofs_open_retry(&door->proofs, &item, &first->local, &first->remote,
                                       &first->dcid, &first->original, now) != 0) {
                return false;
            }
            first->has_retry = first->is_proved = true;
        } else if (item.type == TERN_ITEM_ADDRESS && !first->is_proved) {
            first->is_proved = take_address(door, &item, &first->remote, now);
        }
    }
    return true;
}

static const char *judge_grant(struct tern_endpoint *ep, const struct tern_grant *grant,
                               tern_time now)
{
    struct tern_door *door = &ep->door;
    uint64_t wall = tern_proofs_wall(&door->proofs, now) / 1000;
    if (wall >= grant->expires) {
        return "the connect token has expired";
    }
    /* Two bounds for the register of those used: it forgets, and it was not there before. */
    if (grant->expires - wall > TERN_CONNECT_LIFE_MAX || grant->issued < door->opened_at) {
        return "the connect token is not of this time";
    }
    bool is_used = tern_strikes_has(&door->used, grant->id, sizeof grant->id, now);
    return is_used ? TERN_DOOR_USED : NULL;
}

/* NULL, or why its connect token does not admit it. The token is used up only by whoever then proves that
 * it is his: an observer who is quicker gets nothing and spoils nothing. */
static const char *read_grant(struct tern_endpoint *ep, struct tern_conn_first *first,
                              const struct tern_header *header, tern_time now)
{
    const tern_addr *own =
        ep->config.connect_address.family != 0 ? &ep->config.connect_address : &first->local;
    const char *why = "no connect token for this server";
    struct tern_reader field;
    struct tern_item item;
    tern_reader_init(&field, header->token, header->token_len);
    while (first->grant == NULL && tern_item_next(&field, &item)) {
        if (item.type == TERN_ITEM_CONNECT &&
            tern_grant_open(&ep->door.grant, &item, ep->door.connect_key, own) == 0) {
            why = judge_grant(ep, &ep->door.grant, now);
            first->grant = why == NULL ? &ep->door.grant : NULL;
        }
    }
    return first->grant != NULL ? NULL : why;
}

/* By address. Somebody else may have begun handshakes in its name: then it has to show itself. */
static struct tern_door_verdict judge_host(struct tern_endpoint *ep,
                                           const struct tern_conn_first *first)
{
    const struct tern_host *host = tern_hosts_find(&ep->door.hosts, &first->remote);
    if (host == NULL || ep->config.max_per_address == 0) {
        return ADMIT;
    }
    if (host->proved >= ep->config.max_per_address) {
        return refuse(TERN_ERR_REFUSED, TERN_DOOR_CROWDED);
    }
    bool is_crowded = host->proved + host->unproved >= ep->config.max_per_address;
    return is_crowded && !first->is_proved ? RETRY : ADMIT;
}

struct tern_door_verdict tern_door_judge(struct tern_endpoint *ep, struct tern_conn_first *first,
                                         const struct tern_header *header, tern_time now)
{
    const tern_config *config = &ep->config;
    if (!read_door_tokens(&ep->door, first, header, now)) {
        return refuse(TERN_ERR_INVALID_TOKEN, "the token of a Retry does not hold");
    }
    if (ep->door.wants_grant) {
        const char *why = read_grant(ep, first, header, now);
        if (why != NULL) {
            return refuse(TERN_ERR_REFUSED, why);
        }
    }
    if (ep->conn_count >= config->max_connections) {
        return refuse(TERN_ERR_REFUSED, "the server is full");
    }
    if (ep->half_open >= config->max_half_open) {
        return DROP;
    }
    struct tern_door_verdict verdict = judge_host(ep, first);
    if (verdict.answer != TERN_DOOR_ADMIT) {
        return verdict;
    }
    if (ep->half_open >= config->retry_half_open && !first->is_proved) {
        return RETRY;
    }
    if (!tern_throttle_take(&ep->door.throttle, &first->remote, first->is_proved, now)) {
        return first->is_proved ? DROP : RETRY;
    }
    return ADMIT;
}
