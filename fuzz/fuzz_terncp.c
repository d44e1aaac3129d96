/* All that terncp reads from a peer: control messages, entries, packed runs, steps, plans, requests about
 * names, batches that become files, codes, addresses and the line of a far side.
 *
 * Input: one byte (which of these), one of options, then the bytes. What is decoded is encoded again and must
 * come out the same. Batches are unpacked into an empty folder, and nothing may appear outside of it.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "terncp/attrs.h"
#include "terncp/discover.h"
#include "terncp/filter.h"
#include "terncp/names.h"
#include "terncp/passing.h"
#include "terncp/plan.h"
#include "terncp/proto.h"
#include "terncp/ssh.h"
#include "terncp/target.h"
#include "terncp/tree.h"
#include "terncp/unpack.h"

enum { CONTROL, ENTRY, PACKED, STEP, PLAN, NAMES, UNPACK, PASSING, TEXTS, DISCOVER, KINDS };

static void try_control(const uint8_t *data, size_t len)
{
    static struct proto_message m;
    static uint8_t out[PROTO_BODY_MAX + 64];
    int n = proto_decode(&m, data, len);
    FUZZ_CHECK(n >= -1 && n <= (int)len);
    if (n > 0) {
        FUZZ_CHECK(m.range_count <= PROTO_RANGES_MAX && strlen(m.text) <= PROTO_PATH_MAX);
        size_t again = proto_encode(&m, out, sizeof out);
        FUZZ_CHECK(again == (size_t)n);
        (void)proto_ranges_add(&m, 7);
    }
}

static void try_entry(const uint8_t *data, size_t len, uint64_t flags)
{
    static struct proto_entry e;
    static uint8_t out[PROTO_HEADER_MAX];
    static char name[PROTO_PATH_MAX + 1];
    int n = proto_entry_decode(&e, data, len);
    FUZZ_CHECK(n >= -1 && n <= (int)len);
    if (n <= 0) {
        return;
    }
    FUZZ_CHECK(proto_entry_encode(&e, out, sizeof out) == (size_t)n &&
               memcmp(out, data, (size_t)n) == 0);
    FUZZ_CHECK(proto_packed_size(&e, flags) <=
               (int64_t)(PROTO_SMALL_MAX + PROTO_ATTRS_MAX + PROTO_HASH_SIZE));
    tree_basename(e.name, name, sizeof name);
    FUZZ_CHECK(!tree_is_safe(e.name) || (e.name[0] != '/' && strstr(e.name, "/../") == NULL));
    (void)tree_is_under(e.name, "t*p[a-z]?", (flags & 1) != 0);
    (void)attrs_are_valid(data + n, len - (size_t)n);
}

static void try_packed(const uint8_t *data, size_t len)
{
    struct proto_packed p;
    uint8_t out[PROTO_PACKED_HEAD];
    int n = proto_packed_decode(&p, data, len);
    FUZZ_CHECK(n >= -1 && n <= (int)len);
    FUZZ_CHECK(n <= 0 || (proto_packed_encode(&p, out, sizeof out) == (size_t)n &&
                          memcmp(out, data, (size_t)n) == 0));
}

static void try_steps(const uint8_t *data, size_t len)
{
    struct proto_step step;
    uint8_t out[PROTO_STEP_MAX];
    while (len > 0) {
        int n = proto_step_decode(&step, data, len);
        FUZZ_CHECK(n >= -1 && n <= (int)len);
        if (n <= 0) {
            return;
        }
        FUZZ_CHECK(proto_step_encode(&step, out, sizeof out) == (size_t)n &&
                   memcmp(out, data, (size_t)n) == 0);
        data += n;
        len -= (size_t)n;
    }
}

/* In pieces, as a stream may bring it, it must come to the same. */
static void try_plan(const uint8_t *data, size_t len, unsigned options)
{
    struct plan whole, parts;
    struct chunk wanted = {.len = 8192};
    uint64_t size = (uint64_t)1 << (options % 63);
    size_t piece = 1 + options / 16, at = 0;
    ptrdiff_t n = 0;
    plan_init(&whole);
    plan_init(&parts);
    ptrdiff_t taken = plan_read(&whole, size, data, len);
    FUZZ_CHECK(taken >= -2 && taken <= (ptrdiff_t)len);
    while (at < len && n >= 0 && !parts.is_whole) {
        n = plan_read(&parts, size, data + at, TERN_MIN(piece, len - at));
        at += n > 0 ? (size_t)n : 0;
    }
    FUZZ_CHECK((taken == -1) == (n == -1));
    FUZZ_CHECK(taken < 0 ||
               (taken == (ptrdiff_t)at && whole.is_whole == parts.is_whole &&
                whole.tags_read == parts.tags_read && whole.base.count == parts.base.count));
    if (taken >= 0 && whole.is_whole && whole.kind == PLAN_PARTS) {
        FUZZ_CHECK(whole.tags_read == whole.tags && whole.base.count == whole.chunks);
        memcpy(wanted.hash, data, TERN_MIN(len, sizeof wanted.hash));
        uint32_t found = signs_find(&whole.base, &wanted, 0);
        FUZZ_CHECK(found == SIGNS_NONE || found < whole.base.count);
        (void)signs_find_at(&whole.base, &wanted, wanted.len);
        for (uint32_t i = 0; i < whole.tags; i++) {
            FUZZ_CHECK(plan_has_block(&whole, i, whole.tag_bytes + (size_t)i * PLAN_TAG_SIZE));
        }
    }
    plan_clear(&whole);
    plan_clear(&parts);
}

