/* Messages: each keeps its boundaries and says for itself how reliable, how urgent and in what order.
 *
 * A moving player, sixty times a second, of which only the newest matters:
 *     tern_send_options o;
 *     tern_send_options_init(&o);
 *     o.reliability = TERN_UNRELIABLE;
 *     o.order = TERN_LATEST;
 *     o.channel = player;
 *     rc = tern_conn_send(conn, state, sizeof state, &o, now);
 * and at the other end:
 *     case TERN_EVENT_MESSAGES:
 *         while (tern_conn_receive(ev.conn, &message) == 1) { draw(message.data, message.len); }
 *
 * Messages that are sent between two transmits share packets, and packets with streams. Where room is
 * left in a packet, small messages that are not yet acknowledged ride along again
 * (tern_conn_set_redundancy). SPDX-License-Identifier: MIT */
#ifndef TERN_MESSAGE_H
#define TERN_MESSAGE_H

#include <tern/stream.h>
#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_CHANNELS      65536u              /* 0..65535, each independent of all others */
#define TERN_PRIORITIES    8u                  /* 0, the first, to 7 */
#define TERN_MESSAGE_MAX   (16u * 1024 * 1024) /* what config.max_message can be */
#define TERN_MESSAGE_EXTRA 64u /* what a message counts for in every limit, beside its bytes */

/* How long a message is cared for. The sender alone decides; whatever is given up is never delivered
 * late, and never holds others back. */
typedef enum tern_reliability {
    TERN_RELIABLE = 0,   /* until it is acknowledged, or the connection ends */
    TERN_UNRELIABLE,     /* sent once (and by redundancy) */
    TERN_UNTIL_DEADLINE, /* sent again until `lifetime` is over */
    TERN_LIMITED         /* sent again at most `retransmits` times */
} tern_reliability;

/* In what order messages are delivered. Messages of different channels, and of different orders on one channel, never
 * wait for each other. */
typedef enum tern_order {
    TERN_ORDERED = 0, /* after all ordered messages of its channel that were sent before */
    TERN_UNORDERED,   /* as it comes */
    TERN_LATEST /* never after a newer one of its channel; the older ones are dropped, also from
                         the queues at both ends */
} tern_order;

/* What became of a message whose sender asked (tern_send_options.wants_outcome). */
typedef enum tern_outcome {
    TERN_OUTCOME_ACKED, /* the peer has all of it */
    TERN_OUTCOME_EXPIRED, /* its time was over, or a newer one or the loss of `depends` made it useless */
    TERN_OUTCOME_LOST /* it was given up after the last permitted transmission was lost, or dropped
                             from a full queue before it was sent */
} tern_outcome;

/* Fill with tern_send_options_init: reliable, ordered, channel 0, priority 3. */
typedef struct tern_send_options {
    size_t size;
    tern_reliability reliability;
    tern_order order;
    uint32_t channel; /* below TERN_CHANNELS, and below what the peer takes */
    /* 0 first; strict against messages and streams (urgency) of another; inside one, by
     * tern_conn_set_weight. An ordered message is not sent before those that its channel holds
     * already, whatever its priority. */
    unsigned priority;
    /* From now, for UNTIL_DEADLINE: more than 0. With the other kinds 0 (none), or a time after
     * which an unacknowledged one expires as well. */
    tern_time lifetime;
    unsigned retransmits; /* for LIMITED */
    /* The peer shall acknowledge it at once: quicker news of loss, more packets. */
    bool immediate_ack;
    bool wants_outcome; /* TERN_EVENT_MESSAGE_OUTCOME with `tag` will come, once */
    uint64_t tag;       /* yours: for the outcome, `depends` and tern_conn_cancel */
    bool has_depends; /* it is useless without the message of this channel with the tag `depends` */
    uint64_t depends; /* when that one expires or is lost, this one expires */
} tern_send_options;

/* Sets `size` and what is said above; no deadline, no outcome, no dependence. */
TERN_API void tern_send_options_init(tern_send_options *options);

