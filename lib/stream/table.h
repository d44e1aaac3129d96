/* All streams of one connection: ids, limits, credit, what wants to be sent, what happened.
 *
 * This is the face that conn uses. Input functions take what a frame said; output functions lend
 * the next thing to send and are told when it left; receipts come back as acked or lost; events
 * are taken out one at a time. Nothing here calls conn.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_TABLE_H
#define TERN_STREAM_TABLE_H

#include <tern/stream.h>

#include "base/list.h"
#include "base/map.h"
#include "stream/flow.h"
#include "stream/sched.h"
#include "stream/stream.h"

/* Birth settings. "local" limits are what we grant the peer, "remote" what the peer granted us
 * (all zero until its transport parameters arrive). */
struct tern_streams_config {
    bool is_server;
    uint64_t stream_window, stream_window_max; /* receive credit per stream, autotuned */
    uint64_t conn_window, conn_window_max;
    uint64_t send_buffer;       /* bytes that a stream holds unacknowledged */
    uint64_t max_bidi, max_uni; /* that the peer may have open at once */
    /* Shared with other connections: the page just emptied is in the cache. */
    struct tern_pool *pages;
};

/* What frames of streams that are open want comes first, up to TERN_STREAMS_HOT bytes: conn/conn.h says why. */
struct tern_streams {
    struct tern_list controls;  /* streams that owe a control frame */
    struct tern_list events;    /* streams with something to tell the application */
    struct tern_list dead;      /* told CLOSED; freed at the next poll */
    struct tern_list starved;   /* streams whose new data waits for conn_out */
    struct tern_stream *recent; /* found last: most frames are for the same stream */
    void *owner;                /* the connection; for tern_stream_conn only */
    unsigned wants;             /* connection-level control frames owed */
    bool is_server;             /* as in config */
    bool is_granted;            /* the peer's transport parameters have arrived */
    bool early_only;  /* before the handshake is over: only streams that said so may send */
    bool is_short[2]; /* an open failed at the limit told_local */
    bool is_openable; /* and the limit rose since */
    uint64_t hold;    /* copied bytes that a stream holds unacknowledged, for now */
    struct tern_flow_out conn_out; /* connection-level credit that we were granted */
    struct tern_flow_in conn_in;   /* and that we grant */
    uint64_t bytes_sent, bytes_received, bytes_resent;
    uint64_t next_local[2];    /* next stream sequence by kind */
    uint64_t max_local[2];     /* granted by the peer */
    uint64_t opened_remote[2]; /* streams of the peer that exist or existed */
    uint64_t max_remote[2];    /* granted by us */
    struct tern_sched sched;   /* streams with data to send */
    /* Births and deaths. */
    struct tern_streams_config config;
    struct tern_mem *mem;
    struct tern_pool *pages;   /* for inbuf and outbuf */
    struct tern_pool objects;  /* for struct tern_stream */
    uint64_t closed_remote[2]; /* of the peer's and ended, so that new credit can be given */
    uint64_t peer_window_bidi_local, peer_window_bidi_remote, peer_window_uni;
    uint64_t held;          /* local streams opened before the grant came, beyond the limit */
    uint64_t told_local[2]; /* limit for which we said STREAMS_BLOCKED, plus one */
    struct tern_map by_id;
    struct tern_list all;
    uint64_t open_count;
};
#define TERN_STREAMS_HOT                                                                           \
    (offsetof(struct tern_streams, sched) + offsetof(struct tern_sched, levels))

void tern_streams_init(struct tern_streams *t, struct tern_mem *mem, struct tern_random *random,
                       const struct tern_streams_config *config, void *owner);
void tern_streams_clear(struct tern_streams *t); /* frees all streams; runs release hooks */

/* What the peer's transport parameters grant. Called once; wakes streams that waited. */
struct tern_streams_grant {
    uint64_t max_data, bidi_local, bidi_remote, uni, streams_bidi, streams_uni;
};
void tern_streams_on_grant(struct tern_streams *t, const struct tern_streams_grant *grant);

/* Early data. As a client: the grant of last time holds for streams that may be early, until their bytes
 * were taken, or refused (then nothing was ever sent). As a server: bytes below `end` came early. */
void tern_streams_begin_early(struct tern_streams *t, const struct tern_streams_grant *grant);
void tern_streams_end_early(struct tern_streams *t);
/* A server, before the client has proved itself: the same streams alone may send, until end_early. */
void tern_streams_hold_back(struct tern_streams *t);
/* What held streams back is over: those that may move now. */
void tern_streams_release_held(struct tern_streams *t);
void tern_streams_refuse_early(struct tern_streams *t);
void tern_streams_on_early(struct tern_streams *t, uint64_t id, uint64_t end);

