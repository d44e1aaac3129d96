/* Rooms, the persons in them, and what each session of theirs has been sent.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_ROOM_H
#define TERNCHAT_ROOM_H

#include "ternchat/hub.h"
#include "ternchat/log.h"
#include "ternchat/store.h"

#define ROOM_INSTANCES 8 /* programs of one person whose numbers a room remembers */

struct member;
struct seat;

/* So many at once, and so many more with time. */
struct allowance {
    double left;
    tern_time filled; /* 0: not used yet */
};

struct ban {
    struct ban *next;
    uint8_t key[TERN_KEY_SIZE];
};

struct person {
    uint8_t key[TERN_KEY_SIZE];
    char nick[CHAT_NAME_MAX + 1], skeleton[CHAT_NAME_MAX + 1];
    uint8_t state; /* CHAT_HERE or CHAT_AWAY */
    struct allowance dear, names, makes,
        states;      /* of what costs the server, or disturbs the others */
    bool is_resting; /* nobody is left of them but those */
    struct member *members;
    struct hub_session *sessions;
    struct person *next, **link; /* of the hub */
};

struct room {
    struct hub *hub;
    char name[CHAT_NAME_MAX + 1];
    uint8_t flags;
    char topic[CHAT_TEXT_MAX + 1];
    uint8_t creator[TERN_KEY_SIZE]; /* a moderator of it */
    int64_t stored;                 /* the store's number for it; 0: it is in memory only */
    struct ban *bans;               /* of a room in memory only */
    struct log log;
    struct member *members;
    uint32_t member_count;
    bool has_news; /* a status has changed */
    uint32_t seat_count;
    /* With a broker. */
    struct ask *waiting; /* to sit down, once the log is far enough */
    bool is_looking;     /* how the room is now: the answer is on its way */
    bool has_moved;      /* somebody, since that was asked */
    bool is_blind;       /* there was no answer */
    bool has_tales;      /* who types, and what was read, is to be told to the other servers */
    bool is_suspect;     /* maybe nobody sits here any more */
    struct room *next_suspect;
    struct room *next_news;
    struct room *next, **link; /* of the hub */
};

/* With a broker: a member's seats at another server. */
struct elsewhere {
    struct elsewhere *next;
    uint8_t server[8];
    uint8_t presence;
    bool is_typing;
};

/* A person in a room. */
struct member {
    struct person *person;
    struct room *room;
    uint8_t presence;
    tern_time gone_since; /* with CHAT_GONE */
    bool is_typing;
    bool may, is_asked; /* may they moderate the room? As it was when that was asked first */
    uint64_t read;
    struct seat *seats;
    struct elsewhere *elsewhere;
    bool is_seen;     /* in what the broker tells */
    bool is_expelled; /* no member any more; their sessions were told to come anew */
    /* What each program of theirs said last, the latest program first: the same again is no news. */
    struct {
        uint32_t instance, last;
    } said[ROOM_INSTANCES];
    struct member *next_in_room, **link_in_room, *next_of_person, **link_of_person;
};

/* A session in a room. */
struct seat {
    struct hub_session *session;
    struct member *member;
    uint16_t channel;
    uint64_t refused; /* words that could not be stored: those after them wait for them; 0: none */
    uint64_t cursor;  /* the next event to send */
    uint64_t caught_up;  /* tell, when the cursor gets there; 0: it was told */
    struct fetch *fetch; /* older events, on their way from the broker */
    struct seat *next_of_member, **link_of_member;
};

/* next: the number of its first event. NULL: no memory. */
struct room *room_new(struct hub *hub, const char *name, uint8_t flags, uint64_t next);
/* The same of one that is stored, with its last events; the seats get older ones from the store. */
struct room *room_load(struct hub *hub, const char *name, const struct store_room *stored);
void room_free(struct room *room); /* with members and seats */

struct member *room_member(const struct room *room, const struct person *person); /* or NULL */
struct member *room_enter(struct room *room, struct person *person); /* NULL: no memory */
void room_exit(struct member *member);

/* The session gets events from `since` + 1 on (CHAT_SINCE_NONE: the latest few). NULL: no memory. */
struct seat *room_sit(struct member *member, struct hub_session *session, uint16_t channel,
                      uint64_t since);
void room_rise(struct seat *seat);

/* Says something in a room, as `p` has it (id, kind, key, nick, body), once it is stored; all seats are
 * served. The number, or 0: no memory, or no room on the disk. */
uint64_t room_say(struct room *room, struct chat_packet *p);

/* Was this said before, by this program of the member's? */
bool room_is_repeat(struct member *member, uint64_t id);
void room_on_said(struct member *member, uint64_t id); /* it was now */

/* Sends everybody what all are doing: those who are not simply there, and, of a few, how far they read. */
void room_tell_status(struct room *room);

/* Sends what the seat has not got, as far as there is room for it. */
void room_serve(struct seat *seat);

#endif
