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

void log_go_on(struct log *log, uint64_t next)
{
    log->next = log->first = next;
}

static void drop_oldest(struct log *log)
{
    struct log_event **oldest = place(log, log->first++);
    log->bytes -= (*oldest)->len;
    if (log->total != NULL) {
        *log->total -= (*oldest)->len;
    }
    free(*oldest);
    *oldest = NULL;
}

void log_clear(struct log *log)
{
    while (log->first < log->next) {
        drop_oldest(log);
    }
}

static struct log_event *event_of(const struct chat_packet *p, const uint8_t *packet, size_t len)
{
    struct log_event *event = malloc(sizeof *event + len);
    if (event != NULL) {
        event->seq = p->seq;
        event->id = p->id;
        event->kind = p->kind;
        memcpy(event->key, p->key, sizeof event->key);
        event->len = len;
        memcpy(event->packet, packet, len);
    }
    return event;
}

struct log_event *log_make(const struct log *log, struct chat_packet *p)
{
    uint8_t buf[CHAT_PACKET_MAX];
    p->seq = log->next;
    size_t len = chat_encode(p, buf, sizeof buf);
    return len == 0 ? NULL : event_of(p, buf, len);
}

void log_keep(struct log *log, struct log_event *event)
{
    while (log->first < log->next &&
           (log->next - log->first == LOG_EVENTS || log->bytes + event->len > LOG_BYTES)) {
        drop_oldest(log);
    }
    log->bytes += event->len;
    if (log->total != NULL) {
        *log->total += event->len;
    }
    *place(log, log->next++) = event;
}

void log_trim(struct log *log, size_t events)
{
    while (log->next - log->first > events) {
        drop_oldest(log);
    }
}

const struct log_event *log_append(struct log *log, struct chat_packet *p)
{
    struct log_event *event = log_make(log, p);
    if (event != NULL) {
        log_keep(log, event);
    }
    return event;
}

bool log_restore(struct log *log, const uint8_t *packet, size_t len)
{
    struct chat_packet p;
    if (!chat_decode(&p, packet, len) || p.type != CHAT_EVENT || p.seq != log->next) {
        return false;
    }
    struct log_event *event = event_of(&p, packet, len);
    if (event != NULL) {
        log_keep(log, event);
    }
    return event != NULL;
}

const struct log_event *log_find(const struct log *log, uint64_t seq)
{
    return seq < log->first || seq >= log->next ? NULL : log->ring[seq & (LOG_EVENTS - 1)];
}
