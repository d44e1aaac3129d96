/* The public calls on connections and streams: check, change state, mark; nothing leaves here.
 * SPDX-License-Identifier: MIT */
#include <tern/conn.h>
#include <tern/stream.h>

#include "conn/messages.h"
#include "conn/rest.h"
#include "conn/resume.h"
#include "crypto/keys.h"

#define LEAST_VOLUME (4 * 14720) /* four first windows: a jump from less gains nothing */

static struct tern_conn *conn_of(const tern_stream *stream)
{
    return stream->table->owner;
}

/* After any change by the application: output should look, and events may have come of it. */
static void touch_streams(struct tern_conn *conn)
{
    tern_conn_mark_ready(conn);
    if (tern_streams_has_event(&conn->streams)) {
        tern_conn_mark_eventful(conn);
    }
}

static int check_alive(const struct tern_conn *conn)
{
    return tern_life_is_over(&conn->life) ? TERN_ERR_CLOSED : 0;
}

int tern_conn_open_stream(tern_conn *conn, tern_stream_kind kind, tern_stream **out)
{
    int rc = check_alive(conn);
    if (rc == 0 && kind != TERN_STREAM_BIDI && kind != TERN_STREAM_UNI) {
        rc = TERN_ERR_INVALID;
    }
    if (rc == 0) {
        rc = tern_streams_open(&conn->streams, kind, out);
        touch_streams(conn);
    }
    return rc;
}

void tern_conn_close(tern_conn *conn, uint64_t code, const char *reason)
{
    if (tern_life_close(&conn->life, TERN_MIN(code, TERN_VARINT_MAX), reason)) {
        tern_conn_want_closed(conn);
        tern_conn_mark_ready(conn);
        tern_conn_mark_eventful(conn);
    }
}

int tern_conn_set_cc(tern_conn *conn, const char *name)
{
    const struct tern_cc_ops *ops = tern_cc_find(name);
    int rc = ops == NULL ? TERN_ERR_INVALID : check_alive(conn);
    if (rc == 0) {
        conn->cc_ops = ops;
        conn->wants_cc = true;
        tern_conn_mark_ready(conn);
    }
    return rc;
}

int tern_conn_path_memory(const tern_conn *conn, tern_path_memory *out)
{
    const struct tern_path *path = &conn->path;
    uint64_t volume = tern_capacity_volume(&path->capacity, path->rtt.min);
    if (!path->rtt.has_sample || volume < LEAST_VOLUME) {
        return TERN_ERR_STATE;
    }
    tern_path_memory memory = {.size = sizeof memory, .volume = volume, .min_rtt = path->rtt.min};
    *out = memory;
    return 0;
}

int tern_conn_recall_path(tern_conn *conn, const tern_path_memory *memory)
{
    int rc = memory->size != sizeof *memory ? TERN_ERR_INVALID : check_alive(conn);
    rc = rc == 0 ? tern_rest_rouse(conn) : rc;
    if (rc == 0) {
        tern_path_recall(&conn->path, memory);
        tern_conn_mark_ready(conn);
    }
    return rc;
}

void tern_conn_set_rate(tern_conn *conn, uint64_t bytes_per_second)
{
    conn->path.cc.wanted_rate = bytes_per_second;
    conn->wants_cc = true;
    tern_conn_mark_ready(conn);
}

void tern_conn_set_budget(tern_conn *conn, uint64_t bytes_per_second)
{
    tern_budget_set(&conn->budget, bytes_per_second);
    tern_conn_mark_ready(conn);
}

tern_early_state tern_conn_early(const tern_conn *conn)
{
    return conn->early;
}

uint64_t tern_conn_ticket_used(const tern_conn *conn)
{
    return conn->ticket_used;
}

uint64_t tern_conn_ticket_given(const tern_conn *conn)
{
    return conn->ticket_given;
}

int tern_conn_peer_key(const tern_conn *conn, uint8_t out[TERN_KEY_SIZE])
{
    if (!conn->has_peer_key) {
        return TERN_ERR_STATE;
    }
    memcpy(out, conn->peer_key, TERN_KEY_SIZE);
    return 0;
}

