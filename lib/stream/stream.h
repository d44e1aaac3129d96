/* One stream: its two halves, what it owes the peer, and what it has to tell the application.
 *
 * Sending half (RFC 9000 §3.1), moves and who makes them:
 *
 *     OPEN --write with FIN--> FIN --all acknowledged--> DONE
 *       \------ reset, or the peer's STOP_SENDING ------> RESET --RESET_STREAM acknowledged--> DONE
 *
 * Receiving half (RFC 9000 §3.2):
 *
 *     OPEN --end read, or stopped and final size known--> DONE
 *       \------ the peer's RESET_STREAM ----------------> RESET --read or stop--> DONE
 *
 * A one-way stream lacks one half (NONE). CLOSED is raised when neither half is alive.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_STREAM_H
#define TERN_STREAM_STREAM_H

#include <tern/stream.h>

#include "base/list.h"
#include "stream/flow.h"
#include "stream/inbuf.h"
#include "stream/outbuf.h"
#include "stream/sched.h"

struct tern_streams;

enum tern_send_state {
    TERN_SEND_NONE,
    TERN_SEND_OPEN,
    TERN_SEND_FIN, /* the application wrote its last byte */
    TERN_SEND_RESET,
    TERN_SEND_DONE
};

enum tern_recv_state { TERN_RECV_NONE, TERN_RECV_OPEN, TERN_RECV_RESET, TERN_RECV_DONE };

/* In the order of what data wants: both halves the first lines, receiving the next, sending those behind them. */
struct tern_stream {
    uint64_t id;
    struct tern_streams *table;
    void *user;
    tern_stream_kind kind;
    enum tern_send_state send;
    enum tern_recv_state recv;
    bool is_local;
    bool is_stopped;     /* the peer sent STOP_SENDING while we were sending */
    bool wants_writable; /* a write came back short, and wants_room would have been needed */
    bool has_final;
    bool is_stopping;  /* we sent, or will send, STOP_SENDING: discard */
    bool may_be_early; /* ours may leave as early data */
    bool was_reset;
    bool is_buried;  /* CLOSED was taken */
    unsigned owes;   /* bit 1 << enum tern_stream_control_kind */
    unsigned events; /* bit 1 << enum tern_stream_event_kind */
    struct tern_list event;
    struct tern_sched_entry turn;
    struct tern_list starved; /* has data, waits for the connection's credit */
    uint64_t wants_room;

    struct tern_flow_in in_flow;
    struct tern_inbuf in;

    struct tern_flow_out out_flow;
    struct tern_outbuf out;

    struct tern_list control, all; /* all: in `dead` once buried */
    uint64_t final_size;
    uint64_t early_upto; /* bytes below may have come in early data, and so more than once */
    uint64_t send_code;  /* with which we reset */
    uint64_t stop_code;  /* the peer's STOP_SENDING */
    uint64_t reset_code; /* the peer's */
    uint64_t ask_code;   /* of our STOP_SENDING */
};
/* Up to here data that comes, and data that leaves, wants it. */
#define TERN_STREAM_HOT_IN  (offsetof(struct tern_stream, out_flow))
#define TERN_STREAM_HOT_OUT (offsetof(struct tern_stream, control))

void tern_stream_init(struct tern_stream *s, struct tern_streams *t, uint64_t id);
void tern_stream_clear(struct tern_stream *s); /* leaves every list, gives all memory back */

/* A local stream beyond what the peer allows, opened before the grant came; or one that must not speak
 * yet, while only early data may leave. */
bool tern_stream_is_held(const struct tern_stream *s);

/* Puts the stream where its state says: into the schedule, among the starved, or neither; finds
 * out whether it is blocked. To be called after each change of data or credit. */
void tern_stream_place(struct tern_stream *s);

/* Marks and unmarks control frames (bits) and events (bits). */
void tern_stream_owe(struct tern_stream *s, unsigned controls);
void tern_stream_disown(struct tern_stream *s, unsigned controls);
void tern_stream_raise(struct tern_stream *s, unsigned events);
void tern_stream_quiet(struct tern_stream *s, unsigned events);

/* Raises WRITABLE if a short write waits and there is room again. */
void tern_stream_offer_room(struct tern_stream *s);

/* Received bytes up to this offset were read, or discarded: credit for both levels. What is
 * discarded does not count as speed, or a peer could grow the window by resets. */
void tern_stream_credit(struct tern_stream *s, uint64_t upto, bool is_read);

/* The bytes up to the final size are all there. */
bool tern_stream_has_all(const struct tern_stream *s);

/* Ends a half; raises CLOSED with the second. */
void tern_stream_end_send(struct tern_stream *s);
void tern_stream_end_recv(struct tern_stream *s);

/* Drops what is unsent and unacknowledged and owes RESET_STREAM. */
void tern_stream_abandon(struct tern_stream *s, uint64_t code);

#endif
