/* Whole clients without a network or a terminal, over a real hub: what one says, the others are told. The test
 * stands where the network is, and may lie.
 * SPDX-License-Identifier: MIT */
#ifndef CHAT_PROGRAMS_H
#define CHAT_PROGRAMS_H

#include <sodium.h>

#include <unistd.h>

#include "chat_kit.h"
#include "ternchat/memory.h"
#include "ternchat/model_seal.h"
#include "ternchat/name.h"

#define LINES 2048

struct program {
    struct kit_client *conn; /* NULL: not connected */
    struct model *model;
    uint8_t secret[TERN_KEY_SIZE], key[TERN_KEY_SIZE];
    char nick[16];
    struct {
        enum line_kind kind;
        char nick[CHAT_NAME_MAX + 1], text[300];
    } lines[LINES];
    size_t line_count, read;
    size_t refused, heard;
    char note[300];
    size_t room;         /* packets that leave now */
    char found[60][200]; /* what was asked for */
    size_t found_count;
    struct memory *memory;
    unsigned sealed, plain; /* words that left sealed, and those that did not */
};

static struct kit kit;
static struct program *programs[8];
static size_t program_count;

static inline bool on_send(void *user, uint16_t channel, const uint8_t *data, size_t len,
                           bool is_latest)
{
    struct program *p = user;
    struct chat_packet packet;
    (void)is_latest;
    if (p->room == 0) {
        return false;
    }
    p->room--;
    assert_true(chat_decode(&packet, data, len));
    if (packet.type == CHAT_SAY) {
        bool is_sealed = packet.body.len > 0 && packet.body.data[0] < 4;
        p->sealed += is_sealed ? 1 : 0;
        p->plain += is_sealed ? 0 : 1;
    }
    hub_receive(p->conn->session, channel, data, len, kit.now);
    return true;
}

static inline void on_line(void *user, struct model_room *room, const struct line *line)
{
    struct program *p = user;
    (void)room;
    assert_true(p->line_count < LINES);
    p->lines[p->line_count].kind = line->kind;
    memcpy(p->lines[p->line_count].nick, line->nick, sizeof line->nick);
    (void)snprintf(p->lines[p->line_count++].text, 300, "%s", line->text);
}

static inline void on_note(void *user, const char *text)
{
    struct program *p = user;
    (void)snprintf(p->note, sizeof p->note, "%s", text);
}

static inline void on_room(void *user, struct model_room *room)
{
    (void)user;
    (void)room;
}

static inline void on_heard(void *user, struct model_room *room, uint64_t id)
{
    struct program *p = user;
    (void)room;
    (void)id;
    p->heard++;
}

static inline void on_refused(void *user, struct model_room *room, uint64_t id)
{
    struct program *p = user;
    (void)room;
    (void)id;
    p->refused++;
}

static inline void on_answer(void *user, const struct chat_packet *packet)
{
    struct program *p = user;
    assert_true(p->found_count < 60);
    (void)snprintf(p->found[p->found_count++], 200, "%.*s %.*s", (int)packet->nick.len,
                   packet->nick.len == 0 ? "" : (const char *)packet->nick.data,
                   (int)packet->body.len,
                   packet->body.len == 0 ? "" : (const char *)packet->body.data);
}

static inline struct program *start(uint8_t person, const char *nick)
{
    struct program *p = calloc(1, sizeof *p);
    assert_non_null(p);
    struct model_front front = {.user = p,
                                .send = on_send,
                                .on_line = on_line,
                                .on_note = on_note,
                                .on_joined = on_room,
                                .on_heard = on_heard,
                                .on_refused = on_refused,
                                .on_answer = on_answer,
                                .on_left = on_room};
    memset(p->secret, person, sizeof p->secret);
    (void)crypto_scalarmult_base(p->key, p->secret);
    (void)snprintf(p->nick, sizeof p->nick, "%s", nick);
    p->room = SIZE_MAX;
    p->model = model_new(&front, nick);
    assert_non_null(p->model);
    model_identify(p->model, p->secret);
    programs[program_count++] = p;
    return p;
}

/* Another server in its place, which knows nobody. */
static inline void kit_restart(void)
{
    char why[HUB_WHY_SIZE];
    hub_free(kit.hub);
    kit.wall += 1000;
    kit.hub = kit_hub(&kit, NULL, 0, 0, why);
    assert_non_null(kit.hub);
}

/* What the server has sent, until nobody has anything to say to it. */
static inline bool pump(struct program *p)
{
    struct kit_client *c = p->conn;
    bool is_any = false;
    while (c != NULL && c->taken < c->count) {
        size_t i = c->taken++;
        model_receive(p->model, c->packets[i].channel, c->packets[i].data, c->packets[i].len);
        is_any = true;
    }
    return is_any;
}

static inline void settle(void)
{
    bool is_any = true;
    while (is_any) {
        is_any = false;
        for (size_t i = 0; i < program_count; i++) {
            is_any = pump(programs[i]) || is_any;
        }
    }
}

