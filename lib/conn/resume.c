/* Giving, keeping and taking tickets; what becomes of early data. [P §4.8]
 * SPDX-License-Identifier: MIT */
#include "conn/resume.h"

#include <sodium.h>

#include "conn/handshake.h"
#include "conn/receipts.h"

#define BLOB_VERSION   1
#define BLOB_MAX       (1 + 4 + 3 * 32 + 2 + 8 * TERN_TICKET_LIMITS + 2 + TERN_TICKET_SEALED_MAX)
#define MESSAGE_TICKET 4
#define MESSAGE_HALF   5 /* the same, given before message 3 */
#define AGE_TOLERANCE  (10 * TERN_SEC)
#define STRIKES_SLOTS  16384               /* 256 KiB for two buckets */
#define STRIKES_PERIOD (3 * AGE_TOLERANCE) /* the same age is believed for twice that */

static void limits_of(uint64_t out[TERN_TICKET_LIMITS], const struct tern_params *params)
{
    out[0] = params->initial_max_data;
    out[1] = params->initial_max_stream_data_bidi_local;
    out[2] = params->initial_max_stream_data_bidi_remote;
    out[3] = params->initial_max_stream_data_uni;
    out[4] = params->initial_max_streams_bidi;
    out[5] = params->initial_max_streams_uni;
}

/* RFC 9000 §7.4.1: what was promised to early data may grow, and must not shrink. */
static bool have_shrunk(const uint64_t now[TERN_TICKET_LIMITS],
                        const uint64_t then[TERN_TICKET_LIMITS])
{
    bool has = false;
    for (size_t i = 0; i < TERN_TICKET_LIMITS; i++) {
        has = has || now[i] < then[i];
    }
    return has;
}

/* Whoever derives it knows the ticket's secret, and the state of the handshake as it is now. */
static int derive(const struct tern_conn *conn, const char *label,
                  const uint8_t secret[TERN_TICKET_SECRET_SIZE], uint8_t out[TERN_SECRET_SIZE])
{
    return tern_noise_export_with(&conn->handshake->noise, label, secret, TERN_TICKET_SECRET_SIZE,
                                  out);
}

static int derive_keys(const struct tern_conn *conn, const char *label,
                       const uint8_t secret[TERN_TICKET_SECRET_SIZE], unsigned suite,
                       struct tern_packet_keys *keys)
{
    uint8_t out[TERN_SECRET_SIZE];
    int rc = derive(conn, label, secret, out);
    rc = rc == 0 ? tern_packet_keys_init(keys, suite, out) : rc;
    tern_mem_wipe(out, sizeof out);
    return rc;
}

/* Keys to send early packets with; none come the other way in this space. */
static int install_early(struct tern_conn *conn, const char *label,
                         const uint8_t secret[TERN_TICKET_SECRET_SIZE], unsigned suite)
{
    uint8_t out[TERN_SECRET_SIZE];
    int rc = derive(conn, label, secret, out);
    rc = rc == 0 ? tern_space_install(&conn->spaces[TERN_LEVEL_APP], suite, out, out) : rc;
    tern_mem_wipe(out, sizeof out);
    return rc;
}

/* The psk goes into message 3 alone, and who that is from decides what a connect token is worth: of a client with
 * either nothing is known before. */
static bool has_half(const struct tern_conn *conn)
{
    return conn->early == TERN_EARLY_ACCEPTED && !tern_mode_has_psk(conn->handshake->pattern) &&
           conn->door.grant == NULL;
}

struct tern_packet_keys *tern_resume_keys(const struct tern_conn *conn)
{
    const struct tern_handshake *hs = conn->handshake;
    if (hs == NULL) {
        return NULL;
    }
    if (conn->is_server) {
        return hs->early_rx != NULL ? &hs->early_rx->keys : NULL;
    }
    return hs->resume != NULL && hs->resume->has_half ? &hs->resume->half : NULL;
}

int tern_tickets_new(struct tern_tickets **out, struct tern_mem *mem, struct tern_random *random,
                     tern_time now)
{
    struct tern_tickets *tickets = tern_mem_zalloc(mem, sizeof *tickets);
    if (tickets == NULL) {
        return TERN_ERR_NOMEM;
    }
    int rc = tern_strikes_init(&tickets->strikes, mem, random, STRIKES_SLOTS, STRIKES_PERIOD, now);
    if (rc != 0) {
        tern_mem_free(mem, tickets);
        return rc;
    }
    tern_ticket_keys_init(&tickets->keys, random, now);
    *out = tickets;
    return 0;
}

