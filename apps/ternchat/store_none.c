/* In place of store.c, where SQLite is not there: nothing is kept.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "ternchat/store.h"

bool store_is_built_in(void)
{
    return false;
}

struct store *store_open(const char *path, const struct store_limits *limits,
                         char why[STORE_WHY_SIZE])
{
    (void)path;
    (void)limits;
    (void)snprintf(why, STORE_WHY_SIZE,
                   "this ternchat was built without SQLite; install libsqlite3-dev and build it "
                   "again, or use --no-history");
    return NULL;
}

void store_close(struct store *store)
{
    (void)store;
}

const char *store_why(const struct store *store)
{
    (void)store;
    return "";
}

/* Nobody has a store to call these with. */

int store_room_find(struct store *store, const char *name, struct store_room *out)
{
    (void)store;
    (void)name;
    (void)out;
    return -1;
}

int store_room_make(struct store *store, const char *name, struct store_room *out)
{
    (void)store;
    (void)name;
    (void)out;
    return -1;
}

int store_append(struct store *store, int64_t room, const struct chat_packet *p,
                 const struct log_event *event)
{
    (void)store;
    (void)room;
    (void)p;
    (void)event;
    return -1;
}

int store_replay(struct store *store, int64_t room, uint64_t from, uint64_t before,
                 store_each *each, void *user)
{
    (void)store;
    (void)room;
    (void)from;
    (void)before;
    (void)each;
    (void)user;
    return -1;
}

int store_before(struct store *store, int64_t room, uint64_t seq, store_each *each, void *user)
{
    return store_replay(store, room, 0, seq, each, user);
}

int store_search(struct store *store, int64_t room, struct chat_slice text, store_each *each,
                 void *user)
{
    (void)text;
    return store_replay(store, room, 0, 0, each, user);
}

int store_said(struct store *store, int64_t room, const uint8_t key[TERN_KEY_SIZE],
               uint32_t instance, uint32_t *last)
{
    (void)store;
    (void)room;
    (void)key;
    (void)instance;
    *last = 0;
    return -1;
}

int store_nick_owner(struct store *store, const char *skeleton, uint64_t now,
                     uint8_t key[TERN_KEY_SIZE], bool *is_fresh)
{
    (void)store;
    (void)skeleton;
    (void)now;
    (void)key;
    *is_fresh = false;
    return -1;
}

int store_nick_claim(struct store *store, const char *skeleton, const char *nick,
                     const uint8_t key[TERN_KEY_SIZE], uint64_t now)
{
    (void)store;
    (void)skeleton;
    (void)nick;
    (void)key;
    (void)now;
    return -1;
}

int store_nick_of(struct store *store, const uint8_t key[TERN_KEY_SIZE],
                  char nick[CHAT_NAME_MAX + 1])
{
    (void)store;
    (void)key;
    (void)nick;
    return -1;
}

int store_ban(struct store *store, int64_t room, const uint8_t key[TERN_KEY_SIZE], bool is_banned)
{
    (void)store;
    (void)room;
    (void)key;
    (void)is_banned;
    return -1;
}

int store_is_banned(struct store *store, int64_t room, const uint8_t key[TERN_KEY_SIZE])
{
    return store_ban(store, room, key, false);
}

int store_pair(struct store *store, int64_t room, const uint8_t one[TERN_KEY_SIZE],
               const uint8_t other[TERN_KEY_SIZE])
{
    (void)other;
    return store_ban(store, room, one, false);
}

int store_pair_read(struct store *store, int64_t room, const uint8_t key[TERN_KEY_SIZE],
                    uint64_t seq)
{
    (void)seq;
    return store_ban(store, room, key, false);
}

int store_pairs_unread(struct store *store, const uint8_t key[TERN_KEY_SIZE], store_pair_each *each,
                       void *user)
{
    (void)each;
    (void)user;
    return store_ban(store, 0, key, false);
}

int store_tidy(struct store *store, uint64_t now)
{
    (void)store;
    (void)now;
    return 0;
}

uint64_t store_bytes(struct store *store)
{
    (void)store;
    return 0;
}
