/* Identifier to connection under a keyed hash; first Initials go to the door. [P §12.1]
 * SPDX-License-Identifier: MIT */
#include "endpoint/route.h"

#include "conn/handshake.h"
#include "conn/input.h"
#include "endpoint/admit.h"
#include "wire/limits.h"

#define LONG_HEADER 0x80u
#define SHORT       256 /* datagrams below it hold acknowledgements, mostly */

static bool is_first(const struct tern_endpoint *ep, const struct tern_header *header, size_t len)
{
    return ep->config.accept && header->type == TERN_PACKET_INITIAL &&
           len >= TERN_INITIAL_DATAGRAM_MIN && header->dcid.len >= TERN_INITIAL_DCID_MIN &&
           header->packet_len <= TERN_DATAGRAM_MAX;
}

static int admit(struct tern_endpoint *ep, const struct tern_conn_first *first,
                 const tern_datagram *in, uint8_t *data, size_t len, tern_time now)
{
    struct tern_conn *conn;
    int rc = tern_conn_new_server(&conn, &ep->env, first, now);
    if (rc != 0) {
        return rc == TERN_ERR_STATE ? 0 : rc; /* another client chose the same identifier */
    }
    tern_list_push_back(&ep->conns, &conn->all_node);
    ep->conn_count++;
    ep->half_open++;
    conn->is_half_open = true;
    conn->door.is_host_proved = first->is_proved;
    if (ep->config.max_per_address > 0) {
        conn->door.host = tern_hosts_enter(&ep->door.hosts, &in->remote, first->is_proved);
        if (conn->door.host == NULL) {
            tern_endpoint_drop_conn(ep, conn);
            return TERN_ERR_NOMEM;
        }
    }
    tern_conn_on_datagram(conn, in, data, len, now);
    bool is_begun = conn->handshake != NULL && conn->handshake->is_partial;
    if (!tern_handshake_has_verified(conn) && !is_begun) {
        /* no message 1 in it: a place is not had for a PING */
        ep->dropped_unknown++;
        tern_endpoint_drop_conn(ep, conn);
        return 0;
    }
    tern_door_use_up(&ep->door, now);
    return 0;
}

/* For no connection, and no beginning of one: a stateless reset, or a reason for one. */
static void receive_stray(struct tern_endpoint *ep, const struct tern_header *header,
                          const tern_datagram *in, const uint8_t *data, size_t len, tern_time now)
{
    if (header->type == TERN_PACKET_ONE_RTT) {
        struct tern_conn *conn = tern_resets_find(&ep->resets, in, data, len);
        if (conn != NULL) {
            ep->resets.received++;
            tern_conn_on_reset(conn, now);
            return;
        }
        if (ep->config.accept && !ep->config.silent) {
            tern_resets_answer(&ep->resets, &ep->stateless, header, in, len, &ep->env.reset_key,
                               &ep->random, now);
        }
    }
    ep->dropped_unknown++;
}

/* An Initial packet for nobody here. What comes of it is decided before any memory is spent. */
static int judge_first(struct tern_endpoint *ep, struct tern_conn_first *first,
                       const struct tern_header *header, const tern_datagram *in, uint8_t *data,
                       size_t len, tern_time now)
{
    struct tern_door_verdict verdict = tern_door_judge(ep, first, header, now);
    if (verdict.answer == TERN_DOOR_RETRY && !ep->config.silent) {
        tern_stateless_retry(&ep->stateless, header, in, &ep->door.proofs, &ep->door.retry_keys,
                             &ep->random, now);
        return 0;
    }
    if (verdict.answer == TERN_DOOR_DROP) {
        ep->dropped_refused++;
        return 0;
    }
    first->is_keyed = ep->door.was_keyed;
    if (!tern_admit_check(first, header, data, ep->scratch, &ep->env)) {
        ep->dropped_unknown++;
        return 0;
    }
    ep->door.was_keyed = first->is_keyed;
    if (verdict.answer == TERN_DOOR_RETRY) {
        tern_stateless_retry(&ep->stateless, header, in, &ep->door.proofs, &ep->door.retry_keys,
                             &ep->random, now);
        return 0;
    }
    if (verdict.answer == TERN_DOOR_REFUSE) {
        ep->dropped_refused++;
        tern_stateless_refuse(&ep->stateless, header, in,
                              first->is_keyed ? ep->env.public_key : NULL,
                              tern_life_code(verdict.error), verdict.reason);
        return 0;
    }
    return admit(ep, first, in, data, len, now);
}

/* A datagram for nobody here. */
static int receive_first(struct tern_endpoint *ep, const struct tern_header *header,
                         const tern_datagram *in, uint8_t *data, size_t len, tern_time now)
{
    if (!is_first(ep, header, len)) {
        receive_stray(ep, header, in, data, len, now);
        return 0;
    }
    struct tern_conn_first first = {
        .local = in->local, .remote = in->remote, .dcid = header->dcid, .scid = header->scid};
    int rc = judge_first(ep, &first, header, in, data, len, now);
    if (first.rx.suite != 0) { /* else nothing was derived */
        tern_packet_keys_clear(&first.rx);
        tern_mem_wipe(first.tx_secret, sizeof first.tx_secret);
    }
    return rc;
}

/* The identifier is read from the packet: its copy in the header was written only just now. */
static bool leads_as_before(const struct tern_endpoint *ep, const uint8_t *data)
{
    const struct tern_route_memo *latest = &ep->latest;
    return latest->found != NULL && latest->changes == ep->routes.changes &&
           memcmp(latest->cid, data + 1, TERN_CID_SIZE) == 0;
}

