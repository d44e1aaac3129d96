/* Seeds of what terncp reads: one byte (which decoder) and one of options, as fuzz_terncp.c has them.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "seeds.h"
#include "terncp/names.h"
#include "terncp/plan.h"
#include "terncp/proto.h"
#include "terncp/zip.h"

enum { CONTROL, ENTRY, PACKED, STEP, PLAN, NAMES, UNPACK, PASSING, TEXTS, DISCOVER };

static uint8_t buf[16384];

static void put(const char *name, uint8_t kind, uint8_t options, size_t len)
{
    buf[0] = kind;
    buf[1] = options;
    save("fuzz_terncp", name, buf, 2 + len);
}

static void put_bytes(const char *name, uint8_t kind, uint8_t options, const void *data, size_t len)
{
    memcpy(buf + 2, data, len);
    put(name, kind, options, len);
}

static void seed_control(void)
{
    static struct proto_message m;
    m = (struct proto_message){
        .type = PROTO_HELLO, .version = PROTO_VERSION, .direction = PROTO_PUSH};
    (void)snprintf(m.text, sizeof m.text, "a/b");
    put("hello", CONTROL, 0, proto_encode(&m, buf + 2, sizeof buf - 2));
    m = (struct proto_message){.type = PROTO_DONE, .range_count = 2};
    m.ranges[0] = (struct proto_range){.first = 3, .count = 7};
    m.ranges[1] = (struct proto_range){.first = 100, .count = 1};
    put("done", CONTROL, 0, proto_encode(&m, buf + 2, sizeof buf - 2));
    m = (struct proto_message){.type = PROTO_FAIL, .status = PROTO_IO, .index = 4};
    (void)snprintf(m.text, sizeof m.text, "name: why");
    put("fail", CONTROL, 0, proto_encode(&m, buf + 2, sizeof buf - 2));
    m = (struct proto_message){.type = PROTO_LIMIT, .rate = 1000000};
    put("limit", CONTROL, 0, proto_encode(&m, buf + 2, sizeof buf - 2));
}

static size_t entry(uint8_t *at, enum proto_entry_type type, const char *name, const char *contents)
{
    static struct proto_entry e;
    e = (struct proto_entry){.type = type, .mode = 0644, .size = strlen(contents)};
    (void)snprintf(e.name, sizeof e.name, "%s", name);
    size_t n = proto_entry_encode(&e, at, 4096);
    memcpy(at + n, contents, strlen(contents));
    return n + strlen(contents);
}

static void seed_entries(void)
{
    size_t n = entry(buf + 2, PROTO_FILE, "top/file", "contents");
    put("entry", ENTRY, 3, n);
    n += entry(buf + 2 + n, PROTO_FOLDER, "top/folder", "");
    n += entry(buf + 2 + n, PROTO_LINK, "top/folder/link", "../../..");
    n += entry(buf + 2 + n, PROTO_FILE, "top/folder/link/outside", "contents");
    n += entry(buf + 2 + n, PROTO_SAME, "top/other", "top/file");
    n += entry(buf + 2 + n, PROTO_VOID, "top/none", "");
    put("unpack", UNPACK, 0x03, n);
    put("unpack-renamed", UNPACK, 0x06, n);
    put("unpack-fresh", UNPACK, 0x63, n);
    put("passing", PASSING, 2, n);
    put("passing-file", PASSING, 1, n);
    static uint8_t packed[16384];
    for (unsigned i = 0; i < 5; i++) {
        memcpy(buf + 2 + n * (i + 1), buf + 2, n);
    }
    struct proto_packed head = {.len = (uint32_t)(6 * n)};
    head.packed = (uint32_t)zip_pack(buf + 2, 6 * n, packed, 3);
    if (head.packed > 0) {
        size_t front = proto_packed_encode(&head, buf + 2, sizeof buf - 2);
        memcpy(buf + 2 + front, packed, head.packed);
        put("packed", PACKED, 0, front + head.packed);
        put("unpack-packed", UNPACK, 0x03, front + head.packed);
    }
}

static void seed_steps(void)
{
    size_t n = 0;
    for (int kind = PROTO_STEP_DATA; kind <= PROTO_STEP_KEEP; kind++) {
        struct proto_step step = {
            .kind = (enum proto_step_kind)kind, .len = 1000, .packed = 500, .offset = 77};
        n += proto_step_encode(&step, buf + 2 + n, 100);
    }
    put("steps", STEP, 0, n);
}

static void seed_plans(void)
{
    /* parts, level 13, two tags, one chunk */
    static const uint8_t parts[11 + 2 * 16 + 20] = {
        PLAN_PARTS, 0, 13, 0, 0, 0, 2, 0, 0, 0, 1, [11] = 1, [27] = 2, [45] = 0x20, [50] = 9};
    static const uint8_t whole[] = {PLAN_WHOLE};
    put_bytes("plan", PLAN, 30, parts, sizeof parts);
    put_bytes("plan-cut", PLAN, 30, parts, 40);
    put_bytes("plan-whole", PLAN, 30, whole, sizeof whole);
}

static void seed_names(void)
{
    static struct names_message m;
    m = (struct names_message){.type = NAMES_ASK, .version = NAMES_VERSION, .verb = NAMES_LIST};
    (void)snprintf(m.text, sizeof m.text, "a/b");
    put("ask", NAMES, 0, names_encode(&m, buf + 2, sizeof buf - 2));
    m = (struct names_message){.type = NAMES_NAME, .about = {.mode = 0120777, .size = 4}};
    (void)snprintf(m.text, sizeof m.text, "link");
    (void)snprintf(m.target, sizeof m.target, "file");
    put("name", NAMES, 0, names_encode(&m, buf + 2, sizeof buf - 2));
}

static void seed_texts(void)
{
    static const char line[] =
        "terncp-stdio 1 60001 tern:xe67swf2e4tgfb7slanehdtge6i3mwfz42vvht4npowuyxgpimbq "
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff 192.0.2.1";
    static const char question[] = "ternfind12345678\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0";
    put_bytes("line", TEXTS, 0, line, sizeof line - 1);
    put_bytes("url", TEXTS, 0, "tern://[2001:db8::1]:7437/a/b", 29);
    put_bytes("login", TEXTS, 0, "user@[-host]:~/path", 19);
    put_bytes("pattern", TEXTS, 0, "/a**/[!b-d[:digit:]]*/***\nab/c/7x/e", 36);
    put_bytes("code", TEXTS, 0, "7-orbit-salmon", 14);
    put_bytes("question", DISCOVER, 0, question, sizeof question);
}

void seed_terncp(void)
{
    seed_control();
    seed_entries();
    seed_steps();
    seed_plans();
    seed_names();
    seed_texts();
}
