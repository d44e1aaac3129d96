/* Packets of a datagram: keys by level and phase, numbers, duplicates, the peer's address.
 *
 * Whatever does not open is dropped without a trace in the connection's state: off-path and on-path
 * forgers can send anything. What opens and breaks the rules ends the connection.
 * SPDX-License-Identifier: MIT */
#include "conn/input.h"

#include "conn/handle.h"
#include "conn/handshake.h"
#include "conn/messages.h"
#include "conn/migrate.h"
#include "conn/recover.h"
#include "conn/rest.h"
#include "conn/resume.h"
#include "conn/retry.h"
#include "conn/secrets.h"
#include "wire/decode.h"
#include "wire/limits.h"

#define SAMPLE_OFFSET  4 /* RFC 9001 §5.4.2: as if the packet number were four bytes */
#define RESERVED_LONG  0x0cu
#define RESERVED_SHORT 0x18u
#define PHASE_BIT      0x04u
#define LONG_BIT       0x80u
#define FIXED_BIT      0x40u

#define INITIAL_KEPT_MAX 1500 /* a server's Initial packet is no longer */

/* Takes the mask off and reads the packet number. Returns the header's length, 0 when the packet is
 * too short to hold a sample. */
static size_t unmask(struct tern_opened *out, const struct tern_header *header, uint8_t *packet,
                     const struct tern_packet_keys *keys, uint64_t expected)
{
    uint8_t mask[TERN_MASK_SIZE];
    size_t sample_at = header->pn_offset + SAMPLE_OFFSET;
    if (header->packet_len < sample_at + TERN_SAMPLE_SIZE) {
        return 0;
    }
    tern_aead_mask(&keys->mask, packet + sample_at, mask);
    size_t pn_len = tern_header_unmask(packet, header->pn_offset, mask);
    uint64_t truncated = 0;
    for (size_t i = 0; i < pn_len; i++) {
        truncated = truncated << 8 | packet[header->pn_offset + i];
    }
    bool is_long = (packet[0] & 0x80u) != 0;
    out->pn = tern_pn_decode(expected, truncated, pn_len);
    out->phase_bit = !is_long && (packet[0] & PHASE_BIT) != 0;
    out->has_reserved_bits = (packet[0] & (is_long ? RESERVED_LONG : RESERVED_SHORT)) != 0;
    return header->pn_offset + pn_len;
}

static int open_payload(struct tern_opened *out, const struct tern_header *header, uint8_t *packet,
                        size_t header_len, struct tern_packet_keys *keys)
{
    size_t sealed = header->packet_len - header_len;
    int rc = tern_packet_open(keys, 0, out->pn, packet, header_len, packet + header_len, sealed);
    if (rc == 0) {
        out->payload = packet + header_len;
        out->payload_len = sealed - keys->aead.suite->tag_size;
    }
    return rc;
}

int tern_packet_unseal(struct tern_opened *out, const struct tern_header *header, uint8_t *packet,
                       struct tern_packet_keys *keys, uint64_t expected)
{
    size_t header_len = unmask(out, header, packet, keys, expected);
    return header_len == 0 ? TERN_ERR_CRYPTO : open_payload(out, header, packet, header_len, keys);
}

int tern_packet_would_open(const struct tern_header *header, const uint8_t *packet,
                           uint8_t *scratch, const struct tern_packet_keys *keys)
{
    struct tern_opened opened;
    size_t masked = header->pn_offset + SAMPLE_OFFSET + TERN_SAMPLE_SIZE;
    if (header->packet_len < masked) {
        return TERN_ERR_CRYPTO;
    }
    memcpy(scratch, packet, masked);
    size_t header_len = unmask(&opened, header, scratch, keys, 0);
    return header_len == 0
               ? TERN_ERR_CRYPTO
               : tern_packet_check(keys, opened.pn, scratch, header_len, packet + header_len,
                                   header->packet_len - header_len);
}

static void drop(struct tern_conn *conn, const char *why, tern_time now)
{
    conn->counters.packets_dropped++;
    tern_trace_dropped(&conn->trace, why, now);
}

