/* Seeds of the targets whose input is a course of operations: a plain course each, and some drizzle.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "fuzz.h"
#include "seeds.h"
#include "ternchat/proto.h"

#define SAVE(target, name, ...)                                                                    \
    do {                                                                                           \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                             \
        save(target, name, bytes_, sizeof bytes_);                                                 \
    } while (0)

/* Octets without meaning, as many as a course has, for what is hard to think of. */
static void drizzle(const char *target, size_t len)
{
    uint8_t buf[600];
    char name[32];
    uint64_t state = len;
    for (int i = 0; i < 3; i++) {
        fuzz_fill(&state, buf, len);
        (void)snprintf(name, sizeof name, "drizzle-%d", i);
        save(target, name, buf, len);
    }
}

/* --- the rooms' parts ------------------------------------------------------------------------------- */

static void seed_seals(void)
{
    SAVE("fuzz_chat_lies", "read", 2, 0, 0, 6, 5, 'h', 'e', 'l', 'l', 'o', 7, 0, 0, 7, 0, 0, 6,
         0x82, 'h', 'i', 4, 0, 7, 1, 0);
    SAVE("fuzz_chat_lies", "disorder", 2, 0, 0, 6, 1, 'a', 6, 1, 'b', 6, 1, 'c', 7, 2, 0, 7, 0, 0,
         5, 0x80, 7, 1, 0, 7, 0x40, 0, 7, 0x80, 0, 7, 0xc0, 0);
    SAVE("fuzz_chat_lies", "chains", 2, 0, 0, 6, 1, 'a', 5, 1, 0, 0, 6, 1, 'b', 2, 1, 0, 7, 1, 0, 7,
         0, 0, 5, 0xc0, 0, 9, 1, 3, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    drizzle("fuzz_chat_lies", 250);
}

static void seed_parts(void)
{
    SAVE("fuzz_ranges", "holes", 0x07, 0, 0, 1, 0, 9, 0, 0, 20, 0, 30, 0, 0, 11, 0, 19, 4, 0, 5, 0,
         25, 3, 0, 10, 0, 0, 5, 0, 7, 0, 0, 6, 0, 0, 0, 0, 7, 0, 0, 0, 0);
    SAVE("fuzz_inbuf", "in-order", 3, 0, 0, 0x10, 0, 3, 0, 0, 0x70, 0, 0, 0x80, 0, 0, 0x10, 0);
    SAVE("fuzz_inbuf", "gaps", 3, 1, 0, 0x10, 0, 3, 8, 0, 2, 0, 2, 0, 9, 3, 0, 3, 0, 0, 8, 0, 0,
         0xff, 0xff, 2, 0, 9, 3, 0);
    SAVE("fuzz_outbuf", "all-arrives", 1, 0, 0x20, 0, 1, 0x30, 0, 3, 4, 0, 3, 4, 0, 6, 0, 6, 1, 2,
         3, 0xff, 0xff, 3, 0xff, 0xff, 6, 2, 6, 3);
    SAVE("fuzz_outbuf", "losses", 1, 1, 0x20, 0, 0, 1, 0, 3, 4, 0, 3, 4, 0, 3, 1, 0, 5, 0, 6, 1, 3,
         9, 0, 5, 2, 3, 0, 5, 3, 9, 0, 6, 0, 2, 3, 9, 9, 6, 5);
    SAVE("fuzz_acks", "in-order", 1, 0x80, 0x80, 4, 0x80, 5, 0x82, 0x83, 0x14, 5, 6, 9, 0x80, 4);
    SAVE("fuzz_acks", "disorder", 1, 0x80, 0xa0, 5, 0x80, 4, 0x90, 3, 0xb0, 1, 0, 0, 0x80, 4, 5, 7,
         2, 4, 3, 0, 9, 0x80, 0x0f, 0x80, 4);
    SAVE("fuzz_recovery", "losses", 0x80, 0x40, 0x80, 0x60, 0x1c, 0x80, 0x80, 0x43, 9, 2, 0, 0, 0,
         0x63, 9, 5, 0x80, 2, 0, 2, 0, 6, 0x07, 0x80, 0x80, 0x83, 200, 2, 0, 9, 0, 0x0f);
    for (uint8_t which = 0; which < 6; which++) {
        uint8_t course[200] = {which};
        for (size_t i = 1; i + 6 <= sizeof course; i += 6) { /* a window, a round trip, its ACKs */
            static const uint8_t plain[] = {0, 0x73, 90, 6, 0, 60},
                                 lossy[] = {1, 0x73, 99, 7, 3, 20};
            memcpy(course + i, i % 5 == 0 ? lossy : plain, 6);
        }
        char name[] = "controller-0";
        name[11] = (char)('0' + which);
        save("fuzz_cc", name, course, sizeof course);
    }
    drizzle("fuzz_ranges", 200);
    drizzle("fuzz_inbuf", 120);
    drizzle("fuzz_outbuf", 150);
    drizzle("fuzz_acks", 200);
    drizzle("fuzz_recovery", 300);
    drizzle("fuzz_cc", 400);
}

static void seed_packets(void)
{
    SAVE("fuzz_packet", "short", 0, 8, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 200, 0, 0, 1, 0, 'f', 'r');
    SAVE("fuzz_packet", "long", 0x46, 20, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 1, 0, 9, 1, 'f',
         'r');
    SAVE("fuzz_token", "retry", 0, 0, 0, 0);
    SAVE("fuzz_token", "retry-moved", 0, 2, 1, 0);
    SAVE("fuzz_token", "address", 1, 0, 9, 0);
    SAVE("fuzz_token", "connect", 2, 0, 1, 0);
    SAVE("fuzz_token", "connect-changed", 2, 0, 1, 0, 0, 0, 0, 0, 0, 1);
    SAVE("fuzz_token", "list", 0x18, 0, 1, 6, 9, 0, 3, 1, 2, 3, 2, 0, 1, 1);
}

/* --- two endpoints ----------------------------------------------------------------------------------- */

/* Ops as pair.c and the target have them: 0xf8 and 0xf0 let all through, 0x54 is time. */
static void seed_pairs(void)
{
    SAVE("fuzz_network", "handshake", 0, 0xf0, 0xf8, 0xf0, 0x54, 0xf8, 0xf0, 0x0f, 0x05, 0, 9, 0,
         0xf0, 0x54, 0xf8, 0xf0);
    SAVE("fuzz_network", "streams", 0x80, 0x0f, 0x07, 0x1f, 0x0d, 0, 0x20, 0, 0xf0, 0x54, 0x05, 1,
         9, 0, 0x1d, 0, 9, 0, 0xf8, 0xf0, 0x64, 0x0d, 2, 9, 9, 0x22, 0x01, 7, 0xf0);
    SAVE("fuzz_network", "messages", 0x88, 0x0e, 0, 1, 0, 0x1e, 4, 2, 0, 0x2e, 8, 9, 0, 0x12, 0xf0,
         0x06, 0, 1, 0, 0xf8, 0x94, 0xee, 2, 0, 0x0e, 1, 1, 0, 0x13, 3, 3, 0xf0);
    SAVE("fuzz_network", "roaming", 0xc2, 0x0f, 0x0d, 0, 9, 0, 0x11, 1, 0x64, 0xf8, 0xee, 1, 0xee,
         0, 1, 0x74, 0xf0, 0xf8, 0x51, 0x0b, 0xf0, 0xf8);
    SAVE("fuzz_reseal", "handshake", 4, 0, 0x09, 0, 0x0a, 0, 3, 2, 9, 7, 0x0b, 6, 0, 0, 1, 2);
    SAVE("fuzz_reseal", "streams", 8, 0x14, 0x1c, 0x74, 0x01, 5, 0, 9, 8, 1, 2, 3, 0x1a, 6, 0, 1, 0,
         6, 0, 1, 200, 0x06, 0xf0, 0x16, 0xf8, 0x84, 0x9c, 0x03, 0, 0, 9, 9);
    SAVE("fuzz_reseal", "early", 12, 0x01, 6, 0, 1, 0, 0x02, 1, 0, 5, 0, 6, 3, 1, 2, 0x06, 0xf0,
         0x06, 0xf8, 0xe4, 0x0c, 0x01, 2, 0, 0xd4, 0x02, 3, 1, 6, 0, 0, 9);
    SAVE("fuzz_api", "streams", 0, 7, 1, 0, 0, 18, 9, 8, 0, 8, 64, 0, 0, 90, 1, 0, 90, 18, 4, 0x82,
         0, 0x83, 0, 3, 18, 9, 4, 1, 13, 0, 9, 12, 0, 10, 0, 18, 9);
    SAVE("fuzz_api", "messages", 0, 7, 1, 0, 0, 18, 9, 10, 0, 0, 9, 1, 3, 0, 0, 7, 0, 10, 0, 0x85,
         9, 2, 1, 5, 0, 8, 0, 18, 5, 0x8e, 0, 12, 0, 6, 8, 12, 0, 5, 0, 50, 15, 9, 15, 255, 18, 10);
    SAVE("fuzz_api", "short-memory", 0xf8, 20, 7, 0, 0, 0, 17, 5, 18, 9, 8, 0, 17, 1, 0, 0, 99, 18,
         9);
    drizzle("fuzz_network", 250);
    drizzle("fuzz_reseal", 200);
    drizzle("fuzz_api", 300);
}

/* --- text and the chat's client -------------------------------------------------------------------------- */

static void put_record(struct tern_writer *w, unsigned channel, const struct chat_packet *p)
{
    uint8_t buf[800];
    size_t len = chat_encode(p, buf, sizeof buf);
    if (len == 0) {
        failed("a packet of the chat");
    }
    tern_write_u8(w, 5);
    tern_write_u8(w, (uint8_t)channel);
    tern_write_uint(w, len, 2);
    tern_write_bytes(w, buf, len);
}

static void put_line(struct tern_writer *w, uint8_t how, const char *text)
{
    tern_write_u8(w, 1);
    tern_write_u8(w, how);
    tern_write_uint(w, strlen(text), 2);
    tern_write_bytes(w, text, strlen(text));
}

/* A person who comes into a room, hears and says something, and looks at it. */
static void seed_chat_client(void)
{
    static const char *const lines[] = {"/join den",  "hello",     "/me waves",   "/topic t",
                                        "/nick bob",  "/members",  "/search hel", "/list",
                                        "/msg bob x", "/kick bob", "/help",       "/leave"};
    uint8_t buf[4096], member[80];
    struct tern_writer w;
    struct chat_member who = {.key = {2}, .nick = chat_text("bob")};
    struct chat_packet welcome = {.type = CHAT_WELCOME, .version = CHAT_VERSION, .key = {1}};
    welcome.nick = chat_text("ann");
    welcome.text = chat_text("be\x1b[2Jnice");
    struct chat_packet joined = {.type = CHAT_JOINED, .seq = 3, .room = chat_text("den")};
    joined.text = chat_text("all of it");
    joined.body = (struct chat_slice){member, chat_member_encode(&who, member, sizeof member)};
    struct chat_packet event = {.type = CHAT_EVENT, .kind = CHAT_KIND_TEXT, .key = {2}};
    event.nick = chat_text("bob");
    event.body = chat_text("hi ann \xe6\xbc\xa2\xe2\x80\xae");
    tern_writer_init(&w, buf, sizeof buf);
    put_record(&w, 0, &welcome);
    put_line(&w, 9, lines[0]);
    put_record(&w, 1, &joined);
    for (unsigned i = 1; i < TERN_COUNT_OF(lines); i++) {
        event.seq = 3 + i;
        event.kind = i % 3 == 0 ? CHAT_KIND_JOIN : i % 3 == 1 ? CHAT_KIND_TEXT : CHAT_KIND_LEAVE;
        put_record(&w, 1, &event);
        put_line(&w, 9, lines[i]);
        tern_write_bytes(&w, "\3\30\120\4\x50", 5);
    }
    save("fuzz_chat_client", "talk", buf, tern_writer_used(&w));
    tern_writer_init(&w, buf, sizeof buf);
    put_record(&w, 0, &welcome);
    put_line(&w, 0x43, "/jo");
    put_record(&w, 1, &joined);
    tern_write_bytes(&w, "\0\0\0\1\0\2\0\3\4\xff\0\2hi", 14);
    put_record(&w, 0, &(struct chat_packet){.type = CHAT_ROOMS, .room = chat_text("den")});
    put_record(&w, 0, &(struct chat_packet){.type = CHAT_FOUND, .id = 1, .kind = 1});
    put_record(&w, 0, &(struct chat_packet){.type = CHAT_FOUND, .id = 1});
    put_record(&w, 0,
               &(struct chat_packet){.type = CHAT_INVITED, .text = chat_text("7-orbit-salmon")});
    put_record(&w, 0,
               &(struct chat_packet){.type = CHAT_REFUSED, .code = 5, .id = 1, .channel = 1});
    put_record(&w, 1, &(struct chat_packet){.type = CHAT_PARTED, .text = chat_text("out")});
    save("fuzz_chat_client", "answers", buf, tern_writer_used(&w));
}

static void save_text(const char *name, const char *text)
{
    uint8_t buf[300] = {20, 40};
    size_t len = TERN_MIN(strlen(text), sizeof buf - 2);
    memcpy(buf + 2, text, len);
    save("fuzz_text", name, buf, 2 + len);
}

static void seed_texts(void)
{
    save_text("words", "hello, a line of words that is longer than the screen is wide");
    save_text("controls", "a\x1b[31mred\x07\x08 \x7f\xc2\x85 \r\n\tend");
    save_text("turned", "a\xe2\x80\xae"
                        "b\xe2\x81\xa6"
                        "c\xe2\x80\x8b\xef\xb8\x8f\xf3\xa0\x80\x81");
    save_text("wide",
              "\xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb e\xcc\x81");
    save_text("broken", "\xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82 \xff\xfe");
    save_text("address", "[2001:db8::1%3]:4433");
    save_text("v4", "192.0.2.1:65535");
    save_text("key", "tern:xe67swf2e4tgfb7slanehdtge6i3mwfz42vvht4npowuyxgpimbq");
    save_text("nick", "\xd0\xb0nn\xc3\xa9");
}

void seed_ops(void)
{
    seed_parts();
    seed_packets();
    seed_pairs();
    seed_seals();
    seed_chat_client();
    seed_texts();
}
