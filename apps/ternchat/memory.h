/* What a client remembers from one start to the next: lines, how far each room was seen, keys of others'
 * words, what was said and not heard yet, and whose words were compared.
 *
 * All that is written between two calls of memory_keep is there after a crash, or nothing of it; a moment after the
 * second it is there: a thread writes it, so that nobody waits for the disk but who reads. When a write
 * fails (a full disk), nothing more is written: what is there stays one moment of the past, from which the
 * next start goes on, with what the server has since.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_MEMORY_H
#define TERNCHAT_MEMORY_H

#include "ternchat/proto.h"

#define MEMORY_WHY_SIZE 4600
#define MEMORY_FOUND    50     /* lines that one search brings */
#define MEMORY_LINES    200000 /* that are kept in all; the oldest go at the next start */
/* That the file may have in use; the oldest lines go at once. */
#define MEMORY_BYTES  ((uint64_t)512 << 20)
#define MEMORY_KNOWN  10000  /* keys that are kept whose words were not compared */
#define MEMORY_EVENTS 100000 /* of a room, after which a chain that was not used is forgotten */

struct memory;

struct memory_room {
    int64_t id;
    char name[CHAT_NAME_MAX + 1], title[CHAT_NAME_MAX + 1];
    uint8_t flags;
    uint8_t with[TERN_KEY_SIZE]; /* a private room's other one */
    uint64_t last;               /* event that was seen; 0: none */
    bool is_in;                  /* it was not left */
};

struct memory_line {
    uint64_t seq, time;
    uint8_t kind; /* of the model's lines */
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];
    bool is_own;
    const char *text;
};

/* NULL: there is none, and about says why; else it is "", or what the person must be told. A damaged file is
 * set aside. */
struct memory *memory_open(const char *path, char about[MEMORY_WHY_SIZE]);
void memory_close(struct memory *memory);
bool memory_is_built_in(void);

/* NULL: all is well. Else what has failed, told once; from then on nothing is written. */
const char *memory_keep(struct memory *memory);
/* Until what was kept is in the file, but so long at most, should the disk be busy. */
void memory_wait(struct memory *memory, int ms);

/* 1: found; 0: it is not known. */
int memory_room(struct memory *memory, const char *name, struct memory_room *out);
/* id 0: a new one gets one. */
void memory_room_put(struct memory *memory, struct memory_room *room);
void memory_last(struct memory *memory, int64_t room, uint64_t last);
/* While more bytes are in use the oldest lines go, so many at a time; at most so often. */
#define MEMORY_TRIM 500
void memory_trim(struct memory *memory, uint64_t most, unsigned rounds);
/* It was left: lines stay, all else goes. */
void memory_leave(struct memory *memory, int64_t room);

void memory_line(struct memory *memory, int64_t room, const struct memory_line *line,
                 bool is_words);
/* seq: the event that has brought it so far. */
void memory_chain(struct memory *memory, int64_t room, const uint8_t key[TERN_KEY_SIZE],
                  uint32_t program, uint64_t seq, struct chat_slice dump);
void memory_say(struct memory *memory, int64_t room, uint64_t id, uint8_t kind,
                struct chat_slice body);
void memory_heard(struct memory *memory, int64_t room, uint64_t id);
/* An EVENT that waits for its key, as it came. */
void memory_hold(struct memory *memory, int64_t room, uint64_t seq, const uint8_t *packet,
                 size_t len);
void memory_let_go(struct memory *memory, int64_t room, uint64_t seq);
void memory_person(struct memory *memory, int64_t room, const uint8_t key[TERN_KEY_SIZE],
                   const char *nick); /* is in it */
void memory_no_person(struct memory *memory, int64_t room, const uint8_t key[TERN_KEY_SIZE]);
void memory_known(struct memory *memory, const uint8_t key[TERN_KEY_SIZE], const char *nick,
                  bool is_verified, uint64_t seen);

/* Each of them, in the order in which they came. */
typedef void memory_room_each(void *user, const struct memory_room *room);
void memory_rooms(struct memory *memory, memory_room_each *each, void *user); /* not left ones */
typedef void memory_chain_each(void *user, const uint8_t key[TERN_KEY_SIZE], uint32_t program,
                               struct chat_slice dump);
void memory_chains(struct memory *memory, int64_t room, memory_chain_each *each, void *user);
typedef void memory_unheard_each(void *user, uint64_t id, uint8_t kind, struct chat_slice body);
void memory_unheard(struct memory *memory, int64_t room, memory_unheard_each *each, void *user);
typedef void memory_held_each(void *user, struct chat_slice packet);
void memory_held(struct memory *memory, int64_t room, memory_held_each *each, void *user);
typedef void memory_person_each(void *user, const uint8_t key[TERN_KEY_SIZE], const char *nick);
void memory_people(struct memory *memory, int64_t room, memory_person_each *each, void *user);
typedef void memory_known_each(void *user, const uint8_t key[TERN_KEY_SIZE], const char *nick,
                               bool is_verified, uint64_t seen);
void memory_all_known(struct memory *memory, memory_known_each *each, void *user);

typedef void memory_line_each(void *user, const struct memory_line *line);
/* The last `count` lines, upwards. */
void memory_lines(struct memory *memory, int64_t room, size_t count, memory_line_each *each,
                  void *user);
/* Words before that number, and those with all these words: MEMORY_FOUND at most, the newest first. */
void memory_before(struct memory *memory, int64_t room, uint64_t seq, memory_line_each *each,
                   void *user);
void memory_search(struct memory *memory, int64_t room, struct chat_slice text,
                   memory_line_each *each, void *user);

#endif
