/* The words of ternchat on the wire: one packet is one message of the transport.
 * docs/ternchat-protocol.md is the specification.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_PROTO_H
#define TERNCHAT_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/types.h>

#define CHAT_VERSION    1
#define CHAT_PORT       7438
#define CHAT_NAME_MAX   64   /* bytes of a room's name or a nick */
#define CHAT_TEXT_MAX   1024 /* of words between programs, such as why something failed */
#define CHAT_WORDS_MAX  ((size_t)64 * 1024)    /* of what a person says */
#define CHAT_BODY_MAX   (CHAT_WORDS_MAX + 192) /* the same, sealed */
#define CHAT_PACKET_MAX (CHAT_BODY_MAX + 2048) /* more than the front of any packet needs */
#define CHAT_CONTROL    0                      /* the channel of all that belongs to no room */
#define CHAT_ROOM_FIRST 1                      /* channels of rooms, chosen by the server */
#define CHAT_SINCE_NONE UINT64_MAX             /* JOIN: nothing of this room is here yet */
#define CHAT_REPLAY     100                    /* events that a newcomer is shown */

enum chat_type {
    /* client to server, on channel 0 */
    CHAT_HELLO = 1,  /* version, nick */
    CHAT_JOIN = 2,   /* flags, seq (the last that is here, or CHAT_SINCE_NONE), room */
    CHAT_NICK = 4,   /* nick */
    CHAT_STATE = 5,  /* code: one of chat_presence */
    CHAT_LIST = 6,   /* nothing: which rooms are there? */
    CHAT_SEARCH = 7, /* channel, id (of the question), text */
    CHAT_BEFORE = 8, /* channel, id, seq: what was said before that */
    CHAT_KICK = 9,   /* channel, code (1: and never again; 2: may come again), key */
    CHAT_OPEN = 10,  /* flags, seq, key: a private conversation with that person */
    CHAT_FETCH =
        11, /* channel, id (the client's own), seq (of the offer), offset: send me that file */
    CHAT_INVITE = 12, /* nothing: give me a code for somebody else */
    CHAT_DENY = 13,   /* code: one of chat_stop, id (of WANTED): it does not come */
    /* client to server, on the channel of a room */
    CHAT_SAY = 32,   /* id, kind, body */
    CHAT_READ = 33,  /* seq */
    CHAT_TYPE = 34,  /* code: 1: is typing, 0: no more */
    CHAT_LEAVE = 35, /* nothing; also the answer to PARTED: the channel is free again */
    /* server to client, on channel 0 */
    CHAT_WELCOME = 64, /* version, time, key, nick, text (motd) */
    CHAT_REFUSED = 65, /* code: one of chat_refusal, channel or 0, id or 0, room or "", text */
    CHAT_ROOMS =
        68, /* flags, count (of members), room, text (topic): one a room; an empty room ends */
    CHAT_FOUND = 69,   /* channel, id, seq, time, kind, key, nick, body; kind 0: that was all */
    CHAT_WANTED = 70,  /* key (by whom), id (the server's), offer (its SAY's id), offset */
    CHAT_INVITED = 71, /* text: the code */
    CHAT_CALLED =
        72, /* key (whose), seq (the last), nick: a private conversation has news; CHAT_OPEN it */
    /* server to client, on the channel of a room */
    CHAT_JOINED =
        94, /* flags, seq (the room's last), room, text (topic), body: chat_member each; before all else */
    CHAT_PARTED = 95, /* text (why): put out; nothing follows */
    CHAT_EVENT = 96,  /* seq, time, id, kind, key (whose), nick (of that moment), body */
    /* body: chat_status each; whoever is not in it is there and does not type. Only the latest counts. */
    CHAT_STATUS = 97,
    CHAT_CAUGHT_UP = 98 /* seq: all up to here was replayed; what follows is new */
};