void tern_tickets_free(struct tern_tickets *tickets, struct tern_mem *mem)
{
    if (tickets != NULL) {
        tern_ticket_keys_clear(&tickets->keys);
        tern_strikes_clear(&tickets->strikes);
        tern_mem_free(mem, tickets);
    }
}

/* --- client: what the application keeps --------------------------------------------------------- */

/* 0 · TERN_ERR_INVALID */
static int read_blob(const struct tern_conn *conn, const tern_peer *peer, struct tern_resume *out,
                     tern_time *life)
{
    struct tern_reader r;
    uint8_t server_key[TERN_KEY_SIZE] = {0}, client_key[TERN_KEY_SIZE] = {0};
    tern_reader_init(&r, peer->ticket, peer->ticket_len);
    bool is_known = tern_read_u8(&r) == BLOB_VERSION;
    *life = tern_read_uint(&r, 4) * TERN_SEC;
    tern_read_copy(&r, server_key, sizeof server_key);
    tern_read_copy(&r, client_key, sizeof client_key);
    tern_read_copy(&r, out->secret, sizeof out->secret);
    out->suite = (uint16_t)tern_read_uint(&r, 2);
    for (size_t i = 0; i < TERN_TICKET_LIMITS; i++) {
        out->limits[i] = tern_read_uint(&r, 8);
    }
    out->sealed_len = (size_t)tern_read_uint(&r, 2);
    bool fits = out->sealed_len > 0 && out->sealed_len <= sizeof out->sealed;
    tern_read_copy(&r, out->sealed, fits ? out->sealed_len : 0);
    out->age = peer->ticket_age / TERN_MSEC;
    bool is_one_suite = (out->suite & (out->suite - 1)) == 0;
    if (!is_known || !fits || !is_one_suite || r.failed || tern_reader_left(&r) > 0 ||
        peer->key == NULL || memcmp(server_key, peer->key, TERN_KEY_SIZE) != 0 ||
        memcmp(client_key, conn->handshake->work->static_public, TERN_KEY_SIZE) != 0) {
        return TERN_ERR_INVALID;
    }
    return 0;
}

/* Of no use any more: too old, or of a suite that we would not take. */
static bool is_stale(const struct tern_conn *conn, const tern_peer *peer,
                     const struct tern_resume *resume, tern_time life)
{
    return peer->ticket_age >= life || (conn->env->suites & resume->suite) == 0;
}

int tern_resume_choose(struct tern_conn *conn, const tern_peer *peer)
{
    struct tern_handshake *hs = conn->handshake;
    tern_time life = 0;
    if (peer->ticket == NULL) {
        return 0;
    }
    struct tern_resume *resume = tern_mem_zalloc(conn->env->mem, sizeof *resume);
    if (resume == NULL) {
        return TERN_ERR_NOMEM;
    }
    hs->resume = resume; /* freed with the handshake */
    int rc = read_blob(conn, peer, resume, &life);
    if (rc == 0 && is_stale(conn, peer, resume, life)) {
        resume->sealed_len = 0;
        conn->early = TERN_EARLY_REFUSED;
    }
    hs->work->ticket = resume->sealed;
    hs->work->ticket_len = rc == 0 ? resume->sealed_len : 0;
    return rc;
}

void tern_resume_params(const struct tern_conn *conn, const uint8_t *ephemeral,
                        struct tern_params *params)
{
    const struct tern_resume *resume = conn->handshake->resume;
    params->has_ticket = true;
    params->ticket_age = resume->age;
    tern_ticket_binder(params->ticket_binder, resume->secret, ephemeral, resume->age);
}

/* All that left early leaves once more, as if it had not. */
static int take_back(struct tern_conn *conn)
{
    struct tern_loss *loss = &conn->spaces[TERN_LEVEL_APP].loss;
    int rc = 0;
    for (uint64_t pn = loss->sent.base; pn < loss->sent.next_pn && rc == 0; pn++) {
        const struct tern_sent_packet *packet = tern_sent_at(&loss->sent, pn);
        if (packet->state == TERN_SENT_OUTSTANDING) {
            rc = tern_receipts_repeat(conn, TERN_LEVEL_APP, packet);
        }
    }
    tern_cc_on_discarded(&conn->path.cc, tern_loss_discard(loss));
    tern_streams_refuse_early(&conn->streams);
    return rc;
}

