/* Small entries are found, packed, and made again elsewhere; blocks are put together from pieces.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/xattr.h>

#include "terncp/batch.h"
#include "terncp/block.h"
#include "terncp/hash.h"
#include "terncp/unpack.h"
#include "unit/apps/folder.h"

static const uint8_t session_key[PROTO_KEY_SIZE] = "the same at both ends, 32 bytes";

/* What push does with a batch. */
static struct batch *scan(const struct folder *folder, const char *path, uint64_t flags)
{
    struct batch *batch = batch_new();
    assert_non_null(batch);
    bool has_links = (flags & PROTO_FLAG_LINKS) != 0;
    struct tree_rules rules = {.links = has_links ? TREE_LINKS_KEPT : TREE_LINKS_LEFT_OUT};
    batch->walk = tree_walk_new(folder->fd, path, "top", true, &rules);
    assert_non_null(batch->walk);
    batch->job.error = 0;
    batch->flags = flags;
    batch->hardlinks = (flags & PROTO_FLAG_HARD_LINKS) != 0 ? hardlinks_new(65536) : NULL;
    batch_scan(&batch->job);
    hardlinks_free(batch->hardlinks);
    batch->hardlinks = NULL;
    assert_true(batch->is_end);
    tree_walk_free(batch->walk);
    uint32_t index = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        bool is_packed = batch->items[i].type != PROTO_VOID && !batch->items[i].is_large;
        batch->items[i].index = is_packed ? index++ : 0;
    }
    batch->flags = flags;
    memcpy(batch->session_key, session_key, sizeof session_key);
    return batch;
}

static void place_at(struct place *place, int root, uint64_t flags)
{
    *place = (struct place){.root = root, .is_into = true, .flags = flags, .references = 100};
    place->mask = umask(022);
    (void)umask(place->mask);
    (void)snprintf(place->target, sizeof place->target, "to");
    memcpy(place->session_key, session_key, sizeof session_key);
}

/* What pull does with the bytes: counts the entries, and has them made. */
static void unpack(struct unpack *unpack, struct place *place, uint8_t *data, size_t len)
{
    memset(unpack, 0, sizeof *unpack);
    unpack->place = place;
    unpack->data = data;
    unpack->len = len;
    for (size_t at = 0; at < len;) {
        static struct proto_entry entry;
        int n = proto_entry_decode(&entry, data + at, len - at);
        assert_true(n > 0);
        int64_t size = proto_packed_size(&entry, place->flags);
        assert_true(size >= 0);
        at += (size_t)n + (size_t)size;
        unpack->count++;
    }
    unpack_run(&unpack->job);
}

static void check_file(const struct folder *folder, const char *name, const char *text)
{
    char back[100] = "";
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, back, sizeof back - 1), strlen(text));
    assert_string_equal(back, text);
    (void)close(fd);
}

static void make_source(const struct folder *folder)
{
    assert_int_equal(mkdirat(folder->fd, "from", 0755), 0);
    assert_int_equal(mkdirat(folder->fd, "from/sub", 0755), 0);
    assert_int_equal(mkdirat(folder->fd, "to", 0755), 0);
    folder_write(folder, "from/a", "the contents of a", 0640);
    folder_write(folder, "from/empty", "", 0644);
    folder_write(folder, "from/sub/b", "the contents of b", 0600);
    assert_int_equal(symlinkat("../a", folder->fd, "from/sub/link"), 0);
}

/* Of somebody who has come with a ticket and not shown a key, and who has come again since: what was named before stays,
 * the rest waits until he is proved, and is then made as if nothing had been. */
