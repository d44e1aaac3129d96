/* What a client knows: rooms, who is in them, what was said, what is still to be said. No terminal, no
 * network: packets go in, packets to send come out, and front ends read it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_MODEL_H
#define TERNCHAT_MODEL_H

#include "ternchat/offer.h"
#include "ternchat/words.h"

#define MODEL_ROOMS 64
/* Conversations that others have begun, and that we have said nothing in yet. */
#define MODEL_CALLS  16
#define MODEL_PEOPLE 2048 /* of a room: twice what a server takes, for those who are absent */
#define MODEL_LINES  2000 /* kept of a room, to scroll back in */
/* And of them; then the oldest long ones lose their ends. */
#define MODEL_LINE_BYTES ((size_t)4 << 20)
/* Fetches have numbers from this on, questions below, words beyond 32 bits. */
#define MODEL_FETCH   1024
#define MODEL_UNHEARD 1024 /* said, but not acknowledged, in a room: then model_say says no */

enum line_kind {
    LINE_TEXT,
    LINE_ACTION,
    LINE_FILE,   /* an offer; `text` says it, and is safe to print */
    LINE_NOTE,   /* somebody came, left, ...; `text` says it whole, and it is safe to print */
    LINE_GAP,    /* some of it is lost: `text` says so */
    LINE_WARNING /* somebody lies: `text` says who may, and is safe to print */
};

struct line {
    enum line_kind kind;
    uint64_t seq, time;
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];
    bool is_own, is_replay;
    bool is_missed;     /* said while we were away: a replay, and news all the same */
    bool is_remembered; /* it was seen at an earlier start */
    unsigned file;      /* LINE_FILE: its number for people; 0: it cannot be had */
    size_t len;
    char text[]; /* as it came, terminated: escape it before it gets to a terminal */
};

struct model_person {
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1];
    uint8_t presence;
    bool is_typing;
    bool may;       /* kick here, and set the topic */
    bool is_unseen; /* nobody has told of their coming yet */
    /* Seconds for which the server has not known them, and told of no leave; 0: it does. */
    unsigned absent;
    unsigned asked; /* seconds that their asking for keys has used up */
    uint64_t read;
};

struct unheard;
struct room_seal;

struct model_room {
    char name[CHAT_NAME_MAX + 1];
    uint8_t flags;
    uint16_t channel; /* 0: no seat now */
    bool is_joining;  /* JOIN left, no answer yet */
    bool is_held;     /* the server could not take it (words, or us): model_retry tries again */
    bool may;         /* we may kick here, and set the topic */
    char title[CHAT_NAME_MAX + 1]; /* for people: the name, or the other one's of a private room */
    char topic[CHAT_TEXT_MAX + 1]; /* as it came: escape it */
    uint8_t with[TERN_KEY_SIZE];   /* a private room's other one */
    uint64_t last;                 /* the last event that came */
    uint64_t asked;                /* the oldest event that model_before has brought; 0: none */
    bool is_replay;                /* what comes now was said before */
    bool is_missed;                /* and behind all that we had seen */
    uint64_t listed;               /* the last event before the list of people was made */
    struct model_person *people;
    size_t people_count, people_room;
    struct line *lines[MODEL_LINES]; /* a ring: line n is at n % MODEL_LINES */
    uint64_t line_count, unread;
    size_t line_bytes;                       /* of text in them */
    uint64_t shortened;                      /* up to there old ones are */
    struct unheard *unheard, **unheard_tail; /* to say (again, after a lost connection), in order */
    struct unheard *unsent; /* the first of them that has not left on this connection */
    size_t unheard_count;
    bool is_entering;       /* as it was at the last start */
    int64_t remembered;     /* the memory's number for it; 0: none */
    struct room_seal *seal; /* NULL: the room is open, or nobody has let us in yet */
    bool is_known;          /* we were in it: `flags` are true */
    bool is_called;         /* the other one has begun it, and we have said nothing */
    void *look;             /* the front end's own; it lets go of it in on_left */
};

struct model;

struct model_front {
    void *user;
    /* False: there is no room now; model_on_writable follows. */
    bool (*send)(void *user, uint16_t channel, const uint8_t *data, size_t len, bool is_latest);
    void (*on_line)(void *user, struct model_room *room, const struct line *line);
    /* Somebody offers a file, in the room's event `id`. Its number for people. NULL: there are no files. */
    unsigned (*on_offer)(void *user, struct model_room *room, const struct line *about, uint64_t id,
                         const struct offer *offer);
    /* Something about no room: welcome, refusals. Safe to print. */
    void (*on_note)(void *user, const char *text);
    void (*on_joined)(void *user, struct model_room *room); /* also after a new connection */
    /* The server has what we said. */
    void (*on_heard)(void *user, struct model_room *room, uint64_t id);
    /* It will never take it; a note said why. */
    void (*on_refused)(void *user, struct model_room *room, uint64_t id);
    /* ROOMS, FOUND, INVITED, WANTED, or REFUSED of a fetch: answers to what we asked, all foreign bytes. */
    void (*on_answer)(void *user, const struct chat_packet *p);
    /* The room is about to go: we left, were put out, or were not let in. */
    void (*on_left)(void *user, struct model_room *room);
};

