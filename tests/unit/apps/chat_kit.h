/* A hub whose clients are test programs: packets go in by hand, and what comes out is kept.
 * SPDX-License-Identifier: MIT */
#ifndef CHAT_KIT_H
#define CHAT_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern_test.h"
#include "ternchat/hub.h"

#define KIT_PACKETS 4096

struct kit_client {
    struct kit *kit;
    struct hub_session *session;
    uint8_t key[TERN_KEY_SIZE];
    struct {
        uint16_t channel;
        size_t len;
        uint8_t *data;
    } packets[KIT_PACKETS];
    size_t count, taken;
    size_t room; /* packets that it takes now */
    bool is_closed;
};

struct kit {
    struct hub *hub;
    tern_time now;
    uint64_t wall;
    uint8_t moderator; /* first byte of the key of one; 0: nobody */
    unsigned failures; /* of the history, as they were told */
    void *ended;       /* the pump of the relay that ended last, and why */
    enum chat_stop why;
};

static inline bool kit_send(void *user, void *conn, uint16_t channel, const uint8_t *data,
                            size_t len, bool is_latest)
{
    struct kit_client *c = conn;
    (void)user;
    if (is_latest && c->room == 0) {
        return true;
    }
    if (c->room == 0 || c->count == KIT_PACKETS) {
        return false;
    }
    c->room--;
    c->packets[c->count].channel = channel;
    c->packets[c->count].len = len;
    c->packets[c->count].data = malloc(len);
    assert_non_null(c->packets[c->count].data);
    memcpy(c->packets[c->count++].data, data, len);
    return true;
}

static inline void kit_close(void *user, void *conn, const char *why)
{
    struct kit_client *c = conn;
    (void)user;
    (void)why;
    c->is_closed = true;
}

static inline uint64_t kit_wall(void *user)
{
    struct kit *kit = user;
    return kit->wall;
}

static inline bool kit_is_moderator(void *user, const uint8_t key[TERN_KEY_SIZE])
{
    struct kit *kit = user;
    return kit->moderator != 0 && key[0] == kit->moderator;
}

static inline const char *kit_invite(void *user, char *code, size_t size)
{
    (void)user;
    (void)snprintf(code, size, "7-orbit-salmon@:1");
    return NULL;
}

static inline void kit_note(void *user, const char *what, const uint8_t *key, const char *nick,
                            const char *room)
{
    struct kit *kit = user;
    (void)key;
    (void)nick;
    (void)room;
    kit->failures += strcmp(what, "history-failed") == 0 ? 1 : 0;
}

static inline void kit_relay_end(void *user, void *pump, enum chat_stop why)
{
    struct kit *kit = user;
    kit->ended = pump;
    kit->why = why;
}

static inline struct hub *kit_hub(struct kit *kit, const char *path, uint64_t bytes, uint64_t age,
                                  char why[HUB_WHY_SIZE])
{
    struct hub_port port = {.user = kit,
                            .send = kit_send,
                            .close = kit_close,
                            .wall = kit_wall,
                            .is_moderator = kit_is_moderator,
                            .invite = kit_invite,
                            .note = kit_note,
                            .relay_end = kit_relay_end};
    struct hub_config config = {
        .motd = "hello", .path = path, .history_bytes = bytes, .history_age = age, .files = 8};
    return hub_new(&port, &config, why);
}

/* path NULL: no history. */
static inline void kit_open(struct kit *kit, const char *path)
{
    char why[HUB_WHY_SIZE] = "";
    *kit = (struct kit){.now = TERN_SEC, .wall = 1000};
    kit->hub = kit_hub(kit, path, 0, 0, why);
    assert_string_equal(why, "");
    assert_non_null(kit->hub);
}

static inline void kit_put(struct kit_client *c, uint16_t channel, const struct chat_packet *p)
{
    uint8_t buf[CHAT_PACKET_MAX];
    size_t len = chat_encode(p, buf, sizeof buf);
    assert_true(len > 0);
    hub_receive(c->session, channel, buf, len, c->kit->now);
}