static void what_was_overtaken_gets_its_name_later(void **state)
{
    struct folder *folder = *state;
    static struct visits visits;
    static struct unpack out;
    struct place place;
    static const uint8_t visitor[TERN_KEY_SIZE] = {1};
    make_source(folder);
    uint64_t flags = PROTO_FLAG_RECURSIVE | PROTO_FLAG_LINKS;
    struct batch *batch = scan(folder, "from", flags);
    batch_fill(&batch->job);
    place_at(&place, folder->fd, flags);
    visits_init(&visits);
    visits_on_proved(&visits, visitor, 7);
    place.visits = &visits;
    memcpy(place.visitor, visitor, sizeof visitor);
    place.visit = 7;
    unsigned count = 0;
    for (unsigned i = 0; i < 2; i++) { /* overtaken: nothing but folders is made */
        visits_on_proved(&visits, visitor, 8);
        if (i == 0) {
            unpack(&out, &place, batch->data, batch->len);
            count = out.count;
        } else {
            unpack_run(&out.job);
        }
        assert_int_equal(out.job.error, PLACE_NOT_YET);
        assert_true(out.done < count);
        assert_int_equal(faccessat(folder->fd, "to/top/a", F_OK, 0), -1);
        assert_int_equal(faccessat(folder->fd, "to/top/sub/b", F_OK, 0), -1);
    }
    place_prove(&place);
    unpack_run(&out.job);
    assert_int_equal(out.job.error, 0);
    assert_int_equal(out.done, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(out.results[i].status, PROTO_OK);
    }
    check_file(folder, "to/top/a", "the contents of a");
    check_file(folder, "to/top/sub/b", "the contents of b");
    batch_free(batch);
}

