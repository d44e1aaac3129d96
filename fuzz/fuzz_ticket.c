/* What an application keeps for a client, and codes that people type: both are read with care.
 *
 * Input: one byte (bit 0: the rest is laid as a mask over a true ticket, else it is a code, and the ticket
 * itself), then the bytes.
 * SPDX-License-Identifier: MIT */
#include <tern/tern.h>

#include "crypto/code.h"
#include "fuzz.h"

#define TICKET_MAX 600

static tern_endpoint *ends[2]; /* the client, the server */
static uint8_t server_key[TERN_KEY_SIZE], ticket[TICKET_MAX];
static size_t ticket_len;
static uint64_t random_state = 1;

static tern_addr address(size_t end)
{
    return (tern_addr){.family = 4, .ip = {10, 0, 0, (uint8_t)end}, .port = 4433};
}

static bool speak(size_t from)
{
    static uint8_t buf[20000];
    tern_train train = {.data = buf, .capacity = sizeof buf};
    if (tern_endpoint_transmit(ends[from], &train, TERN_SEC) <= 0) {
        return false;
    }
    tern_datagram in = {.local = address(1 - from),
                        .remote = address(from),
                        .data = buf,
                        .len = train.len,
                        .segment = train.segment};
    FUZZ_CHECK(tern_endpoint_receive(ends[1 - from], &in, 1, TERN_SEC) == 0);
    return true;
}

static void poll_all(void)
{
    tern_event ev;
    for (size_t i = 0; i < 2; i++) {
        while (tern_endpoint_poll(ends[i], &ev) == 1) {
            if (ev.type == TERN_EVENT_TICKET && ticket_len == 0) {
                FUZZ_CHECK(ev.ticket_len <= sizeof ticket);
                memcpy(ticket, ev.ticket, ev.ticket_len);
                ticket_len = ev.ticket_len;
            }
        }
    }
}

static int connect(const uint8_t *bytes, size_t len, tern_conn **conn)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = address(1);
    peer.key = server_key;
    peer.ticket = bytes;
    peer.ticket_len = len;
    return tern_endpoint_connect(ends[0], &peer, conn, TERN_SEC);
}

/* Two endpoints that have met. */
static void begin(void)
{
    static const uint8_t secrets[2][TERN_KEY_SIZE] = {{8}, {16}};
    tern_conn *conn;
    for (size_t i = 0; i < 2; i++) {
        tern_config config;
        tern_config_init(&config);
        config.random.fill = fuzz_fill;
        config.random.user = &random_state;
        config.secret_key = secrets[i];
        config.accept = config.early_data = i == 1;
        FUZZ_CHECK(tern_endpoint_new(&ends[i], &config, TERN_SEC) == 0);
    }
    tern_endpoint_public_key(ends[1], server_key);
    FUZZ_CHECK(connect(NULL, 0, &conn) == 0);
    for (int i = 0; i < 20; i++) {
        while (speak(0) || speak(1)) {
        }
        poll_all();
    }
    FUZZ_CHECK(ticket_len > 0);
}

static void try_ticket(const uint8_t *bytes, size_t len)
{
    tern_conn *conn;
    tern_stream *stream;
    int rc = connect(bytes, len, &conn);
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_INVALID);
    if (rc != 0) {
        return;
    }
    if (tern_conn_open_stream(conn, TERN_STREAM_BIDI, &stream) == 0) {
        FUZZ_CHECK(tern_stream_set_early(stream) == 0);
        FUZZ_CHECK(tern_stream_write(stream, "hello", 5, TERN_FIN) == 5);
    }
    for (int i = 0; i < 4; i++) {
        while (speak(0) || speak(1)) {
        }
        poll_all();
    }
    FUZZ_CHECK(tern_conn_early(conn) != TERN_EARLY_PENDING);
    tern_endpoint_free(ends[0]);
    tern_endpoint_free(ends[1]);
    ends[0] = NULL;
    ticket_len = 0;
}

static void try_code(const uint8_t *bytes, size_t len)
{
    char text[200];
    struct tern_code code, again;
    len = TERN_MIN(len, sizeof text - 1);
    memcpy(text, bytes, len);
    text[len] = '\0';
    int rc = tern_code_parse(&code, text);
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_INVALID);
    if (rc == 0) { /* its one form is its own */
        memcpy(text, code.text, code.len);
        text[code.len] = '\0';
        FUZZ_CHECK(tern_code_parse(&again, text) == 0);
        FUZZ_CHECK(memcmp(&code, &again, sizeof code) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t bytes[TICKET_MAX];
    size_t len;
    if (ends[0] == NULL) {
        begin();
    }
    bool is_mask = (fuzz_u8(&in) & 1) != 0;
    const uint8_t *rest = fuzz_bytes(&in, sizeof bytes, &len);
    if (!is_mask) {
        try_code(rest, len);
        try_ticket(rest, len);
        return 0;
    }
    memcpy(bytes, ticket, ticket_len);
    for (size_t i = 0; i < len && i < ticket_len; i++) {
        bytes[i] ^= rest[i];
    }
    try_ticket(bytes, ticket_len);
    return 0;
}
