/* Messages 1 to 3 of the Noise handshake and the keys that each of them gives. [P §4]
 *
 *     client                                                server
 *     message 1 (Initial)    e, es        ───────────────►
 *                                         ◄───────────────  message 2 (Initial)    e, ee [, s, es]
 *     message 3 (Handshake)  s, se        ───────────────►
 *     1-RTT                               ◄──────────────►  1-RTT
 *
 * (XK as drawn; in XX the token es moves from message 1 to message 2, together with s.) Nothing is
 * believed before the message that authenticates its sender has verified: message 2 on the client,
 * message 3 on the server. Until then a bad message is dropped and forgotten, so that a forger
 * cannot end or block a handshake.
 * SPDX-License-Identifier: MIT */
#include "conn/handshake.h"

#include "conn/grant.h"
#include "conn/resume.h"
#include "conn/retry.h"
#include "conn/secrets.h"
#include "crypto/keys.h"
#include "wire/limits.h"

#define MESSAGE_MAX  2600 /* of the hybrid, with its envelope; of others: */
#define PLAIN_MAX    1100 /* so that one fits a padded Initial */
#define PARAMS_MAX   512
#define PROLOGUE_MAX (128 + TERN_TICKET_SEALED_MAX)

int tern_handshake_new(struct tern_handshake **out, const struct tern_conn_env *env)
{
    *out = tern_mem_zalloc(env->mem, sizeof **out);
    return *out == NULL ? TERN_ERR_NOMEM : 0;
}

void tern_handshake_drop_early(struct tern_handshake *hs, struct tern_conn_env *env)
{
    for (size_t i = 0; i < hs->early_count; i++) {
        tern_mem_free(env->mem, hs->early[i].data);
    }
    tern_mem_free(env->mem, hs->early);
    env->early_bytes -= hs->early_bytes;
    hs->early = NULL;
    hs->early_count = hs->early_bytes = 0;
}

void tern_handshake_free(struct tern_handshake *hs, struct tern_conn_env *env)
{
    if (hs == NULL) {
        return;
    }
    struct tern_mem *mem = env->mem;
    tern_handshake_drop_early(hs, env);
    if (hs->has_noise) {
        tern_noise_clear(&hs->noise);
    }
    tern_mem_free(mem, hs->token);
    tern_retry_forget_before(hs, mem);
    if (hs->work != NULL) {
        tern_mem_wipe(hs->work, sizeof *hs->work);
        tern_mem_free(mem, hs->work);
    }
    if (hs->resume != NULL) {
        tern_mem_wipe(hs->resume, sizeof *hs->resume);
        tern_mem_free(mem, hs->resume);
    }
    if (hs->early_rx != NULL) {
        tern_mem_wipe(hs->early_rx, sizeof *hs->early_rx);
        tern_mem_free(mem, hs->early_rx);
    }
    tern_mem_wipe(hs, sizeof *hs);
    tern_mem_free(mem, hs);
}

int tern_handshake_install_initial(struct tern_conn *conn)
{
    struct tern_handshake *hs = conn->handshake;
    uint8_t client[32], server[32];
    const uint8_t *key = conn->is_server ? conn->env->public_key : hs->work->server_key;
    tern_secrets_forget_initial(conn);
    tern_initial_secrets(client, server, hs->initial_dcid.bytes, hs->initial_dcid.len,
                         hs->is_keyed ? key : NULL);
    int rc =
        tern_space_install(&conn->spaces[TERN_LEVEL_INITIAL], TERN_SUITE_CHACHA20_POLY1305,
                           conn->is_server ? server : client, conn->is_server ? client : server);
    tern_mem_wipe(client, sizeof client);
    tern_mem_wipe(server, sizeof server);
    return rc;
}

