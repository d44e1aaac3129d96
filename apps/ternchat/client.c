/* First contact asks for trust; then attempt after attempt, with pauses that grow, until the person goes.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/client.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/identity.h"
#include "shared/keylog.h"
#include "shared/keyring.h"
#include "shared/net.h"
#include "shared/term.h"
#include "shared/transport.h"
#include "ternchat/places.h"
#include "ternchat/remember.h"

#define IDLE      (90 * TERN_SEC) /* a tunnel is no goodbye */
#define KEEPALIVE (15 * TERN_SEC)
#define PROBE     (20 * TERN_MSEC) /* or a round trip: the person waits for the end of a blackout */
/* With several servers: so long is one waited for, before another is tried beside it. */
#define SILENCE       (6 * TERN_SEC)
#define KEEPALIVE_TOO (2 * TERN_SEC)
#define HANDSHAKE_TOO (4 * TERN_SEC)
#define PAUSE_MIN     0.2 /* s between attempts, doubled each time */
#define PAUSE_MAX     5.0
#define RETRY         1.0 /* s between tries of what the server had no room for */
#define CLOSE_BYE     1   /* the person has left */
#define LAST          1000 /* ms that the disk has for the latest words, before it is said how it went */
#define STREAMS       16 /* of files that come: more than come at a time, for those that are ending */
#define STREAM_BUFFER (4u << 20) /* of a file that is sent, and not there yet */

struct client {
    const struct options *options;
    struct ev_loop *loop;
    struct client_front front;
    struct model *model;
    struct memory *memory;
    bool has_key; /* one that stays */
    struct places places;
    /* The known server that did not answer: the next attempt there asks for its key. */
    const struct place *asks;
    uint8_t strange[TERN_KEY_SIZE]; /* the wrong key that the person was told of last */
    struct place *rival_at;
    /* An attempt at another server, while this one is silent, or to learn its key. */
    tern_conn *rival;
    uint64_t received; /* packets on this one, when that was last asked */
    tern_time heard;
    size_t failed; /* places in a row, before the first success */
    struct files *files;
    uint8_t secret[TERN_KEY_SIZE];
    struct transport transport;
    struct keylog *keylog; /* NULL: none */
    bool is_open;
    tern_conn *conn;
    bool only_key, is_closing, was_online;
    enum client_state state;
    int code;
    double pause;
    struct ev_timer again, retry;
};

static void set_state(struct client *c, enum client_state state)
{
    if (c->state != state) {
        c->state = state;
        c->front.on_state(c->front.user, state);
    }
}

static void end(struct client *c, int code)
{
    c->code = code;
    ev_timer_stop(c->loop, &c->retry);
    set_state(c, CLIENT_OVER);
}

/* --- sending ----------------------------------------------------------------------------------------- */

static bool on_send(void *user, uint16_t channel, const uint8_t *data, size_t len, bool is_latest)
{
    struct client *c = user;
    tern_send_options o;
    tern_send_options_init(&o);
    o.channel = channel;
    o.order = is_latest ? TERN_LATEST : TERN_ORDERED;
    o.priority = is_latest ? 4 : 2;
    return c->conn != NULL && tern_conn_send(c->conn, data, len, &o, tern_udp_now()) == 0;
}

static void on_line(void *user, struct model_room *room, const struct line *line)
{
    struct client *c = user;
    c->front.model.on_line(c->front.user, room, line);
}

static void on_note(void *user, const char *text)
{
    struct client *c = user;
    c->front.model.on_note(c->front.user, text);
}

static void on_joined(void *user, struct model_room *room)
{
    struct client *c = user;
    c->front.model.on_joined(c->front.user, room);
    files_on_joined(c->files);
}

static void on_heard(void *user, struct model_room *room, uint64_t id)
{
    struct client *c = user;
    c->front.model.on_heard(c->front.user, room, id);
}

static void on_refused(void *user, struct model_room *room, uint64_t id)
{
    struct client *c = user;
    files_on_refused(c->files, id);
    c->front.model.on_refused(c->front.user, room, id);
}

