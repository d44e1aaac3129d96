/* In place of memory.c, where SQLite is not there: nothing is remembered.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "ternchat/memory.h"

bool memory_is_built_in(void)
{
    return false;
}

struct memory *memory_open(const char *path, char about[MEMORY_WHY_SIZE])
{
    (void)path;
    (void)snprintf(about, MEMORY_WHY_SIZE,
                   "this ternchat was built without SQLite: nothing is remembered");
    return NULL;
}

/* Nobody has a memory to call these with. */

void memory_close(struct memory *memory)
{
    (void)memory;
}

const char *memory_keep(struct memory *memory)
{
    (void)memory;
    return NULL;
}

void memory_wait(struct memory *memory, int ms)
{
    (void)memory;
    (void)ms;
}

int memory_room(struct memory *memory, const char *name, struct memory_room *out)
{
    (void)memory;
    (void)name;
    (void)out;
    return 0;
}

void memory_room_put(struct memory *memory, struct memory_room *room)
{
    (void)memory;
    (void)room;
}

void memory_last(struct memory *memory, int64_t room, uint64_t last)
{
    (void)memory;
    (void)room;
    (void)last;
}

void memory_leave(struct memory *memory, int64_t room)
{
    (void)memory;
    (void)room;
}

void memory_trim(struct memory *memory, uint64_t most, unsigned rounds)
{
    (void)memory;
    (void)most;
    (void)rounds;
}

void memory_line(struct memory *memory, int64_t room, const struct memory_line *line, bool is_words)
{
    (void)memory;
    (void)room;
    (void)line;
    (void)is_words;
}

void memory_chain(struct memory *memory, int64_t room, const uint8_t key[TERN_KEY_SIZE],
                  uint32_t program, uint64_t seq, struct chat_slice dump)
{
    (void)memory;
    (void)room;
    (void)key;
    (void)program;
    (void)seq;
    (void)dump;
}

void memory_say(struct memory *memory, int64_t room, uint64_t id, uint8_t kind,
                struct chat_slice body)
{
    (void)memory;
    (void)room;
    (void)id;
    (void)kind;
    (void)body;
}

void memory_heard(struct memory *memory, int64_t room, uint64_t id)
{
    (void)memory;
    (void)room;
    (void)id;
}

void memory_hold(struct memory *memory, int64_t room, uint64_t seq, const uint8_t *packet,
                 size_t len)
{
    (void)memory;
    (void)room;
    (void)seq;
    (void)packet;
    (void)len;
}

void memory_let_go(struct memory *memory, int64_t room, uint64_t seq)
{
    (void)memory;
    (void)room;
    (void)seq;
}

void memory_person(struct memory *memory, int64_t room, const uint8_t key[TERN_KEY_SIZE],
                   const char *nick)
{
    (void)memory;
    (void)room;
    (void)key;
    (void)nick;
}

void memory_no_person(struct memory *memory, int64_t room, const uint8_t key[TERN_KEY_SIZE])
{
    (void)memory;
    (void)room;
    (void)key;
}

void memory_people(struct memory *memory, int64_t room, memory_person_each *each, void *user)
{
    (void)memory;
    (void)room;
    (void)each;
    (void)user;
}

void memory_known(struct memory *memory, const uint8_t key[TERN_KEY_SIZE], const char *nick,
                  bool is_verified, uint64_t seen)
{
    (void)memory;
    (void)key;
    (void)nick;
    (void)is_verified;
    (void)seen;
}

void memory_rooms(struct memory *memory, memory_room_each *each, void *user)
{
    (void)memory;
    (void)each;
    (void)user;
}

void memory_chains(struct memory *memory, int64_t room, memory_chain_each *each, void *user)
{
    (void)memory;
    (void)room;
    (void)each;
    (void)user;
}

void memory_unheard(struct memory *memory, int64_t room, memory_unheard_each *each, void *user)
{
    (void)memory;
    (void)room;
    (void)each;
    (void)user;
}

void memory_held(struct memory *memory, int64_t room, memory_held_each *each, void *user)
{
    (void)memory;
    (void)room;
    (void)each;
    (void)user;
}

void memory_all_known(struct memory *memory, memory_known_each *each, void *user)
{
    (void)memory;
    (void)each;
    (void)user;
}

void memory_lines(struct memory *memory, int64_t room, size_t count, memory_line_each *each,
                  void *user)
{
    (void)memory;
    (void)room;
    (void)count;
    (void)each;
    (void)user;
}

void memory_before(struct memory *memory, int64_t room, uint64_t seq, memory_line_each *each,
                   void *user)
{
    (void)memory;
    (void)room;
    (void)seq;
    (void)each;
    (void)user;
}

void memory_search(struct memory *memory, int64_t room, struct chat_slice text,
                   memory_line_each *each, void *user)
{
    (void)memory;
    (void)room;
    (void)text;
    (void)each;
    (void)user;
}
