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
#include "conn/retry.h"
#include "crypto/keys.h"
#include "wire/limits.h"

#define MESSAGE_MAX  1100 /* a message with its envelope fits one padded Initial */
#define PARAMS_MAX   512
#define PROLOGUE_MAX 128

static const char name_xk[] = "Noise_XK_25519_ChaChaPoly_SHA256";
static const char name_xx[] = "Noise_XX_25519_ChaChaPoly_SHA256";

int tern_handshake_new(struct tern_handshake **out, struct tern_mem *mem)
{
    *out = tern_mem_zalloc(mem, sizeof **out);
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
    tern_mem_wipe(hs, sizeof *hs);
    tern_mem_free(mem, hs);
}

int tern_handshake_install_initial(struct tern_conn *conn)
{
    struct tern_handshake *hs = conn->handshake;
    uint8_t client[32], server[32];
    const uint8_t *key = conn->is_server ? conn->env->public_key : hs->server_key;
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
    tern_write_u8(&w, 0); /* no psk identity */
    tern_write_u8(&w, hs->original_dcid.len);
    tern_write_bytes(&w, hs->original_dcid.bytes, hs->original_dcid.len);
    tern_write_u8(&w, hs->client_scid.len);
    tern_write_bytes(&w, hs->client_scid.bytes, hs->client_scid.len);
    tern_write_u8(&w, hs->has_retry ? hs->initial_dcid.len : 0);
    tern_write_bytes(&w, hs->initial_dcid.bytes, hs->has_retry ? hs->initial_dcid.len : 0);
    tern_assert(!w.failed);
    return tern_writer_used(&w);
}

static int begin_noise(struct tern_conn *conn)
{
    struct tern_handshake *hs = conn->handshake;
    uint8_t prologue[PROLOGUE_MAX];
    size_t len = write_prologue(hs, prologue);
    bool is_xk = hs->pattern == TERN_PATTERN_XK;
    struct tern_noise_setup setup = {
        .protocol_name = is_xk ? name_xk : name_xx,
        .is_initiator = !conn->is_server,
        .prologue = prologue,
        .prologue_len = len,
        .static_secret = conn->env->secret_key,
        .static_public = conn->env->public_key,
        .remote_static = is_xk && !conn->is_server ? hs->server_key : NULL,
    };
    int rc = tern_noise_init(&hs->noise, &setup);
    hs->has_noise = rc == 0;
    return rc;
}

static int encode_params(const struct tern_conn *conn, uint16_t suite, uint8_t out[PARAMS_MAX],
                         size_t *len)
{
    struct tern_params params;
    struct tern_writer w;
    tern_conn_local_params(conn, &params);
    if (suite != 0) {
        params.has_suite = true;
        params.suite = suite;
    }
    tern_writer_init(&w, out, PARAMS_MAX);
    tern_params_encode(&w, &params);
    *len = tern_writer_used(&w);
    return w.failed ? TERN_ERR_INTERNAL : 0;
}

/* Writes the next Noise message with its payload behind the envelope that `w` holds already, and
 * queues the whole at a level. */
static int send_message(struct tern_conn *conn, enum tern_level level, struct tern_writer *w,
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
    return tern_crypto_flow_write(&conn->spaces[level].crypto, w->start, tern_writer_used(w));
}

int tern_handshake_start(struct tern_conn *conn)
{
    struct tern_handshake *hs = conn->handshake;
    uint8_t message[MESSAGE_MAX], payload[PARAMS_MAX];
    size_t payload_len = 0;
    struct tern_writer w;
    int rc = begin_noise(conn);
    if (rc == 0) {
        rc = encode_params(conn, 0, payload, &payload_len);
    }
    if (rc != 0) {
        return rc;
    }
    tern_writer_init(&w, message, sizeof message);
    tern_write_u8(&w, 1);
    tern_write_u8(&w, hs->pattern);
    tern_write_uint(&w, hs->offered, 2);
    tern_write_u8(&w, 0);      /* no psk identity */
    tern_write_uint(&w, 0, 2); /* no ticket */
    return send_message(conn, TERN_LEVEL_INITIAL, &w, payload, payload_len);
}

/* Handshake keys come from the state after message 2, which both ends share then. */
int tern_handshake_install_handshake(struct tern_conn *conn)
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

/* Message 3 is done at this end: packet keys from Split(), the exporter from the last state. */
static int install_app(struct tern_conn *conn)
{
    uint8_t client[32], server[32];
    int rc = tern_noise_export(&conn->handshake->noise, "exporter", conn->exporter);
    if (rc == 0) {
        rc = tern_noise_split(&conn->handshake->noise, client, server);
    }
    if (rc == 0) {
        conn->has_exporter = true;
        rc = tern_space_install(&conn->spaces[TERN_LEVEL_APP], conn->suite,
                                conn->is_server ? server : client,
                                conn->is_server ? client : server);
    }
    tern_mem_wipe(client, sizeof client);
    tern_mem_wipe(server, sizeof server);
    return rc;
}

/* Our ranking over what the client offered; 0: nothing in common. */
static unsigned choose_suite(const struct tern_conn *conn)
{
    unsigned ranked[4];
    (void)tern_suites_available(ranked);
    for (size_t i = 0; i < TERN_COUNT_OF(ranked); i++) {
        if ((ranked[i] & conn->env->suites & conn->handshake->offered) != 0) {
            return ranked[i];
        }
    }
    return 0;
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
    return rc == 0 ? tern_conn_on_params(conn, params) : rc;
}

