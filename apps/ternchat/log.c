/* A ring of pointers by sequence number; the oldest make room for the newest.
 * SPDX-License-Identifier: MIT */
#include "ternchat/log.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((LOG_EVENTS & (LOG_EVENTS - 1)) == 0, "numbers become places by their low bits");

static struct log_event **place(struct log *log, uint64_t seq)
{
    return &log->ring[seq & (LOG_EVENTS - 1)];
}

void log_init(struct log *log, uint64_t next)
{
    memset(log, 0, sizeof *log);
    log->next = log->first = next;
}

static void drop_oldest(struct log *log)
{
    struct log_event **oldest = place(log, log->first++);
    log->bytes -= (*oldest)->len;
    free(*oldest);
    *oldest = NULL;
}

void log_clear(struct log *log)
{
    while (log->first < log->next) {
        drop_oldest(log);
    }
}

const struct log_event *log_append(struct log *log, struct chat_packet *p)
{
    uint8_t buf[CHAT_PACKET_MAX];
    p->seq = log->next;
    size_t len = chat_encode(p, buf, sizeof buf);
    struct log_event *event = len == 0 ? NULL : malloc(sizeof *event + len);
    if (event == NULL) {
        return NULL;
    }
    event->seq = p->seq;
    event->id = p->id;
    event->kind = p->kind;
    memcpy(event->key, p->key, sizeof event->key);
    event->len = len;
    memcpy(event->packet, buf, len);
    while (log->first < log->next &&
           (log->next - log->first == LOG_EVENTS || log->bytes + len > LOG_BYTES)) {
        drop_oldest(log);
    }
    log->bytes += len;
    *place(log, log->next++) = event;
    return event;
}

const struct log_event *log_find(const struct log *log, uint64_t seq)
{
    return seq < log->first || seq >= log->next ? NULL : log->ring[seq & (LOG_EVENTS - 1)];
}
