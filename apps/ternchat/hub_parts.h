/* What the files of the hub share.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_HUB_PARTS_H
#define TERNCHAT_HUB_PARTS_H

#include "ternchat/session.h"
#include "ternchat/spread.h"
#include "ternchat/store.h"

/* Of a person: at once, and a second. */
#define HUB_MAKES       50.0 /* new rooms */
#define HUB_MAKE_RATE   (1.0 / 60)
#define HUB_RENAMES     5.0 /* each is told in all rooms */
#define HUB_RENAME_RATE (1.0 / 10)
#define HUB_STATES      5.0 /* away and back, with a broker: each is told for every seat of the person */
#define HUB_STATE_RATE  1.0

struct hub {
    struct hub_port port;
    struct hub_config config;
    struct store *store;              /* NULL: nothing is kept */
    struct spread *spread;            /* NULL: there is no broker */
    void *by_key, *by_nick, *by_name; /* trees of tsearch; nicks by their skeletons */
    struct person *persons;
    struct room *rooms;
    size_t room_count, session_count, resting_count;
    size_t log_bytes, log_limit; /* of what all rooms have in memory */
    /* Before that one the logs were made shorter last; NULL: the first is next. */
    struct room *trimmed;
    struct room *news; /* rooms whose status has changed */
    tern_time swept, now;
    uint64_t events, refusals, store_failures;
    struct hub_relay *relays;
    size_t relay_count;
    uint64_t next_relay;
};

void hub_refuse(struct hub_session *s, enum chat_refusal code, uint16_t channel, uint64_t id,
                const char *why);
void hub_refuse_room(struct hub_session *s, enum chat_refusal code, const char *room,
                     const char *why);
void hub_on_store_failure(struct hub *hub); /* counts it, and says so */
void hub_note(struct hub *hub, const char *what, const struct person *person, const char *room);

/* False: not now. `burst` at once, and `rate` a second. */
bool hub_may(struct hub *hub, struct allowance *a, double burst, double rate);
/* The same for what costs the server, with a refusal. */
bool hub_may_ask(struct hub_session *s, const struct chat_packet *p);

void hub_nick_release(struct hub *hub, struct person *person);
struct person *hub_person(struct hub *hub, const uint8_t key[TERN_KEY_SIZE]); /* NULL: no memory */
struct person *hub_find_person(struct hub *hub, const uint8_t key[TERN_KEY_SIZE]); /* or NULL */
void hub_forget_if_idle(struct hub *hub, struct person *person);
void hub_forget(struct hub *hub, struct person *person);

void hub_mark(struct room *room); /* its status has news */
/* What the server says of somebody. 0: it could not be stored. */
uint64_t hub_announce(struct member *m, enum chat_kind kind, struct chat_slice body);
/* Found, loaded or made, by that person. NULL: *code and *why say why not. */
struct room *hub_room(struct hub *hub, const char *name, uint8_t flags, struct person *by,
                      enum chat_refusal *code, const char **why);
void hub_remove_room(struct room *room);
void hub_trim_logs(struct hub *hub, size_t more); /* makes room for so many bytes of a room's */
struct room *hub_find_room(struct hub *hub, const char *name); /* in memory; or NULL */
bool hub_add_room(struct hub *hub, struct room *room);         /* false: no memory */
void hub_welcome(struct hub_session *s);
/* May it be said now? Else it is refused, or ignored. */
bool hub_may_say(struct hub_session *s, struct seat *seat, const struct chat_packet *p);
void hub_finish(struct hub_session *s, bool is_bye, tern_time now); /* it has left */
/* Seats a member's session, tells it and serves it. last: of the room, before the member came. */
bool hub_seat(struct hub_session *s, struct member *m, uint64_t since, uint64_t last);
struct seat *hub_seat_in(const struct hub_session *s, const struct member *m); /* or NULL */

bool hub_take_nick(struct hub_session *s, struct chat_slice nick); /* else it is refused */

void hub_on_list(struct hub_session *s);
void hub_on_search(struct hub_session *s, const struct chat_packet *p);
void hub_on_before(struct hub_session *s, const struct chat_packet *p);
void hub_on_invite(struct hub_session *s);

bool hub_is_banned(struct room *room, const struct person *person);
bool hub_is_moderator(const struct room *room, const struct person *person);
/* Their seats and their membership end; the event that says so was told. */
void hub_put_out(struct member *m, const char *why);
void hub_on_kick(struct hub_session *s, const struct chat_packet *p);
/* Sets the topic, or refuses it; true: it may be said. */
bool hub_may_set_topic(struct hub_session *s, struct seat *seat, const struct chat_packet *p);

/* A file on its way. */
struct hub_relay {
    struct hub *hub;
    uint64_t id, fetch;             /* ours, and the number that the fetcher gave it */
    struct hub_session *to, *from;  /* to NULL: it has left; from NULL: nobody has brought it yet */
    const struct person *by, *with; /* who offers, who fetches: both are members of the room */
    const struct room *room;
    unsigned asked; /* programs, and servers, that have not answered */
    void *pump;     /* the port's; NULL: not yet */
    struct far *
        far; /* who fetches, or brings it, is at another server; NULL: nobody, or all of it has passed */
    tern_time moved;
    struct hub_relay *next;
};

struct hub_relay *hub_relay_find(struct hub *hub, uint64_t id); /* or NULL */
/* Somebody at another server wants it. False: `*why` says why not, and `far` is the caller's still. */
bool hub_relay_for(struct hub *hub, struct member *by, const uint8_t with[TERN_KEY_SIZE],
                   uint64_t offer, uint64_t offset, struct far *far, enum chat_stop *why);
/* A program that was asked, or a server, says no. */
void hub_relay_denied(struct hub_relay *relay, enum chat_stop why);

void hub_on_fetch(struct hub_session *s, const struct chat_packet *p);
/* The event that it is about is not in memory, and was brought; len 0: there is none. */
void hub_on_fetch_of(struct hub_session *s, const struct chat_packet *p, const uint8_t *event,
                     size_t len);
void hub_on_deny(struct hub_session *s, const struct chat_packet *p);
void hub_files_on_left(struct hub_session *s);
void hub_files_on_exit(const struct member *m); /* out of the room: no files of it any more */
void hub_files_tick(struct hub *hub, tern_time now);

void hub_on_open(struct hub_session *s, const struct chat_packet *p);
void hub_call(struct room *room, const struct person *from); /* the other one of a conversation */
void hub_call_back(struct hub_session *s); /* all conversations with something new */
void hub_on_pair_read(struct member *m);
void hub_on_pair_left(struct person *person); /* its last session is gone */
bool hub_is_pair_over(const struct room *room, tern_time now);

#endif
