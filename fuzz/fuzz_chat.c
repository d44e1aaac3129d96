/* What clients say to a chat server: three of them, of two persons, say anything on any channel, come and
 * go, and read as slowly as they like. Whatever the server tells them must be packets of its own.
 *
 * A record is an octet of what to do, and for packets: client and channel in one octet, a length of 16
 * bits, and the bytes.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "ternchat/hub.h"

#define CLIENTS 3

struct client {
    struct hub_session *session;
    unsigned room; /* packets that it takes now */
    bool is_closed;
    struct hub_relay *relay; /* of a file that comes from it */
};

static bool on_send(void *user, void *conn, uint16_t channel, const uint8_t *data, size_t len,
                    bool is_latest)
{
    struct client *c = conn;
    struct chat_packet p;
    (void)user;
    bool is_ours = chat_decode(&p, data, len) && p.type >= CHAT_WELCOME;
    FUZZ_CHECK(is_ours && (channel == CHAT_CONTROL) == (p.type < CHAT_JOINED));
    if (c->room == 0) {
        return is_latest;
    }
    c->room--;
    return true;
}

static void on_close(void *user, void *conn, const char *why)
{
    struct client *c = conn;
    (void)user;
    (void)why;
    c->is_closed = true;
}

static uint64_t on_wall(void *user)
{
    (void)user;
    return 0;
}

static bool on_is_moderator(void *user, const uint8_t key[TERN_KEY_SIZE])
{
    (void)user;
    return key[0] == 1;
}

static void come(struct hub *hub, struct client *c, uint8_t person, tern_time now)
{
    uint8_t key[TERN_KEY_SIZE];
    static const uint8_t hello[] = {CHAT_HELLO, CHAT_VERSION, 1, 'a'};
    memset(key, person, sizeof key);
    *c = (struct client){.room = 100};
    c->session = hub_came(hub, c, key, now);
    if (c->session != NULL && person == 1) {
        hub_receive(c->session, CHAT_CONTROL, hello, sizeof hello, now);
    }
}

static void leave(struct client *c, bool is_bye, tern_time now)
{
    if (c->session != NULL) {
        hub_left(c->session, is_bye, now);
        c->session = NULL;
    }
}

static void on_relay_end(void *user, void *pump, enum chat_stop why)
{
    struct client *c = pump;
    (void)user;
    (void)why;
    assert(c->relay != NULL);
    c->relay = NULL;
}

/* The stream of a file has come, or ends: each client has one at most. */
static void bring(struct client *c, uint64_t id, tern_time now)
{
    void *to;
    uint64_t fetch;
    if (c->relay != NULL) {
        struct hub_relay *relay = c->relay;
        c->relay = NULL;
        hub_relay_over(relay);
    } else if (c->session != NULL) {
        c->relay = hub_relay_begin(c->session, id, c, now, &to, &fetch);
    }
}

/* One record; its length, or 0 at the end. */
static size_t step(struct hub *hub, struct client *clients, const uint8_t *at, size_t left,
                   tern_time *now)
{
    if (left < 2) {
        return 0;
    }
    struct client *c = &clients[at[1] % CLIENTS];
    switch (at[0] % 8) {
    case 0:
        *now += (tern_time)at[1] * TERN_SEC * 4;
        hub_tick(hub, *now);
        return 2;
    case 1:
        leave(c, (at[1] & 0x80) != 0, *now);
        return 2;
    case 2:
        c->room += at[1];
        if (c->session != NULL) {
            hub_on_writable(c->session);
        }
        return 2;
    case 7:
        bring(c, at[1] / CLIENTS, *now);
        return 2;
    default:
        break;
    }
    size_t len = left < 4 ? 0 : (size_t)at[2] << 8 | at[3];
    len = left < 4 ? 0 : len < left - 4 ? len : left - 4;
    if (c->session == NULL) {
        come(hub, c, c == &clients[2] ? 1 : (uint8_t)(1 + (c - clients)), *now);
    }
    if (c->session != NULL && left >= 4) {
        uint8_t *exact = malloc(len + 1);
        if (exact != NULL) {
            memcpy(exact, at + 4, len);
            hub_receive(c->session, at[1] / CLIENTS % 8, exact, len, *now);
            free(exact);
        }
    }
    if (c->is_closed) {
        leave(c, false, *now);
    }
    return left < 4 ? 0 : 4 + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client clients[CLIENTS] = {{0}};
    struct hub_port port = {.send = on_send,
                            .close = on_close,
                            .wall = on_wall,
                            .is_moderator = on_is_moderator,
                            .relay_end = on_relay_end};
    struct hub_config config = {.motd = "hi", .files = 4};
    char why[HUB_WHY_SIZE];
    tern_time now = TERN_SEC;
    struct hub *hub = hub_new(&port, &config, why);
    if (hub == NULL) {
        return 0;
    }
    for (size_t n; size > 0 && (n = step(hub, clients, data, size, &now)) > 0; data += n) {
        size -= n;
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        leave(&clients[i], true, now);
    }
    hub_free(hub);
    return 0;
}
