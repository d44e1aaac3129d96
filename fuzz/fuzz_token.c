/* Tokens that a server has made and that come back to it: of a Retry, of an address, of a matchmaker. One opens
 * only as it was made, from where it was made for, and in its time; the door judges any list of them.
 *
 * Input: four bytes (which token, where it comes from, when, at which item of the list it is laid), then the
 * rest: a mask over the token, or with bit 3 of the first byte a token field for the door.
 * SPDX-License-Identifier: MIT */
#include "conn/grant.h"
#include "endpoint/door.h"
#include "endpoint/endpoint.h"
#include "fuzz.h"

#define FIELD_MAX 1200
#define NOW       (3600 * TERN_SEC)
#define WALL      1700000000u

static tern_endpoint *servers[2]; /* the second one wants a connect token */
static const uint8_t connect_key[TERN_CONNECT_KEY_SIZE] = {7};
static uint64_t random_state = 1;
static uint8_t tokens[3][TERN_CONNECT_TOKEN_MAX]; /* whole items */
static size_t lens[3];
static const struct tern_cid odcid = {8, {1, 2, 3, 4, 5, 6, 7, 8}}, dcid = {8, {8, 7, 6, 5}};

static tern_addr address(uint8_t last, uint16_t port)
{
    return (tern_addr){.family = 4, .ip = {10, 0, 0, last}, .port = port};
}

static void begin(void)
{
    static const uint8_t secret[TERN_KEY_SIZE] = {9};
    for (size_t i = 0; i < 2; i++) {
        tern_config config;
        tern_config_init(&config);
        config.random = (tern_random_source){.fill = fuzz_fill, .user = &random_state};
        config.secret_key = secret;
        config.accept = true;
        config.unix_time = WALL;
        config.connect_token_key = i == 1 ? connect_key : NULL;
        FUZZ_CHECK(tern_endpoint_new(&servers[i], &config, NOW) == 0);
    }
    tern_addr local = address(1, 4433), remote = address(2, 5000);
    const struct tern_proofs *proofs = &servers[0]->door.proofs;
    lens[0] = tern_proofs_seal_retry(proofs, tokens[0], &servers[0]->random, &local, &remote, &dcid,
                                     &odcid, NOW);
    tern_proofs_seal_address(proofs, tokens[1], &servers[0]->random, &remote, NOW);
    lens[1] = TERN_ADDRESS_ITEM;
    tern_connect_grant grant;
    tern_connect_grant_init(&grant);
    grant.issued = WALL;
    grant.expires = WALL + 60;
    grant.servers[0] = local;
    grant.server_count = 1;
    grant.data = connect_key;
    grant.data_len = sizeof connect_key;
    FUZZ_CHECK(
        tern_connect_token_seal(tokens[2], sizeof tokens[2], &lens[2], connect_key, &grant) == 0);
}

/* Where it comes from, and when, as the input says; true if that is right for the kind of token. */
static bool place(unsigned kind, uint8_t where, uint8_t when, tern_addr *local, tern_addr *remote,
                  struct tern_cid *to, tern_time *now)
{
    *local = address(1, where & 1 ? 4434 : 4433);
    *remote = address(where & 2 ? 3 : 2, where & 4 ? 5001 : 5000);
    *to = dcid;
    to->bytes[0] ^= where >> 4 & 1;
    *now = NOW + ((tern_time)when << 36) / 16; /* four seconds to a quarter of an hour */
    *now = when == 255 ? NOW - TERN_SEC : *now;
    if (kind == 0) {
        tern_time life = servers[0]->door.proofs.retry_life_ms * TERN_MSEC;
        return (where & 0x17) == 0 && (*now <= NOW || *now - NOW <= life);
    }
    return kind == 1 ? (where & 2) == 0 : (where & 1) == 0;
}

