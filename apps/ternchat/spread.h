/* One chat on several servers: what the hub leaves to a broker, when there is one.
 *
 * Then Redis has the rooms, and each server a picture of those in which its clients sit: it hears of every
 * event, and serves its seats from there. What a client sends goes on as a question to Redis; until its
 * answer is here, the session is busy, and its next packet waits where it is, in the transport.
 *
 * spread.c has what clients send, spread_room.c the pictures, spread_life.c the servers themselves.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_SPREAD_H
#define TERNCHAT_SPREAD_H

#include "ternchat/hub.h"

struct ev_loop;
struct fetch;
struct member;
struct person;
struct seat;
struct spread;

/* NULL: `why` says what is wrong with the URL, or what is missing. age: of events, in ms; 0: any. */
struct spread *spread_new(struct hub *hub, struct ev_loop *loop, const char *url, uint64_t age,
                          char why[HUB_WHY_SIZE]);
void spread_free(struct spread *spread);
/* We go: our people may come in through another server at once. Runs the loop, for a second at most. */
void spread_end(struct spread *spread, struct ev_loop *loop);

/* A packet of a client's, well-formed. False: it is the hub's own to answer. */
bool spread_receive(struct hub_session *s, uint16_t channel, const struct chat_packet *p,
                    const uint8_t *data, size_t len);
bool spread_is_busy(const struct hub_session *s);
/* The connection is gone. True: what came over it is not done yet, and hub_finish follows. */
bool spread_lingers(struct hub_session *s, bool is_bye);
/* A seat of the member's was given up, because they have "left", or are "lost". */
void spread_on_rise(struct member *m, const char *why);
void spread_on_gone(struct hub *hub, struct person *person); /* a session of theirs is */

/* Brings what the seat lacks and memory has no more; it is served then. */
void spread_fetch(struct seat *seat);
void spread_forget_fetch(struct fetch *fetch); /* the seat is no more */

/* Files between servers: how many of the others that have seats of who offers it were asked for it. */
unsigned spread_files_ask(const struct hub_relay *relay, const struct member *by, uint64_t offer,
                          uint64_t offset);
/* For relays with a far end. */
void spread_files_stop(struct hub_relay *relay, enum chat_stop why); /* which it has no more then */
size_t spread_files_give(struct hub_relay *relay, const uint8_t *data, size_t len);
void spread_files_took(struct hub_relay *relay, size_t len);
bool spread_files_is_gone(const struct hub_relay *relay); /* that server has died */

void spread_tick(struct spread *spread, tern_time now);

/* Let in by a code, at one of the servers. */
bool spread_is_guest(const struct spread *spread, const uint8_t key[TERN_KEY_SIZE]);
void spread_add_guest(struct spread *spread, const uint8_t key[TERN_KEY_SIZE]);

#endif
