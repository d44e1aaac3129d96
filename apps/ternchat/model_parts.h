/* What the parts of the model share: its state, and how packets leave.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_MODEL_PARTS_H
#define TERNCHAT_MODEL_PARTS_H

#include "ternchat/model.h"

/* Said, and not heard yet. */
struct unheard {
    struct unheard *next;
    uint64_t id;
    uint8_t kind;
    uint8_t *sealed; /* what the server gets, once it has left; NULL: the body, or it has not */
    size_t sealed_len;
    size_t len;
    uint8_t body[];
};

#define MODEL_KNOWN 4096 /* keys that are remembered with their nicks */

#define MODEL_OWED 64

struct known {
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];  /* that they bore last */
    char looks[CHAT_NAME_MAX + 1]; /* its skeleton: what looks like it has the same */
    bool is_verified;
    uint64_t seen; /* the higher, the later */
};

struct model {
    struct model_front front;
    bool has_identity;
    uint8_t secret[TERN_KEY_SIZE]; /* ours, of which `key` is the other half */
    bool is_connected, is_welcome;
    unsigned nick_tries;
    char wished[CHAT_NAME_MAX + 1]; /* the nick, before others had it */
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];
    uint64_t next_id, next_keys_id; /* KEYS are numbered by themselves */
    struct model_room *rooms[MODEL_ROOMS];
    size_t room_count;
    /* Channels on which LEAVE is to be said, once there is room for it. */
    uint16_t owed[MODEL_OWED];
    size_t owed_count;
    uint64_t called; /* when the person was last told that strangers call; ms since 1970 */
    enum chat_presence presence;
    struct model_room console;
    struct memory *memory; /* NULL: none */
    size_t recalled;       /* lines that a room begins with */
    struct known *known;
    size_t known_count, known_room;
    uint64_t known_seen;
};

bool model_send(struct model *model, uint16_t channel, const struct chat_packet *p, bool is_latest);
void model_hello(struct model *model);
void model_tell(struct model *model, const char *text); /* a note about no room */
uint64_t model_clock(void);                             /* ms since 1970 */

/* A line of a room: `about` says what it is. */
void model_line(struct model *model, struct model_room *room, const struct line *about,
                struct chat_slice text);
/* "WARNING: ", `before`, the nick of `about`, `after`. */
void model_warn(struct model *model, struct model_room *room, const struct line *about,
                const char *before, const char *after);
/* What somebody said, readable by now. */
void model_show(struct model *model, struct model_room *room, const struct chat_packet *p,
                struct line *about);
/* What somebody offers, as they said it; and as it was remembered. */
void model_offer(struct model *model, struct model_room *room, const struct chat_packet *p,
                 struct line *about);
void model_offer_recall(struct model *model, struct model_room *room, struct line *about,
                        const char *kept);
/* A note that begins with the nick of `about`; `more` is made safe. */
void model_happening(struct model *model, struct model_room *room, struct line *about,
                     const char *what, const char *more);

/* --- model_people.c, model_known.c -------------------------------------------------------------------- */

void model_person_add(struct model *model, struct model_room *room,
                      const uint8_t key[TERN_KEY_SIZE], struct chat_slice nick, uint8_t presence);
/* Came at an event of that number. */
void model_person_came(struct model *model, struct model_room *room, const struct chat_packet *p);
void model_person_left(struct model *model, struct model_room *room,
                       const uint8_t key[TERN_KEY_SIZE], uint64_t seq);
/* All of them, as JOINED has it, and those who were there before, until a leave is told of or they do not
 * come back. was_here: whoever is new in it has come meanwhile. */
void model_people_set(struct model *model, struct model_room *room, struct chat_slice list,
                      bool was_here);
/* Tells of those of whose coming the server has not told. */
void model_people_caught_up(struct model *model, struct model_room *room);
void model_people_tick(struct model *model, struct model_room *room); /* once a second */
void model_on_status(struct model_room *room, struct chat_slice list);
/* Warns when somebody else had the nick before. */
void model_known_see(struct model *model, struct model_room *room,
                     const struct model_person *person);
void model_known_name(struct known *k, const char *nick);
struct known *model_known_add(struct model *model, const uint8_t key[TERN_KEY_SIZE]);
struct model_person *model_person_in(const struct model_room *room,
                                     const uint8_t key[TERN_KEY_SIZE]);
/* A private conversation that was here before, even if we are not welcome yet. */
struct model_room *model_reopen(struct model *model, const char *name, const char *title,
                                const uint8_t key[TERN_KEY_SIZE]);

/* --- model_said.c, model_event.c ---------------------------------------------------------------------- */

/* Adds it to what is to be said. NULL: no memory, or too much waits. */
struct unheard *model_queue(struct model_room *room, uint64_t id, enum chat_kind kind,
                            const void *body, size_t len);
/* As much as there is room for of what was said in the room. */
void model_send_unsent(struct model *model, struct model_room *room);
struct unheard **model_said_find(struct model_room *room, uint64_t id); /* or at NULL */
void model_said_drop(struct model_room *room, struct unheard **at);
/* It will never be heard: it goes, and the front end is told. */
void model_said_in_vain(struct model *model, struct model_room *room, struct unheard **at);
/* Words that the server takes later wait; others it will never take. */
void model_said_refused(struct model *model, struct model_room *room, uint64_t id, bool is_later);
void model_on_event(struct model *model, struct model_room *room, const struct chat_packet *p);
void model_set_topic(struct model_room *room, struct chat_slice topic);

#endif
