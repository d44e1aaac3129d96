/* A client of the copy protocol that does what ours never would, and prints what the server says to it.
 *
 *     e2e_hostile HOST:PORT ATTACK
 *
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/net.h"
#include "shared/transport.h"
#include "terncp/hash.h"
#include "terncp/proto.h"
#include "terncp/zip.h"

#define ROOM ((size_t)4 << 20)

struct hostile {
    struct ev_loop *loop;
    struct transport transport;
    tern_conn *conn;
    tern_stream *control;
    const struct attack *attack;
    uint8_t in[65536];
    size_t in_used;
    uint8_t *out; /* of the stream that is being made */
    size_t len;
    size_t unplanned;     /* bytes of a file that came although no plan was sent */
    struct ev_timer drip; /* what is in `out` leaves byte by byte, with time between */
    size_t dripped;
};

static const uint8_t key[PROTO_KEY_SIZE] = {7};

static void die(const char *what)
{
    (void)fprintf(stderr, "e2e_hostile: %s\n", what);
    exit(1);
}

static tern_stream *open_stream(struct hostile *h, tern_stream_kind kind)
{
    tern_stream *stream;
    if (tern_conn_open_stream(h->conn, kind, &stream) != 0) {
        die("no stream");
    }
    h->len = 0;
    return stream;
}

static void flush(struct hostile *h, tern_stream *stream, unsigned flags)
{
    if (tern_stream_write(stream, h->out, h->len, flags) != (ptrdiff_t)h->len) {
        die("the stream takes no more");
    }
    h->len = 0;
}

static void tell(struct hostile *h, struct proto_message *m)
{
    h->len = proto_encode(m, h->out, ROOM);
    flush(h, h->control, 0);
}

static void hello(struct hostile *h, uint32_t flags)
{
    static struct proto_message m;
    m = (struct proto_message){.type = PROTO_HELLO,
                               .version = PROTO_VERSION,
                               .direction = PROTO_PUSH,
                               .flags = PROTO_FLAG_INTO | PROTO_FLAG_RECURSIVE | flags};
    memcpy(m.key, key, sizeof m.key);
    tell(h, &m);
}

static void end(struct hostile *h, uint32_t count)
{
    static struct proto_message m;
    m = (struct proto_message){.type = PROTO_END, .index = count};
    tell(h, &m);
}

static void put_bytes(struct hostile *h, const void *bytes, size_t len)
{
    memcpy(h->out + h->len, bytes, len);
    h->len += len;
}

static void put_entry(struct hostile *h, enum proto_entry_type type, uint32_t index, uint64_t size,
                      const char *name)
{
    static struct proto_entry e;
    e = (struct proto_entry){.type = type, .index = index, .mode = 0777, .size = size};
    (void)snprintf(e.name, sizeof e.name, "%s", name);
    h->len += proto_entry_encode(&e, h->out + h->len, ROOM - h->len);
}

/* An entry in a pack, whole and with the right hash. */
static void put_packed(struct hostile *h, enum proto_entry_type type, uint32_t index,
                       const char *name, const char *contents)
{
    size_t len = strlen(contents);
    uint8_t hash[PROTO_HASH_SIZE];
    put_entry(h, type, index, len, name);
    put_bytes(h, contents, len);
    if (type != PROTO_FOLDER) {
        hash_whole(key, index, (const uint8_t *)contents, len, hash);
        put_bytes(h, hash, sizeof hash);
    }
}

static void put_step(struct hostile *h, enum proto_step_kind kind, uint64_t offset, uint64_t len)
{
    struct proto_step step = {
        .kind = kind, .offset = offset, .len = len, .packed = (uint32_t)len / 2 + 1};
    h->len += proto_step_encode(&step, h->out + h->len, ROOM - h->len);
}

/* --- attacks ---------------------------------------------------------------------------------------- */

