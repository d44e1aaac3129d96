/* What a connection leaves for the next one to the same server: a ticket for early data, the word of the
 * server that it has reached us at our address, and what the path was found to carry.
 *
 * One file a server in $XDG_STATE_HOME/tern/resume (or ~/.local/state/tern/resume), for us alone.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_RESUME_H
#define TERNCP_RESUME_H

#include <stdbool.h>
#include <tern/tern.h>

#define RESUME_TICKET_MAX 512
#define RESUME_ENDS_SIZE  16

struct resume {
    bool has_server;
    uint8_t server[TERN_KEY_SIZE];
    /* Our side of it: who has a key of his own resumes under that alone; else the key that was made for
     * this server goes on living with the ticket. */
    bool is_made;
    uint8_t secret[TERN_KEY_SIZE];

    uint8_t ticket[RESUME_TICKET_MAX];
    size_t ticket_len; /* 0: none */
    uint64_t at;       /* when it came, ms since 1970 */
    tern_time life;
    uint8_t token[TERN_ADDRESS_TOKEN_MAX];
    size_t token_len; /* 0: none */

    tern_path_memory path; /* volume 0: nothing */
    uint64_t path_at;      /* ms since 1970 */
    uint8_t path_ends[RESUME_ENDS_SIZE];
};

/* Begins with nothing kept, under our own key or, for NULL, one made now. */
void resume_make(struct resume *resume, const uint8_t *secret);

/* Takes what is kept for this server, so that nobody else uses the ticket. `secret` as
 * above; what belongs to another key of ours is dropped. */
void resume_take(struct resume *resume, const uint8_t server[TERN_KEY_SIZE], const uint8_t *secret);

/* How old the ticket is; false: there is none of use. */
bool resume_age(const struct resume *resume, tern_time *age);

void resume_on_ticket(struct resume *resume, const tern_event *event);

/* What the path to this address is known to carry; false: nothing, or it is another path: to another
 * address, or from another network than ours is now. */
bool resume_path(const struct resume *resume, const tern_addr *remote, tern_path_memory *out);
void resume_on_path(struct resume *resume, const tern_addr *remote, const tern_path_memory *path);

/* Keeps what there is. Failure costs the next copy a round trip and is not told. */
void resume_put(const struct resume *resume);

#endif