/* Opens a packet with the keys of its phase. 0 · TERN_ERR_CRYPTO (drop) · an error that ends us */
static int open_in_space(struct tern_conn *conn, struct tern_space *space,
                         const struct tern_header *header, uint8_t *packet,
                         struct tern_opened *opened, tern_time now)
{
    struct tern_key_phase *kp = space->keys;
    uint64_t expected = space->has_opened ? space->largest_opened + 1 : 0;
    size_t header_len = unmask(opened, header, packet, &kp->rx, expected);
    if (header_len == 0) {
        return TERN_ERR_CRYPTO;
    }
    bool is_app = space == &conn->spaces[TERN_LEVEL_APP];
    enum tern_key_choice choice =
        is_app ? tern_key_phase_choose(kp, opened->phase_bit, opened->pn) : TERN_KEY_CURRENT;
    struct tern_packet_keys *keys = tern_key_phase_keys(kp, choice);
    if (keys == NULL || open_payload(opened, header, packet, header_len, keys) != 0) {
        int rc = tern_key_phase_on_failed(kp);
        return rc != 0 ? rc : TERN_ERR_CRYPTO;
    }
    if (choice == TERN_KEY_CURRENT && tern_key_phase_is_usual(kp, opened->pn)) {
        return 0;
    }
    return tern_key_phase_on_opened(kp, choice, opened->pn, 3 * tern_conn_pto(conn, TERN_LEVEL_APP),
                                    space->loss.sent.next_pn, now);
}

/* A client learns the server's identifier from the Initial whose message 2 verifies (RFC 9000 §7.2 has
 * the first one, which a forger may be quick to send), and keeps to it. */
static bool accept_scid(struct tern_conn *conn, const struct tern_header *header)
{
    if (conn->is_server || header->type != TERN_PACKET_INITIAL) {
        return true;
    }
    if (!conn->has_peer_key && conn->handshake != NULL) {
        conn->handshake->work->server_scid = header->scid;
        return true;
    }
    return tern_cid_equal(&header->scid, tern_cids_remote(&conn->cids));
}

/* An authentic, newest, non-probing packet from elsewhere: the peer has moved (RFC 9000 §9.3). */
static void follow_peer(struct tern_conn *conn, const struct tern_handle *handle, bool is_newest,
                        tern_time now)
{
    struct tern_path *path = tern_migrate_path(conn, handle->in);
    if (path == &conn->path) {
        if (path->local.family == 0) {
            path->local = handle->in->local; /* answer from where we are spoken to */
        }
        if (!tern_cid_equal(&path->used, &handle->dcid)) {
            path->used = handle->dcid;
        }
    } else if (is_newest && !handle->is_probing_only && conn->life.is_confirmed) {
        tern_migrate_follow(conn, handle->in, handle->in_len, &handle->dcid, now);
    }
}

static int note_received(struct tern_conn *conn, struct tern_space *space,
                         const struct tern_opened *opened, bool is_eliciting, uint8_t ecn,
                         tern_time now)
{
    if (space->is_discarded) {
        return 0;
    }
    conn->idle_from = now;
    conn->has_sent_since_received = false;
    return tern_acks_on_received(&space->acks, opened->pn, is_eliciting, ecn, now);
}

static enum tern_level level_of(enum tern_packet_type type)
{
    return type == TERN_PACKET_INITIAL     ? TERN_LEVEL_INITIAL
           : type == TERN_PACKET_HANDSHAKE ? TERN_LEVEL_HANDSHAKE
                                           : TERN_LEVEL_APP;
}