/* --- input: frames that arrived ------------------------------------------------------------ */
/* All: 0 · TERN_ERR_STREAM_LIMIT · TERN_ERR_STREAM_STATE · TERN_ERR_FLOW_CONTROL ·
 * TERN_ERR_FINAL_SIZE · TERN_ERR_NOMEM · TERN_ERR_LIMIT (too fragmented, [P §14]). Frames for
 * streams that ended are ignored (0). Data is copied. */
TERN_MUST_CHECK int tern_streams_on_stream(struct tern_streams *t, uint64_t id, uint64_t offset,
                                           const uint8_t *data, size_t len, bool fin, tern_time rtt,
                                           tern_time now);

/* Frame after frame of one stream, each where the one before it ended, that come at one moment: most of what a
 * transfer receives. What the application is told, and what it is granted, need not be looked at for each. */
struct tern_stream_intake {
    struct tern_stream *stream; /* NULL: nothing has been taken yet */
    bool is_long;               /* more than one frame */
};
/* As tern_streams_on_stream would take it. False: it is none of such a kind, and nothing has happened. */
bool tern_streams_take_next(struct tern_streams *t, struct tern_stream_intake *intake, uint64_t id,
                            uint64_t offset, const uint8_t *data, size_t len, tern_time rtt,
                            tern_time now);
void tern_streams_end_intake(struct tern_streams *t, const struct tern_stream_intake *intake,
                             tern_time rtt, tern_time now);
TERN_MUST_CHECK int tern_streams_on_reset(struct tern_streams *t, uint64_t id, uint64_t code,
                                          uint64_t final_size);
TERN_MUST_CHECK int tern_streams_on_stop(struct tern_streams *t, uint64_t id, uint64_t code);
TERN_MUST_CHECK int tern_streams_on_max_stream_data(struct tern_streams *t, uint64_t id,
                                                    uint64_t limit);
TERN_MUST_CHECK int tern_streams_on_stream_blocked(struct tern_streams *t, uint64_t id);
void tern_streams_on_max_data(struct tern_streams *t, uint64_t limit);
void tern_streams_on_max_streams(struct tern_streams *t, tern_stream_kind kind, uint64_t limit);

/* --- output: what wants to be sent ---------------------------------------------------------- */
/* A control frame that a stream or the connection owes. */
enum tern_stream_control_kind {
    TERN_CONTROL_RESET_STREAM,        /* id, value = code, extra = final size */
    TERN_CONTROL_STOP_SENDING,        /* id, value = code */
    TERN_CONTROL_MAX_STREAM_DATA,     /* id, value = limit */
    TERN_CONTROL_STREAM_DATA_BLOCKED, /* id, value = limit */
    TERN_CONTROL_MAX_DATA,            /* value = limit */
    TERN_CONTROL_DATA_BLOCKED,        /* value = limit */
    TERN_CONTROL_MAX_STREAMS_BIDI,    /* value = limit */
    TERN_CONTROL_MAX_STREAMS_UNI,
    TERN_CONTROL_STREAMS_BLOCKED_BIDI,
    TERN_CONTROL_STREAMS_BLOCKED_UNI
};
struct tern_stream_control {
    enum tern_stream_control_kind kind;
    uint64_t id, value, extra;
};

/* Lends the next control frame owed (true) without taking it; on_control_sent takes it. */
bool tern_streams_next_control(struct tern_streams *t, struct tern_stream_control *out);
void tern_streams_on_control_sent(struct tern_streams *t, const struct tern_stream_control *c);
/* Lost: owed again, with the then current value, if it still matters. Acked: RESET moves on. */
void tern_streams_on_control_lost(struct tern_streams *t, const struct tern_stream_control *c);
void tern_streams_on_control_acked(struct tern_streams *t, const struct tern_stream_control *c);

/* A piece of stream data. */
struct tern_stream_chunk {
    struct tern_stream *stream;
    uint64_t id, offset;
    size_t len;
    bool fin, is_new; /* is_new: sent for the first time, so it uses credit */
};

bool tern_streams_has_data(const struct tern_streams *t); /* next_chunk would give something */
/* The urgency of what next_chunk would give; TERN_SCHED_URGENCIES: nothing. */
unsigned tern_streams_top(const struct tern_streams *t);
/* Lends the next chunk by priority: lost data first, then new data as far as both credits allow; it
 * is as long as it can be, and the caller cuts it to what the packet holds. When false, nothing can
 * be sent now (and BLOCKED control frames may have become owed). */
