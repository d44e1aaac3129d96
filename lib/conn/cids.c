/* Issuing, storing and retiring connection identifiers, all in fixed memory.
 * SPDX-License-Identifier: MIT */
#include "conn/cids.h"

#define CID_SIZE 8

void tern_cids_init(struct tern_cids *cids, struct tern_map *routes, void *owner)
{
    memset(cids, 0, sizeof *cids);
    cids->routes = routes;
    cids->owner = owner;
    cids->seen = 1;       /* number 0 comes with the handshake */
    cids->peer_limit = 2; /* RFC 9000 §18.2: the default and the least */
}

static void unroute(struct tern_cids *cids, const struct tern_cid *cid)
{
    if (tern_map_find(cids->routes, cid->bytes, cid->len) == cids->owner) {
        (void)tern_map_drop(cids->routes, cid->bytes, cid->len);
    }
}

void tern_cids_clear(struct tern_cids *cids)
{
    tern_cids_drop_original(cids);
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        if (cids->local[i].is_used) {
            unroute(cids, &cids->local[i].cid);
            cids->local[i].is_used = false;
        }
    }
    cids->unsent = 0;
}

void tern_cid_generate(struct tern_cid *out, const struct tern_cid_shape *shape,
                       struct tern_random *random)
{
    out->len = CID_SIZE;
    tern_random_fill_open(random, out->bytes, CID_SIZE);
    /* QUIC-LB §3: 3 bits of configuration rotation, 5 bits of length - 1. */
    out->bytes[0] = CID_SIZE - 1;
    if (shape != NULL) {
        out->bytes[0] = (uint8_t)(shape->rotation << 5 | (CID_SIZE - 1));
        memcpy(out->bytes + 1, shape->prefix, shape->prefix_len);
    }
}

struct tern_cid_shape tern_cid_shape_of(const tern_config *config)
{
    struct tern_cid_shape shape = {.rotation = (uint8_t)config->cid_rotation,
                                   .prefix_len = (uint8_t)config->cid_prefix_len};
    memcpy(shape.prefix, config->cid_prefix, TERN_CID_PREFIX_MAX);
    return shape;
}

bool tern_cid_may_be_ours(const struct tern_cid *cid, const struct tern_cid_shape *shape)
{
    return cid->len == CID_SIZE && cid->bytes[0] == (shape->rotation << 5 | (CID_SIZE - 1)) &&
           memcmp(cid->bytes + 1, shape->prefix, shape->prefix_len) == 0;
}

static struct tern_cid_local *free_local(struct tern_cids *cids)
{
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        if (!cids->local[i].is_used) {
            return &cids->local[i];
        }
    }
    return NULL;
}

int tern_cids_issue(struct tern_cids *cids, struct tern_random *random, bool wants_send)
{
    struct tern_cid_local *slot = free_local(cids);
    if (slot == NULL) {
        return TERN_ERR_LIMIT;
    }
    struct tern_cid cid;
    int rc;
    do { /* 32 random bits at least: a second round is already a curiosity */
        tern_cid_generate(&cid, &cids->shape, random);
        rc = tern_map_put(cids->routes, cid.bytes, cid.len, cids->owner);
    } while (rc == TERN_ERR_STATE);
    if (rc != 0) {
        return rc;
    }
    slot->cid = cid;
    slot->sequence = cids->next_sequence++;
    slot->is_used = true;
    slot->wants_send = wants_send;
    cids->unsent += wants_send ? 1 : 0;
    cids->told = wants_send ? cids->told : cids->next_sequence; /* it stands in a packet's header */
    return 0;
}

int tern_cids_route_original(struct tern_cids *cids, const struct tern_cid *cid)
{
    int rc = tern_map_put(cids->routes, cid->bytes, cid->len, cids->owner);
    if (rc == 0) {
        cids->original = *cid;
        cids->original_is_routed = true;
    }
    return rc;
}

void tern_cids_drop_original(struct tern_cids *cids)
{
    if (cids->original_is_routed) {
        unroute(cids, &cids->original);
        cids->original_is_routed = false;
    }
}

int tern_cids_fill(struct tern_cids *cids, struct tern_random *random)
{
    size_t used = 0;
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        used += cids->local[i].is_used ? 1 : 0;
    }
    for (; used < TERN_CIDS_LIMIT && used < cids->peer_limit; used++) {
        int rc = tern_cids_issue(cids, random, true);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

const struct tern_cid *tern_cids_remote(const struct tern_cids *cids)
{
    return &cids->remote[cids->active].cid;
}

void tern_cids_set_remote(struct tern_cids *cids, const struct tern_cid *cid)
{
    memset(&cids->remote[0], 0, sizeof cids->remote[0]);
    cids->remote[0].cid = *cid;
    cids->remote[0].is_used = cids->remote[0].is_taken = true;
    cids->active = 0;
}

static struct tern_cid_remote *find_remote(struct tern_cids *cids, uint64_t sequence)
{
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        if (cids->remote[i].is_used && cids->remote[i].sequence == sequence) {
            return &cids->remote[i];
        }
    }
    return NULL;
}