static void names(struct hostile *h)
{
    static const char *const bad[] = {
        "../outside", "/tmp/outside", "a/../../outside", "a//outside", "./outside", "..", "a/",
        ".",          "a/./outside"};
    const uint32_t count = sizeof bad / sizeof bad[0];
    hello(h, PROTO_FLAG_LINKS);
    tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
    for (uint32_t i = 0; i < count; i++) {
        put_packed(h, PROTO_FILE, i, bad[i], "contents");
    }
    flush(h, pack, TERN_FIN);
    for (uint32_t i = 0; i < count; i++) {
        tern_stream *file = open_stream(h, TERN_STREAM_BIDI);
        put_entry(h, PROTO_FILE, count + i, 5, bad[i]);
        flush(h, file, TERN_FIN);
    }
    end(h, 2 * count);
}

/* A link that leads out, and then something through it. */
static void links(struct hostile *h)
{
    hello(h, PROTO_FLAG_LINKS);
    tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
    put_packed(h, PROTO_LINK, 0, "link", "../outside");
    put_packed(h, PROTO_LINK, 1, "absolute", "/tmp");
    put_packed(h, PROTO_FILE, 2, "link/file", "contents");
    put_packed(h, PROTO_FOLDER, 3, "absolute/tern-hostile", "");
    flush(h, pack, TERN_FIN);
    tern_stream *file = open_stream(h, TERN_STREAM_BIDI);
    put_entry(h, PROTO_FILE, 4, PROTO_SMALL_MAX, "link/large");
    flush(h, file, TERN_FIN);
    end(h, 5);
}

static void unasked_link(struct hostile *h)
{
    hello(h, 0);
    tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
    put_packed(h, PROTO_LINK, 0, "unasked", "file");
    flush(h, pack, TERN_FIN);
    end(h, 1);
}

/* Steps that do not fit. Each fails its own file alone. */
static void steps(struct hostile *h)
{
    static const struct proto_step bad[] = {
        {.kind = PROTO_STEP_COPY, .len = 100},               /* there is no base */
        {.kind = PROTO_STEP_HOLE, .len = (uint64_t)1 << 40}, /* more than the file has */
        {.kind = PROTO_STEP_DATA, .len = PROTO_BLOCK},       /* so is this */
        {.kind = PROTO_STEP_ZDATA, .len = PROTO_BLOCK}, /* and this, and what follows is no frame */
        {.kind = PROTO_STEP_ZDATA, .len = 1000},        /* no frame */
        {.kind = PROTO_STEP_END},                       /* too early */
    };
    const uint32_t count = sizeof bad / sizeof bad[0];
    char name[32];
    hello(h, 0);
    for (uint32_t i = 0; i < count; i++) {
        tern_stream *file = open_stream(h, TERN_STREAM_BIDI);
        (void)snprintf(name, sizeof name, "steps-%u", (unsigned)i);
        put_entry(h, PROTO_FILE, i, 300000, name);
        put_step(h, bad[i].kind, bad[i].offset, bad[i].len);
        memset(h->out + h->len, 0x55, 2000);
        h->len += 2000;
        flush(h, file, TERN_FIN);
    }
    end(h, count);
}

/* All there, but for the hash; and bytes behind it. */
static void hashes(struct hostile *h)
{
    uint8_t hash[PROTO_HASH_SIZE] = {1};
    hello(h, 0);
    for (uint32_t i = 0; i < 2; i++) {
        tern_stream *file = open_stream(h, TERN_STREAM_BIDI);
        put_entry(h, PROTO_FILE, i, 300000, i == 0 ? "wrong" : "behind");
        put_step(h, PROTO_STEP_DATA, 0, 300000);
        memset(h->out + h->len, 0x77, 300000);
        if (i == 1) {
            hash_whole(key, i, h->out + h->len, 300000, hash);
        }
        h->len += 300000;
        put_step(h, PROTO_STEP_END, 0, 0);
        put_bytes(h, hash, sizeof hash);
        put_bytes(h, "!", i);
        flush(h, file, TERN_FIN);
    }
    tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
    put_packed(h, PROTO_FILE, 2, "small", "contents");
    h->out[h->len - 1] ^= 1;
    put_packed(h, PROTO_FILE, 3, "good", "contents");
    flush(h, pack, TERN_FIN);
    end(h, 4);
}

static void garbage(struct hostile *h)
{
    hello(h, PROTO_FLAG_ZSTD);
    tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
    randombytes_buf(h->out, 100000);
    h->out[0] = 0;
    h->len = 100000;
    flush(h, pack, TERN_FIN);
}