static void on_answer(void *user, const struct chat_packet *p)
{
    struct client *c = user;
    if (!files_on_packet(c->files, p)) {
        c->front.model.on_answer(c->front.user, p);
    }
}

static unsigned on_offer(void *user, struct model_room *room, const struct line *about, uint64_t id,
                         const struct offer *offer)
{
    struct client *c = user;
    return files_on_offer(c->files, room, about, id, offer);
}

static void on_news(void *user, const struct files_news *news)
{
    struct client *c = user;
    c->front.on_file(c->front.user, news);
}

static void on_wake(void *user)
{
    client_wake(user);
}

static void on_left(void *user, struct model_room *room)
{
    struct client *c = user;
    c->front.model.on_left(c->front.user, room);
}

static void look_around(struct client *c);

/* What the server had no room for, it may have now. */
static void on_retry(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct client *c = timer->data;
    (void)loop;
    (void)events;
    model_retry(c->model);
    (void)model_keep(c->model);
    look_around(c);
    files_tick(c->files);
    tern_ev_wake(c->transport.binding);
}

/* --- attempts ---------------------------------------------------------------------------------------- */

static int connect_to(struct client *c, const struct place *place, bool asks, tern_conn **conn)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = place->addr;
    peer.key = place->trust.has_key && !asks ? place->trust.key : NULL;
    return tern_endpoint_connect(c->transport.endpoint, &peer, conn, tern_udp_now());
}

static void attempt(struct client *c)
{
    const struct place *place = places_now(&c->places);
    c->only_key = !place->trust.has_key || c->asks == place;
    int rc = connect_to(c, place, c->only_key, &c->conn);
    if (rc != 0) {
        cli_error(place->trust.name, tern_strerror(rc), "check the address and the options");
        end(c, CLI_CONNECT);
        return;
    }
    tern_ev_wake(c->transport.binding);
}

static void on_again(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct client *c = timer->data;
    (void)loop;
    (void)events;
    attempt(c);
}

static void try_later(struct client *c)
{
    set_state(c, CLIENT_LOST);
    (void)places_next(&c->places);
    ev_timer_set(&c->again, c->pause, 0);
    ev_timer_start(c->loop, &c->again);
    c->pause = 2 * c->pause < PAUSE_MAX ? 2 * c->pause : PAUSE_MAX;
}

/* Nobody answers by the key that we know, and this one lives there: told once of each. */
static void tell_of_strange(struct client *c, const uint8_t key[TERN_KEY_SIZE])
{
    char text[KEYRING_TEXT_SIZE], words[KEYRING_WORDS_SIZE], line[KEYRING_PATH_SIZE + 700];
    const struct trust *trust = &places_now(&c->places)->trust;
    if (memcmp(key, trust->key, TERN_KEY_SIZE) == 0 ||
        memcmp(key, c->strange, TERN_KEY_SIZE) == 0) {
        return;
    }
    memcpy(c->strange, key, TERN_KEY_SIZE);
    keyring_format(key, text);
    keyring_words(key, words);
    (void)snprintf(
        line, sizeof line,
        "WARNING: %s has another key now: %s (%s). Nothing was sent. Ask its owner; if it is "
        "right, %s%s and start anew",
        trust->name, text, words,
        trust->options.pin != NULL ? "change --pin" : "remove its line from ",
        trust->options.pin != NULL ? "" : trust->file);
    c->front.model.on_note(c->front.user, line);
}

static void on_first_key(struct client *c)
{
    uint8_t key[TERN_KEY_SIZE];
    if (tern_conn_peer_key(c->conn, key) != 0) {
        return;
    }
    tern_conn_close(c->conn, 0, "");
    if (places_now(&c->places)->trust.has_key) {
        tell_of_strange(c, key);
        return;
    }
    int code = places_decide(&c->places, places_now(&c->places), key, !c->was_online);
    c->code = code < 0 ? CLI_OK : code;
}

static void on_connected(struct client *c)
{
    if (c->only_key) {
        on_first_key(c);
        return;
    }
    c->was_online = true;
    c->pause = PAUSE_MIN;
    c->received = 0;
    files_connected(c->files, c->conn);
    set_state(c, CLIENT_ONLINE);
    model_connected(c->model);
}

