/* The trace of packets that a peer has made: each event is one line of printable text, and one record of JSON,
 * whatever is in the frames; a buffer that is too small is never overrun, and the length is the same.
 *
 * Input: the kind of event, packet type, how small the buffer is, a number, then the payload.
 * SPDX-License-Identifier: MIT */
#include <tern/trace.h>

#include "reframe.h"

#define TEXT_MAX 60000
#define FRONT    10 /* before the payload */

/* --- JSON (RFC 8259), as strictly as it matters ---------------------------------------------------- */

static const char *value(const char *at, unsigned depth);

static const char *string(const char *at)
{
    FUZZ_CHECK(*at == '"');
    for (at++; *at != '"'; at++) {
        FUZZ_CHECK((unsigned char)*at >= 0x20 && (unsigned char)*at < 0x7f);
        if (*at == '\\') {
            at++;
            FUZZ_CHECK(strchr("\"\\/bfnrtu", *at) != NULL && *at != '\0');
            for (int i = 0; *at == 'u' && i < 4; i++) {
                FUZZ_CHECK(strchr("0123456789abcdefABCDEF", at[1 + i]) != NULL && at[1 + i] != 0);
            }
            at += *at == 'u' ? 4 : 0;
        }
    }
    return at + 1;
}

static const char *number(const char *at)
{
    const char *start = at;
    at += strspn(at, "0123456789");
    FUZZ_CHECK(at > start && (at == start + 1 || *start != '0'));
    if (*at == '.') {
        size_t digits = strspn(at + 1, "0123456789");
        FUZZ_CHECK(digits > 0);
        at += 1 + digits;
    }
    return at;
}

/* What stands between braces or brackets. */
static const char *list(const char *at, char end, unsigned depth)
{
    at++;
    while (*at != end) {
        if (end == '}') {
            at = string(at);
            FUZZ_CHECK(*at == ':');
            at++;
        }
        at = value(at, depth + 1);
        FUZZ_CHECK(*at == ',' || *at == end);
        if (*at == ',') {
            at++;
            FUZZ_CHECK(*at != end);
        }
    }
    return at + 1;
}

static const char *value(const char *at, unsigned depth)
{
    FUZZ_CHECK(depth < 12);
    if (*at == '{' || *at == '[') {
        return list(at, *at == '{' ? '}' : ']', depth);
    }
    if (*at == '"') {
        return string(at);
    }
    if (strncmp(at, "true", 4) == 0) {
        return at + 4;
    }
    return strncmp(at, "false", 5) == 0 ? at + 5 : number(at);
}

/* --- the events ------------------------------------------------------------------------------------- */

static void check_text(const tern_trace_event *event, size_t small)
{
    static char text[TEXT_MAX];
    char *cut = malloc(small + 1);
    FUZZ_CHECK(cut != NULL);
    size_t len = tern_trace_text(event, text, sizeof text);
    FUZZ_CHECK(len > 0);
    for (size_t i = 0; i < TERN_MIN(len, sizeof text - 1); i++) {
        FUZZ_CHECK((unsigned char)text[i] >= 0x20 && (unsigned char)text[i] < 0x7f);
    }
    FUZZ_CHECK(tern_trace_text(event, cut, small + 1) == len);
    FUZZ_CHECK(strncmp(cut, text, small) == 0 && strlen(cut) == TERN_MIN(len, small));
    free(cut);
}

static void check_qlog(const tern_trace_event *event, size_t small)
{
    static char text[TEXT_MAX];
    char *cut = malloc(small + 1);
    FUZZ_CHECK(cut != NULL);
    size_t len = tern_trace_qlog(event, text, sizeof text);
    FUZZ_CHECK(len > 3);
    if (len < sizeof text) {
        FUZZ_CHECK(strlen(text) == len && text[0] == 0x1e && text[len - 1] == '\n');
        FUZZ_CHECK(value(text + 1, 0) == text + len - 1);
    }
    FUZZ_CHECK(tern_trace_qlog(event, cut, small + 1) == len);
    FUZZ_CHECK(strncmp(cut, text, small) == 0 && memchr(cut, 0, small + 1) != NULL);
    free(cut);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return size <= FRONT || seed % 8 == 0
               ? LLVMFuzzerMutate(data, size, max_size)
               : FRONT + reframe_mutate(data + FRONT, size - FRONT, max_size - FRONT, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const texts[] = {"did not open", "established", "handshaking", "duplicate"};
    static const uint8_t types[] = {0, 1, 2, 4};
    struct fuzz_input in = {data, size};
    uint8_t what = fuzz_u8(&in);
    size_t small = fuzz_u8(&in);
    uint64_t seven = fuzz_number(&in, 8);
    tern_trace_event event = {.kind = (tern_trace_kind)(what % 6),
                              .now = seven,
                              .conn_number = seven >> 3,
                              .is_server = (what & 8) != 0,
                              .packet_type = types[what >> 4 & 3],
                              .packet_number = seven >> 2,
                              .packet_size = (size_t)(seven & 0xffff),
                              .text = texts[what >> 6],
                              .cwnd = seven,
                              .bytes_in_flight = seven,
                              .smoothed_rtt = seven,
                              .latest_rtt = seven};
    event.payload = fuzz_bytes(&in, 1500, &event.payload_len);
    check_text(&event, small);
    check_qlog(&event, small);
    return 0;
}