static void entries_come_out_as_they_went_in(void **state)
{
    struct folder *folder = *state;
    struct place place;
    static struct unpack out;
    char link[16] = "";
    struct stat st;
    make_source(folder);
    uint64_t flags = PROTO_FLAG_RECURSIVE | PROTO_FLAG_PRESERVE | PROTO_FLAG_LINKS;
    struct batch *batch = scan(folder, "from", flags);
    assert_int_equal(batch->count, 6);
    batch_fill(&batch->job);
    assert_int_equal(batch->job.error, 0);
    assert_int_equal(batch->contents, 34);
    place_at(&place, folder->fd, flags);
    unpack(&out, &place, batch->data, batch->len);
    assert_int_equal(out.count, 6);
    for (unsigned i = 0; i < out.count; i++) {
        assert_int_equal(out.results[i].status, PROTO_OK);
    }
    check_file(folder, "to/top/a", "the contents of a");
    check_file(folder, "to/top/empty", "");
    check_file(folder, "to/top/sub/b", "the contents of b");
    assert_int_equal(readlinkat(folder->fd, "to/top/sub/link", link, sizeof link), 4);
    assert_string_equal(link, "../a");
    assert_int_equal(fstatat(folder->fd, "to/top/a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    batch_free(batch);
}

static void links_are_left_out_unless_asked_for(void **state)
{
    struct folder *folder = *state;
    struct place place;
    static struct unpack out;
    make_source(folder);
    struct batch *batch = scan(folder, "from", PROTO_FLAG_RECURSIVE);
    unsigned left_out = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        left_out += batch->items[i].type == PROTO_VOID && batch->items[i].error == 0 ? 1 : 0;
    }
    assert_int_equal(left_out, 1);
    batch_free(batch);
    /* And a sender that sends one all the same is refused. */
    batch = scan(folder, "from", PROTO_FLAG_RECURSIVE | PROTO_FLAG_LINKS);
    batch_fill(&batch->job);
    place_at(&place, folder->fd, PROTO_FLAG_RECURSIVE);
    unpack(&out, &place, batch->data, batch->len);
    unsigned refused = 0;
    for (unsigned i = 0; i < out.count; i++) {
        refused += out.results[i].status == PROTO_REFUSED_PATH ? 1 : 0;
    }
    assert_int_equal(refused, 1);
    assert_int_equal(faccessat(folder->fd, "to/top/sub/link", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    batch_free(batch);
}

static void damage_is_found_in_every_byte_of_a_file(void **state)
{
    struct folder *folder = *state;
    struct place place;
    static struct unpack out;
    assert_int_equal(mkdirat(folder->fd, "to", 0755), 0);
    folder_write(folder, "file", "contents", 0644);
    struct batch *batch = scan(folder, "file", 0);
    batch_fill(&batch->job);
    place_at(&place, folder->fd, 0);
    size_t header = PROTO_ENTRY_FIXED + strlen("top");
    assert_int_equal(batch->len, header + 8 + PROTO_HASH_SIZE);
    for (size_t at = header; at < batch->len; at++) {
        batch->data[at] ^= 0x10;
        unpack(&out, &place, batch->data, batch->len);
        assert_int_equal(out.results[0].status, PROTO_INTEGRITY);
        batch->data[at] ^= 0x10;
    }
    batch->data[4] ^= 1; /* another index: another key */
    unpack(&out, &place, batch->data, batch->len);
    assert_int_equal(out.results[0].status, PROTO_INTEGRITY);
    assert_int_equal(faccessat(folder->fd, "to/top", F_OK, 0), -1);
    batch_free(batch);
}

static void put(uint8_t *data, size_t *len, enum proto_entry_type type, const char *name)
{
    static struct proto_entry entry;
    entry = (struct proto_entry){.type = type, .mode = 0755};
    (void)snprintf(entry.name, sizeof entry.name, "%s", name);
    *len += proto_entry_encode(&entry, data + *len, PROTO_HEADER_MAX);
}

static void names_stay_beneath_the_target(void **state)
{
    struct folder *folder = *state;
    static const char *const names[] = {"../out", "/out",  "a/../../out", "a//b",
                                        ".",      "to/..", "x/"};
    struct place place;
    static struct unpack out;
    static uint8_t data[PROTO_HEADER_MAX];
    assert_int_equal(mkdirat(folder->fd, "to", 0755), 0);
    assert_int_equal(symlinkat("/tmp", folder->fd, "to/away"), 0);
    place_at(&place, folder->fd, PROTO_FLAG_RECURSIVE);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = 0;
        put(data, &len, PROTO_FOLDER, names[i]);
        unpack(&out, &place, data, len);
        assert_int_equal(out.results[0].status, PROTO_REFUSED_PATH);
    }
    size_t len = 0;
    put(data, &len, PROTO_FOLDER, "away/tern-unit-was-here"); /* through a link that leads out */
    unpack(&out, &place, data, len);
    assert_int_equal(out.results[0].status, PROTO_REFUSED_PATH);
    (void)snprintf(place.only, sizeof place.only, "asked");
    len = 0;
    put(data, &len, PROTO_FOLDER, "askedfor");
    unpack(&out, &place, data, len);
    assert_int_equal(out.results[0].status, PROTO_REFUSED_PATH);
}

static void what_cannot_be_read_is_void(void **state)
{
    struct folder *folder = *state;
    struct place place;
    static struct unpack out;
    assert_int_equal(mkdirat(folder->fd, "to", 0755), 0);
    assert_int_equal(mkdirat(folder->fd, "from", 0755), 0);
    folder_write(folder, "from/a", "contents", 0644);
    struct batch *batch = scan(folder, "from", PROTO_FLAG_RECURSIVE);
    assert_int_equal(batch->count, 2);
    (void)close(batch->items[1].fd); /* a descriptor that cannot be read */
    batch->items[1].fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    batch_fill(&batch->job);
    assert_int_equal(batch->job.error, 0);
    assert_int_equal(batch->items[1].type, PROTO_VOID);
    assert_int_equal(batch->items[1].error, EIO);
    place_at(&place, folder->fd, PROTO_FLAG_RECURSIVE);
    unpack(&out, &place, batch->data, batch->len);
    assert_int_equal(out.results[0].status, PROTO_OK);
    assert_int_equal(out.results[1].status, PROTO_IO);
    assert_int_equal(faccessat(folder->fd, "to/top/a", F_OK, 0), -1);
    batch_free(batch);
}

/* Written to between the look at it and the reading: it is read as it is now, with its new time. */
static void a_file_that_changes_is_read_again(void **state)
{
    struct folder *folder = *state;
    folder_write(folder, "file", "old", 0644);
    struct batch *batch = scan(folder, "file", 0);
    folder_write(folder, "file", "new, and longer", 0644);
    batch_fill(&batch->job);
    assert_int_equal(batch->items[0].type, PROTO_FILE);
    assert_int_equal(batch->items[0].size, 15);
    assert_int_equal(batch->contents, 15);
    assert_memory_equal(batch->data + PROTO_ENTRY_FIXED + 3, "new, and longer", 15);
    batch_free(batch);
}

/* Runs as push makes them: each is a batch of its own to the receiver. */
static void packed_runs_come_out_as_they_went_in(void **state)
{
    struct folder *folder = *state;
    struct place place;
    static struct unpack out;
    static struct proto_packed head;
    if (!zip_is_there()) {
        skip_because("built without libzstd");
    }
    make_source(folder);
    struct batch *batch = scan(folder, "from", PROTO_FLAG_RECURSIVE);
    batch->level = ZIP_LEVEL;
    batch_fill(&batch->job);
    assert_int_equal(batch->job.error, 0);
    assert_int_equal(proto_packed_decode(&head, batch->data, batch->len), PROTO_PACKED_HEAD);
    assert_int_equal(batch->len, PROTO_PACKED_HEAD + head.packed);
    place_at(&place, folder->fd, PROTO_FLAG_RECURSIVE);
    memset(&out, 0, sizeof out);
    out = (struct unpack){
        .place = &place, .data = batch->data, .len = batch->len, .count = 1, .is_packed = true};
    batch->data = NULL;
    unpack_run(&out.job);
    assert_int_equal(out.job.error, 0);
    assert_int_equal(out.count, 5);
    for (unsigned i = 0; i < out.count; i++) {
        assert_int_equal(out.results[i].status, PROTO_OK);
    }
    check_file(folder, "to/top/a", "the contents of a");
    check_file(folder, "to/top/sub/b", "the contents of b");
    free(out.data);
    batch_free(batch);
}

/* A frame that is damaged, or holds what is no run of whole entries, is refused as a whole. */
static void hostile_packed_runs_are_refused(void **state)
{
    struct folder *folder = *state;
    struct place place;
    static struct unpack out;
    static uint8_t raw[4096], packed[4096];
    if (!zip_is_there()) {
        skip_because("built without libzstd");
    }
    place_at(&place, folder->fd, PROTO_FLAG_RECURSIVE);
    size_t len = 0;
    for (unsigned i = 0; i < 20; i++) {
        put(raw, &len, PROTO_FOLDER, "top");
    }
    for (unsigned round = 0; round < 200; round++) {
        struct proto_packed head = {.len = (uint32_t)len - (round == 0 ? 1 : 0)};
        size_t n = zip_pack(raw, head.len, packed, ZIP_LEVEL);
        assert_true(n > 0);
        head.packed = (uint32_t)n;
        uint8_t *data = malloc(UNPACK_CAPACITY);
        assert_non_null(data);
        (void)proto_packed_encode(&head, data, PROTO_PACKED_HEAD);
        memcpy(data + PROTO_PACKED_HEAD, packed, n);
        if (round > 0) {
            data[PROTO_PACKED_HEAD + round % n] ^= (uint8_t)(1 << round % 8);
        }
        memset(&out, 0, sizeof out);
        out.place = &place;
        out.data = data;
        out.len = PROTO_PACKED_HEAD + n;
        out.count = 1;
        out.is_packed = true;
        unpack_run(&out.job);
        assert_true(out.job.error == EBADMSG || (round > 0 && out.count <= UNPACK_ENTRIES));
        free(out.data);
    }
}

static void a_gauge_stops_trying_for_a_while(void **state)
{
    (void)state;
    struct zip_gauge gauge = {0};
    unsigned tried = 0;
    for (unsigned i = 0; i < 1000; i++) {
        if (zip_gauge_wants(&gauge)) {
            zip_gauge_note(&gauge, false);
            tried++;
        }
    }
    assert_in_range(tried, 5, 25);
    while (!zip_gauge_wants(&gauge)) {
    }
    zip_gauge_note(&gauge, true);
    assert_true(zip_gauge_wants(&gauge));
    zip_gauge_starved(&gauge);
    assert_false(zip_gauge_wants(&gauge));
}

static struct block *block_for(struct place *place, int fd, size_t len)
{
    struct block *block = block_new(place, len);
    assert_non_null(block);
    hash_file_key(session_key, 0, block->work.key);
    block->work.fd = fd;
    block->work.len = len;
    block->work.has_no_leaf = false;
    return block;
}

static void blocks_are_put_together_and_holes_left_out(void **state)
{
    struct folder *folder = *state;
    struct place place;
    struct stat st;
    uint8_t leaf[PROTO_LEAF_SIZE];
    static uint8_t expected[PROTO_BLOCK], back[PROTO_BLOCK];
    place_at(&place, folder->fd, 0);
    folder_write(folder, "base", "0123456789", 0644);
    int base = openat(folder->fd, "base", O_RDONLY | O_CLOEXEC);
    int fd = openat(folder->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(base >= 0 && fd >= 0);
    struct block *block = block_for(&place, fd, PROTO_BLOCK);
    assert_int_equal(place.held, PROTO_BLOCK);
    block->base = base;
    block->is_sparse = true;
    memset(block->work.data, 0, PROTO_BLOCK);
    struct piece piece = {.at = 500000, .len = 4, .offset = 3};
    assert_true(block_add(block, &piece));
    memcpy(expected + 500000, "3456", 4);
    block_run(&block->work.job);
    assert_int_equal(block->work.job.error, 0);
    assert_int_equal(ftruncate(fd, (off_t)PROTO_BLOCK), 0);
    assert_int_equal(pread(fd, back, sizeof back, 0), sizeof back);
    assert_memory_equal(back, expected, sizeof back);
    hash_leaf(block->work.key, 0, expected, sizeof expected, leaf);
    assert_memory_equal(leaf, block->work.leaf, sizeof leaf);
    assert_int_equal(fstat(fd, &st), 0);
    assert_in_range(st.st_blocks, 1, 64);
    block_free(block);
    assert_int_equal(place.held, 0);
    block = block_for(&place, fd, 100); /* a base that is shorter than was told */
    block->base = base;
    piece = (struct piece){.at = 0, .len = 11};
    assert_true(block_add(block, &piece));
    block_run(&block->work.job);
    assert_int_equal(block->work.job.error, ESTALE);
    for (unsigned i = 1; i < BLOCK_PIECES_MAX; i++) {
        assert_true(block_add(block, &piece));
    }
    assert_false(block_add(block, &piece));
    block_free(block);
    (void)close(base);
    (void)close(fd);
}

/* Packs a tree of one file with flags, and unpacks it where these are the flags. */
static enum proto_status pass_one(const struct folder *folder, uint64_t packed, uint64_t flags,
                                  void (*spoil)(uint8_t *data, size_t len))
{
    struct place place;
    static struct unpack out;
    struct batch *batch = scan(folder, "from/a", packed);
    assert_int_equal(batch->count, 1);
    batch_fill(&batch->job);
    if (spoil != NULL) {
        spoil(batch->data, batch->len);
    }
    place_at(&place, folder->fd, flags);
    unpack(&out, &place, batch->data, batch->len);
    assert_int_equal(out.count, 1);
    batch_free(batch);
    return out.results[0].status;
}

static void make_security(uint8_t *data, size_t len)
{
    uint8_t *name = memmem(data, len, "user.secu.rity", 14);
    assert_non_null(name);
    memcpy(name, "security.rity!", 14);
}

static void make_shorter(uint8_t *data, size_t len)
{
    uint8_t *name = memmem(data, len, "user.secu.rity", 14);
    assert_non_null(name);
    name[-1]++; /* the value's length */
}

static void attributes_are_of_kinds_that_are_allowed(void **state)
{
    struct folder *folder = *state;
    char value[8];
    uint64_t flags = PROTO_FLAG_RECURSIVE | PROTO_FLAG_XATTRS;
    make_source(folder);
    int fd = openat(folder->fd, "from/a", O_RDONLY | O_CLOEXEC);
    bool has_xattrs = fsetxattr(fd, "user.secu.rity", "red", 3, 0) == 0;
    (void)close(fd);
    if (!has_xattrs) {
        skip_because("this file system has no attributes of users");
    }
    assert_int_equal(pass_one(folder, flags, flags, make_security), PROTO_BAD_REQUEST);
    assert_int_equal(pass_one(folder, flags, flags, make_shorter), PROTO_BAD_REQUEST);
    assert_int_equal(faccessat(folder->fd, "to/top", F_OK, 0), -1);
    assert_int_equal(pass_one(folder, flags, flags, NULL), PROTO_OK);
    fd = openat(folder->fd, "to/top", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fgetxattr(fd, "user.secu.rity", value, sizeof value), 3);
    (void)close(fd);
}

/* What `flags` say of the file "a" that is asked about. */
static enum proto_status ask(const struct folder *folder, uint64_t flags)
{
    struct place place;
    static struct unpack out;
    struct batch *batch = scan(folder, "from/a", flags | PROTO_FLAG_PRESERVE);
    batch->items[0].is_asked = true;
    batch_fill(&batch->job);
    place_at(&place, folder->fd, flags | PROTO_FLAG_PRESERVE);
    unpack(&out, &place, batch->data, batch->len);
    batch_free(batch);
    return out.results[0].status;
}

static void questions_are_answered_and_make_nothing(void **state)
{
    struct folder *folder = *state;
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    make_source(folder);
    assert_int_equal(ask(folder, PROTO_FLAG_UPDATE), PROTO_IS_WANTED);
    assert_int_equal(ask(folder, PROTO_FLAG_CHECKSUM), PROTO_IS_WANTED);
    assert_int_equal(faccessat(folder->fd, "to/top", F_OK, 0), -1);
    folder_write(folder, "to/top", "the contents of b", 0644); /* as long, and newer */
    assert_int_equal(ask(folder, PROTO_FLAG_UPDATE), PROTO_IS_CURRENT);
    assert_int_equal(ask(folder, PROTO_FLAG_CHECKSUM), PROTO_IS_WANTED);
    folder_write(folder, "to/top", "the contents of a", 0644);
    assert_int_equal(utimensat(folder->fd, "to/top", old, 0), 0);
    assert_int_equal(ask(folder, PROTO_FLAG_UPDATE), PROTO_IS_WANTED);
    assert_int_equal(ask(folder, PROTO_FLAG_CHECKSUM | PROTO_FLAG_DRY_RUN), PROTO_IS_CURRENT);
    struct stat st;
    assert_int_equal(fstatat(folder->fd, "to/top", &st, 0), 0);
    assert_int_equal(st.st_mtim.tv_sec, 1000);
    assert_int_equal(ask(folder, PROTO_FLAG_CHECKSUM), PROTO_IS_CURRENT);
    assert_int_equal(fstatat(folder->fd, "to/top", &st, 0), 0);
    assert_int_not_equal(st.st_mtim.tv_sec, 1000);
    assert_int_equal(unlinkat(folder->fd, "to/top", 0), 0);
    assert_int_equal(symlinkat("../from/a", folder->fd, "to/top"), 0); /* a link is no file */
    assert_int_equal(ask(folder, PROTO_FLAG_CHECKSUM), PROTO_IS_WANTED);
}

static void other_names_are_told_and_wait(void **state)
{
    struct folder *folder = *state;
    struct place place;
    static struct unpack out;
    unsigned same = 0, refused = 0;
    uint64_t flags = PROTO_FLAG_RECURSIVE | PROTO_FLAG_HARD_LINKS;
    make_source(folder);
    assert_int_equal(linkat(folder->fd, "from/a", folder->fd, "from/sub/again", 0), 0);
    struct batch *batch = scan(folder, "from", flags);
    for (unsigned i = 0; i < batch->count; i++) {
        same += batch->items[i].type == PROTO_SAME ? 1 : 0;
    }
    assert_int_equal(same, 1);
    batch_fill(&batch->job);
    place_at(&place, folder->fd, flags);
    unpack(&out, &place, batch->data, batch->len);
    for (unsigned i = 0; i < out.count; i++) {
        assert_int_equal(out.results[i].status, PROTO_OK);
    }
    place_at(&place, folder->fd, PROTO_FLAG_RECURSIVE); /* nobody has asked for them here */
    unpack(&out, &place, batch->data, batch->len);
    for (unsigned i = 0; i < out.count; i++) {
        refused += out.results[i].status == PROTO_REFUSED_PATH ? 1 : 0;
    }
    assert_int_equal(refused, 1);
    batch_free(batch);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(what_was_overtaken_gets_its_name_later, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(entries_come_out_as_they_went_in, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(links_are_left_out_unless_asked_for, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(damage_is_found_in_every_byte_of_a_file, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(names_stay_beneath_the_target, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(what_cannot_be_read_is_void, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(a_file_that_changes_is_read_again, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(packed_runs_come_out_as_they_went_in, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(hostile_packed_runs_are_refused, folder_make, folder_remove),
    cmocka_unit_test(a_gauge_stops_trying_for_a_while),
    cmocka_unit_test_setup_teardown(blocks_are_put_together_and_holes_left_out, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(attributes_are_of_kinds_that_are_allowed, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(questions_are_answered_and_make_nothing, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(other_names_are_told_and_wait, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
