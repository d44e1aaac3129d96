/* What happened: events that the application polls from an endpoint.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_EVENT_H
#define TERN_EVENT_H

#include <tern/message.h>
#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What happened. Handles that an event brings are valid until they are closed, and then until the next poll. */
typedef enum tern_event_type {
    TERN_EVENT_NONE = 0,
    TERN_EVENT_CONNECTED,     /* the handshake is complete and the peer's key is proved */
    TERN_EVENT_CLOSED,        /* the connection is over; see `close`. Its handle and those of its
                                   streams are valid until the next poll call */
    TERN_EVENT_OPENABLE,      /* tern_conn_open_stream said TERN_ERR_LIMIT before, and the peer now
                                   allows more streams */
    TERN_EVENT_STREAM_OPENED, /* the peer opened `stream` */
    TERN_EVENT_STREAM_READABLE, /* new bytes, the end, or a reset can be read from `stream` */
    TERN_EVENT_STREAM_WRITABLE, /* a write came back short before, and there is room again */
    TERN_EVENT_STREAM_STOPPED,  /* the peer reads no more of `stream`: `code`; writes now fail */
    TERN_EVENT_STREAM_CLOSED,   /* both halves are done: all that we sent was acknowledged or
                                   reset, all that came was read. Handle valid until next poll */
    TERN_EVENT_BANDWIDTH, /* what the path carries has changed by more than a twentieth, or the
                                   delay in its queue by half and 5 ms: see `bandwidth`. Under "media",
                                   or with config.bandwidth_events; five a second at most */
    TERN_EVENT_EARLY,     /* a server: a client has sent early data with a ticket, and stream events
                            may follow before CONNECTED. tern_conn_peer_key says to whom the ticket
                            was given, who has not shown up yet: the bytes may be a replay */
    TERN_EVENT_TICKET,    /* a client: `ticket` for a later connection to this server. Keep it as
                            secret as a key; the newest is the best */
    TERN_EVENT_MESSAGES,  /* messages have come: tern_conn_receive until it says 0 */
    TERN_EVENT_MESSAGES_WRITABLE, /* tern_conn_send said TERN_ERR_AGAIN before, and there is room again */
    TERN_EVENT_MESSAGE_OUTCOME /* what became of the message with `tag`: `outcome` */
} tern_event_type;

/* Who ended a connection. */
typedef enum tern_closer {
    TERN_CLOSED_LOCAL,   /* tern_conn_close was called here */
    TERN_CLOSED_PEER,    /* the peer closed */
    TERN_CLOSED_TIMEOUT, /* handshake or idle timeout */
    TERN_CLOSED_ERROR    /* we found an error (the peer broke the protocol, no memory, ...) */
} tern_closer;

/* How a connection ended. */
typedef struct tern_close_info {
    tern_closer by;
    int error;             /* 0 after a clean close, or a TERN_ERR_* that names the cause */
    bool is_application;   /* `code` is the application's (true) or the transport's (false) */
    uint64_t code;         /* as sent in CONNECTION_CLOSE; docs/protocol.md lists the transport's */
    const uint8_t *reason; /* the peer's or our words, not terminated; may hold any bytes */
    size_t reason_len;
} tern_close_info;

/* What an encoder needs to know of the path. */
typedef struct tern_bandwidth {
    uint64_t estimate; /* bytes a second (UDP payload) that the path carries for us. "media" keeps
                              it a little below the capacity, and at most a quarter above what was
                              used of it; for other controllers it is the latest delivery rate */
    tern_time queue_delay; /* smoothed: the round trip less the shortest one */
    tern_time rtt;         /* smoothed */
    unsigned loss;         /* of the bytes sent, over about two seconds, in ten-thousandths */
} tern_bandwidth;

/* One event. Fields that the comments give to one type are of no meaning with others; what pointers lead to is
 * lent until the next tern_endpoint_poll. */
typedef struct tern_event {
    tern_event_type type;
    tern_conn *conn;
    tern_stream *stream;      /* NULL for connection events */
    uint64_t code;            /* STREAM_STOPPED: the peer's code */
    tern_close_info close;    /* CLOSED */
    tern_bandwidth bandwidth; /* BANDWIDTH */
    const uint8_t *ticket;    /* TICKET: for tern_peer; valid until the next poll */
    size_t ticket_len;
    tern_time ticket_life; /* of no use afterwards */
    uint64_t tag;          /* MESSAGE_OUTCOME */
    tern_outcome outcome;  /* the same */
} tern_event;

/* "stream-readable" and so on, for logs. */
TERN_API const char *tern_event_name(tern_event_type type);

#ifdef __cplusplus
}
#endif

#endif