int tern_conn_export(const tern_conn *conn, const char *label, uint8_t *out, size_t len)
{
    if (!conn->has_exporter || conn->awaits_proof) {
        return TERN_ERR_STATE;
    }
    if (len == 0 || len > 255 || strlen(label) > 200) {
        return TERN_ERR_INVALID;
    }
    tern_hkdf_expand_label(conn->exporter, TERN_LABEL_PREFIX, label, NULL, 0, out, len);
    return 0;
}

int tern_conn_address_token(const tern_conn *conn, uint8_t *out, size_t capacity, size_t *len)
{
    if (conn->door.address_token == NULL) {
        return TERN_ERR_STATE;
    }
    if (capacity < conn->door.address_token_len) {
        return TERN_ERR_BUFFER;
    }
    memcpy(out, conn->door.address_token, conn->door.address_token_len);
    *len = conn->door.address_token_len;
    return 0;
}

void tern_conn_set_user(tern_conn *conn, void *user)
{
    conn->user = user;
}

void *tern_conn_user(const tern_conn *conn)
{
    return conn->user;
}

bool tern_conn_is_server(const tern_conn *conn)
{
    return conn->is_server;
}

bool tern_conn_is_established(const tern_conn *conn)
{
    return conn->life.state == TERN_LIFE_ESTABLISHED && !conn->awaits_proof;
}

tern_addr tern_conn_remote(const tern_conn *conn)
{
    return conn->path.remote;
}

tern_addr tern_conn_local(const tern_conn *conn)
{
    return conn->path.local;
}

tern_endpoint *tern_conn_endpoint(const tern_conn *conn)
{
    return conn->env->endpoint;
}

void tern_conn_stats(const tern_conn *conn, tern_stats *out)
{
    const struct tern_path *path = &conn->path;
    tern_stats s = {.size = out->size};
    if (path->rtt.has_sample) {
        s.smoothed_rtt = path->rtt.smoothed;
        s.rtt_variance = path->rtt.variation;
        s.min_rtt = path->rtt.min;
        s.latest_rtt = path->rtt.latest;
    }
    s.cwnd = path->cc.cwnd;
    s.ssthresh = path->cc.ssthresh;
    s.bytes_in_flight = path->cc.bytes_in_flight;
    s.pacing_rate = conn->budget.rate == 0 || path->pacer.rate == 0
                        ? TERN_MAX(path->pacer.rate, conn->budget.rate)
                        : TERN_MIN(path->pacer.rate, conn->budget.rate);
    s.delivery_rate = path->delivery_rate;
    s.packets_sent = conn->counters.packets_sent;
    s.packets_received = conn->counters.packets_received;
    s.packets_lost = conn->counters.packets_lost;
    s.packets_spurious = conn->counters.packets_spurious;
    s.packets_dropped = conn->counters.packets_dropped;
    s.bytes_sent = conn->counters.bytes_sent;
    s.bytes_received = conn->counters.bytes_received;
    s.stream_bytes_sent = conn->streams.bytes_sent;
    s.stream_bytes_received = conn->streams.bytes_received;
    s.stream_bytes_resent = conn->streams.bytes_resent;
    s.acks_sent = conn->counters.acks_sent;
    s.acks_received = conn->counters.acks_received;
    s.ptos = conn->counters.ptos;
    s.packets_marked = conn->counters.packets_marked;
    s.ecn = tern_ecn_name(path->ecn.state);
    s.rekeys = conn->rekey.count;
    s.migrations = conn->counters.migrations;
    s.migrations_failed = conn->counters.migrations_failed;
    if (conn->awake != NULL) {
        s.jitter = conn->awake->gauge.jitter;
        tern_gauge_read(&conn->awake->gauge, &path->rate, &s.loss_rate, &s.ce_rate);
    }
    s.path = path->id;
    s.datagram_size = path->pmtud.current;
    s.suite = conn->suite;
    s.cc = conn->cc_ops->name;
    s.state = tern_life_name(conn->life.state);
    s.key_phase = tern_rest_phase(conn);
    s.streams_open = conn->streams.open_count;
    tern_messages_stats(conn, &s);
    memcpy(out, &s, TERN_MIN(out->size, sizeof s));
}

/* --- streams ------------------------------------------------------------------------------------ */

ptrdiff_t tern_stream_write(tern_stream *stream, const void *data, size_t len, unsigned flags)
{
    struct tern_conn *conn = conn_of(stream);
    int rc = check_alive(conn);
    if (rc != 0) {
        return rc;
    }
    ptrdiff_t n = tern_streams_write(&conn->streams, stream, data, len, flags);
    touch_streams(conn);
    return n;
}

