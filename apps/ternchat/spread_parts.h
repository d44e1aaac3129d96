/* What the files of the spread share.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_SPREAD_PARTS_H
#define TERNCHAT_SPREAD_PARTS_H

#include <hiredis/hiredis.h>

#include "ternchat/broker.h"
#include "ternchat/hub_parts.h"
#include "ternchat/spread.h"

struct spread {
    struct hub *hub;
    struct broker *broker;
    uint8_t id
        [BROKER_ID]; /* ours; a new one with each connection, so that nothing old is taken for new */
    bool has_id, is_ending, is_told; /* told: that the broker is not there */
    tern_time beaten, heard;
    struct room *suspects; /* in which nobody may sit any more */
    uint8_t (*guests)[TERN_KEY_SIZE];
    size_t guest_count;
};

/* What a session has sent, until it is done. */
struct ask {
    struct spread *spread;
    struct hub_session *session; /* NULL: it is gone */
    uint8_t key[TERN_KEY_SIZE];  /* whose it was */
    char room[CHAT_NAME_MAX + 1];
    char nick[CHAT_NAME_MAX + 1];
    unsigned tries;
    tern_time since;
    bool is_told; /* that it takes long */
    /* JOIN: the room's last before it; until the picture has that one, it waits. */
    uint64_t before, until;
    struct ask *next_waiting;
    uint16_t channel;
    size_t len;
    uint8_t data[]; /* the packet */
};

/* Packets behind it: those that came with a goodbye. */
struct behind {
    struct behind *next;
    uint16_t channel;
    size_t len;
    uint8_t data[];
};

/* Answers. */
bool spread_is_ok(const redisReply *reply);
bool spread_is(const redisReply *reply, const char *word);       /* the first element is that */
const redisReply *spread_at(const redisReply *reply, size_t at); /* NULL: there is none */
struct chat_slice spread_bytes(const redisReply *reply);         /* empty: not a string */
uint64_t spread_number(const redisReply *reply);                 /* of a string, or 0 */
bool spread_key(const redisReply *reply, uint8_t key[TERN_KEY_SIZE]);

/* The packet of an event, of its number, its time and the rest; its length, or 0: it makes no sense. */
size_t spread_packet(uint64_t seq, uint64_t time, const uint8_t *entry, size_t len,
                     uint8_t packet[CHAT_PACKET_MAX]);
/* The same of an entry of a stream. */
size_t spread_event(const redisReply *entry, uint64_t *seq, uint8_t *flags,
                    uint8_t packet[CHAT_PACKET_MAX]);

uint64_t spread_u64(const uint8_t *data); /* big-endian */
void spread_put_u64(uint64_t n, uint8_t *out);

void spread_question(struct broker_question *q, const char *operation);
/* No answer matters. is_patient: however long it takes. */
void spread_tell(struct spread *spread, const struct broker_question *q, bool is_patient);

/* Pictures of rooms. NULL: no memory. */
struct room *spread_picture(struct spread *spread, const char *name, const redisReply *snapshot);
uint64_t spread_last(const redisReply *snapshot);
void spread_look(struct room *room);
void spread_suspect(struct room *room); /* it goes, if nobody sits in it */
void spread_settle(struct spread *spread);
void spread_on_event(struct room *room, const uint8_t *data, size_t len);
void spread_on_place(struct room *room, const uint8_t *data, size_t len);
void spread_on_tale(struct room *room, const uint8_t *data, size_t len);
void spread_merge(struct member *m); /* its presence, of all that is known */
void spread_set_elsewhere(struct member *m, const uint8_t server[BROKER_ID], uint8_t presence);
bool spread_is_online(const struct person *person); /* here */
/* Asks. */
void spread_sit(struct ask *a, struct room *room); /* the picture has got there */
void spread_refuse_waiting(struct room *room);
void spread_drop(struct hub_session *s);     /* what it waits for, and what is behind that */
void spread_tell_why(struct hub_session *s); /* it waits */
void spread_state(struct person *person, uint8_t state);

/* --- spread_files.c --------------------------------------------------------------------------- */
#define SPREAD_TO_SIZE 24 /* "to:", and a server's number in hexadecimal */
void spread_files_channel(const uint8_t server[BROKER_ID], char out[SPREAD_TO_SIZE]);
void spread_files_on_heard(struct spread *spread, const uint8_t *data, size_t len); /* on ours */
void spread_files_free(struct spread *spread); /* nobody is told */
void spread_files_lost(struct spread *spread); /* what was on its way may have missed something */

#endif