static void say_why(const struct client *c, const tern_close_info *close)
{
    char reason[600], advice[KEYRING_PATH_SIZE + 100];
    const struct trust *trust = &c->places.all[c->places.at].trust;
    (void)snprintf(advice, sizeof advice,
                   "check the address, that it runs, and that its key is still the one in %s",
                   trust->file);
    (void)term_escape((const char *)close->reason, close->reason_len, reason, sizeof reason);
    cli_error(trust->name,
              reason[0] != '\0'                  ? reason
              : close->by == TERN_CLOSED_TIMEOUT ? "no answer"
                                                 : tern_strerror(close->error),
              close->error == TERN_ERR_REFUSED ? "ask its owner to let your key in: ternchat id"
              : trust->options.pin != NULL
                  ? "check the address, that it runs, and that it still has the key of --pin"
              : trust->has_key ? advice
                               : "check the address, and that it runs");
}

/* --- another server ----------------------------------------------------------------------------------- */

/* The silent one is given up for it. */
static void take_rival(struct client *c)
{
    c->conn = c->rival;
    c->rival = NULL;
    c->only_key = false;
    c->places.at = (size_t)(c->rival_at - c->places.all);
}

/* The next one whose key we lack, so that we have it when we need it; or, when all is silent, the next one. */
static void try_another(struct client *c, bool is_silent)
{
    size_t from = c->rival_at == NULL ? c->places.at : (size_t)(c->rival_at - c->places.all);
    for (size_t i = 1; i <= c->places.count && c->rival == NULL; i++) {
        struct place *place = &c->places.all[(from + i) % c->places.count];
        bool is_unknown = !place->trust.has_key && !place->is_strange;
        if (place != places_now(&c->places) &&
            (is_unknown || (is_silent && place->trust.has_key))) {
            c->rival_at = place;
            c->rival = connect_to(c, place, false, &c->rival) == 0 ? c->rival : NULL;
        }
    }
}

/* Is nothing heard of the server any more, though it must answer? Then another one is tried beside it, and
 * whichever is heard first is the one to stay with. */
static void look_around(struct client *c)
{
    tern_stats stats = {.size = sizeof stats};
    tern_time now = tern_udp_now();
    if (c->places.count == 1 || c->conn == NULL || c->state != CLIENT_ONLINE) {
        return;
    }
    tern_conn_stats(c->conn, &stats);
    if (stats.packets_received != c->received) {
        c->received = stats.packets_received;
        c->heard = now;
        if (c->rival != NULL && c->rival_at->trust.has_key) {
            tern_conn_close(c->rival, 0, "");
            c->rival = NULL;
        }
    }
    if (c->rival == NULL) {
        try_another(c, now - c->heard >= SILENCE);
    }
}

static void on_rival(struct client *c, const tern_event *ev)
{
    uint8_t key[TERN_KEY_SIZE];
    if (ev->type == TERN_EVENT_CLOSED) {
        c->rival = NULL;
    } else if (ev->type == TERN_EVENT_CONNECTED && !c->rival_at->trust.has_key) {
        c->rival_at->is_strange = tern_conn_peer_key(c->rival, key) == 0 &&
                                  places_decide(&c->places, c->rival_at, key, false) >= 0;
        tern_conn_close(c->rival, 0, "");
        c->rival = NULL;
    } else if (ev->type == TERN_EVENT_CONNECTED) {
        tern_conn_close(c->conn, 0, "");
        files_lost(c->files);
        model_lost(c->model);
        set_state(c, CLIENT_LOST);
        take_rival(c);
        on_connected(c);
    }
}