static void packed_garbage(struct hostile *h)
{
    struct proto_packed head = {.len = 100000, .packed = 5000};
    hello(h, PROTO_FLAG_ZSTD);
    tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
    h->len = proto_packed_encode(&head, h->out, ROOM);
    randombytes_buf(h->out + h->len, 5000);
    h->len += 5000;
    flush(h, pack, 0);
}

static void cut_off(struct hostile *h)
{
    hello(h, 0);
    tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
    put_packed(h, PROTO_FILE, 0, "cut", "contents");
    h->len -= 5;
    flush(h, pack, TERN_FIN);
}

static void control(struct hostile *h)
{
    hello(h, 0);
    h->len = 0;
    put_bytes(h, "\xff\xff\xff\xff\xff\xff", 6);
    flush(h, h->control, 0);
}

/* As many streams as there may be, each with something unfinished in it. */
static void hoard(struct hostile *h)
{
    hello(h, 0);
    for (uint32_t i = 0; i < 16; i++) {
        char name[32];
        tern_stream *file = open_stream(h, TERN_STREAM_BIDI);
        (void)snprintf(name, sizeof name, "hoard-%u", (unsigned)i);
        put_entry(h, PROTO_FILE, i, (uint64_t)1 << 40, name);
        put_step(h, PROTO_STEP_DATA, 0, PROTO_BLOCK);
        memset(h->out + h->len, 1, PROTO_BLOCK - 1);
        h->len += PROTO_BLOCK - 1;
        flush(h, file, 0);
    }
    for (uint32_t i = 0; i < 8; i++) {
        tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
        put_entry(h, PROTO_FILE, 16 + i, PROTO_SMALL_MAX - 1, "unfinished");
        memset(h->out + h->len, 1, PROTO_SMALL_MAX - 2);
        h->len += PROTO_SMALL_MAX - 2;
        flush(h, pack, 0);
    }
}

/* Holes of exabytes: nothing on the wire, and no reason to keep others waiting. */
static void hole(struct hostile *h)
{
    const uint64_t size = (uint64_t)1 << 62;
    char name[32];
    hello(h, 0);
    for (uint32_t i = 0; i < 8; i++) {
        tern_stream *file = open_stream(h, TERN_STREAM_BIDI);
        (void)snprintf(name, sizeof name, "hole-%u", (unsigned)i);
        put_entry(h, PROTO_FILE, i, size, name);
        put_step(h, PROTO_STEP_HOLE, 0, size);
        put_step(h, PROTO_STEP_END, 0, 0);
        flush(h, file, 0);
    }
}

/* Entries in a packed run: hardly any bytes on the wire. */
static void put_run(struct hostile *h, tern_stream *pack)
{
    static uint8_t packed[PROTO_UNPACKED_MAX];
    struct proto_packed head = {.len = (uint32_t)h->len};
    uint8_t front[PROTO_PACKED_HEAD];
    head.packed = (uint32_t)zip_pack(h->out, h->len, packed, 1);
    if (head.packed == 0) {
        die("it does not shrink");
    }
    h->len = proto_packed_encode(&head, front, sizeof front);
    memcpy(h->out, front, h->len);
    put_bytes(h, packed, head.packed);
    flush(h, pack, 0);
}

/* One folder again and again, by a long name, and the receiver is to remember its times. */
static void folders(struct hostile *h)
{
    if (!zip_is_there()) {
        (void)printf("no zstd\n");
    }
    char name[PROTO_PATH_MAX + 1];
    uint32_t index = 0;
    memset(name, 'f', sizeof name);
    for (size_t i = 250; i < PROTO_PATH_MAX; i += 251) {
        name[i] = '/';
    }
    name[PROTO_PATH_MAX - 90] = '\0';
    hello(h, PROTO_FLAG_ZSTD | PROTO_FLAG_PRESERVE | PROTO_FLAG_NO_HASH);
    tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
    for (unsigned runs = 0; runs < 1000; runs++) {
        for (unsigned i = 0; i < 120; i++) {
            put_entry(h, PROTO_FOLDER, index++, 0, name);
        }
        put_run(h, pack);
    }
    flush(h, pack, TERN_FIN);
    end(h, index);
}

