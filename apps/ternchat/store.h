/* What a server remembers in a file: events, which words were taken, names, bans.
 *
 * SQLite in WAL mode. What store_append has taken is in the file when it returns, so that a server that
 * dies loses nothing that anybody was told; it is on the platter when the worker thread next moves the log
 * into the database. So the caller waits for writes into the page cache, never for a disk.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_STORE_H
#define TERNCHAT_STORE_H

#include "ternchat/log.h"

#define STORE_WHY_SIZE 256
#define STORE_NICKS    4 /* names that one key holds; the one that was used longest ago goes first */
#define STORE_NICK_AGE ((uint64_t)180 * 24 * 3600 * 1000) /* ms; then a name is free for others */
#define STORE_PROGRAMS 1000 /* of a person whose last numbers a room keeps */
#define STORE_FOUND    50   /* events that one question brings */

struct store;

struct store_limits {
    uint64_t bytes; /* of the file; 0: any. The oldest events go first */
    uint64_t age;   /* of an event, in ms; 0: any */
};

struct store_room {
    int64_t id;
    uint8_t flags;
    uint64_t next; /* the number of its next event */
    uint8_t creator[TERN_KEY_SIZE];
    char topic[CHAT_TEXT_MAX + 1];
};

/* NULL: `why` says what is wrong with the file, and what to do. A damaged file is refused, not replaced:
 * names and bans are in it, too. */
struct store *store_open(const char *path, const struct store_limits *limits,
                         char why[STORE_WHY_SIZE]);
void store_close(struct store *store);
bool store_is_built_in(void);

/* All below: 1 (or 0, where there may be nothing), or -1 when the file fails; store_why tells then. */
const char *store_why(const struct store *store);

int store_room_find(struct store *store, const char *name, struct store_room *out);
/* out->flags, next and creator are given; id is set. */
int store_room_make(struct store *store, const char *name, struct store_room *out);

/* With what depends on it: said-numbers, the room's topic. */
int store_append(struct store *store, int64_t room, const struct chat_packet *p,
                 const struct log_event *event);

/* Each event's packet, until false is returned. */
typedef bool store_each(void *user, uint64_t seq, const uint8_t *packet, size_t len);
int store_replay(struct store *store, int64_t room, uint64_t from, uint64_t before,
                 store_each *each, void *user); /* upwards */
/* The last STORE_FOUND before that, downwards. */
int store_before(struct store *store, int64_t room, uint64_t seq, store_each *each, void *user);
int store_search(struct store *store, int64_t room, struct chat_slice text, store_each *each,
                 void *user); /* those with all these words, the newest first */

/* The last number that this program of that person's has said; 0: none. */
int store_said(struct store *store, int64_t room, const uint8_t key[TERN_KEY_SIZE],
               uint32_t instance, uint32_t *last);

/* Whose name is it, or one that looks like it? 1: key is set; 0: nobody's. is_fresh: it was claimed not
 * long ago, so that there is no need to do so again. */
int store_nick_owner(struct store *store, const char *skeleton, uint64_t now,
                     uint8_t key[TERN_KEY_SIZE], bool *is_fresh);
int store_nick_claim(struct store *store, const char *skeleton, const char *nick,
                     const uint8_t key[TERN_KEY_SIZE], uint64_t now);
int store_nick_of(struct store *store, const uint8_t key[TERN_KEY_SIZE],
                  char nick[CHAT_NAME_MAX + 1]); /* used last */

int store_ban(struct store *store, int64_t room, const uint8_t key[TERN_KEY_SIZE], bool is_banned);
int store_is_banned(struct store *store, int64_t room, const uint8_t key[TERN_KEY_SIZE]);

/* Private conversations: whose they are, and how far each has read. */
int store_pair(struct store *store, int64_t room, const uint8_t one[TERN_KEY_SIZE],
               const uint8_t other[TERN_KEY_SIZE]);
int store_pair_read(struct store *store, int64_t room, const uint8_t key[TERN_KEY_SIZE],
                    uint64_t seq);
typedef void store_pair_each(void *user, const uint8_t other[TERN_KEY_SIZE], uint64_t last);
/* Those in which there is something that the person has not read. */
int store_pairs_unread(struct store *store, const uint8_t key[TERN_KEY_SIZE], store_pair_each *each,
                       void *user);

/* Makes new words of open rooms ready to be searched, and forgets a little of what is beyond the limits.
 * Ten times a second. */
int store_tidy(struct store *store, uint64_t now);
uint64_t store_bytes(struct store *store); /* in use, of the file */

#endif
