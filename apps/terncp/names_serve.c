/* Reads one request, starts its job, and passes on what the job says.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/names_serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "terncp/tree.h"

#define CHUNK 16384

struct names_serve {
    struct names_door door;
    tern_stream *stream;
    struct ev_async wake; /* the job's thread sends it */
    uint8_t data[NAMES_SIZE_MAX];
    size_t used;
    struct names_message ask;
    bool is_asked, is_ended;
    struct names_job *job;
    struct names_result result; /* of a request that no job was started for */
};

bool names_serve_is_asked(tern_stream *stream)
{
    const uint8_t *data;
    size_t len = 0;
    return tern_stream_peek(stream, &data, &len) == 0 && len > 0 && data[0] == NAMES_ASK;
}

static void on_wake(struct ev_loop *loop, struct ev_async *wake, int events)
{
    struct names_serve *serve = wake->data;
    (void)loop;
    (void)events;
    names_serve_pump(serve);
    tern_ev_wake(serve->door.binding);
}

/* From the job's thread. */
static void wake(void *user)
{
    struct names_serve *serve = user;
    ev_async_send(serve->door.loop, &serve->wake);
}

struct names_serve *names_serve_new(const struct names_door *door, tern_stream *stream)
{
    struct names_serve *serve = calloc(1, sizeof *serve);
    if (serve == NULL) {
        return NULL;
    }
    serve->door = *door;
    serve->stream = stream;
    ev_async_init(&serve->wake, on_wake);
    serve->wake.data = serve;
    ev_async_start(door->loop, &serve->wake);
    return serve;
}

/* Refuses the request as a whole. */
static void refuse(struct names_serve *serve, enum proto_status status, const char *why)
{
    uint8_t out[NAMES_SIZE_MAX];
    struct names_message m = {.type = NAMES_FAIL, .status = (uint8_t)status, .is_last = true};
    (void)snprintf(m.text, sizeof m.text, "%s", why);
    (void)snprintf(serve->result.why, sizeof serve->result.why, "%s", why);
    serve->result.failed = 1;
    serve->is_ended = true;
    size_t len = names_encode(&m, out, sizeof out);
    if (tern_stream_write(serve->stream, out, len, TERN_FIN) != (ptrdiff_t)len) {
        int rc = tern_stream_reset(serve->stream, PROTO_BAD_REQUEST);
        (void)rc; /* it is over already */
    }
}

/* "/a/b/" is "a/b"; the served folder itself is ".". Of a user's own paths "~" is where we are. */
static void normalise(char *path, bool is_own)
{
    size_t start = strspn(path, "/");
    if (is_own) {
        start = strncmp(path, "~/", 2) == 0 ? 2 : strcmp(path, "~") == 0 ? 1 : 0;
    }
    size_t len = strlen(path + start);
    while (len > (is_own ? 1 : 0) && path[start + len - 1] == '/') {
        len--;
    }
    memmove(path, path + start, len);
    path[len] = '\0';
    if (len == 0) {
        memcpy(path, ".", 2);
    }
}

static bool changes(const struct names_message *ask)
{
    return ask->verb == NAMES_REMOVE || ask->verb == NAMES_MAKE;
}

static void begin(struct names_serve *serve)
{
    struct names_message *ask = &serve->ask;
    serve->is_asked = true;
    bool is_own = serve->door.root < 0;
    normalise(ask->text, is_own);
    if (ask->type != NAMES_ASK || ask->version != NAMES_VERSION) {
        refuse(serve, PROTO_BAD_REQUEST, "another version of the copy protocol");
    } else if (ask->verb < NAMES_LIST || ask->verb > NAMES_MAKE) {
        refuse(serve, PROTO_BAD_REQUEST, "no such request");
    } else if (!is_own && strcmp(ask->text, ".") != 0 && !tree_is_safe(ask->text)) {
        refuse(serve, PROTO_REFUSED_PATH, "the path leaves the served folder");
    } else if (changes(ask) && serve->door.is_read_only) {
        refuse(serve, PROTO_READ_ONLY, "this server is read-only");
    } else {
        serve->job = names_job_new(serve->door.root, ask, wake, serve);
        if (serve->job == NULL) {
            refuse(serve, PROTO_IO, strerror(errno));
        }
    }
}

static void read_request(struct names_serve *serve)
{
    while (!serve->is_asked) {
        int n = names_decode(&serve->ask, serve->data, serve->used);
        if (n > 0) {
            if (serve->door.is_proved || !changes(&serve->ask)) {
                begin(serve);
            }
            return;
        }
        ptrdiff_t got = n < 0 ? -1
                              : tern_stream_read(serve->stream, serve->data + serve->used,
                                                 sizeof serve->data - serve->used);
        if (got == TERN_ERR_AGAIN) {
            return;
        }
        if (got <= 0) {
            serve->is_asked = true;
            refuse(serve, PROTO_BAD_REQUEST, "malformed request");
            return;
        }
        serve->used += (size_t)got;
    }
}

void names_serve_prove(struct names_serve *serve)
{
    serve->door.is_proved = true;
}

void names_serve_pump(struct names_serve *serve)
{
    uint8_t out[CHUNK];
    read_request(serve);
    while (serve->job != NULL && !serve->is_ended) {
        size_t room = tern_stream_writable(serve->stream);
        if (room == 0) {
            return; /* WRITABLE comes */
        }
        long n = names_job_take(serve->job, out, room < sizeof out ? room : sizeof out);
        if (n == 0) {
            return; /* the job wakes us */
        }
        serve->is_ended = n < 0;
        if (tern_stream_write(serve->stream, out, n < 0 ? 0 : (size_t)n, n < 0 ? TERN_FIN : 0) <
            0) {
            serve->is_ended = true; /* nobody listens any more */
        }
    }
}

bool names_serve_free(struct names_serve *serve, struct names_message *ask,
                      struct names_result *result)
{
    if (serve == NULL) {
        return false;
    }
    bool is_asked = serve->is_asked;
    *ask = serve->ask;
    *result = serve->result;
    names_job_free(serve->job, result); /* first: it wakes us from its thread */
    ev_async_stop(serve->door.loop, &serve->wake);
    free(serve);
    return is_asked;
}