static void *find(struct tern_endpoint *ep, const struct tern_header *header, const uint8_t *data)
{
    struct tern_route_memo *latest = &ep->latest;
    if (header->type == TERN_PACKET_VERSION_NEGOTIATION) {
        return tern_map_find(&ep->routes, header->raw_dcid, header->raw_dcid_len);
    }
    if (header->type != TERN_PACKET_ONE_RTT) {
        return tern_map_find(&ep->routes, header->dcid.bytes, header->dcid.len);
    }
    if (!leads_as_before(ep, data)) {
        memcpy(latest->cid, data + 1, TERN_CID_SIZE);
        latest->found = tern_map_find(&ep->routes, latest->cid, TERN_CID_SIZE);
        latest->changes = ep->routes.changes;
    }
    return latest->found;
}

int tern_route_datagram(struct tern_endpoint *ep, const tern_datagram *in, uint8_t *data,
                        size_t len, tern_time now)
{
    struct tern_header header;
    ep->datagrams_received++;
    int rc = tern_header_decode(&header, data, len, TERN_CID_SIZE);
    if (rc != 0) {
        ep->dropped_unknown++;
        return 0;
    }
    if (header.type == TERN_PACKET_VERSION_UNKNOWN) {
        if (ep->config.accept && !ep->config.silent) {
            tern_stateless_negotiate(&ep->stateless, &header, in, len, &ep->random);
        }
        return 0;
    }
    void *found = find(ep, &header, data);
    if (found == NULL) {
        return receive_first(ep, &header, in, data, len, now);
    }
    if (*(enum tern_route_kind *)found == TERN_ROUTE_DORMANT) {
        return tern_endpoint_rouse(ep, found, in, data, len, now);
    }
    tern_conn_on_datagram(found, in, data, len, now);
    tern_endpoint_note_progress(ep, found, now);
    return 0;
}

/* Where a datagram leads, if it is a 1-RTT packet's; mostly where the one before it did. */
static void foresee(const struct tern_endpoint *ep, struct tern_route_item *item,
                    const struct tern_route_item *before)
{
    struct tern_route_memo *memo = &item->memo;
    item->is_short_header = item->len > TERN_CID_SIZE && (item->data[0] & LONG_HEADER) == 0;
    item->goes_along = item->is_short_header && before != NULL && before->is_short_header &&
                       memcmp(before->memo.cid, item->data + 1, TERN_CID_SIZE) == 0;
    memo->found = NULL;
    if (item->goes_along) {
        memcpy(memo->cid, before->memo.cid, TERN_CID_SIZE);
    } else if (item->is_short_header) {
        memcpy(memo->cid, item->data + 1, TERN_CID_SIZE);
        item->place = tern_map_foresee(&ep->routes, memo->cid, TERN_CID_SIZE);
    }
}

static void look_up(const struct tern_endpoint *ep, struct tern_route_item *item,
                    const struct tern_route_item *before)
{
    struct tern_route_memo *memo = &item->memo;
    memo->changes = ep->routes.changes;
    if (item->goes_along) {
        memo->found = before->memo.found;
    } else if (item->is_short_header) {
        memo->found = tern_map_find_at(&ep->routes, item->place, memo->cid, TERN_CID_SIZE);
    }
}

static bool is_conn(const void *found)
{
    return *(const enum tern_route_kind *)found == TERN_ROUTE_CONN;
}

/* With thousands of connections nothing of theirs is in the cache. Asked for together it comes in the time
 * that it takes for one. */
static void fetch_ahead(const struct tern_route_item *items, size_t n)
{
    for (unsigned step = 0; step < TERN_FETCH_STEPS; step++) {
        const void *before = NULL;
        for (size_t i = 0; i < n; i++) {
            const void *found = items[i].memo.found;
            if (found != NULL && found != before && (step == 0 || is_conn(found))) {
                tern_conn_fetch(found, step,
                                items[i].len < SHORT ? TERN_FETCH_ACK : TERN_FETCH_DATA);
            }
            before = found;
        }
    }
}

/* Several that came in one train for one connection, if that has no need of more ado. Returns how many. */
static size_t route_train(struct tern_endpoint *ep, const struct tern_route_item *items, size_t n,
                          tern_time now)
{
    const struct tern_route_memo *memo = &items[0].memo;
    size_t count = 1;
    while (count < n && items[count].in == items[0].in && items[count].memo.found == memo->found) {
        count++;
    }
    if (count == 1 || memo->found == NULL || memo->changes != ep->routes.changes ||
        !is_conn(memo->found)) {
        return 0;
    }
    const struct tern_route_item *last = &items[count - 1];
    size_t len = (size_t)(last->data - items[0].data) + last->len;
    count = tern_conn_on_train(memo->found, items[0].in, items[0].data, len, items[0].len, now);
    ep->datagrams_received += count;
    return count;
}

int tern_route_batch(struct tern_endpoint *ep, struct tern_route_item *items, size_t n,
                     tern_time now)
{
    int result = 0;
    for (size_t i = 0; i < n; i++) {
        foresee(ep, &items[i], i == 0 ? NULL : &items[i - 1]);
    }
    for (size_t i = 0; i < n; i++) {
        look_up(ep, &items[i], i == 0 ? NULL : &items[i - 1]);
    }
    if (n > 1 &&
        items[0].memo.found != items[n - 1].memo.found) { /* one alone stays in the cache */
        fetch_ahead(items, n);
    }
    for (size_t i = 0; i < n;) {
        size_t taken = route_train(ep, items + i, n - i, now);
        i += taken;
        if (taken > 0) {
            continue;
        }
        if (items[i].memo.found != NULL) {
            ep->latest = items[i].memo;
        }
        int rc = tern_route_datagram(ep, items[i].in, items[i].data, items[i].len, now);
        result = result == 0 ? rc : result;
        i++;
    }
    return result;
}