static void try_names(const uint8_t *data, size_t len)
{
    static struct names_message m;
    static uint8_t out[NAMES_SIZE_MAX];
    int n = names_decode(&m, data, len);
    FUZZ_CHECK(n >= -1 && n <= (int)len);
    FUZZ_CHECK(n <= 0 || names_encode(&m, out, sizeof out) == (size_t)n);
}

/* --- files ------------------------------------------------------------------------------------------- */

static char top[] = "/tmp/fuzz-terncp.XXXXXX";
static int outer = -1, inner = -1;

static void end_folders(void)
{
    (void)unlinkat(outer, "inner", AT_REMOVEDIR);
    (void)rmdir(top);
}

static void make_folders(void)
{
    if (outer >= 0) {
        return;
    }
    FUZZ_CHECK(mkdtemp(top) != NULL);
    outer = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(outer >= 0 && mkdirat(outer, "inner", 0700) == 0);
    inner = openat(outer, "inner", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(inner >= 0 && atexit(end_folders) == 0);
}

/* Removes what is in a folder. How much that was. */
static unsigned empty(int folder)
{
    unsigned count = 0;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fdopendir(fd);
    FUZZ_CHECK(dir != NULL);
    for (const struct dirent *found = readdir(dir); found != NULL; found = readdir(dir)) {
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) {
            continue;
        }
        count++;
        if (unlinkat(folder, found->d_name, 0) != 0) {
            int below = openat(folder, found->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            FUZZ_CHECK(below >= 0);
            (void)empty(below);
            (void)close(below);
            (void)unlinkat(folder, found->d_name, AT_REMOVEDIR);
        }
    }
    (void)closedir(dir);
    return count;
}

/* How many entries stand whole at the front, as pull_lane.c cuts them. */
static void cut(struct unpack *unpack)
{
    static struct proto_entry e;
    size_t len = unpack->len;
    unpack->len = 0;
    while (unpack->count < UNPACK_ENTRIES && unpack->len < len) {
        size_t left = len - unpack->len;
        int n = proto_entry_decode(&e, unpack->data + unpack->len, left);
        int64_t size = n > 0 ? proto_packed_size(&e, unpack->place->flags) : -1;
        if (size < 0 || (size_t)size > left - (size_t)n) {
            return;
        }
        unpack->len += (size_t)n + (size_t)size;
        unpack->count++;
    }
}

static void try_unpack(const uint8_t *data, size_t len, unsigned options)
{
    static const uint8_t key[PROTO_KEY_SIZE] = {7};
    static struct unpack unpack;
    struct stat st;
    make_folders();
    struct place_request request = {
        .root = inner,
        .target = (options & 1) != 0 ? "." : "target",
        .is_into = (options & 1) != 0,
        .flags = PROTO_FLAG_NO_HASH | PROTO_FLAG_LINKS | (options & 2 ? PROTO_FLAG_RECURSIVE : 0) |
                 (options & 4 ? PROTO_FLAG_PRESERVE : 0) | (options & 8 ? PROTO_FLAGS_ATTRS : 0) |
                 (options & 16 ? PROTO_FLAGS_ASK : 0),
        .key = key,
        .is_fresh = (options & 32) != 0,
        .only = (options & 64) != 0 ? "" : NULL};
    memset(&unpack, 0, sizeof unpack);
    unpack.place = place_new(&request);
    unpack.data = malloc(UNPACK_CAPACITY);
    FUZZ_CHECK(unpack.place != NULL && unpack.data != NULL);
    unpack.len = TERN_MIN(len, (size_t)UNPACK_CAPACITY);
    memcpy(unpack.data, data, unpack.len);
    unpack.is_packed = unpack.len > 0 && data[0] == PROTO_PACKED;
    if (unpack.is_packed) {
        struct proto_packed head;
        int n = proto_packed_decode(&head, data, unpack.len);
        unpack.len = n > 0 && unpack.len - (size_t)n >= head.packed ? (size_t)n + head.packed : 0;
        unpack.count = 1;
    } else {
        cut(&unpack);
    }
    if (unpack.len > 0) {
        unpack_run(&unpack.job);
    }
    place_drop(unpack.place);
    free(unpack.data);
    (void)empty(inner);
    FUZZ_CHECK(fstatat(outer, "inner", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode));
    FUZZ_CHECK(unlinkat(outer, "inner", AT_REMOVEDIR) == 0 && empty(outer) == 0);
    FUZZ_CHECK(mkdirat(outer, "inner", 0700) == 0);
    (void)close(inner);
    inner = openat(outer, "inner", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* --- streams that are led on, and text ------------------------------------------------------------- */

static void on_given_up(void *user, const char *name, uint64_t status)
{
    (void)user;
    (void)status;
    FUZZ_CHECK(strlen(name) <= PROTO_PATH_MAX);
}

static void try_passing(const uint8_t *data, size_t len, unsigned options)
{
    static char current[PROTO_PATH_MAX + 1];
    struct passing passing = {.is_file = (options & 1) != 0,
                              .flags = options & 2 ? PROTO_FLAG_RECURSIVE : 0,
                              .only = "top",
                              .given_up = on_given_up};
    size_t piece = 1 + options;
    for (size_t at = 0; at < len; at += piece) {
        if (passing_look(&passing, data + at, TERN_MIN(piece, len - at), current) != NULL) {
            return;
        }
    }
}

static void try_texts(const uint8_t *data, size_t len)
{
    static char text[6000];
    static struct target target;
    struct ssh_line line;
    uint32_t slot;
    len = TERN_MIN(len, sizeof text - 1);
    memcpy(text, data, len);
    text[len] = '\0';
    if (target_parse(&target, text, 7437) == NULL && target.kind == TARGET_SSH) {
        FUZZ_CHECK(target.login[0] != '-' && target.login[0] != '\0');
    }
    (void)ssh_line_parse(&line, text);
    (void)discover_slot(text, &slot);
    (void)tree_is_shallow(text);
    struct filter *filter = filter_new();
    const char *name = strchr(text, '\n');
    if (filter != NULL && filter_add(filter, true, text) == FILTER_OK && name != NULL) {
        (void)filter_leaves_out(filter, name, true);
    }
    filter_free(filter);
}

static void try_discover(const uint8_t *data, size_t len)
{
    static const uint8_t nonce[8] = "12345678";
    uint8_t name[8];
    uint32_t slot;
    uint16_t port;
    (void)discover_is_question(data, len, &slot);
    (void)discover_is_answer(data, len, nonce, 7, &port, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t len;
    unsigned kind = fuzz_u8(&in) % KINDS, options = fuzz_u8(&in);
    const uint8_t *rest = fuzz_bytes(&in, size, &len);
    switch (kind) {
    case CONTROL:
        try_control(rest, len);
        break;
    case ENTRY:
        try_entry(rest, len, options);
        break;
    case PACKED:
        try_packed(rest, len);
        break;
    case STEP:
        try_steps(rest, len);
        break;
    case PLAN:
        try_plan(rest, len, options);
        break;
    case NAMES:
        try_names(rest, len);
        break;
    case UNPACK:
        try_unpack(rest, len, options);
        break;
    case PASSING:
        try_passing(rest, len, options);
        break;
    case TEXTS:
        try_texts(rest, len);
        break;
    default:
        try_discover(rest, len);
        break;
    }
    return 0;
}