/* Sends len bytes (0 is fine) as one message; they are copied. Larger than a packet: in fragments. NULL
 * options: reliable and ordered on channel 0. `now` is the time of the endpoint's calls.
 * 0 · TERN_ERR_AGAIN (the send buffer is full, config.message_buffer: TERN_EVENT_MESSAGES_WRITABLE comes
 * when half of it is free; UNRELIABLE messages never get this: the oldest of them make room) ·
 * TERN_ERR_LIMIT (longer, or on a higher channel, than the peer takes: tern_conn_max_message) ·
 * TERN_ERR_INVALID (an option out of its range) · TERN_ERR_STATE (before CONNECTED) ·
 * TERN_ERR_UNSUPPORTED (the peer takes no messages) · TERN_ERR_CLOSED · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_conn_send(tern_conn *conn, const void *data, size_t len,
                                            const tern_send_options *options, tern_time now);

/* The same without a copy: the bytes are lent until `release` is called, once, when the message was
 * acknowledged or given up or the connection is gone. The errors of tern_conn_send; after one release is
 * not called. */
TERN_API TERN_MUST_CHECK int tern_conn_send_ref(tern_conn *conn, const void *data, size_t len,
                                                tern_release_fn release, void *arg,
                                                const tern_send_options *options, tern_time now);

/* Takes back what was not acknowledged yet: nothing of it is sent (again), no outcome comes. What the peer
 * has got already it keeps. The number of messages. */
TERN_API size_t tern_conn_cancel(tern_conn *conn, uint64_t tag);
TERN_API size_t tern_conn_cancel_channel(tern_conn *conn, uint32_t channel);

/* Bytes of messages of a priority that wait to leave for the first time, for a HUD or to send less. *age, if
 * not NULL: how long the oldest of them has waited; 0 when none does. */
TERN_API uint64_t tern_conn_queued(const tern_conn *conn, unsigned priority, tern_time *age,
                                   tern_time now);

/* A message that has come. */
typedef struct tern_message {
    size_t size; /* set it to sizeof before the call */
    const uint8_t *data;
    size_t len;
    uint32_t channel;
    tern_order order;
    uint64_t number;   /* rises by one with each message of this order of the channel that began to
                             leave; what was given up before that has none */
    bool is_recovered; /* put together from forward error correction */
} tern_message;

/* Takes the next message, which gives the peer new credit. Its bytes are lent until the next
 * tern_conn_receive on this connection or the next tern_endpoint_poll after which it is gone.
 * 1, or 0 when there is none now (TERN_EVENT_MESSAGES says when); it cannot fail. Of out only out->size bytes are written. */
TERN_API int tern_conn_receive(tern_conn *conn, tern_message *out);

/* The longest message that the peer takes; 0: none, or not known before CONNECTED. */
TERN_API size_t tern_conn_max_message(const tern_conn *conn);

/* A channel's share against others of the same priority, 1..255, default 16; all streams together have 16.
 * 0 · TERN_ERR_INVALID · TERN_ERR_STATE (before CONNECTED) · TERN_ERR_CLOSED · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_conn_set_weight(tern_conn *conn, uint32_t channel,
                                                  unsigned weight);

/* What rides along in the room that is left in packets with messages: copies of small ones that are not
 * acknowledged, newest first. */
typedef enum tern_redundancy {
    TERN_REDUNDANCY_ADAPTIVE =
        0,                /* none while nothing is lost; more the more is lost. The default */
    TERN_REDUNDANCY_OFF,  /* only of what was lost and is sent again */
    TERN_REDUNDANCY_FIXED /* each message `copies` times more, in as many later packets */
} tern_redundancy;

/* 0 · TERN_ERR_INVALID (copies above 8) · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_conn_set_redundancy(tern_conn *conn, tern_redundancy redundancy,
                                                      unsigned copies);

/* Forward error correction for the messages of one channel and order: `percent` repairs, of a packet each, for a
 * hundred packets of them (or for a hundred messages, where those are smaller), so that the receiver makes good
 * what is lost without a round trip. Adaptive: none while nothing is lost, then as many as the losses and
 * their bursts ask for, `percent` at most. 0: off, as at the start. Repairs leave after each message, within what congestion control
 * allows, and cost the sender about 1 ns for each byte that one covers (up to 64 packets' worth, in practice those
 * of the last two round trips), and 64 packets of memory at either end. At most 16 channels and orders.
 * 0 · TERN_ERR_INVALID (percent above 100, or out of range) · TERN_ERR_LIMIT (16 others have it) · TERN_ERR_UNSUPPORTED (the peer takes
 * none) · TERN_ERR_STATE · TERN_ERR_CLOSED · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_conn_set_fec(tern_conn *conn, uint32_t channel, tern_order order,
                                               unsigned percent, bool adaptive);

#ifdef __cplusplus
}
#endif

#endif
