/* What a machine in between sees of a stream of entries, however its bytes are cut.
 * SPDX-License-Identifier: MIT */
#include "terncp/passing.h"

#include <stdio.h>
#include <string.h>

#include "tern_test.h"

static uint8_t bytes[4096];
static size_t len;

/* Appends an entry with contents and, in a pack, what stands for a hash. */
static void add(enum proto_entry_type type, const char *name, size_t size, bool is_packed)
{
    struct proto_entry entry = {.type = type, .mode = 0644, .size = size};
    (void)snprintf(entry.name, sizeof entry.name, "%s", name);
    len += proto_entry_encode(&entry, bytes + len, sizeof bytes - len);
    size_t rest = is_packed ? (size_t)proto_packed_size(&entry, 0) : size;
    memset(bytes + len, 2, rest); /* looks like a folder's header to who is out of step */
    len += rest;
}

/* The verdict is the same for all pieces of one length. */
static const char *look(const char *only, uint32_t flags, bool is_file, char *name)
{
    const char *first = NULL;
    for (size_t piece = 1; piece <= len; piece++) {
        struct passing p = {.only = only, .flags = flags, .is_file = is_file};
        const char *why = NULL;
        for (size_t at = 0; at < len && why == NULL; at += piece) {
            why = passing_look(&p, bytes + at, len - at < piece ? len - at : piece, name);
        }
        if (piece == 1) {
            first = why;
        }
        assert_ptr_equal(first, why);
    }
    return first;
}

static void packs_pass_with_names_that_were_asked_for(void **state)
{
    char name[PROTO_PATH_MAX + 1] = "";
    (void)state;
    len = 0;
    add(PROTO_FOLDER, "tree", 0, true);
    add(PROTO_FILE, "tree/one", 300, true);
    add(PROTO_LINK, "tree/link", 5, true);
    add(PROTO_FILE, "tree/empty", 0, true);
    assert_null(look("tree", PROTO_FLAG_RECURSIVE, false, name));
    assert_string_equal(name, "tree/empty");
    assert_non_null(look("tree", 0, false, name)); /* which takes nothing below it */
    assert_non_null(look("other", PROTO_FLAG_RECURSIVE, false, name));
}

static void another_name_is_found_wherever_it_is(void **state)
{
    static const char *const others[] = {".bashrc", "treex", "/etc/passwd", "tree/../x", "tree//x"};
    char name[PROTO_PATH_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        len = 0;
        add(PROTO_FILE, "tree/one", 300, true);
        add(PROTO_FILE, others[i], 3, true);
        assert_non_null(look("tree", PROTO_FLAG_RECURSIVE, false, name));
    }
}

static void a_file_has_one_header(void **state)
{
    char name[PROTO_PATH_MAX + 1] = "";
    (void)state;
    len = 0;
    add(PROTO_FILE, "file", 2000, false);
    assert_null(look("file", 0, true, name));
    assert_string_equal(name, "file");
    assert_non_null(look("other", 0, true, name));
}

static void malformed_entries_do_not_pass(void **state)
{
    char name[PROTO_PATH_MAX + 1];
    (void)state;
    len = 0;
    add(PROTO_FILE, "file", 30, true);
    bytes[0] = 99;
    assert_non_null(look("file", 0, false, name));
    len = 0;
    add(PROTO_FILE, "file", 0, true);
    struct proto_entry large = {.type = PROTO_FILE, .size = PROTO_SMALL_MAX, .name = "file"};
    len += proto_entry_encode(&large, bytes + len, sizeof bytes - len);
    assert_non_null(look("file", 0, false, name)); /* not in a pack */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_pass_with_names_that_were_asked_for),
        cmocka_unit_test(another_name_is_found_wherever_it_is),
        cmocka_unit_test(a_file_has_one_header),
        cmocka_unit_test(malformed_entries_do_not_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