/* The next packet of that type from where we are; false: there is none. Those before it are passed. */
static inline bool kit_next(struct kit_client *c, enum chat_type type, struct chat_packet *p,
                            uint16_t *channel)
{
    while (c->taken < c->count) {
        size_t i = c->taken++;
        assert_true(chat_decode(p, c->packets[i].data, c->packets[i].len));
        if (p->type == type) {
            if (channel != NULL) {
                *channel = c->packets[i].channel;
            }
            return true;
        }
    }
    return false;
}

static inline void kit_expect(struct kit_client *c, enum chat_type type, struct chat_packet *p)
{
    assert_true(kit_next(c, type, p, NULL));
}

static inline void kit_expect_refusal(struct kit_client *c, enum chat_refusal code)
{
    struct chat_packet p;
    kit_expect(c, CHAT_REFUSED, &p);
    assert_int_equal(p.code, code);
}

/* Everything up to now is of no interest. */
static inline void kit_skip(struct kit_client *c)
{
    c->taken = c->count;
}

static inline struct kit_client *kit_connect(struct kit *kit, uint8_t person)
{
    struct kit_client *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->kit = kit;
    c->room = KIT_PACKETS;
    memset(c->key, person, sizeof c->key);
    c->session = hub_came(kit->hub, c, c->key, kit->now);
    assert_non_null(c->session);
    return c;
}

static inline void kit_hello(struct kit_client *c, const char *nick)
{
    struct chat_packet p = {.type = CHAT_HELLO, .version = CHAT_VERSION, .nick = chat_text(nick)};
    kit_put(c, CHAT_CONTROL, &p);
}

static inline struct kit_client *kit_come(struct kit *kit, uint8_t person, const char *nick)
{
    struct chat_packet p;
    struct kit_client *c = kit_connect(kit, person);
    kit_hello(c, nick);
    kit_expect(c, CHAT_WELCOME, &p);
    return c;
}

static inline void kit_go(struct kit_client *c, bool is_bye)
{
    hub_left(c->session, is_bye, c->kit->now);
    for (size_t i = 0; i < c->count; i++) {
        free(c->packets[i].data);
    }
    free(c);
}

static inline void kit_ask(struct kit_client *c, const char *room, uint8_t flags, uint64_t since)
{
    struct chat_packet p = {
        .type = CHAT_JOIN, .flags = flags, .seq = since, .room = chat_text(room)};
    kit_put(c, CHAT_CONTROL, &p);
}

/* The channel. */
static inline uint16_t kit_join(struct kit_client *c, const char *room, uint8_t flags,
                                uint64_t since)
{
    struct chat_packet p;
    uint16_t channel = 0;
    kit_ask(c, room, flags, since);
    assert_true(kit_next(c, CHAT_JOINED, &p, &channel));
    assert_true(channel >= CHAT_ROOM_FIRST);
    return channel;
}

static inline void kit_say(struct kit_client *c, uint16_t channel, uint64_t id, const char *text)
{
    struct chat_packet p = {
        .type = CHAT_SAY, .id = id, .kind = CHAT_KIND_TEXT, .body = chat_text(text)};
    kit_put(c, channel, &p);
}

/* The next event that somebody said; "" when there is none. */
static inline const char *kit_heard(struct kit_client *c)
{
    static char text[CHAT_BODY_MAX + 1];
    struct chat_packet p;
    while (kit_next(c, CHAT_EVENT, &p, NULL)) {
        if (p.kind < CHAT_KIND_JOIN) {
            memcpy(text, p.body.data, p.body.len);
            text[p.body.len] = '\0';
            return text;
        }
    }
    return "";
}

#define KIT_ID(instance, number) ((uint64_t)(instance) << 32 | (number))

#endif
