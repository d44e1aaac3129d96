/* The public calls on messages: check, change state, mark; nothing leaves here.
 * SPDX-License-Identifier: MIT */
#include <tern/message.h>

#include "conn/messages.h"

#define PRIORITY_DEFAULT 3
#define WEIGHT_MAX       255
#define COPIES_MAX       8

void tern_send_options_init(tern_send_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
    options->priority = PRIORITY_DEFAULT;
}

/* After any change by the application: output should look, and events may have come of it. */
static void touch_messages(struct tern_conn *conn)
{
    tern_conn_mark_ready(conn);
    if (tern_messages_has_event(conn)) {
        tern_conn_mark_eventful(conn);
    }
}

/* 0 when the other end is known, and there. */
static int check_ready(const struct tern_conn *conn)
{
    if (tern_life_is_over(&conn->life)) {
        return TERN_ERR_CLOSED;
    }
    return tern_conn_is_established(conn) ? 0 : TERN_ERR_STATE;
}

static int send_message(struct tern_conn *conn, const void *data, size_t len,
                        tern_release_fn release, void *arg, const tern_send_options *options,
                        tern_time now)
{
    tern_send_options plain;
    struct tern_msgout *out = NULL;
    int rc = check_ready(conn);
    if (rc != 0) {
        return rc;
    }
    if (conn->peer_terms.message_max == 0) {
        return TERN_ERR_UNSUPPORTED;
    }
    if (options == NULL) {
        tern_send_options_init(&plain);
        options = &plain;
    }
    if (options->size != sizeof *options || (data == NULL && len > 0)) {
        return TERN_ERR_INVALID;
    }
    rc = tern_messages_need_out(conn, &out);
    if (rc == 0) {
        rc = tern_msgout_send(out, data, len, release, arg, options, now);
        touch_messages(conn);
    }
    return rc;
}

int tern_conn_send(tern_conn *conn, const void *data, size_t len, const tern_send_options *options,
                   tern_time now)
{
    return send_message(conn, data, len, NULL, NULL, options, now);
}

int tern_conn_send_ref(tern_conn *conn, const void *data, size_t len, tern_release_fn release,
                       void *arg, const tern_send_options *options, tern_time now)
{
    return release == NULL ? TERN_ERR_INVALID
                           : send_message(conn, data, len, release, arg, options, now);
}

size_t tern_conn_cancel(tern_conn *conn, uint64_t tag)
{
    struct tern_msgout *out = tern_messages_out(conn);
    size_t count = out == NULL ? 0 : tern_msgout_cancel(out, tag);
    if (count > 0) {
        touch_messages(conn);
    }
    return count;
}

size_t tern_conn_cancel_channel(tern_conn *conn, uint32_t channel)
{
    struct tern_msgout *out = tern_messages_out(conn);
    size_t count =
        out == NULL || channel >= TERN_CHANNELS ? 0 : tern_msgout_cancel_channel(out, channel);
    if (count > 0) {
        touch_messages(conn);
    }
    return count;
}

/* What had come before the end of the connection can still be taken. */
int tern_conn_receive(tern_conn *conn, tern_message *out)
{
    struct tern_msgin *in = tern_messages_in(conn);
    tern_message message = {.size = out->size};
    if (in == NULL || tern_msgin_receive(in, &message) == 0) {
        return 0;
    }
    memcpy(out, &message, TERN_MIN(out->size, sizeof message));
    if (tern_msgin_wants_limit(in)) {
        tern_conn_mark_ready(conn);
    }
    return 1;
}

uint64_t tern_conn_queued(const tern_conn *conn, unsigned priority, tern_time *age, tern_time now)
{
    const struct tern_msgout *out = tern_messages_out(conn);
    tern_time since = TERN_TIME_NEVER;
    uint64_t bytes = 0;
    if (out != NULL && priority < TERN_PRIORITIES) {
        bytes = tern_msgout_queued(out, priority, &since);
    }
    if (age != NULL) {
        *age = tern_sub_sat(now, since);
    }
    return bytes;
}

size_t tern_conn_max_message(const tern_conn *conn)
{
    return check_ready(conn) == 0 ? conn->peer_terms.message_max : 0;
}

int tern_conn_set_weight(tern_conn *conn, uint32_t channel, unsigned weight)
{
    struct tern_msgout *out = NULL;
    if (channel >= TERN_CHANNELS || weight == 0 || weight > WEIGHT_MAX) {
        return TERN_ERR_INVALID;
    }
    int rc = check_ready(conn);
    if (rc == 0) {
        rc = tern_messages_need_out(conn, &out);
    }
    return rc == 0 ? tern_msgout_set_weight(out, channel, weight) : rc;
}

int tern_conn_set_redundancy(tern_conn *conn, tern_redundancy redundancy, unsigned copies)
{
    if (copies > COPIES_MAX ||
        (redundancy != TERN_REDUNDANCY_ADAPTIVE && redundancy != TERN_REDUNDANCY_OFF &&
         redundancy != TERN_REDUNDANCY_FIXED)) {
        return TERN_ERR_INVALID;
    }
    return tern_messages_set_redundancy(conn, redundancy, copies);
}

int tern_conn_set_fec(tern_conn *conn, uint32_t channel, tern_order order, unsigned percent,
                      bool adaptive)
{
    static const enum tern_lane lanes[] = {[TERN_ORDERED] = TERN_LANE_ORDERED,
                                           [TERN_UNORDERED] = TERN_LANE_UNORDERED,
                                           [TERN_LATEST] = TERN_LANE_LATEST};
    if (channel >= TERN_CHANNELS || (unsigned)order >= TERN_COUNT_OF(lanes) || percent > 100) {
        return TERN_ERR_INVALID;
    }
    int rc = check_ready(conn);
    if (rc == 0 && conn->peer_terms.fec_window == 0) {
        rc = TERN_ERR_UNSUPPORTED;
    }
    if (rc == 0) {
        rc = tern_fec_protect(conn, channel, lanes[order], percent, adaptive);
        touch_messages(conn);
    }
    return rc;
}