/* More folders in one another than anybody could remove again. */
static void depth(struct hostile *h)
{
    char name[PROTO_PATH_MAX + 1];
    for (size_t i = 0; i < PROTO_PATH_MAX; i++) {
        name[i] = i % 2 == 0 ? 'd' : '/';
    }
    hello(h, 0);
    name[2 * 130 - 1] = '\0';
    tern_stream *pack = open_stream(h, TERN_STREAM_UNI);
    put_packed(h, PROTO_FILE, 0, name, "contents");
    name[2 * 130 - 1] = '/';
    name[PROTO_PATH_MAX - 1] = '\0';
    put_packed(h, PROTO_FOLDER, 1, name, "");
    flush(h, pack, TERN_FIN);
    end(h, 2);
}

/* Pulls a file and never says what it has of it. */
static void pull_without_plan(struct hostile *h, uint64_t flags)
{
    static struct proto_message m;
    m = (struct proto_message){
        .type = PROTO_HELLO, .version = PROTO_VERSION, .direction = PROTO_PULL, .flags = flags};
    memcpy(m.key, key, sizeof m.key);
    (void)snprintf(m.text, sizeof m.text, "file");
    tell(h, &m);
}

static void no_plan(struct hostile *h)
{
    pull_without_plan(h, 0);
}

static void no_plan_but_vacant(struct hostile *h)
{
    pull_without_plan(h, PROTO_FLAG_AHEAD);
}

static void on_drip(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct hostile *h = timer->data;
    (void)events;
    if (h->dripped == h->len || tern_stream_write(h->control, h->out + h->dripped, 1, 0) != 1) {
        ev_timer_stop(loop, timer);
        return;
    }
    h->dripped++;
    tern_ev_wake(h->transport.binding);
}

static void put_message(struct hostile *h, const struct proto_message *m)
{
    h->len += proto_encode(m, h->out + h->len, ROOM - h->len);
}

/* A request with a rule, of which each byte comes alone: a blank in the middle of a rule begins nothing. */
static void drips(struct hostile *h)
{
    static struct proto_message m;
    m = (struct proto_message){.type = PROTO_HELLO,
                               .version = PROTO_VERSION,
                               .direction = PROTO_PUSH,
                               .flags = PROTO_FLAG_INTO | PROTO_FLAG_RECURSIVE | PROTO_FLAG_RULES};
    memcpy(m.key, key, sizeof m.key);
    put_message(h, &m);
    m = (struct proto_message){.type = PROTO_RULE};
    (void)snprintf(m.text, sizeof m.text, "- a name with blanks");
    put_message(h, &m);
    m = (struct proto_message){.type = PROTO_RULE};
    put_message(h, &m);
    m = (struct proto_message){.type = PROTO_END};
    put_message(h, &m);
    ev_timer_init(&h->drip, on_drip, 0, 0.004);
    h->drip.data = h;
    ev_timer_start(h->loop, &h->drip);
}

/* Seconds until it has waited in vain: where nothing shall come, and where a slow machine takes its time. */
enum { IN_VAIN = 4, PATIENT = 200 };

static const struct attack {
    const char *name;
    void (*run)(struct hostile *h);
    int patience;
} attacks[] = {
    {"names", names, PATIENT},
    {"links", links, PATIENT},
    {"unasked-link", unasked_link, PATIENT},
    {"steps", steps, PATIENT},
    {"hashes", hashes, PATIENT},
    {"garbage", garbage, PATIENT},
    {"cut-off", cut_off, PATIENT},
    {"control", control, PATIENT},
    {"packed-garbage", packed_garbage, PATIENT},
    {"hoard", hoard, IN_VAIN},
    {"hole", hole, IN_VAIN},
    {"folders", folders, PATIENT},
    {"depth", depth, PATIENT},
    {"no-plan", no_plan, IN_VAIN},
    {"no-plan-but-vacant", no_plan_but_vacant, PATIENT},
    {"drips", drips, 20},
};

/* --- what comes back --------------------------------------------------------------------------------- */

