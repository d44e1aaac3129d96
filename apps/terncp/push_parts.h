/* What the parts of the sending side share: push.c (sources, packs) and push_file.c (files with a stream of
 * their own).
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PUSH_PARTS_H
#define TERNCP_PUSH_PARTS_H

#include "terncp/batch.h"
#include "terncp/push.h"

#define PUSH_MEMORY  ((size_t)32 << 20) /* for what is read and not yet acknowledged */
#define PUSH_SOURCES 1024
#define PUSH_LANES   4  /* streams of packs */
#define PUSH_FILES   16 /* files with a stream of their own that are under way */
#define PUSH_QUEUED  64 /* such files that wait, open */
#define PUSH_PLANS   4  /* in memory at once: up to 26 MiB each, for the largest of files */
#define PUSH_ASKED   2 /* batches of which the receiver was asked; their files stay open meanwhile */
#define PUSH_LINKS   ((size_t)16 << 20) /* for names of files that have several */

/* Memory that is lent to the transport. It outlives push, since the transport may hold it for longer. */
struct budget {
    size_t bytes; /* in memory */
    unsigned lent;
    uint64_t released; /* of file contents, that the peer has acknowledged */
    struct ev_loop *loop;
    struct ev_watcher kick; /* never started: fed when memory comes back */
    bool is_orphan;
};

/* What is lent: the owner's memory, given back by free(). */
struct loan {
    struct budget *budget;
    void *memory;
    size_t size;
    uint64_t contents;
};
void loan_release(void *arg, const void *data, size_t len); /* frees the loan, too */

struct push_stream {
    struct push *push;
    tern_stream *stream;
    bool is_lane;
};

struct lane {
    struct push_stream s;
    bool is_full; /* until it is writable again */
};

struct push_file;

struct push {
    struct work *work;
    tern_conn *conn;
    struct push_request request;
    struct tree_walk *sources[PUSH_SOURCES];
    size_t source, source_count;
    struct batch *scan;                /* with the workers */
    unsigned fills;                    /* batches with the workers, being packed */
    struct batch *ready, **ready_last; /* packed ones that found no lane yet */
    unsigned ready_count;
    struct batch *asked; /* sent, and not all of it is answered */
    unsigned asked_count;
    struct hardlinks *hardlinks;
    struct lane lanes[PUSH_LANES];
    unsigned lane; /* whose turn it is */
    struct push_file *queued, **queued_last;
    unsigned queued_count;
    struct push_file *files;
    unsigned file_count;
    unsigned planning; /* files that have a plan in memory */
    struct budget *budget;
    struct push_counts counts;
    bool has_begun, was_told;
    bool knows_zip;         /* it is settled whether the receiver unpacks */
    int level;              /* of compression; 0: none, or not yet */
    struct zip_gauge gauge; /* of small entries */
    unsigned out;           /* jobs of any kind with the workers: push stays until they are back */
    bool is_dead;
    atomic_bool is_stopped; /* the same for the workers */
    char current[PROTO_PATH_MAX + 1];
};

/* A job is back. True: push is dead, and gone with the last of them. */
bool push_job_back(struct push *push);
/* A stream that is opened before the connection stands. */
void push_set_early(const struct push *push, tern_stream *stream);
void push_fail(struct push *push, const char *name, int error, bool is_begun);

/* What push_add_pipe does. */
int push_file_add_pipe(struct push *push, int fd, const char *name);
/* Gives what is to be packed to the workers; takes the batch over. `count` 0: there is nothing. */
void push_pack(struct push *push, struct batch *batch, unsigned count);
/* ask.c: a batch with questions was sent, and waits. */
void push_ask_wait(struct push *push, struct batch *batch);
void push_ask_free(struct push *push);
bool push_asks_about(const struct push *push, const struct item *item);

/* Queues a large file; takes its descriptor over. False: no memory. */
bool push_file_add(struct push *push, const struct batch *batch, struct item *item);
/* Opens streams and does what can be done. */
/* None of them has bytes that are yet to be written. */
bool push_files_are_written(const struct push *push);
void push_files_go(struct push *push);
void push_file_on_event(struct push_stream *s, const tern_event *ev);
void push_files_free(struct push *push);

#endif
