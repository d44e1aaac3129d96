/* One connection of a person, as the server knows it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_SESSION_H
#define TERNCHAT_SESSION_H

#include "ternchat/room.h"

/* A channel. */
struct session_place {
    struct seat *seat;
    bool is_parted; /* PARTED left on it, and the client's LEAVE is not here */
};

struct hub_session {
    struct hub *hub;
    void *conn;
    struct person *person;
    bool is_welcome;              /* HELLO came and was answered */
    struct session_place *places; /* by channel from CHAT_ROOM_FIRST on; few are in many rooms */
    uint16_t place_count;
    struct late *late, **late_tail; /* packets that must go out before all that seats have */
    size_t late_bytes;
    struct ask *ask;                      /* what the broker is asked for it */
    struct behind *behind, **behind_tail; /* packets that wait for that */
    bool is_in_call;                      /* a packet of it is being taken */
    bool is_leaving;                      /* once they are done; conn is NULL */
    struct hub_session *next, **link;     /* of the person */
};

/* Channels of rooms begin at CHAT_ROOM_FIRST. seat NULL: it is free again. */
void session_seat_set(struct hub_session *session, uint16_t channel, struct seat *seat);
/* PARTED was told on it: it is not free before the client's LEAVE. */
void session_seat_close(struct hub_session *session, uint16_t channel);
struct seat *session_seat(const struct hub_session *session, uint16_t channel); /* or NULL */
uint16_t session_free_channel(struct hub_session *session);           /* 0: none, or no memory */
void session_on_leave(struct hub_session *session, uint16_t channel); /* the answer to PARTED */
void session_free(struct hub_session *session);                       /* without its seats */

bool session_send(struct hub_session *session, uint16_t channel, const uint8_t *data, size_t len,
                  bool is_latest);

/* On channel 0. When there is no room now, the packet waits, and what seats have waits for it; too many,
 * and the session is closed. */
void session_tell(struct hub_session *session, const struct chat_packet *p);
void session_tell_on(struct hub_session *session, uint16_t channel, const struct chat_packet *p);

void session_send_late(struct hub_session *session); /* there is room again */
void session_refuse(struct hub_session *session, struct chat_packet *p, enum chat_refusal code,
                    const char *why);

uint64_t hub_wall(const struct hub *hub);

#endif
