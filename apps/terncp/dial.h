/* From a name to a connection that stands: whom we trust, how a far side is started, attempts and what
 * came of them.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_DIAL_H
#define TERNCP_DIAL_H

#include <tern/tern.h>

#include "shared/trust.h"
#include "terncp/resume.h"
#include "terncp/ssh.h"
#include "terncp/target.h"
#include "terncp/transport.h"

#define DIAL_ADDRS 4 /* at which one peer is tried at the same time */

/* How a connection, or an attempt at one, ended. */
enum dial_outcome {
    DIAL_RUNNING,
    DIAL_DONE,    /* the request was worked off, with or without failures */
    DIAL_KEY,     /* first contact: the server has shown its key */
    DIAL_SILENT,  /* no answer to the handshake */
    DIAL_NOBODY,  /* nor will there be one: its port is closed */
    DIAL_LOST,    /* the connection ended early; it was said */
    DIAL_REFUSED, /* the server does not want us */
    DIAL_SECRET,  /* it knows another code than we do */
    DIAL_REQUEST, /* the request failed as a whole; it was said */
    DIAL_SIGNAL,
    DIAL_ERROR /* no socket and the like; it was said */
};

/* What whoever dials does with a connection. All are called from the loop. */
struct dial_calls {
    /* Streams may be opened. is_early: what is written may leave before the server has answered, in
     * streams that were set so. Comes once for each attempt that has got so far. */
    void (*begin)(void *user, tern_conn *conn, bool is_early);
    void (*event)(void *user, const tern_event *event); /* all but CLOSED, from `begin` on */
    void (*after)(void *user); /* events were handled; conn is up; may be NULL */
    void (*end)(void *user); /* after `begin`: handles of the connection and its streams die now */
};

struct dial {
    const struct options *options;
    struct ev_loop *loop;
    const struct dial_calls *calls;
    void *user;

    struct target target;
    struct trust trust; /* its name is the peer's in messages */
    struct ssh ssh;
    tern_addr addrs[DIAL_ADDRS];
    unsigned addr_count;
    uint8_t secret[TERN_KEY_SIZE];
    bool has_identity; /* the secret key is the user's, else one made for this server */
    uint8_t psk[TERN_SECRET_SIZE];
    bool has_psk;
    const char *code; /* a one-time code instead of a key */

    struct transport transport;
    struct qlog *qlog;             /* of the attempt; NULL: none */
    struct keylog *keylog;         /* the same */
    tern_conn *racing[DIAL_ADDRS]; /* until one of them stands */
    tern_conn *conn;
    bool is_never_early; /* set after dial_init: no ticket is used */
    bool only_key, is_begun, is_connected;
    enum dial_outcome outcome;
    int trust_code;
    uint8_t seen[TERN_KEY_SIZE];
    struct resume resume;
    struct ev_signal interrupted, terminated, hung_up;
    struct ev_timer silence; /* of an attempt that is given up for it */
};

/* All three return -1 to go on, or the exit code after the error was said. */

/* Takes the name apart, finds or starts the other side, and loads our key. */
int dial_init(struct dial *dial, const struct options *options, struct ev_loop *loop,
              const char *name, const struct dial_calls *calls, void *user);
/* For who finds the peer by other means: a name for messages, an address, and a code. */
int dial_init_code(struct dial *dial, const struct options *options, struct ev_loop *loop,
                   const char *code, const tern_addr *addr, const struct dial_calls *calls,
                   void *user);
/* Runs the loop until a connection stands and `begin` was called. */
int dial_open(struct dial *dial);

/* Runs the loop until dial_stop(), which the dial calls itself when the connection ends. */
enum dial_outcome dial_wait(struct dial *dial);
void dial_stop(struct dial *dial, enum dial_outcome outcome);

/* The exit code of an outcome other than DONE and REQUEST; says what has not been said yet. */
int dial_explain(const struct dial *dial, enum dial_outcome outcome);

/* Ends the connection and whatever was started for it, and keeps what the next one profits by. */
void dial_close(struct dial *dial);

#endif
