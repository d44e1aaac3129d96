/* One request over one stream; its answer sorted and shown.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/names_ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/json.h"
#include "shared/term.h"
#include "terncp/dial.h"
#include "terncp/names.h"
#include "terncp/names_show.h"

#define SORTED_MAX   65536 /* names that are kept to be sorted; of more, each such lot by itself */
#define SORTED_BYTES ((size_t)16 << 20) /* so much text of them, since a server may make it long */

/* A name kept for sorting. */
struct kept {
    struct names_about about;
    char *name, *target; /* one allocation, the name's */
};

struct names_ask {
    const struct options *options;
    struct dial dial;
    tern_conn *conn; /* between begin and end */
    tern_stream *stream;
    uint8_t data[NAMES_SIZE_MAX];
    size_t used;
    struct names_message message; /* that came last */
    struct names_message shown;
    struct kept *kept;
    size_t count, capacity, bytes; /* of the texts */
    uint64_t failed;
    bool is_whole, has_failed_whole, is_colored, was_parted;
};

static enum names_verb verb_of(const struct names_ask *ask)
{
    switch (ask->options->command) {
    case COMMAND_STAT:
        return NAMES_STAT;
    case COMMAND_RM:
        return NAMES_REMOVE;
    case COMMAND_MKDIR:
        return NAMES_MAKE;
    case COMMAND_LS:
    case COMMAND_COPY:
    case COMMAND_SERVE:
    case COMMAND_KEYGEN:
    case COMMAND_ID:
    case COMMAND_SEND:
    case COMMAND_RECEIVE:
    case COMMAND_STDIO:
        break;
    }
    return NAMES_LIST;
}

static void drop_kept(struct names_ask *ask)
{
    for (size_t i = 0; i < ask->count; i++) {
        free(ask->kept[i].name);
    }
    ask->count = 0;
    ask->bytes = 0;
}

/* --- showing --------------------------------------------------------------------------------------- */

static void show(const struct names_ask *ask, const struct names_message *name)
{
    if (ask->options->json) {
        names_show_json(name);
    } else if (ask->options->command == COMMAND_STAT) {
        names_show_all(name);
    } else if (ask->options->links) {
        names_show_long(name, ask->is_colored);
    } else {
        names_show_short(name, ask->is_colored);
    }
}

static int compare(const void *a, const void *b)
{
    const struct kept *one = a, *other = b;
    return strcmp(one->name, other->name);
}

static void show_kept(struct names_ask *ask)
{
    if (ask->count > 0) {
        qsort(ask->kept, ask->count, sizeof *ask->kept, compare);
    }
    for (size_t i = 0; i < ask->count; i++) {
        struct names_message *m = &ask->shown;
        m->about = ask->kept[i].about;
        (void)snprintf(m->text, sizeof m->text, "%s", ask->kept[i].name);
        (void)snprintf(m->target, sizeof m->target, "%s", ask->kept[i].target);
        show(ask, m);
    }
    drop_kept(ask);
}

static void fail(struct names_ask *ask, const char *text)
{
    ask->failed++;
    cli_error(text, NULL, NULL);
    if (ask->options->json) {
        (void)fputs("{\"event\":\"error\",\"kind\":\"remote\"", stdout);
        json_field(stdout, "name", ask->dial.target.path[0] == '\0' ? "/" : ask->dial.target.path);
        json_field(stdout, "why", text);
        (void)fputs("}\n", stdout);
    }
}

/* --- collecting ------------------------------------------------------------------------------------ */

static bool make_room(struct names_ask *ask, size_t bytes)
{
    if (ask->count == SORTED_MAX || ask->bytes + bytes > SORTED_BYTES) {
        ask->was_parted = true;
        show_kept(ask);
    }
    if (ask->count < ask->capacity) {
        return true;
    }
    size_t capacity = ask->capacity == 0 ? 256 : 2 * ask->capacity;
    struct kept *kept = realloc(ask->kept, capacity * sizeof *kept);
    if (kept != NULL) {
        ask->kept = kept;
        ask->capacity = capacity;
    }
    return kept != NULL;
}

static void keep(struct names_ask *ask, const struct names_message *m)
{
    size_t name = strlen(m->text), target = strlen(m->target);
    char *texts = make_room(ask, name + target + 2) ? malloc(name + target + 2) : NULL;
    if (texts == NULL) {
        show(ask, m); /* out of order rather than not at all */
        return;
    }
    memcpy(texts, m->text, name + 1);
    memcpy(texts + name + 1, m->target, target + 1);
    struct kept *kept = &ask->kept[ask->count++];
    kept->name = texts;
    kept->target = texts + name + 1;
    kept->about = m->about;
    ask->bytes += name + target + 2;
}

