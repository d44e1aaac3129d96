/* What goes to one client: at once, or behind what waits for room.
 * SPDX-License-Identifier: MIT */
#include "ternchat/session.h"

#include <stdlib.h>
#include <string.h>

#include "ternchat/hub_parts.h"

#define LATE_BYTES ((size_t)2 << 20) /* of packets that wait for room, to one session */

struct late {
    struct late *next;
    uint16_t channel;
    size_t len;
    uint8_t data[];
};

void session_seat_set(struct hub_session *s, uint16_t channel, struct seat *seat)
{
    s->seats[channel - CHAT_ROOM_FIRST] = seat;
}

struct seat *session_seat(const struct hub_session *s, uint16_t channel)
{
    return channel < CHAT_ROOM_FIRST || channel >= CHAT_ROOM_FIRST + HUB_ROOMS_EACH
               ? NULL
               : s->seats[channel - CHAT_ROOM_FIRST];
}

uint16_t session_free_channel(const struct hub_session *s)
{
    for (uint16_t i = 0; i < HUB_ROOMS_EACH; i++) {
        if (s->seats[i] == NULL && !s->is_parted[i]) {
            return (uint16_t)(CHAT_ROOM_FIRST + i);
        }
    }
    return 0;
}

void session_seat_close(struct hub_session *s, uint16_t channel)
{
    s->is_parted[channel - CHAT_ROOM_FIRST] = true;
}

static bool send_now(struct hub_session *s, uint16_t channel, const uint8_t *data, size_t len,
                     bool is_latest)
{
    return s->conn == NULL ||
           s->hub->port.send(s->hub->port.user, s->conn, channel, data, len, is_latest);
}

bool session_send(struct hub_session *s, uint16_t channel, const uint8_t *data, size_t len,
                  bool is_latest)
{
    return (s->late == NULL || is_latest) && send_now(s, channel, data, len, is_latest);
}

static bool send_later(struct hub_session *s, uint16_t channel, const uint8_t *data, size_t len)
{
    struct late *late = s->late_bytes + len > LATE_BYTES ? NULL : malloc(sizeof *late + len);
    if (late == NULL) {
        return false;
    }
    late->next = NULL;
    late->channel = channel;
    late->len = len;
    memcpy(late->data, data, len);
    *s->late_tail = late;
    s->late_tail = &late->next;
    s->late_bytes += len;
    return true;
}

/* Sends what waits, as far as there is room for it. */
void session_send_late(struct hub_session *s)
{
    while (s->late != NULL && send_now(s, s->late->channel, s->late->data, s->late->len, false)) {
        struct late *first = s->late;
        s->late_bytes -= first->len;
        s->late = first->next;
        free(first);
    }
    s->late_tail = s->late == NULL ? &s->late : s->late_tail;
}

void session_drop_late(struct hub_session *s)
{
    while (s->late != NULL) {
        struct late *first = s->late;
        s->late = first->next;
        free(first);
    }
}

void session_tell_on(struct hub_session *s, uint16_t channel, const struct chat_packet *p)
{
    uint8_t buf[CHAT_PACKET_MAX];
    size_t len = chat_encode(p, buf, sizeof buf);
    if (len == 0 ||
        (!session_send(s, channel, buf, len, false) && !send_later(s, channel, buf, len))) {
        if (s->conn != NULL) {
            s->hub->port.close(s->hub->port.user, s->conn, "too slow");
        }
    }
}

void session_tell(struct hub_session *s, const struct chat_packet *p)
{
    session_tell_on(s, CHAT_CONTROL, p);
}

void session_refuse(struct hub_session *s, struct chat_packet *p, enum chat_refusal code,
                    const char *why)
{
    p->type = CHAT_REFUSED;
    p->code = (uint8_t)code;
    p->text = chat_text(why);
    s->hub->refusals++;
    session_tell(s, p);
}

void hub_refuse(struct hub_session *s, enum chat_refusal code, uint16_t channel, uint64_t id,
                const char *why)
{
    struct chat_packet p = {.channel = channel, .id = id};
    session_refuse(s, &p, code, why);
}

void hub_refuse_room(struct hub_session *s, enum chat_refusal code, const char *room,
                     const char *why)
{
    struct chat_packet p = {.room = chat_text(room)};
    session_refuse(s, &p, code, why);
}