/* Everything that both ends must agree on and that the messages do not already carry. [P §4.2] */
static size_t write_prologue(const struct tern_handshake *hs, uint8_t out[PROLOGUE_MAX])
{
    static const char label[] = "tern hs 1";
    struct tern_writer w;
    tern_writer_init(&w, out, PROLOGUE_MAX);
    tern_write_bytes(&w, label, sizeof label - 1);
    tern_write_uint(&w, TERN_VERSION_1, 4);
    tern_write_u8(&w, 1); /* the versions that the client prefers: this one */
    tern_write_uint(&w, TERN_VERSION_1, 4);
    tern_write_u8(&w, hs->pattern);
    tern_write_uint(&w, hs->offered, 2);
    tern_write_u8(&w, hs->psk_id_len);
    tern_write_bytes(&w, hs->psk_id, hs->psk_id_len);
    tern_write_u8(&w, hs->original_dcid.len);
    tern_write_bytes(&w, hs->original_dcid.bytes, hs->original_dcid.len);
    tern_write_u8(&w, hs->client_scid.len);
    tern_write_bytes(&w, hs->client_scid.bytes, hs->client_scid.len);
    tern_write_u8(&w, hs->has_retry ? hs->initial_dcid.len : 0);
    tern_write_bytes(&w, hs->initial_dcid.bytes, hs->has_retry ? hs->initial_dcid.len : 0);
    tern_write_uint(&w, hs->work->ticket_len, 2);
    tern_write_bytes(&w, hs->work->ticket, hs->work->ticket_len);
    tern_assert(!w.failed);
    return tern_writer_used(&w);
}

int tern_handshake_choose(struct tern_conn *conn, const tern_peer *peer)
{
    struct tern_handshake *hs = conn->handshake;
    hs->work = tern_mem_zalloc(conn->env->mem, sizeof *hs->work);
    if (hs->work == NULL) {
        return TERN_ERR_NOMEM;
    }
    hs->work->static_secret = conn->env->secret_key;
    hs->work->static_public = conn->env->public_key;
    hs->work->kem_room = hs->work->kem_seed;
    hs->pattern = peer->key != NULL ? TERN_PATTERN_XK : TERN_PATTERN_XX;
    hs->is_keyed = peer->key != NULL;
    if (peer->key != NULL) {
        memcpy(hs->work->server_key, peer->key, TERN_KEY_SIZE);
    }
    conn->is_anonymous = peer->anonymous;
    if (peer->anonymous) {
        tern_random_fill(conn->env->random, hs->work->own_secret, TERN_KEY_SIZE);
        tern_key_public(hs->work->own_public, hs->work->own_secret);
        hs->work->static_secret = hs->work->own_secret;
        hs->work->static_public = hs->work->own_public;
    }
    if (peer->secret != NULL) {
        hs->pattern |= TERN_PATTERN_PSK;
        memcpy(hs->work->psk, peer->secret, TERN_SECRET_SIZE);
    }
    if (peer->hybrid) {
        hs->pattern |= TERN_PATTERN_HFS;
        if (conn->env->kem == NULL) {
            return TERN_ERR_UNSUPPORTED;
        }
    }
    if (peer->code == NULL) {
        return 0;
    }
    if (peer->secret != NULL || peer->key != NULL ||
        tern_code_parse(&hs->work->code, peer->code) != 0) {
        return TERN_ERR_INVALID;
    }
    hs->pattern |= TERN_PATTERN_PSK | TERN_PATTERN_CODE;
    hs->psk_id_len = hs->work->code.slot_len;
    memcpy(hs->psk_id, hs->work->code.text, hs->psk_id_len);
    return 0;
}

/* --- one-time codes, [P §4.7] -------------------------------------------------------------------- */

/* The session is the client's ephemeral key, 32 bytes that never come again. */
static struct tern_cpace_setup cpace_setup(const struct tern_code *code, const uint8_t *session)
{
    static const char channel[] = "\x0btern-code-1\x09initiator\x09responder";
    struct tern_cpace_setup setup = {.code = {code->text, code->len},
                                     .channel = {channel, sizeof channel - 1},
                                     .session = {session, TERN_KEY_SIZE}};
    return setup;
}

/* A client's half, before message 1. */
static int begin_code(struct tern_conn *conn)
{
    struct tern_handshake *hs = conn->handshake;
    const uint8_t *session = tern_noise_draw_ephemeral(&hs->noise, conn->env->random);
    if (session == NULL) {
        return TERN_ERR_CRYPTO;
    }
    memcpy(hs->work->session, session, sizeof hs->work->session);
    struct tern_cpace_setup setup = cpace_setup(&hs->work->code, hs->work->session);
    return tern_cpace_begin(&hs->work->cpace, &setup, conn->env->random);
}