int tern_resume_begin(struct tern_conn *conn)
{
    const struct tern_resume *resume = conn->handshake->resume;
    int rc = conn->sends_early ? take_back(conn) : 0; /* a Retry: nobody has heard any of it */
    if (rc != 0) {
        return rc;
    }
    rc = install_early(conn, "early", resume->secret, resume->suite);
    if (rc != 0) {
        return rc;
    }
    conn->early = TERN_EARLY_PENDING;
    conn->sends_early = true;
    struct tern_streams_grant grant = {
        .max_data = resume->limits[0],
        .bidi_local = resume->limits[1],
        .bidi_remote = resume->limits[2],
        .uni = resume->limits[3],
        .streams_bidi = resume->limits[4],
        .streams_uni = resume->limits[5],
    };
    tern_streams_begin_early(&conn->streams, &grant);
    return 0;
}

/* --- client: the answer --------------------------------------------------------------------------- */

/* The Noise state is that after message 2, as the server's was. */
static int expect_half(struct tern_conn *conn)
{
    struct tern_resume *resume = conn->handshake->resume;
    if (!has_half(conn)) {
        return 0;
    }
    int rc = derive_keys(conn, "half", resume->secret, resume->suite, &resume->half);
    resume->has_half = rc == 0;
    return rc == 0 ? derive(conn, "half resumption", resume->secret, resume->half_resumption) : rc;
}

int tern_resume_settle(struct tern_conn *conn, const struct tern_params *params)
{
    struct tern_handshake *hs = conn->handshake;
    uint64_t *limits = conn->peer_terms.limits;
    limits_of(limits, params);
    if (conn->early != TERN_EARLY_PENDING) {
        return params->takes_early ? TERN_ERR_TRANSPORT_PARAMETER : 0;
    }
    if (!params->takes_early) {
        conn->early = TERN_EARLY_REFUSED;
        return take_back(conn);
    }
    if (params->suite != hs->resume->suite || have_shrunk(limits, hs->resume->limits)) {
        conn->early = TERN_EARLY_REFUSED;
        return TERN_ERR_TRANSPORT_PARAMETER;
    }
    conn->early = TERN_EARLY_ACCEPTED;
    tern_streams_end_early(&conn->streams);
    return expect_half(conn);
}

/* --- client: tickets that come -------------------------------------------------------------------- */

static size_t write_blob(const struct tern_conn *conn,
                         const uint8_t secret[TERN_TICKET_SECRET_SIZE], const uint8_t *sealed,
                         size_t len, uint64_t life, uint8_t out[BLOB_MAX])
{
    struct tern_writer w;
    tern_writer_init(&w, out, BLOB_MAX);
    tern_write_u8(&w, BLOB_VERSION);
    tern_write_uint(&w, life, 4);
    tern_write_bytes(&w, conn->peer_key, TERN_KEY_SIZE);
    tern_write_bytes(&w, conn->env->public_key, TERN_KEY_SIZE);
    tern_write_bytes(&w, secret, TERN_TICKET_SECRET_SIZE);
    tern_write_uint(&w, conn->suite, 2);
    for (size_t i = 0; i < TERN_TICKET_LIMITS; i++) {
        tern_write_uint(&w, conn->peer_terms.limits[i], 8);
    }
    tern_write_uint(&w, len, 2);
    tern_write_bytes(&w, sealed, len);
    tern_assert(!w.failed);
    return tern_writer_used(&w);
}

/* Of a half ticket: NULL when the handshake is over, and a better one has come. */
static const uint8_t *secret_of(const struct tern_conn *conn, uint8_t type)
{
    const struct tern_handshake *hs = conn->handshake;
    if (type == MESSAGE_TICKET) {
        return conn->resumption;
    }
    return hs != NULL && hs->resume != NULL && hs->resume->has_half ? hs->resume->half_resumption
                                                                    : NULL;
}

