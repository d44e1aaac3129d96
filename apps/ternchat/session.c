/* What goes to one client: at once, or behind what waits for room.
 * SPDX-License-Identifier: MIT */
#include "ternchat/session.h"

#include <stdlib.h>
#include <string.h>

#include "ternchat/hub_parts.h"

#define LATE_BYTES   ((size_t)2 << 20) /* of packets that wait for room, to one session */
#define PLACES_FIRST 4

struct late {
    struct late *next;
    uint16_t channel;
    size_t len;
    uint8_t data[];
};

void session_seat_set(struct hub_session *s, uint16_t channel, struct seat *seat)
{
    s->places[channel - CHAT_ROOM_FIRST].seat = seat;
}

static struct session_place *place(const struct hub_session *s, uint16_t channel)
{
    return channel < CHAT_ROOM_FIRST || channel >= CHAT_ROOM_FIRST + s->place_count
               ? NULL
               : &s->places[channel - CHAT_ROOM_FIRST];
}

struct seat *session_seat(const struct hub_session *s, uint16_t channel)
{
    const struct session_place *at = place(s, channel);
    return at == NULL ? NULL : at->seat;
}

/* Twice as many as there were. */
static bool make_places(struct hub_session *s)
{
    uint16_t count = s->place_count == 0 ? PLACES_FIRST : (uint16_t)(2 * s->place_count);
    count = count < HUB_ROOMS_EACH ? count : HUB_ROOMS_EACH;
    struct session_place *places =
        count == s->place_count ? NULL : realloc(s->places, count * sizeof *places);
    if (places == NULL) {
        return false;
    }
    memset(places + s->place_count, 0, (size_t)(count - s->place_count) * sizeof *places);
    s->places = places;
    s->place_count = count;
    return true;
}

uint16_t session_free_channel(struct hub_session *s)
{
    uint16_t i = 0;
    while (i < s->place_count && (s->places[i].seat != NULL || s->places[i].is_parted)) {
        i++;
    }
    return i < s->place_count || make_places(s) ? (uint16_t)(CHAT_ROOM_FIRST + i) : 0;
}

void session_seat_close(struct hub_session *s, uint16_t channel)
{
    s->places[channel - CHAT_ROOM_FIRST].is_parted = true;
}

void session_on_leave(struct hub_session *s, uint16_t channel)
{
    struct session_place *at = place(s, channel);
    if (at != NULL) {
        at->is_parted = false;
    }
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

void session_free(struct hub_session *s)
{
    while (s->late != NULL) {
        struct late *first = s->late;
        s->late = first->next;
        free(first);
    }
    free(s->places);
    free(s);
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
