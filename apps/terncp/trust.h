/* Whom we talk to: pinned keys, known hosts, and first contact.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_TRUST_H
#define TERNCP_TRUST_H

#include "terncp/options.h"

struct trust {
    const struct options *options;
    char name[300]; /* "host:port", as in known_hosts */
    char file[4096];
    bool has_key;
    uint8_t key[TERN_KEY_SIZE];
};

/* Finds the key that we expect, if any. -1, or an exit code after an error was printed. */
int trust_find(struct trust *trust, const struct options *options, const char *host, uint16_t port);

/* An unknown server has shown this key: may it be trusted? Remembers it then. -1 or an exit code. */
int trust_decide(struct trust *trust, const uint8_t key[TERN_KEY_SIZE]);

/* The pinned server did not answer, but another key lives there. Prints it; returns the exit code. */
int trust_changed(const struct trust *trust, const uint8_t now[TERN_KEY_SIZE]);

#endif