static void on_opened(struct tern_conn *conn, const struct tern_header *header,
                      const tern_datagram *in, struct tern_opened *opened, tern_time now)
{
    enum tern_level level = level_of(header->type);
    struct tern_space *space = &conn->spaces[level];
    bool is_newest = !space->has_opened || opened->pn > space->largest_opened;
    struct tern_handle handle = {
        .conn = conn,
        .level = level,
        .packet_type = (uint8_t)header->type,
        .dcid = header->dcid,
        .in = in,
        .in_len = header->packet_len,
    };
    bool had_verified = tern_handshake_has_verified(conn);
    conn->counters.packets_received++;
    tern_conn_trace_packet(conn, TERN_TRACE_RECEIVED, (uint8_t)header->type, opened->pn,
                           header->packet_len, opened->payload, opened->payload_len, now);
    if (level == TERN_LEVEL_HANDSHAKE && conn->is_server) {
        tern_path_validate(&conn->path); /* RFC 9000 §8.1 */
        tern_conn_discard_level(conn, TERN_LEVEL_INITIAL);
    }
    int rc = opened->has_reserved_bits
                 ? TERN_ERR_PROTOCOL
                 : tern_handle_payload(&handle, opened->payload, opened->payload_len, now);
    bool is_forged = level == TERN_LEVEL_INITIAL && rc != TERN_ERR_NOMEM &&
                     tern_handshake_has_verified(conn) == had_verified;
    if (rc == TERN_ERR_AGAIN || is_forged) { /* it leaves nothing behind, [P §4.3] */
        bool is_partial = conn->handshake != NULL && conn->handshake->is_partial;
        if (level == TERN_LEVEL_INITIAL && tern_space_is_live(space) && !is_partial) {
            tern_crypto_flow_forget(&space->crypto);
        }
        drop(conn, level == TERN_LEVEL_APP ? "no room for it" : "nothing in it verified", now);
        return;
    }
    space->has_opened = true;
    space->largest_opened = is_newest ? opened->pn : space->largest_opened;
    if (rc == 0 && conn->awaits_proof && level == TERN_LEVEL_APP) {
        rc = tern_handshake_on_proof(conn);
    }
    if (rc == 0) {
        rc = note_received(conn, space, opened, handle.is_eliciting, in->ecn, now);
    }
    if (rc != 0) {
        tern_conn_fail(conn, rc, handle.frame_type, handle.reason, now);
    } else if (level != TERN_LEVEL_INITIAL) { /* message 3 may come from where a NAT has put it */
        follow_peer(conn, &handle, is_newest, now);
        if (level == TERN_LEVEL_APP && conn->life.is_confirmed) {
            tern_recover_on_heard(conn, now);
        }
    }
}

/* A client whose early data is not answered for yet: the server's may have overtaken message 2. */
static bool awaits_half(const struct tern_conn *conn)
{
    return !conn->is_server && conn->early == TERN_EARLY_PENDING &&
           conn->life.state == TERN_LIFE_HANDSHAKING;
}

/* A packet that came with, or soon after, message 1, from a client whose ticket was taken; or from its server
 * with, or soon after, message 2. */
static void receive_early(struct tern_conn *conn, const struct tern_header *header,
                          const tern_datagram *in, uint8_t *packet, tern_time now)
{
    struct tern_space *space = &conn->spaces[TERN_LEVEL_APP];
    struct tern_packet_keys *keys = tern_resume_keys(conn);
    struct tern_opened opened;
    if (keys == NULL && awaits_half(conn)) {
        tern_handshake_keep_early(conn->handshake, conn->env, packet, header->packet_len, in->ecn);
        return;
    }
    if (keys == NULL) {
        drop(conn, "early data refused", now);
        return;
    }
    uint64_t expected = space->has_opened ? space->largest_opened + 1 : 0;
    if (tern_packet_unseal(&opened, header, packet, keys, expected) != 0) {
        drop(conn, "did not open", now);
    } else if (tern_acks_is_duplicate(&space->acks, opened.pn)) {
        drop(conn, "duplicate", now);
    } else {
        if (conn->is_server) {
            tern_conn_announce_early(conn);
        }
        on_opened(conn, header, in, &opened, now);
    }
}

/* What open_in_space has said of a packet. */
static void judge(struct tern_conn *conn, const struct tern_space *space,
                  const struct tern_header *header, const tern_datagram *in,
                  struct tern_opened *opened, int rc, tern_time now)
{
    if (rc == TERN_ERR_CRYPTO) {
        drop(conn, "did not open", now);
    } else if (rc != 0) {
        tern_conn_fail(conn, rc, 0, NULL, now);
    } else if (tern_acks_is_duplicate(&space->acks, opened->pn)) {
        drop(conn, "duplicate", now);
    } else if (!accept_scid(conn, header)) {
        drop(conn, "source identifier changed", now);
    } else {
        on_opened(conn, header, in, opened, now);
    }
}