ptrdiff_t tern_stream_write_ref(tern_stream *stream, const void *data, size_t len,
                                tern_release_fn release, void *arg, unsigned flags)
{
    struct tern_conn *conn = conn_of(stream);
    int rc = check_alive(conn);
    if (rc != 0) {
        return rc;
    }
    ptrdiff_t n = tern_streams_write_ref(&conn->streams, stream, data, len, release, arg, flags);
    touch_streams(conn);
    return n;
}

size_t tern_stream_writable(const tern_stream *stream)
{
    const struct tern_conn *conn = conn_of(stream);
    return check_alive(conn) != 0 ? 0 : tern_streams_writable(&conn->streams, stream);
}

/* What had arrived before the end of the connection can still be read. */
ptrdiff_t tern_stream_read(tern_stream *stream, void *buf, size_t len)
{
    struct tern_conn *conn = conn_of(stream);
    ptrdiff_t n = tern_streams_read(&conn->streams, stream, buf, len);
    touch_streams(conn);
    return n == TERN_ERR_AGAIN && check_alive(conn) != 0 ? TERN_ERR_CLOSED : n;
}

int tern_stream_peek(tern_stream *stream, const uint8_t **data, size_t *len)
{
    struct tern_conn *conn = conn_of(stream);
    int rc = tern_streams_peek(&conn->streams, stream, data, len);
    return rc == TERN_ERR_AGAIN && check_alive(conn) != 0 ? TERN_ERR_CLOSED : rc;
}

int tern_stream_consume(tern_stream *stream, size_t n)
{
    struct tern_conn *conn = conn_of(stream);
    int rc = tern_streams_consume(&conn->streams, stream, n);
    touch_streams(conn);
    return rc;
}

int tern_stream_reset(tern_stream *stream, uint64_t code)
{
    struct tern_conn *conn = conn_of(stream);
    int rc = code > TERN_VARINT_MAX ? TERN_ERR_INVALID : check_alive(conn);
    if (rc == 0) {
        rc = tern_streams_reset(&conn->streams, stream, code);
        touch_streams(conn);
    }
    return rc;
}

int tern_stream_set_early(tern_stream *stream)
{
    struct tern_conn *conn = conn_of(stream);
    if (!conn->is_server && !stream->is_local) {
        return TERN_ERR_STATE;
    }
    tern_streams_set_early(&conn->streams, stream);
    if (conn->is_server) {
        tern_resume_want_half(conn);
    }
    touch_streams(conn);
    return 0;
}

bool tern_stream_is_early(const tern_stream *stream)
{
    return tern_streams_is_early(stream);
}

int tern_stream_stop(tern_stream *stream, uint64_t code)
{
    struct tern_conn *conn = conn_of(stream);
    int rc = code > TERN_VARINT_MAX ? TERN_ERR_INVALID : check_alive(conn);
    if (rc == 0) {
        rc = tern_streams_stop(&conn->streams, stream, code);
        touch_streams(conn);
    }
    return rc;
}

int tern_stream_set_priority(tern_stream *stream, unsigned urgency, bool incremental)
{
    struct tern_conn *conn = conn_of(stream);
    if (urgency > 7) {
        return TERN_ERR_INVALID;
    }
    return tern_streams_set_priority(&conn->streams, stream, urgency, incremental);
}

uint64_t tern_stream_id(const tern_stream *stream)
{
    return stream->id;
}

tern_stream_kind tern_stream_kind_of(const tern_stream *stream)
{
    return (stream->id & 2) != 0 ? TERN_STREAM_UNI : TERN_STREAM_BIDI;
}

bool tern_stream_is_local(const tern_stream *stream)
{
    return ((stream->id & 1) != 0) == conn_of(stream)->is_server;
}

tern_conn *tern_stream_conn(const tern_stream *stream)
{
    return conn_of(stream);
}

uint64_t tern_stream_reset_code(const tern_stream *stream)
{
    return stream->reset_code;
}

void tern_stream_set_user(tern_stream *stream, void *user)
{
    stream->user = user;
}

void *tern_stream_user(const tern_stream *stream)
{
    return stream->user;
}