static bool opens(unsigned kind, const struct tern_item *item, const tern_addr *local,
                  const tern_addr *remote, const struct tern_cid *to, tern_time now)
{
    const struct tern_proofs *proofs = &servers[0]->door.proofs;
    struct tern_cid original = {0};
    struct tern_grant grant;
    if (kind == 0) {
        int rc = tern_proofs_open_retry(proofs, item, local, remote, to, &original, now);
        FUZZ_CHECK(rc == TERN_ERR_INVALID_TOKEN || (rc == 0 && tern_cid_equal(&original, &odcid)));
        return rc == 0;
    }
    if (kind == 1) {
        return tern_proofs_open_address(proofs, item, remote, now);
    }
    int rc = tern_grant_open(&grant, item, connect_key, local);
    FUZZ_CHECK(rc == TERN_ERR_INVALID_TOKEN || rc == 0);
    return rc == 0;
}

/* The server that says nothing of a token's kind must not be led astray by its place in the list. */
static void judge(const uint8_t *field, size_t len, uint8_t where, uint8_t when)
{
    struct tern_header header = {.type = TERN_PACKET_INITIAL, .token = field, .token_len = len};
    for (size_t i = 0; i < 2; i++) {
        struct tern_conn_first first = {0};
        tern_time now;
        (void)place(0, where, when, &first.local, &first.remote, &first.dcid, &now);
        struct tern_door_verdict verdict = tern_door_judge(servers[i], &first, &header, now);
        FUZZ_CHECK(verdict.answer <= TERN_DOOR_DROP);
        FUZZ_CHECK(verdict.answer != TERN_DOOR_REFUSE || verdict.reason != NULL);
        FUZZ_CHECK(!first.has_retry ||
                   (first.is_proved && tern_cid_equal(&first.original, &odcid)));
        FUZZ_CHECK(i == 0 || verdict.answer != TERN_DOOR_ADMIT || first.grant != NULL);
    }
}

static void check_retry_tag(const uint8_t *bytes, size_t len)
{
    uint8_t tag[TERN_TOKEN_TAG_SIZE], public[TERN_KEY_SIZE];
    struct tern_retry_keys keys;
    tern_endpoint_public_key(servers[0], public);
    tern_retry_keys_init(&keys, public);
    tern_retry_tag(tag, &keys, odcid.bytes, odcid.len, bytes, len);
    FUZZ_CHECK(tern_retry_verify(tag, public, odcid.bytes, odcid.len, bytes, len));
    FUZZ_CHECK(tern_retry_verify(tag, NULL, odcid.bytes, odcid.len, bytes, len));
    FUZZ_CHECK(len == 0 || !tern_retry_verify(tag, public, odcid.bytes, odcid.len, bytes, len - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t field[FIELD_MAX] = {0};
    struct tern_reader reader;
    struct tern_item item;
    if (servers[0] == NULL) {
        begin();
    }
    uint8_t mode = fuzz_u8(&in), where = fuzz_u8(&in), when = fuzz_u8(&in);
    unsigned kind = mode % 3;
    size_t at = fuzz_u8(&in), len; /* TERN_ITEM_RETRY, _ADDRESS and _CONNECT follow each other */
    const uint8_t *bytes = fuzz_bytes(&in, FIELD_MAX - 300, &len);
    if (len > 0) {
        memcpy(field, bytes, len);
    }
    bool is_same = true;
    if ((mode & 8) == 0) { /* a mask over the token */
        len = lens[kind];
        for (size_t i = 0; i < len; i++) {
            is_same = is_same && field[i] == 0;
            field[i] ^= tokens[kind][i];
        }
    } else if ((mode & 16) != 0) { /* the true one somewhere in the list */
        at = TERN_MIN(at, len);
        memmove(field + at + lens[kind], field + at,
                TERN_MIN(len - at, FIELD_MAX - at - lens[kind]));
        memcpy(field + at, tokens[kind], lens[kind]);
        len = TERN_MIN(len + lens[kind], FIELD_MAX);
    }
    judge(field, len, where, when);
    check_retry_tag(field, len);
    tern_reader_init(&reader, field, len);
    while (tern_item_next(&reader, &item)) {
        tern_addr local, remote;
        struct tern_cid to;
        tern_time now;
        bool is_right = place(kind, where, when, &local, &remote, &to, &now);
        if (item.type != TERN_ITEM_RETRY + kind) { /* the door asks for no other then */
            continue;
        }
        bool is_open = opens(kind, &item, &local, &remote, &to, now);
        FUZZ_CHECK((mode & 8) != 0 || is_open == (is_right && is_same));
    }
    return 0;
}
