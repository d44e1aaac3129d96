/* Whom we talk to: pinned keys, known hosts, and first contact.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_TRUST_H
#define TERN_APPS_TRUST_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/types.h>

/* What the command line says of it; the strings are borrowed for as long as the trust is in use. */
struct trust_options {
    const char *pin;         /* the key that the server must have, as text; NULL: none */
    const char *known_hosts; /* NULL: the default file */
    bool accept_new;         /* trust an unknown server at first use without asking */
    bool batch;              /* never ask */
};

struct trust {
    struct trust_options options;
    char name[300]; /* "host:port", as in known_hosts */
    char file[4096];
    bool has_key;
    uint8_t key[TERN_KEY_SIZE];
};

/* Finds the key that we expect, if any. -1, or an exit code after an error was printed. */
int trust_find(struct trust *trust, const struct trust_options *options, const char *host,
               uint16_t port);

/* An unknown server has shown this key: may it be trusted? Remembers it then. -1 or an exit code. */
int trust_decide(struct trust *trust, const uint8_t key[TERN_KEY_SIZE]);

/* The pinned server did not answer, but another key lives there. Prints it; returns the exit code. */
int trust_changed(const struct trust *trust, const uint8_t now[TERN_KEY_SIZE]);

#endif