const struct tern_cid *tern_cids_remote_by(const struct tern_cids *cids, uint64_t sequence)
{
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        if (cids->remote[i].is_used && cids->remote[i].sequence == sequence) {
            return &cids->remote[i].cid;
        }
    }
    return NULL;
}

uint64_t tern_cids_active(const struct tern_cids *cids)
{
    return cids->remote[cids->active].sequence;
}

void tern_cids_activate(struct tern_cids *cids, uint64_t sequence)
{
    struct tern_cid_remote *slot = find_remote(cids, sequence);
    if (slot != NULL) {
        slot->is_taken = true;
        cids->active = (size_t)(slot - cids->remote);
    }
}

bool tern_cids_claim(struct tern_cids *cids, uint64_t *sequence)
{
    struct tern_cid_remote *oldest = NULL;
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        struct tern_cid_remote *slot = &cids->remote[i];
        if (slot->is_used && !slot->is_taken &&
            (oldest == NULL || slot->sequence < oldest->sequence)) {
            oldest = slot;
        }
    }
    if (oldest != NULL) {
        oldest->is_taken = true;
        *sequence = oldest->sequence;
    }
    return oldest != NULL;
}

static int queue_retire(struct tern_cids *cids, uint64_t sequence)
{
    for (size_t i = 0; i < cids->retire_count; i++) {
        if (cids->retire[i] == sequence) {
            return 0;
        }
    }
    if (cids->retire_count == TERN_CIDS_RETIRE_MAX) {
        return TERN_ERR_CONNECTION_ID_LIMIT; /* the peer makes us retire faster than it acks */
    }
    cids->retire[cids->retire_count++] = sequence;
    return 0;
}

void tern_cids_release(struct tern_cids *cids, uint64_t sequence)
{
    struct tern_cid_remote *slot = find_remote(cids, sequence);
    if (slot != NULL && slot != &cids->remote[cids->active] && queue_retire(cids, sequence) == 0) {
        slot->is_used = false; /* with the queue full it stays taken until the peer retires it */
    }
}

/* Away from an active one that is retired, to another that is left. */
static void move_on(struct tern_cids *cids, bool may_be_taken)
{
    for (size_t i = 0; i < TERN_CIDS_LIMIT && !cids->remote[cids->active].is_used; i++) {
        if (cids->remote[i].is_used && (may_be_taken || !cids->remote[i].is_taken)) {
            cids->active = i;
        }
    }
}

/* Takes those below retire_prior_to out of use; the active one moves on if it must. */
static int retire_old(struct tern_cids *cids)
{
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        struct tern_cid_remote *slot = &cids->remote[i];
        if (!slot->is_used || slot->sequence >= cids->retire_prior_to) {
            continue;
        }
        int rc = queue_retire(cids, slot->sequence);
        if (rc != 0) {
            return rc;
        }
        slot->is_used = false;
    }
    move_on(cids, false);
    move_on(cids, true); /* to be known again is better than not to be heard */
    cids->remote[cids->active].is_taken = true;
    return 0;
}

static bool same_remote(const struct tern_cid_remote *slot, const struct tern_cid *cid,
                        const uint8_t *token)
{
    return tern_cid_equal(&slot->cid, cid) &&
           (!slot->has_token || memcmp(slot->reset_token, token, TERN_RESET_TOKEN_SIZE) == 0);
}

/* A frame may come once more, after we have given its identifier up: the peer may not know that one any more.
 * What is further back than the window can only be such a repeat, since no more than four are in use. */
static bool is_repeat(const struct tern_cids *cids, uint64_t sequence)
{
    uint64_t back = cids->newest - sequence;
    return sequence <= cids->newest && (back >= 64 || (cids->seen >> back & 1) != 0);
}

static void note_seen(struct tern_cids *cids, uint64_t sequence)
{
    if (sequence > cids->newest) {
        uint64_t ahead = sequence - cids->newest;
        cids->seen = ahead < 64 ? cids->seen << ahead : 0;
        cids->newest = sequence;
    }
    uint64_t back = cids->newest - sequence;
    cids->seen |= back < 64 ? UINT64_C(1) << back : 0;
}