static inline void connect_program(struct program *p)
{
    p->conn = calloc(1, sizeof *p->conn);
    assert_non_null(p->conn);
    p->conn->kit = &kit;
    p->conn->room = KIT_PACKETS;
    memcpy(p->conn->key, p->key, sizeof p->key);
    p->conn->session = hub_came(kit.hub, p->conn, p->key, kit.now);
    assert_non_null(p->conn->session);
    model_connected(p->model);
}

static inline void lose(struct program *p, bool is_bye)
{
    kit_go(p->conn, is_bye);
    p->conn = NULL;
    model_lost(p->model);
}

static inline void tick(unsigned count)
{
    while (count-- > 0) {
        for (size_t i = 0; i < program_count; i++) {
            model_retry(programs[i]->model);
        }
        settle();
    }
}

static char folder[] = "/tmp/tern-sealed.XXXXXX";

/* With a memory: what was there at the last start is there again. */
static inline struct program *start_with_memory(uint8_t person, const char *nick)
{
    static char about[MEMORY_WHY_SIZE];
    char path[100];
    if (!memory_is_built_in()) {
        skip();
    }
    struct program *p = start(person, nick);
    (void)snprintf(path, sizeof path, "%s/%s.db", folder, nick);
    p->memory = memory_open(path, about);
    assert_string_equal(about, "");
    assert_non_null(p->memory);
    model_remember(p->model, p->memory, 100);
    return p;
}

static inline void finish(struct program *p, bool is_bye)
{
    if (p->conn != NULL) {
        lose(p, is_bye);
    }
    assert_int_equal(p->plain, 0);
    model_free(p->model);
    memory_close(p->memory);
    free(p);
}

/* The program is gone, the server thinks that the network has lost it, and it starts again. */
static inline struct program *restart(struct program *p)
{
    uint8_t person = p->secret[0];
    char nick[16];
    size_t i = 0;
    memcpy(nick, p->nick, sizeof nick);
    while (programs[i] != p) {
        i++;
    }
    programs[i] = programs[--program_count];
    finish(p, false);
    return start_with_memory(person, nick);
}

static inline struct program *come(uint8_t person, const char *nick, const char *room)
{
    struct program *p = start(person, nick);
    connect_program(p);
    settle();
    assert_non_null(model_join(p->model, room, 0));
    settle();
    return p;
}

static inline void say_in(struct program *p, struct model_room *room, const char *text)
{
    uint64_t id;
    assert_true(model_say(p->model, room, CHAT_KIND_TEXT, text, strlen(text), &id));
}

static inline void say(struct program *p, const char *text)
{
    say_in(p, model_room_at(p->model, 0), text);
}

/* The next line of that sort; "" at the end. */
static inline const char *next(struct program *p, enum line_kind kind)
{
    while (p->read < p->line_count) {
        size_t i = p->read++;
        if (p->lines[i].kind == kind) {
            return p->lines[i].text;
        }
    }
    return "";
}

static inline const char *next_words(struct program *p)
{
    return next(p, LINE_TEXT);
}

static inline bool has_line(const struct program *p, enum line_kind kind, const char *part)
{
    for (size_t i = 0; i < p->line_count; i++) {
        if (p->lines[i].kind == kind && strstr(p->lines[i].text, part) != NULL) {
            return true;
        }
    }
    return false;
}

static inline int begin(void **state)
{
    (void)state;
    program_count = 0;
    assert_true(sodium_init() >= 0);
    kit_open(&kit, NULL);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < program_count; i++) {
        finish(programs[i], true);
    }
    hub_free(kit.hub);
    return 0;
}

static inline struct model_room *open_with(struct program *p, const struct program *other)
{
    struct model_room *room = model_open(p->model, other->key, other->nick);
    assert_non_null(room);
    return room;
}

/* What bob's client is told next, of that kind; the server keeps it back. */
static inline struct chat_packet intercept(struct program *p, enum chat_kind kind,
                                           uint16_t *channel, uint8_t buf[CHAT_PACKET_MAX])
{
    struct kit_client *c = p->conn;
    struct chat_packet packet;
    for (;;) {
        assert_true(c->taken < c->count);
        size_t i = c->taken++;
        assert_true(chat_decode(&packet, c->packets[i].data, c->packets[i].len));
        if (packet.type == CHAT_EVENT && packet.kind == kind) {
            *channel = c->packets[i].channel;
            memcpy(buf, c->packets[i].data, c->packets[i].len);
            assert_true(chat_decode(&packet, buf, c->packets[i].len));
            return packet;
        }
        model_receive(p->model, c->packets[i].channel, c->packets[i].data, c->packets[i].len);
    }
}

static inline void tell(struct program *p, uint16_t channel, const struct chat_packet *packet)
{
    static uint8_t buf[CHAT_PACKET_MAX];
    size_t len = chat_encode(packet, buf, sizeof buf);
    assert_true(len > 0);
    model_receive(p->model, channel, buf, len);
}

static inline unsigned count_lines(const struct program *p, const char *text)
{
    unsigned count = 0;
    for (size_t i = 0; i < p->line_count; i++) {
        count += strcmp(p->lines[i].text, text) == 0 ? 1 : 0;
    }
    return count;
}

#endif