struct model *model_new(const struct model_front *front, const char *nick);
void model_free(struct model *model);
/* Who we are, by our static key. Without it nothing can be said in sealed rooms. */
void model_identify(struct model *model, const uint8_t secret[TERN_KEY_SIZE]);

struct memory;
/* From now on; it stays the caller's, who closes it after the model. lines: so many a room begins with. */
void model_remember(struct model *model, struct memory *memory, size_t lines);
void model_rejoin(struct model *model); /* the rooms that were not left */
/* What has happened since is in the memory when it returns. False: it could not be; a note said so. */
bool model_keep(struct model *model);

void model_connected(struct model *model); /* says who we are, and joins again */
void model_lost(struct model *model);
void model_receive(struct model *model, uint16_t channel, const uint8_t *data, size_t len);
void model_on_writable(struct model *model);

/* Wishes of the person. NULL or false: it makes no sense now (a note said why). */
struct model_room *model_join(struct model *model, const char *name, uint8_t flags);
bool model_leave(struct model *model, struct model_room *room);
/* id: of the words, for on_heard. False: too long, or too much waits already. */
bool model_say(struct model *model, struct model_room *room, enum chat_kind kind, const void *body,
               size_t len, uint64_t *id);
/* The person looks at the end of it. */
void model_read(struct model *model, struct model_room *room);
void model_type(struct model *model, struct model_room *room, bool is_typing);
void model_nick(struct model *model, const char *nick);
void model_presence(struct model *model, enum chat_presence presence); /* here or away */

/* A line of our own in a room's lines; NULL: in those of the console, a room that is on no list. */
void model_note(struct model *model, struct model_room *room, const char *text);
struct model_room *model_console(struct model *model);

/* The i-th of what was said and is on its way: false behind the last. */
bool model_waiting(const struct model_room *room, size_t i, enum line_kind *kind,
                   struct chat_slice *text);

/* Tries again what the server had no room for. About once a second. */
void model_retry(struct model *model);

/* The private conversation with somebody: there is one, or it is opened. */
struct model_room *model_open(struct model *model, const uint8_t key[TERN_KEY_SIZE],
                              const char *nick);
/* Questions, answered by on_answer: false: not connected, or no room for it now. */
bool model_list(struct model *model);
/* Of a sealed room, or without a connection, the memory is asked. */
bool model_search(struct model *model, struct model_room *room, const char *text, uint64_t id);
bool model_before(struct model *model, struct model_room *room, uint64_t seq, uint64_t id);
bool model_invite(struct model *model);
enum model_kick { MODEL_KICK = 0, MODEL_BAN = 1, MODEL_PARDON = 2 };
bool model_kick(struct model *model, const struct model_room *room,
                const uint8_t key[TERN_KEY_SIZE], enum model_kick what);
/* id: from MODEL_FETCH on, below 2^32; it comes back in REFUSED (on_answer) or in front of a stream. seq: of the
 * offer. */
bool model_fetch(struct model *model, const struct model_room *room, uint32_t id, uint64_t seq,
                 uint64_t offset);
bool model_deny(struct model *model, uint64_t id, enum chat_stop why); /* what was WANTED */
bool model_topic(struct model *model, struct model_room *room, const char *topic);
/* Words that both see, if there is nobody between the two. False: we have no key. */
bool model_words(const struct model *model, const uint8_t key[TERN_KEY_SIZE],
                 char text[WORDS_SIZE]);
/* The words were compared, or that is not to count any more. False: no room to remember it. */
bool model_verified(struct model *model, const uint8_t key[TERN_KEY_SIZE], bool is_verified);
bool model_is_verified(const struct model *model, const uint8_t key[TERN_KEY_SIZE]);
/* Somebody in the room by nick; NULL: nobody. */
struct model_person *model_person(struct model_room *room, const char *nick);

/* The i-th, NULL behind the last. */
struct model_room *model_room_at(struct model *model, size_t i);
struct model_room *model_find(struct model *model, const char *name);
struct model_room *model_on(struct model *model, uint16_t channel); /* NULL: none sits there */
const char *model_nick_now(const struct model *model);
size_t model_unheard(const struct model *model); /* in all rooms */
bool model_is_welcome(const struct model *model);
bool model_is_away(const struct model *model);

#endif