static void on_closed(struct client *c, const tern_close_info *close)
{
    const struct place *place = places_now(&c->places);
    bool was_key = c->only_key, has_asked = was_key && c->asks == place;
    bool is_silent = close->by == TERN_CLOSED_TIMEOUT && c->state == CLIENT_LOST;
    c->conn = NULL;
    c->asks = has_asked ? NULL : is_silent && place->trust.has_key ? place : c->asks;
    files_lost(c->files);
    model_lost(c->model);
    if (c->is_closing) {
        end(c, c->code);
    } else if (c->rival != NULL && c->rival_at->trust.has_key) {
        set_state(c, CLIENT_LOST);
        take_rival(c);
    } else if (was_key && place->trust.has_key && !has_asked) {
        attempt(c);
    } else if (was_key && c->code > 0 && c->was_online) { /* another server is as good */
        c->code = CLI_OK;
        try_later(c);
    } else if (was_key && c->code > 0) { /* the person does not trust it */
        end(c, c->code);
    } else if (!c->was_online && ++c->failed < c->places.count &&
               close->error != TERN_ERR_REFUSED) {
        say_why(c, close);
        (void)places_next(&c->places);
        attempt(c);
    } else if (!c->was_online || close->error == TERN_ERR_REFUSED) {
        say_why(c, close);
        end(c, close->error == TERN_ERR_REFUSED ? CLI_IDENTITY : CLI_CONNECT);
    } else {
        try_later(c);
    }
}

static void on_messages(struct client *c)
{
    tern_message m = {.size = sizeof m};
    while (c->conn != NULL && tern_conn_receive(c->conn, &m) == 1) {
        model_receive(c->model, (uint16_t)m.channel, m.data, m.len);
    }
}

static void on_ready(tern_ev *binding, void *user)
{
    struct client *c = user;
    tern_event ev;
    (void)binding;
    while (c->state != CLIENT_OVER && tern_endpoint_poll(c->transport.endpoint, &ev) == 1) {
        if (ev.conn == c->rival && c->rival != NULL) {
            on_rival(c, &ev);
        } else if (ev.conn != c->conn) {
            continue; /* one that was given up */
        } else if (ev.type == TERN_EVENT_CONNECTED) {
            on_connected(c);
        } else if (ev.type == TERN_EVENT_MESSAGES) {
            on_messages(c);
        } else if (ev.type == TERN_EVENT_MESSAGES_WRITABLE) {
            model_on_writable(c->model);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            on_messages(c); /* what came before the end counts */
            on_closed(c, &ev.close);
        } else if (ev.stream != NULL) {
            files_on_stream(c->files, &ev);
        }
    }
    (void)model_keep(c->model);
}

/* --- birth and death --------------------------------------------------------------------------------- */

static int load_key(struct client *c)
{
    bool has_key = false;
    int code = identity_load(c->options->key, c->secret, &has_key);
    if (code < 0 && !has_key && strchr(c->options->host, '@') != NULL) {
        code = identity_keygen(c->options->key); /* an invitation is for a key that stays */
        code = code == CLI_OK ? identity_load(c->options->key, c->secret, &has_key) : code;
    }
    if (code < 0 &&
        !has_key) { /* the same for all attempts, or rooms would see a stranger each time */
        uint8_t pub[TERN_KEY_SIZE];
        tern_key_generate(c->secret, pub);
    }
    c->has_key = has_key;
    return code;
}

static int open_client(struct client *c)
{
    tern_config config;
    tern_config_init(&config);
    config.secret_key = c->secret;
    config.cc = c->options->cc;
    config.suites = c->options->suites;
    config.handshake_timeout = c->options->connect_timeout;
    config.idle_timeout = IDLE;
    config.keepalive = KEEPALIVE;
    config.probe_interval = PROBE;
    if (c->places.count > 1) {
        config.keepalive = KEEPALIVE_TOO;
        config.handshake_timeout =
            config.handshake_timeout < HANDSHAKE_TOO ? config.handshake_timeout : HANDSHAKE_TOO;
    }
    config.max_streams_bidi = 0;
    config.max_streams_uni = STREAMS;
    config.stream_send_buffer = STREAM_BUFFER;
    const char *key_log = c->options->key_log;
    if (key_log != NULL && (c->keylog = keylog_add(key_log, &config)) == NULL) {
        return CLI_LOCAL;
    }
    int rc = transport_open(&c->transport, c->loop, &config, NULL, on_ready, c);
    if (rc != 0) {
        cli_error("socket", rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc),
                  "check the options");
        return CLI_CONNECT;
    }
    c->is_open = true;
    return -1;
}