bool tern_streams_next_chunk(struct tern_streams *t, struct tern_stream_chunk *out);
/* Shortens chunk to at most len bytes (fin goes off when cut). */
void tern_stream_chunk_cut(struct tern_stream_chunk *chunk, size_t len);
/* Copies its bytes to dst. */
void tern_stream_chunk_copy(const struct tern_stream_chunk *chunk, uint8_t *dst);
/* It is in a packet: advances, uses credit, turns the scheduler. */
void tern_streams_on_chunk_sent(struct tern_streams *t, const struct tern_stream_chunk *chunk);

/* Packet after packet of one stream's new bytes: most of what a transfer sends. `left` may be sent without
 * anything else coming to be owed or having its turn, if at least one byte of it stays. */
struct tern_stream_run {
    struct tern_stream *stream;
    uint64_t id, offset, left;
};

/* False: the next chunk is none of such a kind. */
bool tern_streams_begin_run(struct tern_streams *t, struct tern_stream_run *out);
/* Copies the next len bytes, fewer than are left, and moves on. */
void tern_stream_run_copy(struct tern_stream_run *run, size_t len, uint8_t *dst);
/* All that was copied is in packets. */
void tern_streams_end_run(struct tern_streams *t, const struct tern_stream_run *run);

void tern_streams_on_chunk_acked(struct tern_streams *t, uint64_t id, uint64_t offset, size_t len,
                                 bool fin);
/* 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_streams_on_chunk_lost(struct tern_streams *t, uint64_t id, uint64_t offset,
                                               size_t len, bool fin);

/* --- the application -------------------------------------------------------------------------- */
/* As documented in tern/conn.h and tern/stream.h, without the connection's own checks. */
TERN_MUST_CHECK int tern_streams_open(struct tern_streams *t, tern_stream_kind kind,
                                      struct tern_stream **out);
/* True once after the peer raised a limit on streams that an open had run into. */
bool tern_streams_take_openable(struct tern_streams *t);
TERN_MUST_CHECK ptrdiff_t tern_streams_write(struct tern_streams *t, struct tern_stream *s,
                                             const void *data, size_t len, unsigned flags);
TERN_MUST_CHECK ptrdiff_t tern_streams_write_ref(struct tern_streams *t, struct tern_stream *s,
                                                 const void *data, size_t len,
                                                 tern_release_fn release, void *arg,
                                                 unsigned flags);
size_t tern_streams_writable(const struct tern_streams *t, const struct tern_stream *s);
TERN_MUST_CHECK ptrdiff_t tern_streams_read(struct tern_streams *t, struct tern_stream *s,
                                            void *buf, size_t len);
TERN_MUST_CHECK int tern_streams_peek(struct tern_streams *t, struct tern_stream *s,
                                      const uint8_t **data, size_t *len);
TERN_MUST_CHECK int tern_streams_consume(struct tern_streams *t, struct tern_stream *s, size_t n);
TERN_MUST_CHECK int tern_streams_reset(struct tern_streams *t, struct tern_stream *s,
                                       uint64_t code);
TERN_MUST_CHECK int tern_streams_stop(struct tern_streams *t, struct tern_stream *s, uint64_t code);
void tern_streams_set_early(struct tern_streams *t, struct tern_stream *s);
bool tern_streams_is_early(const struct tern_stream *s);
TERN_MUST_CHECK int tern_streams_set_priority(struct tern_streams *t, struct tern_stream *s,
                                              unsigned urgency, bool incremental);

/* One thing that happened to a stream, in the order OPENED, READABLE, WRITABLE, STOPPED, CLOSED. */
enum tern_stream_event_kind {
    TERN_STREAM_HAS_OPENED,
    TERN_STREAM_IS_READABLE,
    TERN_STREAM_IS_WRITABLE,
    TERN_STREAM_WAS_STOPPED,
    TERN_STREAM_IS_CLOSED
};
bool tern_streams_has_event(const struct tern_streams *t);
/* Takes the next event; also frees streams whose CLOSED was taken by an earlier call. */
bool tern_streams_next_event(struct tern_streams *t, struct tern_stream **stream,
                             enum tern_stream_event_kind *kind);
/* Frees streams whose CLOSED event was taken; conn calls it at the start of each poll. */
void tern_streams_bury(struct tern_streams *t);

/* --- inside the room -------------------------------------------------------------------------- */

/* NULL: none, or gone. */
struct tern_stream *tern_streams_find(struct tern_streams *t, uint64_t id);
/* Finds or opens the stream that a frame of the peer is about. to_send: it is about our sending
 * half. 0 (and *out NULL when the stream has ended) · TERN_ERR_STREAM_STATE ·
 * TERN_ERR_STREAM_LIMIT · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_streams_reach(struct tern_streams *t, uint64_t id, bool to_send,
                                       struct tern_stream **out);
/* Owes MAX_STREAMS if enough was released to be worth a frame. */
void tern_streams_offer_streams(struct tern_streams *t, tern_stream_kind kind);

#endif