int tern_cids_on_new(struct tern_cids *cids, uint64_t sequence, uint64_t retire_prior_to,
                     const struct tern_cid *cid, const uint8_t token[TERN_RESET_TOKEN_SIZE])
{
    if (retire_prior_to > sequence || tern_cids_remote(cids)->len == 0) {
        return TERN_ERR_PROTOCOL;
    }
    struct tern_cid_remote *slot = NULL;
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        struct tern_cid_remote *other = &cids->remote[i];
        if (!other->is_used) {
            slot = other;
        } else if (other->sequence == sequence) { /* a repeat must say the same, RFC 9000 §19.15 */
            if (!same_remote(other, cid, token)) {
                return TERN_ERR_PROTOCOL;
            }
            cids->retire_prior_to = TERN_MAX(cids->retire_prior_to, retire_prior_to);
            return retire_old(cids);
        } else if (tern_cid_equal(&other->cid, cid)) {
            return TERN_ERR_PROTOCOL;
        }
    }
    if (sequence < cids->retire_prior_to) { /* came late: answer with a RETIRE, keep nothing */
        return queue_retire(cids, sequence);
    }
    if (is_repeat(cids, sequence)) {
        return 0; /* what it wants retired, it said the first time */
    }
    note_seen(cids, sequence);
    struct tern_cid_remote fresh = {.cid = *cid, .sequence = sequence, .is_used = true};
    memcpy(fresh.reset_token, token, TERN_RESET_TOKEN_SIZE);
    fresh.has_token = true;
    if (retire_prior_to > cids->retire_prior_to) {
        cids->retire_prior_to = retire_prior_to;
        for (size_t i = 0; i < TERN_CIDS_LIMIT && slot == NULL; i++) {
            slot = cids->remote[i].sequence < retire_prior_to ? &cids->remote[i] : NULL;
        }
        if (slot == NULL) {
            return TERN_ERR_CONNECTION_ID_LIMIT;
        }
        if (slot->is_used) {
            int rc = queue_retire(cids, slot->sequence);
            if (rc != 0) {
                return rc;
            }
        }
        *slot = fresh;
        return retire_old(cids);
    }
    if (slot == NULL) {
        return TERN_ERR_CONNECTION_ID_LIMIT;
    }
    *slot = fresh;
    return 0;
}

int tern_cids_on_retire(struct tern_cids *cids, uint64_t sequence, const struct tern_cid *used,
                        struct tern_random *random)
{
    if (sequence >= cids->told) {
        return TERN_ERR_PROTOCOL; /* RFC 9000 §19.16: it was never sent */
    }
    struct tern_cid_local *slot = tern_cids_find_local(cids, sequence);
    if (slot == NULL) {
        return 0;
    }
    if (tern_cid_equal(&slot->cid, used)) {
        return TERN_ERR_PROTOCOL; /* RFC 9000 §19.16: not the one that this packet came to */
    }
    unroute(cids, &slot->cid);
    slot->is_used = false;
    cids->unsent -= slot->wants_send ? 1 : 0;
    return tern_cids_fill(cids, random);
}

struct tern_cid_local *tern_cids_next_new(struct tern_cids *cids)
{
    for (size_t i = 0; i < TERN_CIDS_LIMIT && cids->unsent > 0; i++) {
        if (cids->local[i].is_used && cids->local[i].wants_send) {
            return &cids->local[i];
        }
    }
    return NULL;
}

void tern_cids_on_new_sent(struct tern_cids *cids, struct tern_cid_local *slot)
{
    slot->wants_send = false;
    cids->unsent--;
    cids->told = TERN_MAX(cids->told, slot->sequence + 1);
}

void tern_cids_on_new_lost(struct tern_cids *cids, uint64_t sequence)
{
    struct tern_cid_local *slot = tern_cids_find_local(cids, sequence);
    if (slot != NULL && !slot->wants_send) {
        slot->wants_send = true;
        cids->unsent++;
    }
}

struct tern_cid_local *tern_cids_find_local(struct tern_cids *cids, uint64_t sequence)
{
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        if (cids->local[i].is_used && cids->local[i].sequence == sequence) {
            return &cids->local[i];
        }
    }
    return NULL;
}

bool tern_cids_next_retire(const struct tern_cids *cids, uint64_t *sequence)
{
    if (cids->retire_count == 0) {
        return false;
    }
    *sequence = cids->retire[0];
    return true;
}

void tern_cids_on_retire_sent(struct tern_cids *cids, uint64_t sequence)
{
    for (size_t i = 0; i < cids->retire_count; i++) {
        if (cids->retire[i] == sequence) {
            cids->retire[i] = cids->retire[--cids->retire_count];
            return;
        }
    }
}

void tern_cids_on_retire_lost(struct tern_cids *cids, uint64_t sequence)
{
    /* A full queue means that 16 newer ones are owed already; the peer's limit stays hurt by its
     * own flood and by nothing else. */
    (void)queue_retire(cids, sequence);
}

bool tern_cids_wants(const struct tern_cids *cids)
{
    return cids->retire_count > 0 || cids->unsent > 0;
}