static int keep_ticket(struct tern_conn *conn, const uint8_t *secret, const uint8_t *sealed,
                       size_t len, uint64_t life)
{
    if (secret == NULL || len == 0 || len > TERN_TICKET_SEALED_MAX || conn->is_anonymous) {
        return 0; /* a ticket for a key that is gone helps nobody */
    }
    if (conn->ticket == NULL) {
        conn->ticket = tern_mem_alloc(conn->env->mem, BLOB_MAX);
        if (conn->ticket == NULL) {
            return TERN_ERR_NOMEM;
        }
    }
    conn->ticket_len = write_blob(conn, secret, sealed, len, life, conn->ticket);
    conn->ticket_life = life * TERN_SEC;
    conn->wants_ticket_event = true;
    tern_conn_mark_eventful(conn);
    return 0;
}

int tern_resume_on_crypto(struct tern_conn *conn)
{
    struct tern_crypto_flow *flow = &conn->spaces[TERN_LEVEL_APP].crypto;
    size_t len = 0;
    const uint8_t *bytes = tern_crypto_flow_readable(flow, &len);
    int rc = 0;
    while (rc == 0 && len > 0) {
        struct tern_reader r;
        tern_reader_init(&r, bytes, len);
        uint8_t type = tern_read_u8(&r);
        bool is_ticket = type == MESSAGE_TICKET || type == MESSAGE_HALF;
        uint64_t life = tern_read_uint(&r, 4);
        size_t sealed_len = (size_t)tern_read_uint(&r, 2);
        const uint8_t *sealed = tern_read_bytes(&r, sealed_len);
        if (is_ticket && r.failed) {
            return 0; /* the rest is on its way */
        }
        if (is_ticket && conn->has_exporter && !conn->is_server) {
            rc = keep_ticket(conn, secret_of(conn, type), sealed, sealed_len, life);
        }
        /* What is no ticket is ignored, and with it all that follows: its end is not known. */
        tern_crypto_flow_take(flow, is_ticket ? len - tern_reader_left(&r) : len);
        bytes = tern_crypto_flow_readable(flow, &len);
    }
    tern_crypto_flow_rest(flow);
    return rc;
}

/* --- server --------------------------------------------------------------------------------------- */

static bool is_age_right(const struct tern_ticket *ticket, uint64_t claimed, tern_time now)
{
    if (now < ticket->issued_at || now - ticket->issued_at >= TERN_TICKET_LIFE ||
        tern_sub_sat(now, ticket->proved_at) >= TERN_TICKET_LIFE ||
        claimed > TERN_TICKET_LIFE / TERN_MSEC) {
        return false;
    }
    tern_time actual = now - ticket->issued_at, said = claimed * TERN_MSEC;
    return (actual > said ? actual - said : said - actual) <= AGE_TOLERANCE;
}

/* Everything but the strike, which comes last: what is refused for another reason uses up nothing. */
static bool is_welcome(struct tern_conn *conn, const struct tern_ticket *ticket,
                       const struct tern_params *params, tern_time now)
{
    const tern_config *config = conn->env->config;
    uint8_t binder[TERN_TICKET_BINDER_SIZE];
    struct tern_params ours;
    uint64_t limits[TERN_TICKET_LIMITS];
    tern_ticket_binder(binder, ticket->secret, tern_noise_remote_ephemeral(&conn->handshake->noise),
                       params->ticket_age);
    if (sodium_memcmp(binder, params->ticket_binder, sizeof binder) != 0) {
        return false;
    }
    tern_conn_local_params(conn, &ours);
    limits_of(limits, &ours);
    return is_age_right(ticket, params->ticket_age, now) && ticket->suite == conn->suite &&
           !have_shrunk(limits, ticket->limits) &&
           (config->verify == NULL ||
            config->verify(config->verify_user, conn, ticket->client_key) == 0);
}

static int take_early(struct tern_conn *conn, const struct tern_ticket *ticket)
{
    struct tern_early *early = tern_mem_zalloc(conn->env->mem, sizeof *early);
    if (early == NULL) {
        return TERN_ERR_NOMEM;
    }
    conn->handshake->early_rx = early; /* freed with the handshake */
    memcpy(early->client_key, ticket->client_key, sizeof early->client_key);
    memcpy(early->secret, ticket->secret, sizeof early->secret);
    early->proved_at = ticket->proved_at;
    int rc = derive_keys(conn, "early", ticket->secret, ticket->suite, &early->keys);
    if (rc == 0) {
        conn->early = TERN_EARLY_ACCEPTED;
        conn->ticket_used = ticket->id;
        conn->ticket_given = tern_random_u64(conn->env->random);
        memcpy(conn->peer_key, ticket->client_key, TERN_KEY_SIZE);
        conn->has_peer_key = true;
    }
    return rc;
}