/* Its key goes into message 3. */
static int finish_code(struct tern_conn *conn, const struct tern_code *code,
                       const struct tern_params *params)
{
    struct tern_handshake *hs = conn->handshake;
    struct tern_cpace_setup setup = cpace_setup(code, hs->work->session);
    uint8_t psk[TERN_SECRET_SIZE];
    if (!params->has_cpace) {
        return TERN_ERR_TRANSPORT_PARAMETER;
    }
    int rc = tern_cpace_finish(&hs->work->cpace, &setup, params->cpace, !conn->is_server, psk);
    if (rc == 0) {
        tern_noise_set_psk(&hs->noise, 0, psk);
    }
    tern_mem_wipe(psk, sizeof psk);
    return rc;
}

/* A server's half, when message 1 has come. */
static int answer_code(struct tern_conn *conn, const struct tern_params *params)
{
    struct tern_handshake *hs = conn->handshake;
    const struct tern_code *code = &conn->env->modes.code;
    memcpy(hs->work->session, tern_noise_remote_ephemeral(&hs->noise), sizeof hs->work->session);
    struct tern_cpace_setup setup = cpace_setup(code, hs->work->session);
    int rc = tern_cpace_begin(&hs->work->cpace, &setup, conn->env->random);
    return rc == 0 ? finish_code(conn, code, params) : rc;
}

/* --- messages ------------------------------------------------------------------------------------ */

static int begin_noise(struct tern_conn *conn)
{
    struct tern_handshake *hs = conn->handshake;
    uint8_t prologue[PROLOGUE_MAX];
    uint8_t psks[1][TERN_NOISE_SECRET_SIZE];
    size_t len = write_prologue(hs, prologue);
    struct tern_noise_setup setup = {
        .protocol_name = tern_mode_protocol(hs->pattern),
        .is_initiator = !conn->is_server,
        .prologue = prologue,
        .prologue_len = len,
        .static_secret = hs->work->static_secret,
        .static_public = hs->work->static_public,
        .remote_static =
            tern_mode_is_xk(hs->pattern) && !conn->is_server ? hs->work->server_key : NULL,
        .psks = (const uint8_t(*)[TERN_NOISE_SECRET_SIZE])psks,
        .psk_count = tern_mode_has_psk(hs->pattern) ? 1 : 0,
        .kem = conn->env->kem,
        .kem_room = hs->work->kem_room,
    };
    memcpy(psks[0], conn->is_server ? conn->env->modes.secret : hs->work->psk, sizeof psks[0]);
    int rc = tern_noise_init(&hs->noise, &setup);
    hs->has_noise = rc == 0;
    tern_mem_wipe(psks, sizeof psks);
    return rc;
}

/* A server names the suite, a client its ephemeral key. */
static int encode_params(const struct tern_conn *conn, uint16_t suite, const uint8_t *ephemeral,
                         uint8_t out[PARAMS_MAX], size_t *len)
{
    struct tern_params params;
    struct tern_writer w;
    tern_conn_local_params(conn, &params);
    if (tern_mode_has_code(conn->handshake->pattern)) {
        params.has_cpace = true;
        memcpy(params.cpace, conn->handshake->work->cpace.share, sizeof params.cpace);
    }
    if (suite != 0) {
        params.has_suite = true;
        params.suite = suite;
        params.takes_early = conn->early == TERN_EARLY_ACCEPTED;
    } else if (conn->handshake->work->ticket_len > 0) {
        tern_resume_params(conn, ephemeral, &params);
    }
    tern_writer_init(&w, out, PARAMS_MAX);
    tern_params_encode(&w, &params);
    *len = tern_writer_used(&w);
    return w.failed ? TERN_ERR_INTERNAL : 0;
}

/* Writes the next Noise message with its payload behind the envelope that `w` holds already, and
 * queues the whole at a level. */