/* A packet of a level that has keys. */
static void receive_sealed(struct tern_conn *conn, struct tern_space *space,
                           const struct tern_header *header, const tern_datagram *in,
                           uint8_t *packet, tern_time now)
{
    struct tern_opened opened;
    int rc = open_in_space(conn, space, header, packet, &opened, now);
    judge(conn, space, header, in, &opened, rc, now);
}

/* A client that has heeded a Retry: an answer to its first attempt shows that the Retry was forged, which
 * any observer can do who knows what the client knows. [P §4.3] */
static void receive_either(struct tern_conn *conn, struct tern_space *space,
                           const struct tern_header *header, const tern_datagram *in,
                           uint8_t *packet, tern_time now)
{
    uint8_t copy[INITIAL_KEPT_MAX];
    size_t len = TERN_MIN(header->packet_len, sizeof copy);
    memcpy(copy, packet, len);
    receive_sealed(conn, space, header, in, packet, now);
    if (conn->has_peer_key || len < header->packet_len || !tern_retry_change_sides(conn)) {
        return;
    }
    receive_sealed(conn, space, header, in, copy, now);
    if (!conn->has_peer_key) {
        (void)tern_retry_change_sides(conn); /* without memory to go back both are still tried */
    }
}

static void receive_packet(struct tern_conn *conn, const struct tern_header *header,
                           const tern_datagram *in, uint8_t *packet, tern_time now)
{
    if (header->type == TERN_PACKET_VERSION_NEGOTIATION) {
        if (!tern_retry_on_negotiation(conn, header)) {
            drop(conn, "no Version Negotiation for us", now);
        }
        return;
    }
    if (header->type == TERN_PACKET_RETRY) {
        if (!tern_retry_on_packet(conn, header, packet, now)) {
            drop(conn, "no Retry for us", now);
        }
        return;
    }
    if (header->type == TERN_PACKET_ZERO_RTT) {
        receive_early(conn, header, in, packet, now);
        return;
    }
    if (header->type != TERN_PACKET_INITIAL && header->type != TERN_PACKET_HANDSHAKE &&
        header->type != TERN_PACKET_ONE_RTT) {
        drop(conn, "packet type not in use", now);
        return;
    }
    enum tern_level level = level_of(header->type);
    struct tern_space *space = &conn->spaces[level];
    if (level == TERN_LEVEL_HANDSHAKE) {
        tern_handshake_install_due(conn);
    }
    if (!tern_space_is_live(space) ||
        (level == TERN_LEVEL_APP && conn->life.state == TERN_LIFE_HANDSHAKING)) {
        if (level == TERN_LEVEL_APP && conn->is_server && !space->is_discarded) {
            tern_handshake_keep_early(conn->handshake, conn->env, packet, header->packet_len,
                                      in->ecn);
            return;
        }
        drop(conn, "no keys for this level", now);
        return;
    }
    if (level == TERN_LEVEL_INITIAL && conn->handshake != NULL && conn->handshake->before != NULL) {
        receive_either(conn, space, header, in, packet, now);
        return;
    }
    receive_sealed(conn, space, header, in, packet, now);
}

/* 1-RTT packets that overtook message 3, or a server's early ones that overtook message 2. */
static void replay_early(struct tern_conn *conn, const tern_datagram *in, tern_time now)
{
    struct tern_handshake *hs = conn->handshake;
    for (size_t i = 0; i < hs->early_count; i++) {
        struct tern_header header;
        tern_datagram early = *in;
        early.ecn = hs->early[i].ecn;
        if (!tern_life_is_over(&conn->life) &&
            tern_header_decode(&header, hs->early[i].data, hs->early[i].len, TERN_CID_SIZE) == 0) {
            receive_packet(conn, &header, &early, hs->early[i].data, now);
        }
    }
    tern_handshake_drop_early(hs, conn->env);
}