int tern_resume_consider(struct tern_conn *conn, const struct tern_params *params, tern_time now)
{
    struct tern_handshake *hs = conn->handshake;
    struct tern_tickets *tickets = conn->env->tickets;
    struct tern_ticket ticket;
    int rc = 0;
    if (hs->work->ticket_len == 0) {
        return 0;
    }
    conn->early = TERN_EARLY_REFUSED;
    if (tickets == NULL || !params->has_ticket || !tern_mode_is_xk(hs->pattern) ||
        tern_ticket_open(&tickets->keys, &ticket, hs->work->ticket, hs->work->ticket_len,
                         conn->env->random, now) != 0) {
        return 0;
    }
    if (is_welcome(conn, &ticket, params, now) &&
        tern_strikes_mark(&tickets->strikes, (const uint8_t *)&ticket.id, sizeof ticket.id, now)) {
        rc = take_early(conn, &ticket);
    }
    tern_mem_wipe(&ticket, sizeof ticket);
    return rc;
}

int tern_resume_begin_half(struct tern_conn *conn)
{
    struct tern_early *early = conn->handshake->early_rx;
    int rc = 0;
    if (early == NULL) {
        return 0;
    }
    if (has_half(conn)) {
        rc = install_early(conn, "half", early->secret, conn->suite);
        /* Until message 3 gives the better one. */
        rc = rc == 0 ? derive(conn, "half resumption", early->secret, conn->resumption) : rc;
        conn->sends_early = rc == 0;
        tern_streams_hold_back(&conn->streams);
    }
    tern_mem_wipe(early->secret, sizeof early->secret);
    return rc;
}

/* Both tickets of a visit have one number: it counts once, whichever of them comes back. */
static int give_ticket(struct tern_conn *conn, uint8_t type, tern_time proved_at, tern_time now)
{
    struct tern_tickets *tickets = conn->env->tickets;
    struct tern_ticket ticket = {.id = conn->ticket_given,
                                 .issued_at = now,
                                 .proved_at = proved_at,
                                 .suite = (uint16_t)conn->suite};
    struct tern_params ours;
    uint8_t message[1 + 4 + 2 + TERN_TICKET_SIZE];
    struct tern_writer w;
    memcpy(ticket.secret, conn->resumption, sizeof ticket.secret);
    memcpy(ticket.client_key, conn->peer_key, TERN_KEY_SIZE);
    tern_conn_local_params(conn, &ours);
    limits_of(ticket.limits, &ours);
    tern_writer_init(&w, message, sizeof message);
    tern_write_u8(&w, type);
    tern_write_uint(&w, (TERN_TICKET_LIFE - tern_sub_sat(now, proved_at)) / TERN_SEC, 4);
    tern_write_uint(&w, TERN_TICKET_SIZE, 2);
    tern_ticket_seal(&tickets->keys, &ticket, conn->env->random,
                     tern_write_room(&w, TERN_TICKET_SIZE), now);
    tern_mem_wipe(&ticket, sizeof ticket);
    return tern_crypto_flow_write(&conn->spaces[TERN_LEVEL_APP].crypto, message,
                                  tern_writer_used(&w));
}

void tern_resume_want_half(struct tern_conn *conn)
{
    struct tern_early *early = conn->handshake != NULL ? conn->handshake->early_rx : NULL;
    if (conn->sends_early && early != NULL && !early->has_ticket) {
        early->wants_ticket = early->has_ticket = true;
    }
}

void tern_resume_give_half(struct tern_conn *conn, tern_time now)
{
    struct tern_early *early = conn->handshake != NULL ? conn->handshake->early_rx : NULL;
    if (conn->sends_early && early != NULL && early->wants_ticket) {
        early->wants_ticket = false;
        (void)give_ticket(conn, MESSAGE_HALF, early->proved_at, now);
    }
}

int tern_resume_give(struct tern_conn *conn, tern_time now)
{
    if (conn->env->tickets == NULL) {
        return 0;
    }
    if (conn->early != TERN_EARLY_ACCEPTED) {
        conn->ticket_given = tern_random_u64(conn->env->random);
    }
    int rc = give_ticket(conn, MESSAGE_TICKET, now, now);
    tern_mem_wipe(conn->resumption, sizeof conn->resumption);
    return rc;
}
