/* Identifier to connection under a keyed hash; first Initials go to the door. [P §12.1]
 * SPDX-License-Identifier: MIT */
#include "endpoint/route.h"

#include "conn/handshake.h"
#include "conn/input.h"
#include "endpoint/admit.h"
#include "wire/limits.h"

static bool may_accept(struct tern_endpoint *ep, const struct tern_header *header, size_t len)
{
    if (!ep->config.accept || header->type != TERN_PACKET_INITIAL ||
        len < TERN_INITIAL_DATAGRAM_MIN || header->dcid.len < TERN_INITIAL_DCID_MIN ||
        header->packet_len > TERN_DATAGRAM_MAX) {
        ep->dropped_unknown++;
        return false;
    }
    if (ep->conn_count >= ep->config.max_connections || ep->half_open >= ep->config.max_half_open) {
        ep->dropped_refused++;
        return false;
    }
    return true;
}

static int accept_conn(struct tern_endpoint *ep, const struct tern_header *header,
                       const tern_datagram *in, uint8_t *data, size_t len, tern_time now)
{
    struct tern_conn_first first = {
        .local = in->local, .remote = in->remote, .dcid = header->dcid, .scid = header->scid};
    struct tern_conn *conn;
    if (!may_accept(ep, header, len)) {
        return 0;
    }
    if (!tern_admit_check(&first, header, data, header->packet_len, ep->scratch, &ep->env)) {
        ep->dropped_unknown++;
        return 0;
    }
    int rc = tern_conn_new_server(&conn, &ep->env, &first, now);
    if (rc != 0) {
        return rc == TERN_ERR_STATE ? 0 : rc; /* another client chose the same identifier: S23 */
    }
    tern_list_push_back(&ep->conns, &conn->all_node);
    ep->conn_count++;
    ep->half_open++;
    conn->is_half_open = true;
    tern_conn_receive(conn, in, data, len, now);
    if (!tern_handshake_has_verified(
            conn)) { /* no message 1 in it: a place is not had for a PING */
        ep->dropped_unknown++;
        tern_endpoint_drop_conn(ep, conn);
    }
    return 0;
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
    struct tern_conn *conn = tern_map_find(&ep->routes, header.dcid.bytes, header.dcid.len);
    if (conn != NULL) {
        tern_conn_receive(conn, in, data, len, now);
        return 0;
    }
    return accept_conn(ep, &header, in, data, len, now);
}
