/* What the files of the client's files share.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_FILES_PARTS_H
#define TERNCHAT_FILES_PARTS_H

#include <sys/stat.h>

#include "shared/work.h"
#include "ternchat/chunks.h"
#include "ternchat/files.h"

#define FILES_NUMBER   8            /* bytes in front of a stream */
#define FILES_URGENCY  7            /* of its stream: all words go first */
#define FILES_PIECE    CHUNKS_PLAIN /* of one file at a time, before the loop looks at other things */
#define FILES_PATH_MAX 4096

struct given; /* what we offer */
struct give;  /* what we send */
struct take;  /* what we get */

/* An offer as it was made in a room. */
struct files_known {
    unsigned number;
    bool is_own;
    char room[CHAT_NAME_MAX + 1], nick[CHAT_NAME_MAX + 1];
    uint64_t seq;
    struct offer offer;
};

struct files {
    struct ev_loop *loop;
    struct model *model;
    struct files_front front;
    tern_conn *conn; /* NULL: there is none */
    struct ev_idle idle;
    char downloads[FILES_PATH_MAX];
    struct files_known *known[FILES_KNOWN]; /* number n is at n % FILES_KNOWN */
    unsigned last;                          /* number */
    struct given *given;
    struct give *gives;
    struct take *takes;
    struct work *work; /* for the takes */
    bool is_over;
    uint32_t last_fetch;
    ev_tstamp told; /* that something moves */
    uint8_t piece[FILES_PIECE];
};

struct files_known *files_known(const struct files *f, unsigned number); /* or NULL */
void files_note(struct files *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* text NULL: none. */
void files_tell(struct files *f, struct files_news *news, const char *room, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void files_work(struct files *f); /* there is work to do */
/* All of it, or what there is up to the end of the file; negative: errno says why. */
ptrdiff_t files_read(int fd, uint8_t *out, size_t len, uint64_t offset);
unsigned files_percent(uint64_t done, uint64_t size);

/* files_give.c. Each _work does a piece: true when there is more to do. */
bool given_work(struct files *f);
bool gives_work(struct files *f);
void given_on_own(struct files *f, uint64_t id, unsigned number); /* our offer is in the room */
void given_on_refused(struct files *f, uint64_t id);
void given_on_wanted(struct files *f, const struct chat_packet *p);
bool given_has(const struct files *f, unsigned number);
bool given_cancel(struct files *f, unsigned number); /* false: it is not ours */
bool gives_on_stream(struct files *f, const tern_event *ev);
void gives_lost(struct files *f);
void given_free(struct files *f);
bool given_is_moving(const struct files *f);
size_t gives_progress(const struct files *f, char *out, size_t size);

/* files_take.c */
bool takes_work(struct files *f);
void takes_tick(struct files *f);
void takes_add(struct files *f, const struct files_known *known);
bool takes_cancel(struct files *f, unsigned number);
void takes_on_stream(struct files *f, const tern_event *ev);
bool takes_on_refused(struct files *f, const struct chat_packet *p);
void takes_lost(struct files *f);
void takes_free(struct files *f);
size_t takes_progress(const struct files *f, char *out, size_t size);

#endif