static int send_handshake(struct tern_conn *conn, enum tern_level level, struct tern_writer *w,
                          const uint8_t *payload, size_t payload_len)
{
    struct tern_handshake *hs = conn->handshake;
    uint8_t *length_at = tern_write_room(w, 2);
    size_t len = 0;
    if (length_at == NULL) {
        return TERN_ERR_INTERNAL;
    }
    int rc = tern_noise_write(&hs->noise, conn->env->random, payload, payload_len, w->at,
                              tern_writer_left(w), &len);
    if (rc != 0) {
        return rc;
    }
    length_at[0] = (uint8_t)(len >> 8);
    length_at[1] = (uint8_t)len;
    w->at += len;
    if (!tern_mode_has_hfs(hs->pattern) && tern_writer_used(w) > PLAIN_MAX) {
        return TERN_ERR_INTERNAL;
    }
    return tern_crypto_flow_write(&conn->spaces[level].crypto, w->start, tern_writer_used(w));
}

int tern_handshake_start(struct tern_conn *conn)
{
    struct tern_handshake *hs = conn->handshake;
    uint8_t message[MESSAGE_MAX], payload[PARAMS_MAX];
    size_t payload_len = 0;
    struct tern_writer w;
    int rc = begin_noise(conn);
    if (rc == 0 && tern_mode_has_code(hs->pattern)) {
        rc = begin_code(conn);
    }
    if (rc == 0) {
        const uint8_t *ephemeral = tern_noise_draw_ephemeral(&hs->noise, conn->env->random);
        rc = ephemeral == NULL ? TERN_ERR_CRYPTO
                               : encode_params(conn, 0, ephemeral, payload, &payload_len);
    }
    if (rc != 0) {
        return rc;
    }
    tern_writer_init(&w, message, sizeof message);
    tern_write_u8(&w, 1);
    tern_write_u8(&w, hs->pattern);
    tern_write_uint(&w, hs->offered, 2);
    tern_write_u8(&w, hs->psk_id_len);
    tern_write_bytes(&w, hs->psk_id, hs->psk_id_len);
    tern_write_uint(&w, hs->work->ticket_len, 2);
    tern_write_bytes(&w, hs->work->ticket, hs->work->ticket_len);
    rc = send_handshake(conn, TERN_LEVEL_INITIAL, &w, payload, payload_len);
    return rc == 0 && hs->work->ticket_len > 0 ? tern_resume_begin(conn) : rc;
}

/* Handshake keys come from the state after message 2, which both ends share then. */
static int install_handshake(struct tern_conn *conn)
{
    uint8_t client[32], server[32];
    int rc = tern_noise_export(&conn->handshake->noise, "client hs", client);
    if (rc == 0) {
        rc = tern_noise_export(&conn->handshake->noise, "server hs", server);
    }
    if (rc == 0) {
        rc = tern_space_install(&conn->spaces[TERN_LEVEL_HANDSHAKE], TERN_SUITE_CHACHA20_POLY1305,
                                conn->is_server ? server : client,
                                conn->is_server ? client : server);
    }
    tern_mem_wipe(client, sizeof client);
    tern_mem_wipe(server, sizeof server);
    return rc;
}

void tern_handshake_install_due(struct tern_conn *conn)
{
    const struct tern_handshake *hs = conn->handshake;
    const struct tern_space *space = &conn->spaces[TERN_LEVEL_HANDSHAKE];
    if (conn->is_server && hs != NULL && hs->has_noise && tern_noise_has_written(&hs->noise) &&
        !tern_space_is_live(space) && !space->is_discarded) {
        (void)install_handshake(conn);
    }
}

/* Message 3 is done at this end: packet keys from Split(), the exporter from the last state. */
static int install_app(struct tern_conn *conn)
{
    uint8_t client[32], server[32];
    int rc = tern_noise_export(&conn->handshake->noise, "exporter", conn->exporter);
    if (rc == 0) {
        rc = tern_noise_export(&conn->handshake->noise, "resumption", conn->resumption);
    }
    if (rc == 0) {
        rc = tern_noise_split(&conn->handshake->noise, client, server);
    }
    if (rc == 0) {
        conn->has_exporter = true;
        conn->sends_early = false;
        rc = tern_space_install(&conn->spaces[TERN_LEVEL_APP], conn->suite,
                                conn->is_server ? server : client,
                                conn->is_server ? client : server);
    }
    if (rc == 0) {
        rc = tern_key_phase_look_ahead(conn->spaces[TERN_LEVEL_APP].keys);
    }
    tern_mem_wipe(client, sizeof client);
    tern_mem_wipe(server, sizeof server);
    return rc;
}

