/* The server without its network: who is there, which rooms there are, who gets what.
 *
 * A person is a key. Whoever shows that key on a connection is a session of that person, and there may
 * be several. A room holds members, who are persons: a member whose sessions are all gone is kept for
 * HUB_GRACE, so that a lost network is no leave. Each session has a cursor in each room, the next event
 * that it is to get, and is served from there: a returning one from where it stopped, a slow one when
 * there is room again, one at the tip at once. So nobody misses anything, or gets it twice.
 *
 * The hub does no I/O and reads no clock: packets leave by the port, time comes in as an argument.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_HUB_H
#define TERNCHAT_HUB_H

#include "ternchat/proto.h"

#define HUB_GRACE        (10 * 60 * TERN_SEC)
#define HUB_ROOM_MEMBERS 1000                /* in one room */
#define HUB_ROOMS_EACH   256                 /* rooms that one session is in */
#define HUB_ROOMS        100000              /* in all */
#define HUB_LOG_BYTES    ((size_t)256 << 20) /* what was said, in memory, in all rooms */
#define HUB_FETCHES      4                   /* files at a time that come to one person */
#define HUB_GIVES        8                   /* and that one person sends */

struct hub;
struct hub_session;
struct hub_relay;

/* How packets leave. */
struct hub_port {
    void *user;
    /* False: there is no room now; hub_on_writable will follow. is_latest: only the newest of its channel
     * matters, nothing is kept for it, and the answer is true. */
    bool (*send)(void *user, void *conn, uint16_t channel, const uint8_t *data, size_t len,
                 bool is_latest);
    /* hub_left follows, after this call of the hub has returned. */
    void (*close)(void *user, void *conn, const char *why);
    uint64_t (*wall)(void *user); /* ms since 1970, for what people read */
    /* The rest may be NULL. May they moderate every room, and invite? */
    bool (*is_moderator)(void *user, const uint8_t key[TERN_KEY_SIZE]);
    /* Writes a one-time code for somebody new; or why not. */
    const char *(*invite)(void *user, char *code, size_t size);
    /* What a session has sent is done: its connection may be read on. conn NULL: of none, but packets were
     * sent outside of the hub's other calls. */
    void (*resume)(void *user, void *conn);
    /* For the log: "came", "went", "lost", "joined", "left", "kicked", "invited", and, with the
     * reason in `room` and no key, "history-failed", "broker-lost" and "broker-back". */
    void (*note)(void *user, const char *what, const uint8_t *key, const char *nick,
                 const char *room);
    /* The streams of a file end here; the relay is no more. NULL where there are no files. */
    void (*relay_end)(void *user, void *pump, enum chat_stop why);
    /* With a broker. A file comes from another server: a pump for its bytes to that connection, under the number
     * that its client knows; NULL: not now. Then the bytes, up to HUB_FAR_WINDOW more than were reported by
     * hub_relay_took; len 0: that was all. False: they do not fit. */
    void *(*relay_open)(void *user, void *conn, struct hub_relay *relay, uint64_t fetch);
    bool (*relay_take)(void *user, void *pump, const uint8_t *data, size_t len);
    void (*relay_go)(void *user, void *pump); /* hub_relay_pass may have room again */
};

struct hub_config {
    const char *motd;
    const char *path;       /* of the history; NULL: none is kept */
    uint64_t history_bytes; /* 0: any */
    uint64_t history_age;   /* ms; 0: any */
    size_t files;           /* that may pass at a time; 0: none */
};

#define HUB_WHY_SIZE 256

/* NULL: no memory, or the history cannot be opened; `why` says so. */
struct hub *hub_new(const struct hub_port *port, const struct hub_config *config,
                    char why[HUB_WHY_SIZE]);
void hub_free(struct hub *hub);

/* Before anybody comes: from now on the hub is one of several, on a broker. False: `why` says why not. */
struct ev_loop;
bool hub_spread(struct hub *hub, struct ev_loop *loop, const char *url, uint64_t age,
                char why[HUB_WHY_SIZE]);
/* Tells the others that it ends; may take a second. */
void hub_end(struct hub *hub, struct ev_loop *loop);
/* Keys that were let in by a code, at this server or another. */
bool hub_is_guest(const struct hub *hub, const uint8_t key[TERN_KEY_SIZE]);
void hub_add_guest(struct hub *hub, const uint8_t key[TERN_KEY_SIZE]);

/* A connection has proved its key. NULL: no memory. */
struct hub_session *hub_came(struct hub *hub, void *conn, const uint8_t key[TERN_KEY_SIZE],
                             tern_time now);
/* It is gone; is_bye: its person said so (and leaves all rooms), else the network may have lost it. */
void hub_left(struct hub_session *session, bool is_bye, tern_time now);

void hub_receive(struct hub_session *session, uint16_t channel, const uint8_t *data, size_t len,
                 tern_time now);
/* It waits for a broker: what comes over its connection now is better left there, until `resume`. */
bool hub_is_busy(const struct hub_session *session);
void hub_on_writable(struct hub_session *session);

#define HUB_FAR_WINDOW ((size_t)256 * 1024) /* of a file on its way through the broker */

/* A stream has come with the number of a WANTED: the connection that the file goes to, and the number that
 * its client knows it by; *to NULL: it goes to another server, by hub_relay_pass. `pump` is for relay_end.
 * NULL: it is not wanted, or not of this person. */
struct hub_relay *hub_relay_begin(struct hub_session *from, uint64_t id, void *pump, tern_time now,
                                  void **to, uint64_t *fetch);
/* Returns how many of them the other server may have now. len 0: that was all of it. */
size_t hub_relay_pass(struct hub_relay *relay, const uint8_t *data, size_t len);
/* So many bytes of what relay_take brought have left. */
void hub_relay_took(struct hub_relay *relay, size_t len);
void hub_relay_moved(struct hub_relay *relay, tern_time now);
/* Something went wrong: port.relay_end is called, and the fetcher is told why. */
void hub_relay_end(struct hub_relay *relay, enum chat_stop why);
void hub_relay_over(struct hub_relay *relay); /* its streams are done with */

/* Tells what people are doing, and lets those leave who did not come back. Call it ten times a second. */
void hub_tick(struct hub *hub, tern_time now);

struct hub_counts {
    size_t sessions, people, rooms, relays; /* people: those who have sessions */
    uint64_t events, refusals, store_failures, store_bytes;
};
void hub_count(const struct hub *hub, struct hub_counts *out);

#endif
