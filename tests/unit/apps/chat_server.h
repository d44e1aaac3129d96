/* A server of ternchat in a hand: what a model sends it is kept, and what it answers is said by the test.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_CHAT_SERVER_H
#define TERN_TEST_CHAT_SERVER_H

#include <stdio.h>
#include <string.h>

#include "tern_test.h"
#include "ternchat/model.h"

/* What the model has sent, the latest last, and what it told its front end. */
struct sent {
    uint16_t channel;
    bool is_latest;
    uint8_t data[600];
    size_t len;
};
static struct sent sents[64];
static size_t sent_count;
static bool is_full;
static char notes[16][1200];
static size_t note_count, line_count, heard_count, left_count, refused_count, answer_count;
static struct line last_line;

static inline bool server_send(void *user, uint16_t channel, const uint8_t *data, size_t len,
                               bool is_latest)
{
    (void)user;
    if (is_full && !is_latest) {
        return false;
    }
    assert_true(sent_count < 64 && len <= sizeof sents[0].data);
    sents[sent_count].channel = channel;
    sents[sent_count].is_latest = is_latest;
    memcpy(sents[sent_count].data, data, len);
    sents[sent_count++].len = len;
    return true;
}

static inline void front_line(void *user, struct model_room *room, const struct line *line)
{
    (void)user;
    (void)room;
    memcpy(&last_line, line, sizeof last_line);
    line_count++;
}

static inline void front_note(void *user, const char *text)
{
    (void)user;
    (void)snprintf(notes[note_count++ % 16], sizeof notes[0], "%s", text);
}

static inline void front_joined(void *user, struct model_room *room)
{
    (void)user;
    (void)room;
}

static inline void front_heard(void *user, struct model_room *room, uint64_t id)
{
    (void)user;
    (void)room;
    (void)id;
    heard_count++;
}

static inline void front_left(void *user, struct model_room *room)
{
    (void)user;
    (void)room;
    left_count++;
}

static inline void front_refused(void *user, struct model_room *room, uint64_t id)
{
    (void)user;
    (void)room;
    (void)id;
    refused_count++;
}

static inline void front_answer(void *user, const struct chat_packet *p)
{
    (void)user;
    (void)p;
    answer_count++;
}

static const uint8_t own_key[TERN_KEY_SIZE] = {1};
static const uint8_t bob_key[TERN_KEY_SIZE] = {2};

static inline struct model *begin_model(void)
{
    const struct model_front front = {.send = server_send,
                                      .on_line = front_line,
                                      .on_note = front_note,
                                      .on_joined = front_joined,
                                      .on_heard = front_heard,
                                      .on_refused = front_refused,
                                      .on_answer = front_answer,
                                      .on_left = front_left};
    sent_count = note_count = line_count = heard_count = left_count = refused_count = answer_count =
        0;
    is_full = false;
    struct model *model = model_new(&front, "ann");
    assert_non_null(model);
    return model;
}

/* The i-th packet from the end that the model has sent. */
static inline struct chat_packet sent_packet(size_t back)
{
    struct chat_packet p;
    assert_true(back < sent_count);
    const struct sent *s = &sents[sent_count - 1 - back];
    assert_true(chat_decode(&p, s->data, s->len));
    return p;
}

static inline void answer(struct model *model, uint16_t channel, const struct chat_packet *p)
{
    static uint8_t buf[CHAT_PACKET_MAX];
    size_t len = chat_encode(p, buf, sizeof buf);
    assert_true(len > 0);
    model_receive(model, channel, buf, len);
}

static inline void welcome_model(struct model *model)
{
    struct chat_packet p = {.type = CHAT_WELCOME, .version = 1, .nick = chat_text("ann")};
    memcpy(p.key, own_key, sizeof p.key);
    model_connected(model);
    answer(model, CHAT_CONTROL, &p);
}

/* The room's last event is `last`, and ann and bob are in it. */
static inline void admit_with(struct model *model, uint16_t channel, const char *room,
                              uint64_t last, unsigned flags)
{
    uint8_t list[256];
    struct chat_member ann = {.nick = chat_text("ann")}, bob = {.nick = chat_text("bob")};
    memcpy(ann.key, own_key, sizeof ann.key);
    memcpy(bob.key, bob_key, sizeof bob.key);
    size_t len = chat_member_encode(&ann, list, sizeof list);
    len += chat_member_encode(&bob, list + len, sizeof list - len);
    struct chat_packet p = {
        .type = CHAT_JOINED, .seq = last, .room = chat_text(room), .body = {list, len}};
    p.flags = (uint8_t)((room[0] == '@' ? CHAT_FLAG_PRIVATE : CHAT_FLAG_OPEN) | flags);
    answer(model, channel, &p);
}

static inline void admit(struct model *model, uint16_t channel, const char *room, uint64_t last)
{
    admit_with(model, channel, room, last, 0);
}

static inline void catch_up(struct model *model, uint16_t channel, uint64_t seq)
{
    struct chat_packet p = {.type = CHAT_CAUGHT_UP, .seq = seq};
    answer(model, channel, &p);
}

static inline void event(struct model *model, uint16_t channel, uint64_t seq, enum chat_kind kind,
                         const uint8_t *key, uint64_t id, const char *text)
{
    struct chat_packet p = {.type = CHAT_EVENT,
                            .seq = seq,
                            .id = id,
                            .time = 1700000000000,
                            .kind = (uint8_t)kind,
                            .nick = chat_text(key == own_key ? "ann" : "bob"),
                            .body = chat_text(text)};
    memcpy(p.key, key, sizeof p.key);
    answer(model, channel, &p);
}

/* A model in the room "lobby" on channel 1. */
static inline struct model *begin_in_lobby(void)
{
    struct model *model = begin_model();
    welcome_model(model);
    assert_non_null(model_join(model, "lobby", CHAT_FLAG_OPEN));
    admit(model, 1, "lobby", 0);
    catch_up(model, 1, 0);
    return model;
}

#endif