/* Our ranking over what the client offered; 0: nothing in common. */
static unsigned choose_suite(const struct tern_conn *conn)
{
    unsigned ranked[4], best = 0;
    (void)tern_suites_available(ranked);
    /* From the slowest up: where a loop leaves at the first, gcc 12 at -O3 may test the last by a register that
     * nobody has set. */
    for (size_t i = TERN_COUNT_OF(ranked); i-- > 0;) {
        bool is_common = (ranked[i] & conn->env->suites & conn->handshake->offered) != 0;
        best = is_common ? ranked[i] : best;
    }
    return best;
}

/* The identifiers that the peer's parameters must repeat: RFC 9000 §7.3. */
static int check_cids(const struct tern_conn *conn, const struct tern_params *params)
{
    const struct tern_handshake *hs = conn->handshake;
    if (!params->has_initial_scid ||
        !tern_cid_equal(&params->initial_scid, tern_cids_remote(&conn->cids))) {
        return TERN_ERR_TRANSPORT_PARAMETER;
    }
    if (!conn->is_server &&
        (!params->has_original_dcid || params->has_retry_scid != hs->has_retry ||
         !tern_cid_equal(&params->original_dcid, &hs->original_dcid) ||
         (hs->has_retry && !tern_cid_equal(&params->retry_scid, &hs->initial_dcid)))) {
        return TERN_ERR_TRANSPORT_PARAMETER;
    }
    return 0;
}

static int take_params(struct tern_conn *conn, const uint8_t *payload, size_t len,
                       struct tern_params *params)
{
    int rc = tern_params_decode(params, payload, len, !conn->is_server);
    if (rc == 0) {
        rc = check_cids(conn, params);
    }
    /* RFC 9368 §4: who was led to this version by somebody else says so here, where nobody can change it. */
    if (rc == 0 && params->has_version_info &&
        (params->chosen_version != TERN_VERSION_1 ||
         (!conn->is_server && !params->lists_version_1))) {
        rc = TERN_ERR_VERSION;
    }
    if (rc == 0 && !conn->is_server) { /* before the new grant counts */
        rc = tern_resume_settle(conn, params);
    }
    if (rc == 0) {
        conn->handshake->peer_params = *params;
        rc = tern_conn_on_params(conn, params);
    }
    return rc;
}

static int ask_verify(struct tern_conn *conn)
{
    const tern_config *config = conn->env->config;
    if (conn->door.grant != NULL &&
        sodium_memcmp(conn->door.grant->client_key, conn->peer_key, TERN_KEY_SIZE) != 0) {
        return TERN_ERR_REFUSED; /* somebody else's token */
    }
    if (config->verify == NULL) {
        return 0;
    }
    return config->verify(config->verify_user, conn, conn->peer_key) == 0 ? 0 : TERN_ERR_REFUSED;
}

/* --- server -------------------------------------------------------------------------------------- */

static int answer_message_1(struct tern_conn *conn, const struct tern_params *theirs, tern_time now)
{
    uint8_t message[MESSAGE_MAX], payload[PARAMS_MAX];
    size_t payload_len = 0;
    struct tern_writer w;
    conn->suite = choose_suite(conn);
    if (conn->suite == 0) {
        return TERN_ERR_UNSUPPORTED;
    }
    int rc = tern_resume_consider(conn, theirs, now);
    if (rc == 0) {
        rc = encode_params(conn, (uint16_t)conn->suite, NULL, payload, &payload_len);
    }
    if (rc != 0) {
        return rc;
    }
    tern_writer_init(&w, message, sizeof message);
    tern_write_u8(&w, 2);
    rc = send_handshake(conn, TERN_LEVEL_INITIAL, &w, payload, payload_len);
    return rc == 0 ? tern_resume_begin_half(conn) : rc;
}

