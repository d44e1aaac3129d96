/* Sealed rooms in the model: who is given keys and when, words that wait for theirs, and what is told of a
 * server that lies.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_MODEL_SEAL_H
#define TERNCHAT_MODEL_SEAL_H

#include "ternchat/model_parts.h"
#include "ternchat/seal.h"

#define KEYS_WAITING 256               /* KEYS on their way, in a room; then words wait */
#define HELD_WORDS   256               /* that wait for a key in a room */
#define HELD_BYTES   ((size_t)1 << 20) /* and of them */
#define HELD_TICKS   10                /* seconds for which they wait */

/* KEYS on their way, until the server has put them in their place. */
struct keys_item {
    struct keys_item *next;
    uint64_t id;
    size_t len;
    uint8_t body[];
};

/* A word whose key is not here. */
struct held {
    struct held *next;
    uint64_t id, seq, time;
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];
    bool is_own, is_replay, is_missed;
    uint8_t kind;
    unsigned ticks;
    size_t len;
    uint8_t body[];
};

struct room_seal {
    struct seal *seal;
    struct keys_item *keys, **keys_tail, *unsent; /* unsent: the first that has not left */
    size_t keys_count;
    struct held *held, **held_tail;
    size_t held_count, held_bytes;
    uint64_t given;     /* the room's last event when the present chain was given out */
    bool is_caught_up;  /* all that was said before is here: now we know who comes after what */
    bool is_fresh;      /* we have no keys of before */
    bool is_dirty;      /* somebody in the room may lack our keys */
    bool wants_ask;     /* somebody's keys may be missing here */
    unsigned ask_pause; /* ticks until we ask again */
};

/* Begins sealing in a room. False: no memory, or nobody knows who we are. */
bool model_seal_make(struct model *model, struct model_room *room);
/* The room's channel is there, with who is in it. */
void model_seal_on_joined(struct model *model, struct model_room *room);
void model_seal_on_caught_up(struct model *model, struct model_room *room);
void model_seal_on_lost(struct model_room *room);
void model_seal_clear(struct model_room *room);

void model_seal_on_came(struct model *model, struct model_room *room,
                        const uint8_t key[TERN_KEY_SIZE]);
void model_seal_on_gone(struct model_room *room, const uint8_t key[TERN_KEY_SIZE]);
void model_seal_on_gap(struct model_room *room); /* events are lost: keys may be among them */

/* What the server gets of it, once all who are to read it have been sent keys. False: not now. */
bool model_seal_word(struct model *model, struct model_room *room, struct unheard *u,
                     struct chat_slice *body);
void model_seal_on_heard(struct model_room *room, const struct unheard *u);
/* Is it one of our KEYS? Then it is said again with the words. */
bool model_seal_is_keys(const struct model_room *room, uint64_t id);
void model_seal_say_again(struct model_room *room);

/* An event of a sealed room, said by others or by another program of ours. False: not its matter. */
bool model_seal_take(struct model *model, struct model_room *room, const struct chat_packet *p,
                     struct line *about);
void model_seal_tick(struct model *model, struct model_room *room); /* about once a second */

/* --- model_held.c ------------------------------------------------------------------------------------- */

/* Opens it and shows it, or keeps it until its key comes. */
void model_hold(struct model *model, struct model_room *room, const struct chat_packet *p,
                struct line *about);
/* One that was kept when the program ended. */
void model_held_restore(struct model *model, struct model_room *room, const struct chat_packet *p);
/* Somebody's keys have come. */
void model_held_retry(struct model *model, struct model_room *room,
                      const uint8_t from[TERN_KEY_SIZE]);
/* Gives up those that have waited for so long. */
void model_held_tick(struct model *model, struct model_room *room);
/* All of them: they are from before we came. */
void model_held_give_up(struct model *model, struct model_room *room);
void model_held_clear(struct room_seal *s);

#endif
