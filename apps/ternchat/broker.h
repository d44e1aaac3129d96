/* A Redis that the servers of one chat share: two connections, one that asks and one that listens, made
 * again whenever they are lost. Nothing here waits: answers come by the loop.
 * docs/ternchat-broker.md says what is kept there.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_BROKER_H
#define TERNCHAT_BROKER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct broker;
struct redisReply;

#define BROKER_WHY_SIZE 256
#define BROKER_PORT     6379
#define BROKER_PATIENCE 5.0 /* s that an answer may take */

/* redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] or unix:[//[USER]:PASSWORD@]PATH[?db=DB]; %XX in names and
 * passwords. */
struct broker_url {
    bool is_unix;
    char place[256]; /* a host or a path */
    uint16_t port;
    char user[64], password[256]; /* "": none */
    unsigned db;
};

bool broker_url_parse(struct broker_url *url, const char *text, char why[BROKER_WHY_SIZE]);

struct broker_front {
    void *user;
    /* The asking connection is there (again): what is asked in this call goes before all that waits. */
    void (*on_up)(void *user);
    void (*on_down)(void *user, const char *why);
    /* A channel is listened to (again): from now on nothing of it is missed. */
    void (*on_listening)(void *user, const char *channel);
    void (*on_heard)(void *user, const char *channel, const uint8_t *data, size_t len);
    /* Some of these were called, and are done. */
    void (*on_done)(void *user);
};

/* The answer, "ok" being its first element; NULL: there was none in time, or an error. */
typedef void broker_answer(void *user, const struct redisReply *reply);

/* NULL: `why` says why not. It connects in the background. age: of events, in ms; 0: any. */
struct broker *broker_new(struct ev_loop *loop, const struct broker_url *url,
                          const struct broker_front *front, uint64_t age,
                          char why[BROKER_WHY_SIZE]);
/* All that still waits is answered with NULL. */
void broker_free(struct broker *broker);

/* A question in the making: the operation of broker.lua, and what it takes. */
#define BROKER_WORDS 2060
struct broker_question {
    size_t count;
    const char *words[BROKER_WORDS];
    size_t sizes[BROKER_WORDS];
};
void broker_word(struct broker_question *q, const void *data, size_t len);
void broker_text(struct broker_question *q, const char *text);

/* For the server of that number. is_patient: it waits as long as it takes, else BROKER_PATIENCE. */
#define BROKER_ID 8
bool broker_ask(struct broker *broker, const uint8_t server[BROKER_ID],
                const struct broker_question *q, bool is_patient, broker_answer *answer,
                void *user);
bool broker_is_idle(const struct broker *broker); /* nothing waits for an answer */

bool broker_listen(struct broker *broker, const char *name); /* of a channel, without the prefix */
void broker_unlisten(struct broker *broker, const char *name);
void broker_renew(struct broker *broker); /* the asking connection, and so on_up */
void broker_on_silence(
    struct broker *broker); /* the listening connection hears nothing: a new one */

#endif