/* What stands around the Noise message, [P §4.3]. 0 · TERN_ERR_BUFFER (cut short) */
static int read_envelope_1(struct tern_handshake *hs, struct tern_reader *r, const uint8_t **noise,
                           size_t *len)
{
    hs->pattern = tern_read_u8(r);
    hs->offered = (uint16_t)tern_read_uint(r, 2);
    hs->psk_id_len = tern_read_u8(r);
    if (hs->psk_id_len > sizeof hs->psk_id) {
        return TERN_ERR_BUFFER;
    }
    tern_read_copy(r, hs->psk_id, hs->psk_id_len);
    hs->work->ticket_len = (size_t)tern_read_uint(r, 2);
    hs->work->ticket = tern_read_bytes(r, hs->work->ticket_len);
    *len = (size_t)tern_read_uint(r, 2);
    *noise = tern_read_bytes(r, *len);
    return r->failed || hs->work->ticket_len > TERN_TICKET_SEALED_MAX ? TERN_ERR_BUFFER : 0;
}

/* Whatever is wrong with it: as if it had not come. */
static int forget_message_1(struct tern_handshake *hs)
{
    if (hs->has_noise) {
        tern_noise_clear(&hs->noise);
        hs->has_noise = false;
    }
    return TERN_ERR_AGAIN;
}

/* Who expects the hybrid waits for the rest of a message that one packet does not hold. */
static bool may_be_partial(const struct tern_conn *conn, uint8_t pattern)
{
    return tern_mode_has_hfs(pattern) && (!conn->is_server || conn->env->modes.wants_hybrid);
}

/* Nobody else keeps pieces for strangers: a client that comes with the hybrid unasked is told so at the
 * first of them. */
static int refuse_partial(struct tern_handshake *hs)
{
    if (!tern_mode_has_hfs(hs->pattern) || tern_mode_is_xk(hs->pattern) != hs->is_keyed) {
        return TERN_ERR_BUFFER;
    }
    hs->has_noise = true; /* the connection lives as long as it takes to say so */
    return TERN_ERR_MODE;
}

static int on_message_1(struct tern_conn *conn, struct tern_reader *r, tern_time now)
{
    struct tern_handshake *hs = conn->handshake;
    struct tern_params params;
    const uint8_t *noise;
    uint8_t payload[MESSAGE_MAX];
    size_t payload_len = 0, len;
    if (read_envelope_1(hs, r, &noise, &len) != 0) {
        return may_be_partial(conn, hs->pattern) ? TERN_ERR_BUFFER : refuse_partial(hs);
    }
    if (tern_mode_protocol(hs->pattern) == NULL || tern_mode_is_xk(hs->pattern) != hs->is_keyed ||
        begin_noise(conn) != 0) {
        return forget_message_1(hs);
    }
    if (tern_noise_read(&hs->noise, noise, len, payload, sizeof payload, &payload_len) != 0) {
        return forget_message_1(hs);
    }
    if (!tern_modes_take(&conn->env->modes, hs->pattern, hs->psk_id, hs->psk_id_len)) {
        return TERN_ERR_MODE;
    }
    int rc = take_params(conn, payload, payload_len, &params);
    if (rc == 0 && tern_mode_has_code(hs->pattern)) {
        rc = answer_code(conn, &params);
    }
    rc = rc == 0 ? answer_message_1(conn, &params, now) : rc;
    /* No point, or one of small order, whether it shows here or as late as in our answer. */
    return rc == TERN_ERR_CRYPTO ? forget_message_1(hs) : rc;
}

/* Message 3 came under keys that only this client has, and yet it does not verify: it knows another
 * secret than we do, and may be told so. */
static int on_wrong_secret(struct tern_conn *conn)
{
    if (!tern_mode_has_psk(conn->handshake->pattern)) {
        return TERN_ERR_AGAIN;
    }
    if (tern_mode_has_code(conn->handshake->pattern)) {
        tern_modes_on_wrong_code(&conn->env->modes);
    }
    return TERN_ERR_SECRET;
}

/* Of many clients that guess at once none may find out more than the burnt code allows. */
static bool is_code_gone(const struct tern_conn *conn)
{
    const struct tern_handshake *hs = conn->handshake;
    return tern_mode_has_code(hs->pattern) &&
           !tern_modes_take(&conn->env->modes, hs->pattern, hs->psk_id, hs->psk_id_len);
}