/* Kinds of events. Those from CHAT_KIND_JOIN on the server makes itself. */
enum chat_kind {
    CHAT_KIND_TEXT = 1,
    CHAT_KIND_ACTION = 2, /* "/me waves" */
    CHAT_KIND_FILE = 3,   /* an offer */
    CHAT_KIND_KEYS = 4,   /* sender keys for members, sealed to each */
    CHAT_KIND_TOPIC = 5,
    CHAT_KIND_JOIN = 16,
    CHAT_KIND_LEAVE = 17, /* body: why */
    CHAT_KIND_NICK = 18,  /* body: the nick before */
    CHAT_KIND_KICK = 19   /* body: the key of who was put out */
};

enum chat_presence { CHAT_HERE = 0, CHAT_AWAY = 1, CHAT_GONE = 2 /* the network has lost them */ };

enum chat_refusal {
    CHAT_REFUSED_VERSION = 1,
    CHAT_REFUSED_NICK = 2, /* taken, a look-alike of a taken one, or not a name */
    CHAT_REFUSED_ROOM = 3, /* not a name, or no such channel */
    CHAT_REFUSED_BANNED = 4,
    CHAT_REFUSED_RATE = 5, /* too much at once; `id` was not said */
    CHAT_REFUSED_SIZE = 6,
    CHAT_REFUSED_RIGHT = 7, /* only a moderator may */
    CHAT_REFUSED_FULL = 8,
    CHAT_REFUSED_HISTORY = 9, /* it could not be stored; `id` was not said */
    CHAT_REFUSED_AWAY = 10,   /* who offers the file is not there now */
    CHAT_REFUSED_GONE = 11    /* the file is not offered any more */
};

/* Why a file comes no further: in DENY, and as the code of a stream that is reset or stopped. */
enum chat_stop {
    CHAT_STOP_CANCELLED = 1, /* by the person on the other side */
    CHAT_STOP_GONE = 2,      /* not offered any more, or not there */
    CHAT_STOP_CHANGED = 3,   /* it is another one than was offered */
    CHAT_STOP_AWAY = 4,      /* the other side's connection is lost */
    CHAT_STOP_IDLE = 5,      /* nothing moved for too long */
    CHAT_STOP_OUT = 6,       /* one of the two is not in the room any more */
    CHAT_STOP_BUSY = 7,      /* too many at a time */
    CHAT_STOP_BAD = 8        /* not what this protocol says */
};

#define CHAT_FLAG_OPEN    0x01u /* the server can read what is said */
#define CHAT_FLAG_PRIVATE 0x02u /* a conversation of two */
#define CHAT_FLAG_MAY     0x04u /* JOINED: who gets it may kick, and set the topic */

/* Bytes that lie in the packet, or in the caller's memory. */
struct chat_slice {
    const uint8_t *data;
    size_t len;
};

struct chat_packet {
    enum chat_type type;
    uint8_t version, flags, code, kind;
    uint16_t channel;
    uint32_t count;
    uint64_t id, seq, time; /* time: ms since 1970, the server's */
    uint64_t offer, offset;
    uint8_t key[TERN_KEY_SIZE];
    struct chat_slice room, nick, text, body;
};

/* Writes a packet; its length, or 0 when it does not fit or a field is too long. */
size_t chat_encode(const struct chat_packet *p, uint8_t *buf, size_t size);

/* Reads one: false when it is not exactly a packet of a known type. Slices point into data. Any bytes
 * may stand in them: names are checked by whoever uses them. */
bool chat_decode(struct chat_packet *p, const uint8_t *data, size_t len);

/* The next of JOINED's members: false at the end, or where the rest makes no sense. */
struct chat_member {
    uint8_t key[TERN_KEY_SIZE];
    uint8_t presence;
    struct chat_slice nick;
};
bool chat_member_next(struct chat_slice *rest, struct chat_member *out);
size_t chat_member_encode(const struct chat_member *m, uint8_t *buf, size_t size);

/* The same of STATUS. */
struct chat_status {
    uint8_t key[TERN_KEY_SIZE];
    uint8_t presence;
    bool is_typing, may; /* may: they may kick here, and set the topic */
    uint64_t read;       /* the last event that they have seen */
};
bool chat_status_next(struct chat_slice *rest, struct chat_status *out);
size_t chat_status_encode(const struct chat_status *s, uint8_t *buf, size_t size);

struct chat_slice chat_text(const char *text); /* of a terminated string */

#endif
