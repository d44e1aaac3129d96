/* What the parts of the receiving side share: pull.c (streams, folders, the end), pull_lane.c (packs) and
 * pull_file.c (files with a stream of their own).
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PULL_PARTS_H
#define TERNCP_PULL_PARTS_H

#include "terncp/pull.h"

/* For what is with the workers; a stream has one block more. */
#define PULL_MEMORY     ((size_t)32 << 20)
#define PULL_PLANS      4 /* made or told at once: up to 25 MiB each, for the largest of files */
#define CLOSE_MALFORMED 1 /* docs/terncp-protocol.md, section 2 */

/* What both kinds of streams begin with. */
struct pull_stream {
    struct pull *pull;   /* NULL once it is freed: only workers hold it still */
    tern_stream *stream; /* NULL once it is closed */
    bool is_lane;
    struct pull_stream *next, **link;
};

struct pull {
    struct work *work;
    struct place *place;
    pull_settled_fn settled;
    void *user;
    struct pull_stream *streams;
    struct pull_counts counts;
    struct pull_end *end; /* what the end needs */
    struct pull_folder *folders;
    size_t folder_count, folder_capacity, folder_bytes;
    bool is_held;           /* nothing is taken for now */
    tern_time silent_since; /* as far as somebody has looked who wants its file; 0: nobody has */
    uint64_t packets;       /* that had come then */
    unsigned planning;      /* files whose plans are being made or told */
    char current[PROTO_PATH_MAX + 1];
};

/* Room for another block beyond the first of a stream? */
static inline bool pull_has_room(const struct pull *pull)
{
    return pull->place->held < PULL_MEMORY;
}

/* Says that an entry is settled. target NULL: it has none. */
void pull_settle(struct pull *pull, const struct proto_entry *entry, const char *target,
                 enum proto_status status, const char *why, bool by_peer);
const char *pull_why(enum proto_status status, int error);

/* Keeps a folder's attributes for the end. False: no memory. */
bool pull_note_folder(struct pull *pull, const struct proto_entry *entry, const char *target,
                      const uint8_t *attrs);
void pull_seal_folders(struct pull *pull);

/* pull_end.c: a name more of the file `first`, made when all files stand. False: no memory. */
bool pull_note_link(struct pull *pull, const struct proto_entry *entry, const char *target,
                    const char *first);
/* The sender has named this; for a mirror. */
void pull_note_name(struct pull *pull, const struct proto_entry *entry, const char *target);
void pull_end_free(struct pull *pull);

/* A worker was not to give a name (PLACE_NOT_YET): waits, unless the sender has been proved meanwhile. */
void pull_hold_unproved(struct pull *pull);

/* The peer broke the protocol: the connection ends. */
void pull_malformed(struct pull_stream *s);
void pull_unlink(struct pull_stream *s);

/* Of a lane or a file: new; go on (bytes, room, the disk); the stream is gone, or pull is (then ->pull is
 * NULL already): free it now or when the workers are done. */
struct pull_stream *pull_lane_new(void);
void pull_lane_go(struct pull_stream *s);
void pull_lane_end(struct pull_stream *s);
struct pull_stream *pull_file_new(void);
void pull_file_go(struct pull_stream *s);
void pull_file_end(struct pull_stream *s);

#endif