static int on_message_3(struct tern_conn *conn, struct tern_reader *r, tern_time now)
{
    struct tern_handshake *hs = conn->handshake;
    uint8_t payload[MESSAGE_MAX];
    size_t payload_len = 0;
    size_t len = (size_t)tern_read_uint(r, 2);
    const uint8_t *noise = tern_read_bytes(r, len);
    if (r->failed) {
        return TERN_ERR_BUFFER;
    }
    if (is_code_gone(conn)) {
        return TERN_ERR_SECRET;
    }
    if (tern_noise_read(&hs->noise, noise, len, payload, sizeof payload, &payload_len) != 0) {
        return on_wrong_secret(conn);
    }
    if (tern_mode_has_code(hs->pattern)) {
        tern_modes_on_right_code(&conn->env->modes);
    }
    memcpy(conn->peer_key, tern_noise_remote_static(&hs->noise), TERN_KEY_SIZE);
    conn->has_peer_key = true;
    if (hs->early_rx != NULL &&
        memcmp(hs->early_rx->client_key, conn->peer_key, TERN_KEY_SIZE) != 0) {
        return TERN_ERR_PROTOCOL; /* the early data came in another's name */
    }
    int rc = install_app(conn);
    if (rc == 0) {
        rc = tern_conn_on_complete(conn, now); /* before the question, so that a refusal has keys */
    }
    if (rc == 0) {
        rc = ask_verify(conn);
    }
    if (rc == 0) {
        tern_conn_announce(conn);
        rc = tern_resume_give(conn, now);
    }
    return rc;
}

/* --- client -------------------------------------------------------------------------------------- */

static int send_message_3(struct tern_conn *conn, tern_time now)
{
    uint8_t message[MESSAGE_MAX];
    struct tern_writer w;
    int rc = install_handshake(conn);
    if (rc != 0) {
        return rc;
    }
    tern_writer_init(&w, message, sizeof message);
    tern_write_u8(&w, 3);
    rc = send_handshake(conn, TERN_LEVEL_HANDSHAKE, &w, NULL, 0);
    if (rc == 0) {
        rc = install_app(conn);
    }
    if (rc == 0) {
        rc = tern_conn_on_complete(conn, now);
    }
    conn->awaits_proof = tern_mode_has_psk(conn->handshake->pattern);
    if (rc == 0 && !conn->awaits_proof) {
        tern_conn_announce(conn);
    }
    return rc;
}

int tern_handshake_on_proof(struct tern_conn *conn)
{
    bool is_stranger = conn->handshake != NULL && !tern_mode_is_xk(conn->handshake->pattern);
    int rc = is_stranger ? ask_verify(conn) : 0;
    conn->awaits_proof = false;
    if (rc == 0) {
        tern_conn_announce(conn);
    }
    return rc;
}

static int on_message_2(struct tern_conn *conn, struct tern_reader *r, tern_time now)
{
    struct tern_handshake *hs = conn->handshake;
    struct tern_params params;
    uint8_t payload[MESSAGE_MAX];
    size_t payload_len = 0;
    size_t len = (size_t)tern_read_uint(r, 2);
    const uint8_t *noise = tern_read_bytes(r, len);
    if (r->failed) {
        return TERN_ERR_BUFFER;
    }
    if (tern_noise_read(&hs->noise, noise, len, payload, sizeof payload, &payload_len) != 0) {
        return TERN_ERR_AGAIN;
    }
    memcpy(conn->peer_key, tern_noise_remote_static(&hs->noise), TERN_KEY_SIZE);
    conn->has_peer_key = true;
    tern_cids_set_remote(&conn->cids, &hs->work->server_scid);
    tern_path_validate(&conn->path); /* the server can read what only our address received */
    int rc = take_params(conn, payload, payload_len, &params);
    if (rc != 0) {
        return rc;
    }
    if (!params.has_suite || (params.suite & hs->offered) == 0 ||
        (params.suite & (params.suite - 1)) != 0) {
        return TERN_ERR_UNSUPPORTED;
    }
    conn->suite = params.suite;
    if (!tern_mode_is_xk(hs->pattern) && conn->env->config->accept &&
        memcmp(conn->peer_key, hs->work->static_public, TERN_KEY_SIZE) == 0) {
        return TERN_ERR_REFUSED; /* our own endpoint: somebody sends our words back to us */
    }
    if (hs->pattern == TERN_PATTERN_XX) { /* with a secret it is asked once the secret is proved */
        rc = ask_verify(conn);
    } else if (tern_mode_has_code(hs->pattern)) {
        rc = finish_code(conn, &hs->work->code, &params);
    }
    return rc == 0 ? send_message_3(conn, now) : rc;
}