static void on_message(struct hostile *h, const struct proto_message *m)
{
    switch (m->type) {
    case PROTO_FAIL:
        (void)printf("FAIL %u %u %s\n", (unsigned)m->status, (unsigned)m->index, m->text);
        break;
    case PROTO_DONE:
        for (unsigned i = 0; i < m->range_count; i++) {
            (void)printf("DONE %u %u\n", (unsigned)m->ranges[i].first,
                         (unsigned)m->ranges[i].count);
        }
        break;
    case PROTO_END:
        (void)printf("END %u\n", (unsigned)m->index);
        tern_conn_close(h->conn, 0, "");
        break;
    case PROTO_READY:
    case PROTO_LIMIT:
    case PROTO_TOTAL:
    case PROTO_SETTING:
    case PROTO_RULE:
    case PROTO_WANT:
    case PROTO_CURRENT:
    case PROTO_GONE:
    case PROTO_HELLO:
        break;
    }
}

static void on_control(struct hostile *h)
{
    static struct proto_message m;
    ptrdiff_t got;
    while ((got = tern_stream_read(h->control, h->in + h->in_used, sizeof h->in - h->in_used)) >
           0) {
        h->in_used += (size_t)got;
        for (int n; (n = proto_decode(&m, h->in, h->in_used)) > 0;) {
            memmove(h->in, h->in + n, h->in_used - (size_t)n);
            h->in_used -= (size_t)n;
            on_message(h, &m);
        }
    }
}

static void on_file(struct hostile *h, tern_stream *stream)
{
    const uint8_t *data;
    size_t len;
    while (tern_stream_peek(stream, &data, &len) == 0 && len > 0 &&
           tern_stream_consume(stream, len) == 0) {
        h->unplanned += len;
    }
    if (h->unplanned > PROTO_SMALL_MAX) {
        (void)printf("UNPLANNED\n");
        tern_conn_close(h->conn, 0, "");
    }
}

static void begin(struct hostile *h)
{
    if (tern_conn_open_stream(h->conn, TERN_STREAM_BIDI, &h->control) != 0) {
        die("no control stream");
    }
    h->attack->run(h);
}

static void on_ready(tern_ev *binding, void *user)
{
    struct hostile *h = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(h->transport.endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            begin(h);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            (void)printf("CLOSED %llu %.*s\n", (unsigned long long)ev.close.code,
                         (int)ev.close.reason_len, (const char *)ev.close.reason);
            ev_break(h->loop, EVBREAK_ALL);
            return;
        } else if (ev.type == TERN_EVENT_STREAM_READABLE && ev.stream == h->control) {
            on_control(h);
        } else if (ev.type == TERN_EVENT_STREAM_READABLE) {
            on_file(h, ev.stream);
        }
    }
}

static void on_timeout(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct hostile *h = timer->data;
    (void)loop;
    (void)events;
    (void)printf("SILENCE\n");
    tern_conn_close(h->conn, 0, "");
    tern_ev_wake(h->transport.binding);
}

int main(int argc, char **argv)
{
    static struct hostile h;
    struct ev_timer timer;
    char host[256];
    uint16_t port = 0;
    const char *why = "not an address";
    tern_config config;
    tern_peer peer;
    if (argc != 3 || sodium_init() < 0 || (h.out = malloc(ROOM)) == NULL) {
        die("give HOST:PORT ATTACK");
    }
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        h.attack = strcmp(attacks[i].name, argv[2]) == 0 ? &attacks[i] : h.attack;
    }
    if (h.attack == NULL) {
        die("no such attack");
    }
    h.loop = ev_default_loop(0);
    tern_config_init(&config);
    tern_peer_init(&peer);
    if (!net_split(argv[1], host, sizeof host, &port) ||
        tern_udp_resolve(&peer.addr, host, port, 0, &why) != 0 ||
        transport_open(&h.transport, h.loop, &config, NULL, on_ready, &h) != 0 ||
        tern_endpoint_connect(h.transport.endpoint, &peer, &h.conn, tern_udp_now()) != 0) {
        die(why);
    }
    ev_timer_init(&timer, on_timeout, h.attack->patience, 0);
    timer.data = &h;
    ev_timer_start(h.loop, &timer);
    tern_ev_wake(h.transport.binding);
    (void)ev_run(h.loop, 0);
    transport_close(&h.transport);
    free(h.out);
    return 0;
}