static void take(struct names_ask *ask, const struct names_message *m)
{
    if (m->type == NAMES_NAME) {
        keep(ask, m);
    } else if (m->type == NAMES_FAIL) {
        ask->has_failed_whole = ask->has_failed_whole || m->is_last;
        fail(ask, m->text);
    } else if (m->type == NAMES_END) {
        ask->is_whole = true;
        if (ask->options->command == COMMAND_RM || ask->options->command == COMMAND_MKDIR) {
            cli_verbose(CLI_DEBUG, "%llu %s", (unsigned long long)m->count,
                        ask->options->command == COMMAND_RM ? "removed" : "made");
        }
    }
}

/* --- the connection -------------------------------------------------------------------------------- */

static void begin(void *user, tern_conn *conn, bool is_early)
{
    struct names_ask *ask = user;
    const struct options *o = ask->options;
    uint8_t out[NAMES_SIZE_MAX];
    struct names_message m = {.type = NAMES_ASK, .version = NAMES_VERSION, .verb = verb_of(ask)};
    m.flags = (uint16_t)((o->recursive ? NAMES_FLAG_RECURSIVE : 0) |
                         (o->preserve ? NAMES_FLAG_PARENTS : 0));
    memcpy(m.text, ask->dial.target.path, sizeof m.text);
    size_t len = names_encode(&m, out, sizeof out);
    ask->conn = conn;
    ask->used = 0;
    if (tern_conn_open_stream(conn, TERN_STREAM_BIDI, &ask->stream) != 0 ||
        (is_early && tern_stream_set_early(ask->stream) != 0) ||
        tern_stream_write(ask->stream, out, len, TERN_FIN) != (ptrdiff_t)len) {
        dial_stop(&ask->dial, DIAL_LOST);
    }
}

/* True: everything was answered, or the answer makes no sense. */
static bool read_answer(struct names_ask *ask)
{
    for (;;) {
        int n = names_decode(&ask->message, ask->data, ask->used);
        if (n > 0) {
            memmove(ask->data, ask->data + n, ask->used - (size_t)n);
            ask->used -= (size_t)n;
            take(ask, &ask->message);
            continue;
        }
        ptrdiff_t got = n < 0 ? -1
                              : tern_stream_read(ask->stream, ask->data + ask->used,
                                                 sizeof ask->data - ask->used);
        if (got == TERN_ERR_AGAIN) {
            return false;
        }
        if (got <= 0) {
            return true;
        }
        ask->used += (size_t)got;
    }
}

static void on_event(void *user, const tern_event *ev)
{
    struct names_ask *ask = user;
    if (ev->stream == NULL || ev->stream != ask->stream) {
        return;
    }
    bool is_over = ev->type == TERN_EVENT_STREAM_CLOSED ||
                   (ev->type == TERN_EVENT_STREAM_READABLE && read_answer(ask));
    if (is_over) {
        ask->stream = NULL;
        tern_conn_close(ask->conn, 0, "");
        dial_stop(&ask->dial, DIAL_DONE);
    }
}

static void after(void *user)
{
    (void)user;
}

static void end(void *user)
{
    struct names_ask *ask = user;
    ask->conn = NULL;
    ask->stream = NULL;
}

static int conclude(struct names_ask *ask)
{
    show_kept(ask);
    if (ask->was_parted) {
        cli_note("so many names that they are sorted in lots of %d", SORTED_MAX);
    }
    if (!ask->is_whole && !ask->has_failed_whole) {
        fail(ask, "the answer broke off");
    }
    errno = 0; /* an earlier write may have failed, without a word */
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        cli_error("standard output", strerror(errno != 0 ? errno : EIO), NULL);
        return CLI_LOCAL;
    }
    return ask->failed == 0                          ? CLI_OK
           : ask->has_failed_whole || !ask->is_whole ? CLI_REMOTE
                                                     : CLI_PARTIAL;
}

static int run(struct names_ask *ask, struct ev_loop *loop, const char *name)
{
    static const struct dial_calls calls = {
        .begin = begin, .event = on_event, .after = after, .end = end};
    int code = dial_init(&ask->dial, ask->options, loop, name, &calls, ask);
    if (code < 0) {
        code = dial_open(&ask->dial);
    }
    if (code < 0) {
        enum dial_outcome outcome = dial_wait(&ask->dial);
        code = outcome == DIAL_DONE ? conclude(ask) : dial_explain(&ask->dial, outcome);
    }
    dial_close(&ask->dial);
    drop_kept(ask);
    free(ask->kept);
    return code;
}

int names_run(const struct options *options, const char *name)
{
    static struct names_ask ask;                     /* large, and there is one */
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO); /* as client.c's */
    if (loop == NULL) {
        cli_error("event loop", "cannot be made", "check the limits of this user");
        return CLI_LOCAL;
    }
    ask = (struct names_ask){.options = options, .is_colored = cli_wants_color(STDOUT_FILENO)};
    int code = run(&ask, loop, name);
    ev_loop_destroy(loop);
    return code;
}
