/* Connect tokens: sealed by a matchmaker, opened by a server. [P §12.8]
 * SPDX-License-Identifier: MIT */
#include "conn/grant.h"

#include "conn/conn.h"
#include "wire/limits.h"

#define FORMAT    1
#define PLAIN_MAX (TERN_CONNECT_TOKEN_MAX - TERN_ITEM_HEADER - TERN_TOKEN_OVERHEAD)

static const uint8_t label[] = {'t', 'e', 'r', 'n', ' ', 'c', 'o', 'n', 'n', 'e', 'c', 't'};

void tern_connect_grant_init(tern_connect_grant *grant)
{
    memset(grant, 0, sizeof *grant);
    grant->size = sizeof *grant;
}

static bool is_sane(const tern_connect_grant *grant)
{
    return grant->size == sizeof *grant && grant->server_count <= TERN_CONNECT_SERVERS_MAX &&
           grant->data_len <= TERN_CONNECT_DATA_MAX &&
           (grant->data != NULL || grant->data_len == 0) && grant->expires > grant->issued &&
           grant->expires - grant->issued <= TERN_CONNECT_LIFE_MAX;
}

static void write_server(struct tern_writer *w, const tern_addr *addr)
{
    tern_write_u8(w, addr->family);
    tern_write_bytes(w, addr->ip, addr->family == 4 ? 4 : 16);
    tern_write_uint(w, addr->port, 2);
}

static void write_grant(struct tern_writer *w, const tern_connect_grant *grant)
{
    tern_write_u8(w, FORMAT);
    tern_write_uint(w, grant->issued, 8);
    tern_write_uint(w, grant->expires, 8);
    tern_write_bytes(w, grant->client_key, TERN_KEY_SIZE);
    tern_write_u8(w, (uint8_t)grant->server_count);
    for (size_t i = 0; i < grant->server_count; i++) {
        write_server(w, &grant->servers[i]);
    }
    tern_write_uint(w, grant->data_len, 2);
    tern_write_bytes(w, grant->data, grant->data_len);
}

int tern_connect_token_seal(uint8_t *out, size_t capacity, size_t *len,
                            const uint8_t key[TERN_CONNECT_KEY_SIZE],
                            const tern_connect_grant *grant)
{
    uint8_t plain[PLAIN_MAX];
    struct tern_writer w;
    struct tern_random random;
    static const tern_random_source system = {0};
    if (!is_sane(grant)) {
        return TERN_ERR_INVALID;
    }
    if (sodium_init() < 0) {
        return TERN_ERR_UNSUPPORTED;
    }
    tern_writer_init(&w, plain, sizeof plain);
    write_grant(&w, grant);
    tern_assert(!w.failed);
    size_t sealed = tern_writer_used(&w) + TERN_TOKEN_OVERHEAD;
    if (capacity < TERN_ITEM_HEADER + sealed) {
        return TERN_ERR_BUFFER;
    }
    tern_random_init(&random, &system);
    tern_token_seal(out + TERN_ITEM_HEADER, key, &random, label, sizeof label, plain,
                    tern_writer_used(&w));
    out[0] = TERN_ITEM_CONNECT;
    out[1] = (uint8_t)(sealed >> 8);
    out[2] = (uint8_t)sealed;
    *len = TERN_ITEM_HEADER + sealed;
    tern_mem_wipe(plain, sizeof plain);
    return 0;
}

static tern_addr read_server(struct tern_reader *r)
{
    tern_addr addr = {.family = tern_read_u8(r)};
    size_t size = addr.family == 4 ? 4 : 16;
    const uint8_t *ip = tern_read_bytes(r, size);
    if (ip != NULL) {
        memcpy(addr.ip, ip, size);
    }
    addr.port = (uint16_t)tern_read_uint(r, 2);
    return addr;
}

/* Is it for this server? Reads the whole list. */
static bool read_servers(struct tern_reader *r, const tern_addr *server)
{
    tern_addr own = *server;
    size_t count = tern_read_u8(r);
    bool is_here = count == 0;
    own.scope = 0;
    for (size_t i = 0; i < count; i++) {
        tern_addr addr = read_server(r);
        is_here = is_here || tern_addr_equal(&addr, &own);
    }
    return is_here;
}

int tern_grant_open(struct tern_grant *out, const struct tern_item *item,
                    const uint8_t key[TERN_CONNECT_KEY_SIZE], const tern_addr *server)
{
    uint8_t plain[PLAIN_MAX];
    struct tern_reader r;
    if (item->len < TERN_TOKEN_OVERHEAD || item->len > sizeof plain + TERN_TOKEN_OVERHEAD ||
        tern_token_open(plain, key, label, sizeof label, item->value, item->len) != 0) {
        return TERN_ERR_INVALID_TOKEN;
    }
    tern_reader_init(&r, plain, item->len - TERN_TOKEN_OVERHEAD);
    bool is_ours = tern_read_u8(&r) == FORMAT;
    out->issued = tern_read_uint(&r, 8);
    out->expires = tern_read_uint(&r, 8);
    const uint8_t *client_key = tern_read_bytes(&r, TERN_KEY_SIZE);
    bool is_here = read_servers(&r, server);
    out->data_len = (size_t)tern_read_uint(&r, 2);
    const uint8_t *data = tern_read_bytes(&r, out->data_len);
    if (r.failed || !is_ours || !is_here || out->data_len > TERN_CONNECT_DATA_MAX) {
        return TERN_ERR_INVALID_TOKEN; /* whoever has the key may still have sealed another format */
    }
    memcpy(out->client_key, client_key, TERN_KEY_SIZE);
    memcpy(out->data, data, out->data_len);
    memcpy(out->id, item->value, sizeof out->id);
    tern_mem_wipe(plain, sizeof plain);
    return 0;
}

static size_t size_of(const struct tern_grant *grant)
{
    return offsetof(struct tern_grant, data) + grant->data_len;
}

struct tern_grant *tern_grant_copy(const struct tern_grant *grant, struct tern_mem *mem)
{
    struct tern_grant *copy = tern_mem_alloc(mem, size_of(grant));
    if (copy != NULL) {
        memcpy((void *)copy, grant, size_of(grant));
    }
    return copy;
}

void tern_grant_free(struct tern_grant *grant, struct tern_mem *mem)
{
    if (grant != NULL) {
        tern_mem_wipe(grant, size_of(grant));
        tern_mem_free(mem, grant);
    }
}

int tern_conn_token_data(const tern_conn *conn, const uint8_t **data, size_t *len)
{
    if (conn->door.grant == NULL) {
        return TERN_ERR_STATE;
    }
    *data = conn->door.grant->data;
    *len = conn->door.grant->data_len;
    return 0;
}