static int ask_verify(struct tern_conn *conn)
{
    const tern_config *config = conn->env->config;
    if (conn->grant != NULL &&
        sodium_memcmp(conn->grant->client_key, conn->peer_key, TERN_KEY_SIZE) != 0) {
        return TERN_ERR_REFUSED; /* somebody else's token */
    }
    if (config->verify == NULL) {
        return 0;
    }
    return config->verify(config->verify_user, conn, conn->peer_key) == 0 ? 0 : TERN_ERR_REFUSED;
}

/* --- server -------------------------------------------------------------------------------------- */

static int answer_message_1(struct tern_conn *conn)
{
    uint8_t message[MESSAGE_MAX], payload[PARAMS_MAX];
    size_t payload_len = 0;
    struct tern_writer w;
    conn->suite = choose_suite(conn);
    if (conn->suite == 0) {
        return TERN_ERR_UNSUPPORTED;
    }
    int rc = encode_params(conn, (uint16_t)conn->suite, payload, &payload_len);
    if (rc != 0) {
        return rc;
    }
    tern_writer_init(&w, message, sizeof message);
    tern_write_u8(&w, 2);
    rc = send_message(conn, TERN_LEVEL_INITIAL, &w, payload, payload_len);
    return rc == 0 ? tern_handshake_install_handshake(conn) : rc;
}

static int on_message_1(struct tern_conn *conn, struct tern_reader *r)
{
    struct tern_handshake *hs = conn->handshake;
    struct tern_params params;
    uint8_t payload[MESSAGE_MAX];
    size_t payload_len = 0;
    hs->pattern = tern_read_u8(r);
    hs->offered = (uint16_t)tern_read_uint(r, 2);
    (void)tern_read_bytes(r, tern_read_u8(r));      /* psk identity: none that we know */
    (void)tern_read_bytes(r, tern_read_uint(r, 2)); /* ticket: none that we gave */
    size_t len = (size_t)tern_read_uint(r, 2);
    const uint8_t *noise = tern_read_bytes(r, len);
    if (r->failed) {
        return TERN_ERR_BUFFER;
    }
    if (hs->pattern != (hs->is_keyed ? TERN_PATTERN_XK : TERN_PATTERN_XX) ||
        begin_noise(conn) != 0) {
        return TERN_ERR_AGAIN;
    }
    if (tern_noise_read(&hs->noise, noise, len, payload, sizeof payload, &payload_len) != 0) {
        tern_noise_clear(&hs->noise);
        hs->has_noise = false;
        return TERN_ERR_AGAIN;
    }
    int rc = take_params(conn, payload, payload_len, &params);
    return rc == 0 ? answer_message_1(conn) : rc;
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
    if (tern_noise_read(&hs->noise, noise, len, payload, sizeof payload, &payload_len) != 0) {
        return TERN_ERR_AGAIN;
    }
    memcpy(conn->peer_key, tern_noise_remote_static(&hs->noise), TERN_KEY_SIZE);
    conn->has_peer_key = true;
    int rc = install_app(conn);
    if (rc == 0) {
        rc = tern_conn_on_complete(conn, now); /* before the question, so that a refusal has keys */
    }
    if (rc == 0) {
        rc = ask_verify(conn);
    }
    if (rc == 0) {
        tern_conn_announce(conn);
    }
    return rc;
}

/* --- client -------------------------------------------------------------------------------------- */

static int send_message_3(struct tern_conn *conn, tern_time now)
{
    uint8_t message[MESSAGE_MAX];
    struct tern_writer w;
    int rc = tern_handshake_install_handshake(conn);
    if (rc != 0) {
        return rc;
    }
    tern_writer_init(&w, message, sizeof message);
    tern_write_u8(&w, 3);
    rc = send_message(conn, TERN_LEVEL_HANDSHAKE, &w, NULL, 0);
    if (rc == 0) {
        rc = install_app(conn);
    }
    if (rc == 0) {
        rc = tern_conn_on_complete(conn, now);
    }
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
    tern_cids_set_remote(&conn->cids, &hs->server_scid);
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
    if (hs->pattern == TERN_PATTERN_XX) {
        rc = ask_verify(conn);
    }
    return rc == 0 ? send_message_3(conn, now) : rc;
}

/* --- both ---------------------------------------------------------------------------------------- */

static int on_message(struct tern_conn *conn, enum tern_level level, struct tern_reader *r,
                      tern_time now)
{
    uint8_t type = tern_read_u8(r);
    if (conn->is_server && level == TERN_LEVEL_INITIAL && type == 1 &&
        !conn->handshake->has_noise) {
        return on_message_1(conn, r);
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
    if (conn->handshake == NULL || level == TERN_LEVEL_APP ||
        conn->life.state != TERN_LIFE_HANDSHAKING) {
        return 0; /* nothing of ours comes after message 3; the flow's bound holds (S3) */
    }
    struct tern_reader r;
    tern_reader_init(&r, bytes, len);
    int rc = on_message(conn, level, &r, now);
    if (rc == TERN_ERR_BUFFER) {
        rc =
            TERN_ERR_AGAIN; /* a message stands whole in one packet: this one only takes up its place */
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
