/* What was said in one room: numbered from 1 without gaps, the latest of it in memory.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_LOG_H
#define TERNCHAT_LOG_H

#include "ternchat/proto.h"

#define LOG_EVENTS 256u              /* kept in memory, a power of two */
#define LOG_BYTES  ((size_t)1 << 20) /* and of so many bytes at most, the newest always */

/* One event, as CHAT_EVENT has it, encoded once for all who get it. */
struct log_event {
    uint64_t seq, id;
    uint8_t kind;
    uint8_t key[TERN_KEY_SIZE];
    size_t len;
    uint8_t packet[];
};

struct log {
    uint64_t next;  /* the number of the next event */
    uint64_t first; /* the oldest in memory; next: none is */
    size_t bytes;
    size_t *total; /* of several logs, theirs too; NULL: nobody counts it */
    struct log_event *ring[LOG_EVENTS];
};

void log_init(struct log *log, uint64_t next);  /* 1 for a new room */
void log_go_on(struct log *log, uint64_t next); /* an empty one, at that number */
void log_clear(struct log *log);

/* Numbers an event (p->seq is set): the next one, once log_keep has it. NULL: no memory, or it does not
 * fit a packet. */
struct log_event *log_make(const struct log *log, struct chat_packet *p);
void log_keep(struct log *log, struct log_event *event); /* which is the log's from now on */
void log_trim(struct log *log, size_t events);           /* keeps so many at the most */
const struct log_event *log_append(struct log *log, struct chat_packet *p); /* both */

/* Takes an event from where it was stored; it must be the next one. False: no memory, or it is not. */
bool log_restore(struct log *log, const uint8_t *packet, size_t len);

/* NULL: it is too old, or not there yet. */
const struct log_event *log_find(const struct log *log, uint64_t seq);

#endif