/* What the packets of a datagram have made superfluous. */
static void shed(struct tern_conn *conn, const tern_datagram *in, tern_time now)
{
    if (conn->handshake == NULL || conn->life.state != TERN_LIFE_ESTABLISHED) {
        return;
    }
    if (!conn->is_server) { /* message 2 is here: what is in flight at that level fills the window in vain */
        tern_conn_discard_level(conn, TERN_LEVEL_INITIAL);
    }
    replay_early(conn, in, now);
    if (!conn->life.is_confirmed) {
        return;
    }
    tern_conn_discard_level(conn, TERN_LEVEL_INITIAL);
    tern_conn_discard_level(conn, TERN_LEVEL_HANDSHAKE);
    tern_cids_drop_original(&conn->cids);
    tern_handshake_free(conn->handshake, conn->env);
    conn->handshake = NULL;
}

static void receive_all(struct tern_conn *conn, const tern_datagram *in, uint8_t *data, size_t len,
                        tern_time now)
{
    struct tern_cid first = {0};
    for (size_t at = 0; at < len && !tern_life_is_over(&conn->life);) {
        struct tern_header header;
        if (tern_header_decode(&header, data + at, len - at, TERN_CID_SIZE) != 0 ||
            header.type == TERN_PACKET_VERSION_UNKNOWN || header.packet_len == 0) {
            drop(conn, "not a packet", now);
            return;
        }
        if (at == 0) {
            if (header.packet_len < len) { /* seldom, and a copy that soon is slow */
                first = header.dcid;
            }
        } else if (!tern_cid_equal(&first, &header.dcid)) {
            drop(conn, "coalesced for another connection", now); /* RFC 9000 §12.2 */
            return;
        }
        receive_packet(conn, &header, in, data + at, now);
        at += header.packet_len;
    }
}

static bool is_from_server(const struct tern_conn *conn, const tern_datagram *in)
{
    const tern_addr *remote = &conn->path.remote;
    return remote->port == in->remote.port && tern_path_is_same_host(remote, &in->remote);
}

/* What the application has not heard of. */
static void tell(struct tern_conn *conn)
{
    if (tern_streams_has_event(&conn->streams) || conn->streams.is_openable ||
        tern_messages_has_event(conn)) {
        tern_conn_mark_eventful(conn);
    }
}

void tern_conn_on_datagram(struct tern_conn *conn, const tern_datagram *in, uint8_t *data,
                           size_t len, tern_time now)
{
    conn->counters.bytes_received += len;
    tern_conn_mark_ready(conn);
    if (conn->life.state == TERN_LIFE_CLOSING) {
        /* RFC 9000 §10.2.1: answer, but ever more rarely. */
        conn->life.close_heard++;
        if ((conn->life.close_heard & (conn->life.close_heard - 1)) == 0) {
            conn->life.wants_close = true;
        }
    }
    if (tern_life_is_over(&conn->life)) {
        return;
    }
    if (tern_rest_wake(conn, now) != 0) {
        drop(conn, "no memory to wake up", now);
        return;
    }
    struct tern_path *path = tern_migrate_path(conn, in);
    if (path != NULL) {
        tern_path_on_received(path, len);
    } else if (!conn->is_server && !is_from_server(conn, in)) {
        drop(conn, "not from the server's address", now); /* RFC 9000 §9: servers do not move */
        return;
    }
    receive_all(conn, in, data, len, now);
    shed(conn, in, now);
    tell(conn);
}

/* --- trains -------------------------------------------------------------------------------------- */

/* 1-RTT packets on the path in use, of a connection that is past its beginning and not yet at its end. What has
 * to be asked of each datagram is asked once, and so is what follows from stream data: what came in one train
 * came at one moment. Whatever else a packet may hold, it is dealt with as one that came alone. */
struct intake {
    struct tern_conn *conn;
    struct tern_space *space;
    const tern_datagram *in;
    struct tern_header header; /* the same of each, but for the length */
    struct tern_stream_intake stream;
};

static bool is_usual(struct tern_conn *conn, const tern_datagram *in)
{
    return conn->life.state == TERN_LIFE_ESTABLISHED && conn->life.is_confirmed &&
           conn->handshake == NULL && conn->awake != NULL && conn->rest == NULL &&
           !conn->awaits_proof && !conn->is_half_open &&
           tern_space_is_live(&conn->spaces[TERN_LEVEL_APP]) &&
           conn->spaces[TERN_LEVEL_APP].has_opened && conn->path.used.len == TERN_CID_SIZE &&
           conn->path.local.family != 0 && tern_migrate_path(conn, in) == &conn->path;
}