/* --- both ---------------------------------------------------------------------------------------- */

/* What only the answer to message 1 needs is lent, so that half-open connections stay small. */
static int with_work(struct tern_conn *conn, struct tern_reader *r, tern_time now)
{
    uint8_t kem_room[TERN_KEM_PUBLIC_SIZE];
    struct tern_handshake_work work = {.static_secret = conn->env->secret_key,
                                       .static_public = conn->env->public_key,
                                       .kem_room = kem_room};
    conn->handshake->work = &work;
    int rc = on_message_1(conn, r, now);
    conn->handshake->work = NULL;
    tern_mem_wipe(&work, sizeof work);
    return rc;
}

static int on_message(struct tern_conn *conn, enum tern_level level, struct tern_reader *r,
                      tern_time now)
{
    uint8_t type = tern_read_u8(r);
    if (conn->is_server && level == TERN_LEVEL_INITIAL && type == 1 &&
        !conn->handshake->has_noise) {
        return with_work(conn, r, now);
    }
    if (conn->is_server && level == TERN_LEVEL_HANDSHAKE && type == 3) {
        return on_message_3(conn, r, now);
    }
    if (!conn->is_server && level == TERN_LEVEL_INITIAL && type == 2) {
        return on_message_2(conn, r, now);
    }
    return TERN_ERR_AGAIN;
}

int tern_handshake_on_crypto(struct tern_conn *conn, enum tern_level level, tern_time now)
{
    struct tern_crypto_flow *flow = &conn->spaces[level].crypto;
    size_t len = 0;
    const uint8_t *bytes = tern_crypto_flow_readable(flow, &len);
    if (len == 0) {
        return 0;
    }
    if (level == TERN_LEVEL_APP) {
        return tern_resume_on_crypto(conn); /* the flow's bound holds */
    }
    if (conn->handshake == NULL || conn->life.state != TERN_LIFE_HANDSHAKING) {
        return 0;
    }
    struct tern_reader r;
    tern_reader_init(&r, bytes, len);
    int rc = on_message(conn, level, &r, now);
    if (rc == TERN_ERR_BUFFER && level == TERN_LEVEL_INITIAL &&
        may_be_partial(conn, conn->handshake->pattern)) {
        conn->handshake->is_partial = true; /* the rest is on its way */
        return 0;
    }
    conn->handshake->is_partial = false;
    if (rc ==
        TERN_ERR_BUFFER) { /* a message stands whole in one packet: this only takes its place */
        rc = TERN_ERR_AGAIN;
    }
    if (rc == TERN_ERR_AGAIN) {
        tern_crypto_flow_forget(flow);
        return rc;
    }
    if (rc == 0 && !conn->spaces[level].is_discarded) {
        tern_crypto_flow_take(flow, len - tern_reader_left(&r));
    }
    return rc;
}

bool tern_handshake_has_verified(const struct tern_conn *conn)
{
    return conn->is_server ? conn->handshake == NULL || conn->handshake->has_noise
                           : conn->has_peer_key;
}

void tern_handshake_keep_early(struct tern_handshake *hs, struct tern_conn_env *env,
                               const uint8_t *data, size_t len, uint8_t ecn)
{
    if (hs == NULL || hs->early_count == TERN_EARLY_PACKETS_MAX ||
        len > TERN_EARLY_BYTES_MAX - hs->early_bytes ||
        env->early_bytes + len > TERN_EARLY_TOTAL_MAX) {
        return;
    }
    if (hs->early == NULL) {
        hs->early = tern_mem_alloc(env->mem, TERN_EARLY_PACKETS_MAX * sizeof *hs->early);
    }
    uint8_t *copy = hs->early == NULL ? NULL : tern_mem_alloc(env->mem, len);
    if (copy == NULL) {
        return; /* as good as lost on the way; the client sends it again */
    }
    memcpy(copy, data, len);
    hs->early_bytes += len;
    env->early_bytes += len;
    hs->early[hs->early_count++] = (struct tern_early_packet){.data = copy, .len = len, .ecn = ecn};
}