struct client *client_new(const struct options *options, struct ev_loop *loop,
                          const struct client_front *front, const char *nick, int *code)
{
    struct client *c = calloc(1, sizeof *c);
    struct model_front down = {.user = c,
                               .send = on_send,
                               .on_line = on_line,
                               .on_offer = on_offer,
                               .on_note = on_note,
                               .on_joined = on_joined,
                               .on_heard = on_heard,
                               .on_refused = on_refused,
                               .on_answer = on_answer,
                               .on_left = on_left};
    struct files_front files = {.user = c, .on_news = on_news, .note = on_note, .wake = on_wake};
    if (c == NULL || (c->model = model_new(&down, nick)) == NULL ||
        (c->files = files_new(loop, c->model, options->downloads, &files)) == NULL) {
        cli_error("ternchat", "out of memory", NULL);
        *code = CLI_LOCAL;
        model_free(c == NULL ? NULL : c->model);
        free(c);
        return NULL;
    }
    c->options = options;
    c->loop = loop;
    c->front = *front;
    c->pause = PAUSE_MIN;
    ev_timer_init(&c->again, on_again, 0, 0);
    c->again.data = c;
    ev_timer_init(&c->retry, on_retry, RETRY, RETRY);
    c->retry.data = c;
    *code = load_key(c);
    model_identify(c->model, c->secret);
    *code = *code < 0 ? places_find(&c->places, c->options, c->loop, c->secret) : *code;
    if (*code < 0) {
        *code = open_client(c);
    }
    if (*code >= 0) {
        client_free(c);
        return NULL;
    }
    c->code = CLI_OK;
    ev_timer_start(c->loop, &c->retry);
    attempt(c);
    return c;
}

void client_free(struct client *c)
{
    if (c == NULL) {
        return;
    }
    ev_timer_stop(c->loop, &c->again);
    ev_timer_stop(c->loop, &c->retry);
    files_free(c->files); /* its streams are the connection's */
    if (c->is_open) {
        transport_close(&c->transport);
    }
    keylog_free(c->keylog);
    model_free(c->model);
    memory_close(c->memory);
    sodium_memzero(c->secret, sizeof c->secret);
    free(c);
}

struct model *client_model(struct client *c)
{
    return c->model;
}

void client_remember(struct client *c, size_t lines, char about[MEMORY_WHY_SIZE])
{
    about[0] = '\0';
    if (c->has_key && !c->options->no_memory) {
        c->memory = remember_open(c->options, c->secret, about);
        model_remember(c->model, c->memory, lines);
    }
}

struct files *client_files(struct client *c)
{
    return c->files;
}

void client_wake(struct client *c)
{
    (void)model_keep(c->model);
    tern_ev_wake(c->transport.binding);
}

void client_close(struct client *c)
{
    c->is_closing = true;
    if (c->memory != NULL) { /* should that fail, the person is still here to be told */
        (void)model_keep(c->model);
        memory_wait(c->memory, LAST);
        (void)model_keep(c->model);
    }
    ev_timer_stop(c->loop, &c->again);
    if (c->conn == NULL) {
        end(c, c->code);
        return;
    }
    tern_conn_close(c->conn, CLOSE_BYE, "");
    tern_ev_wake(c->transport.binding);
    end(c, c->code);
}

int client_exit_code(const struct client *c)
{
    return c->code;
}

const char *client_host(struct client *c)
{
    return places_now(&c->places)->host;
}

bool client_health(const struct client *c, double *rtt_ms, double *loss)
{
    tern_stats stats = {.size = sizeof stats};
    if (c->conn == NULL || c->state != CLIENT_ONLINE) {
        return false;
    }
    tern_conn_stats(c->conn, &stats);
    *rtt_ms = (double)stats.smoothed_rtt / 1e6;
    *loss = (double)stats.loss_rate / 1e4;
    return true;
}