/* A short header, with the identifier that the path's packets bear. */
static bool is_on_path(const struct tern_path *path, const uint8_t *data, size_t len)
{
    return len > 1 + TERN_CID_SIZE && (data[0] & (LONG_BIT | FIXED_BIT)) == FIXED_BIT &&
           memcmp(path->used.bytes, data + 1, TERN_CID_SIZE) == 0;
}

static void begin_intake(struct intake *k, struct tern_conn *conn, const tern_datagram *in,
                         const uint8_t *data)
{
    k->conn = conn;
    k->space = &conn->spaces[TERN_LEVEL_APP];
    k->in = in;
    k->stream = (struct tern_stream_intake){.stream = NULL};
    int rc = tern_header_decode(&k->header, data, 1 + TERN_CID_SIZE, TERN_CID_SIZE);
    tern_assert(rc == 0); /* is_on_path has seen to it */
    (void)rc;
}

/* The next bytes of one stream, in the next packet or a later one. False: it is another, and nothing has happened. */
static bool take_stream(struct intake *k, const struct tern_opened *opened, tern_time now)
{
    struct tern_conn *conn = k->conn;
    struct tern_space *space = k->space;
    struct tern_frame_stream s;
    tern_time rtt = conn->path.rtt.smoothed;
    if (opened->pn <= space->largest_opened || opened->has_reserved_bits ||
        opened->pn <= space->acks.largest || !space->acks.has_any ||
        !tern_frame_is_stream_alone(&s, opened->payload, opened->payload_len) ||
        !tern_streams_take_next(&conn->streams, &k->stream, s.id, s.offset, s.data, s.len, rtt,
                                now)) {
        return false;
    }
    conn->counters.packets_received++;
    tern_conn_trace_packet(conn, TERN_TRACE_RECEIVED, TERN_PACKET_ONE_RTT, opened->pn,
                           k->header.packet_len, opened->payload, opened->payload_len, now);
    space->largest_opened = opened->pn;
    int rc = note_received(conn, space, opened, true, k->in->ecn, now);
    if (rc != 0) {
        tern_conn_fail(conn, rc, TERN_FRAME_STREAM, NULL, now);
    }
    return rc == 0;
}

/* False: the packets behind it have to be looked at anew. */
static bool take(struct intake *k, uint8_t *packet, size_t len, tern_time now)
{
    struct tern_opened opened;
    k->header.packet_len = len;
    int rc = open_in_space(k->conn, k->space, &k->header, packet, &opened, now);
    if (rc == 0 && take_stream(k, &opened, now)) {
        return true;
    }
    tern_streams_end_intake(&k->conn->streams, &k->stream, k->conn->path.rtt.smoothed, now);
    k->stream.is_long = false;
    if (!tern_life_is_over(&k->conn->life)) {
        judge(k->conn, k->space, &k->header, k->in, &opened, rc, now);
    }
    return false;
}

size_t tern_conn_on_train(struct tern_conn *conn, const tern_datagram *in, uint8_t *data,
                          size_t len, size_t segment, tern_time now)
{
    struct intake k;
    size_t count = 0, at = 0;
    if (!is_usual(conn, in) || !is_on_path(&conn->path, data, TERN_MIN(segment, len))) {
        return 0;
    }
    begin_intake(&k, conn, in, data);
    tern_conn_mark_ready(conn);
    for (bool goes_on = true; goes_on && at < len;) {
        size_t size = TERN_MIN(segment, len - at);
        if (!is_on_path(&conn->path, data + at, size)) {
            break;
        }
        conn->counters.bytes_received += size;
        tern_path_on_received(&conn->path, size);
        goes_on = take(&k, data + at, size, now);
        at += size;
        count++;
    }
    tern_streams_end_intake(&conn->streams, &k.stream, conn->path.rtt.smoothed, now);
    tell(conn);
    return count;
}
