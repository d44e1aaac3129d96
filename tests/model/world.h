/* Two real endpoints and a network that does what it is told: one execution of the model, from the
 * first packet to the last.
 *
 * A network without faults delivers every datagram after a fixed delay, in order. A course is a list of
 * exceptions: the datagram with this number, counted from when the scene opens the window, has this
 * fate. All else (time, randomness, keys) is the same in every execution, so that a course names one
 * execution for good, and whoever tries all courses has seen all executions.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_MODEL_WORLD_H
#define TERN_TESTS_MODEL_WORLD_H

#include <tern/tern.h>

enum { CLIENT, SERVER };

/* What the network can do to a datagram besides delivering it. */
enum fate {
    FATE_DROP,  /* never arrives */
    FATE_TWICE, /* and a copy right behind it */
    FATE_SWAP,  /* behind the next one of its direction, or late if there is none */
    FATE_LATE,  /* after the scene's long while */
    FATE_ECHO,  /* in time, and a copy after the long while */
    FATES
};

extern const char *const fate_names[FATES];

#define FAULTS_MAX 4

struct fault {
    unsigned number;
    enum fate fate;
};

struct course {
    struct fault faults[FAULTS_MAX]; /* in the order of their numbers */
    unsigned count;
};

struct world;

/* What both ends do. */
struct scene {
    const char *name;
    const char *about;
    bool pinned;           /* the client knows the server's key (XK), else first contact (XX) */
    const uint8_t *secret; /* that both know, or NULL */
    const char *code;      /* the same */
    bool has_ticket;       /* come back with a ticket, and say the first bytes early */
    bool is_stale;         /* ... which the server will not take any more */
    bool is_at_once;       /* ... and which it answers before message 3 */
    bool has_retry;        /* the server asks every client to show its address */
    bool is_silent;        /* the server answers nobody who does not know its key */
    bool from_birth;       /* the window opens with the first datagram, else after a handshake */
    bool may_time_out;     /* before anybody is connected; counted */
    bool closes_early;     /* the client closes while the network is still bad */
    unsigned rounds;       /* each end writes once a round; the last one comes when all is quiet */
    size_t spurt;          /* so many bytes */
    tern_time gap;         /* between rounds */
    tern_time late;        /* the long while */
    unsigned window;       /* datagrams that may have a fate at most */
    unsigned quick;        /* faults that CI tries */
    /* At the beginning of each round, counted from 0. May be NULL. */
    void (*act)(struct world *world, unsigned round);
    /* After every event. May be NULL. */
    void (*watch)(struct world *world);
    /* When all is said and quiet again: what is wrong, or NULL. May be NULL. */
    const char *(*judge)(const struct world *world);
};

/* A datagram on its way. */
struct flight {
    bool is_taken;
    tern_time at;
    uint64_t order;
    int to;
    tern_addr source, target;
    size_t len;
    uint8_t ecn;
    uint8_t data[1500];
};

enum { FLIGHTS_MAX = 256, TICKET_MAX = 600, EXPORT_SIZE = 32 };

struct end {
    tern_endpoint *endpoint;
    tern_conn *conn; /* the one that counts; NULL before it is announced and after it is over */
    tern_stream *stream;
    uint64_t noise; /* the state of its randomness */
    tern_time not_before;
    size_t said, heard;
    unsigned connected, closed, opened, early;
    bool is_finished; /* said everything, FIN included */
    bool has_ended;   /* heard the peer's FIN */
    bool is_done;     /* the stream is closed */
    tern_close_info close;
    uint8_t exported[EXPORT_SIZE];
    unsigned suite;
};

struct world {
    const struct scene *scene;
    const struct course *course;
    bool is_traced;
    tern_time now;
    struct end ends[2];
    struct flight *flights; /* FLIGHTS_MAX places */
    struct flight *held[2]; /* swapped: goes right behind the next one to CLIENT or SERVER */
    uint64_t order;
    bool is_open;     /* datagrams are counted */
    unsigned numbers; /* datagrams so far */
    unsigned round;
    tern_time next_round;
    tern_addr home;  /* of the client */
    tern_addr away;  /* where it can move to */
    tern_addr outer; /* what a NAT makes of `home`; family 0: there is none */
    bool is_home_dead;
    uint64_t given_up; /* moves that the scene has seen fail */
    uint8_t server_key[TERN_KEY_SIZE], client_key[TERN_KEY_SIZE];
    uint8_t ticket[TICKET_MAX];
    size_t ticket_len;
    tern_time ticket_at;
    uint64_t hash;
    const char *broken;
};

/* What came of it. */
struct outcome {
    unsigned numbers; /* datagrams that could have had a fate */
    uint64_t hash;    /* of every datagram and when it left */
    uint64_t seals;
    tern_time duration;
    bool has_timed_out; /* as the scene may */
    const char *broken; /* what did not hold, or NULL */
};

/* Runs one execution. With `is_traced` every packet is printed. */
void world_run(const struct scene *scene, const struct course *course, bool is_traced,
               struct outcome *out);

#endif
