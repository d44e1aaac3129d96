/* Offers of files there and back, names that may be written, and chunks that nobody may change.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "tern_test.h"
#include "ternchat/chunks.h"

static struct offer some_offer(uint64_t size)
{
    struct offer offer = {.size = size};
    memset(offer.hash, 7, sizeof offer.hash);
    memset(offer.key, 9, sizeof offer.key);
    (void)snprintf(offer.name, sizeof offer.name, "tree.jpg");
    return offer;
}

static void an_offer_comes_back_and_nothing_else_is_one(void **state)
{
    uint8_t body[OFFER_BODY_MAX + 1];
    struct offer offer = some_offer(0x0102030405060708), again;
    (void)state;
    size_t len = offer_encode(&offer, body, sizeof body);
    assert_int_equal(len, 1 + 8 + 32 + 32 + 8);
    assert_int_equal(body[0], 1);
    assert_int_equal(body[1], 1);
    assert_int_equal(body[8], 8);
    assert_true(offer_decode(&again, (struct chat_slice){body, len}));
    assert_memory_equal(&again, &offer, sizeof offer);
    for (size_t i = 0; i <= 73; i++) {
        assert_false(offer_decode(&again, (struct chat_slice){body, i}));
    }
    assert_false(offer_decode(&again, (struct chat_slice){body, sizeof body}));
    body[0] = 2;
    assert_false(offer_decode(&again, (struct chat_slice){body, len}));
    body[0] = 1;
    body[1] = 0xff; /* more than any file has */
    assert_false(offer_decode(&again, (struct chat_slice){body, len}));
    assert_int_equal(offer_encode(&offer, body, len - 1), 0);
    offer.name[0] = '\0';
    assert_int_equal(offer_encode(&offer, body, sizeof body), 0);
}

static void check_name(const char *from, const char *wanted)
{
    char out[OFFER_NAME_SIZE];
    offer_safe_name(from, strlen(from), out);
    assert_string_equal(out, wanted);
}

static void names_are_safe_to_write(void **state)
{
    (void)state;
    check_name("tree.jpg", "tree.jpg");
    check_name("baum \xc3\xa4.jpg", "baum \xc3\xa4.jpg");
    check_name("../../etc/passwd", "passwd");
    check_name("C:\\Windows\\evil.exe", "evil.exe");
    check_name("/", "file");
    check_name("", "file");
    check_name("..", "_");
    check_name(".bashrc", "_bashrc");
    check_name("-rf", "_rf");
    check_name("~", "_");
    check_name("a\nb\033[2Jc", "a_b_[2Jc");
    check_name("evil\xe2\x80\xaegpj.exe", "evil_gpj.exe"); /* a right-to-left override */
    check_name("bad\xff\xfeutf", "bad_utf");
    check_name("what? <now> a:b|c*\"", "what_ _now_ a_b_c_");
    check_name("con", "_con");
    check_name("COM1.txt", "_COM1.txt");
    check_name("comb.txt", "comb.txt");
    check_name("ends. . ", "ends");
}

static void long_names_keep_their_endings(void **state)
{
    char from[1000], out[OFFER_NAME_SIZE], again[OFFER_NAME_SIZE];
    (void)state;
    memset(from, 'x', sizeof from);
    memcpy(from + sizeof from - 7, ".tar.gz", 7);
    offer_safe_name(from, sizeof from, out);
    assert_int_equal(strlen(out), OFFER_NAME_MAX);
    assert_string_equal(out + OFFER_NAME_MAX - 8, "x.tar.gz");
    for (size_t i = 0; i + 2 <= sizeof from; i += 2) { /* characters of two bytes, no ending */
        memcpy(from + i, "\xc3\xa4", 2);
    }
    offer_safe_name(from + 1, sizeof from - 1, out);
    assert_true(strlen(out) <= OFFER_NAME_MAX);
    offer_safe_name(out, strlen(out), again);
    assert_string_equal(again, out); /* nothing of it is half a character */
    offer_numbered_name("a.tar.gz", 2, out);
    assert_string_equal(out, "a (2).tar.gz");
    offer_numbered_name("plain", 1, out);
    assert_string_equal(out, "plain (1)");
    offer_numbered_name("a.b", 0, out);
    assert_string_equal(out, "a.b");
}

static void sizes_are_for_people(void **state)
{
    char out[OFFER_BYTES_TEXT];
    (void)state;
    assert_string_equal(offer_bytes_text(0, out), "0 bytes");
    assert_string_equal(offer_bytes_text(999, out), "999 bytes");
    assert_string_equal(offer_bytes_text(3400000, out), "3.4 MB");
    assert_string_equal(offer_bytes_text(100000000, out), "100 MB");
    assert_string_equal(offer_bytes_text(999999, out), "1.0 MB");
    assert_string_equal(offer_bytes_text(OFFER_SIZE_MAX, out), "1.2 EB");
}

/* --- chunks ------------------------------------------------------------------------------------------- */

/* Seals so many bytes from an offset on, and unseals them. */
static void pass_through(uint64_t size, uint64_t offset, unsigned wanted)
{
    static uint8_t plain[CHUNKS_PLAIN], sealed[CHUNKS_SEALED], out[CHUNKS_PLAIN];
    uint8_t header[CHUNKS_HEADER];
    struct offer offer = some_offer(size);
    struct chunks a, b;
    unsigned count = 0;
    chunks_seal_begin(&a, &offer, offset, header);
    assert_true(chunks_unseal_begin(&b, &offer, offset, header));
    while (!a.is_over) {
        size_t len = chunks_plain(&a);
        randombytes_buf(plain, len);
        assert_int_equal(chunks_sealed(&b), len + 17);
        chunks_seal(&a, plain, sealed);
        assert_true(chunks_unseal(&b, sealed, out));
        assert_memory_equal(out, plain, len);
        count++;
    }
    assert_true(b.is_over);
    assert_int_equal(b.offset, size);
    assert_int_equal(count, wanted);
}

static void files_of_every_size_pass(void **state)
{
    (void)state;
    pass_through(0, 0, 1);
    pass_through(1, 0, 1);
    pass_through(CHUNKS_PLAIN, 0, 1);
    pass_through(CHUNKS_PLAIN + 1, 0, 2);
    pass_through(3 * CHUNKS_PLAIN, CHUNKS_PLAIN, 2);
    pass_through(3 * CHUNKS_PLAIN, 3 * CHUNKS_PLAIN, 1); /* all was there: the end alone comes */
    assert_true(chunks_may_begin(CHUNKS_PLAIN, CHUNKS_PLAIN));
    assert_false(chunks_may_begin(CHUNKS_PLAIN, CHUNKS_PLAIN - 1));
    assert_false(chunks_may_begin(1, CHUNKS_PLAIN));
}

static void what_was_changed_on_its_way_is_found_out(void **state)
{
    static uint8_t plain[CHUNKS_PLAIN], first[CHUNKS_SEALED], second[CHUNKS_SEALED],
        out[CHUNKS_PLAIN];
    uint8_t header[CHUNKS_HEADER];
    struct offer offer = some_offer(2 * CHUNKS_PLAIN), longer = some_offer(3 * CHUNKS_PLAIN);
    struct chunks a, b;
    (void)state;
    chunks_seal_begin(&a, &offer, 0, header);
    chunks_seal(&a, plain, first);
    chunks_seal(&a, plain, second);
    for (size_t i = 0; i < CHUNKS_SEALED; i += 4099) { /* a bit */
        first[i] ^= 1;
        assert_true(chunks_unseal_begin(&b, &offer, 0, header));
        assert_false(chunks_unseal(&b, first, out));
        first[i] ^= 1;
    }
    assert_true(chunks_unseal_begin(&b, &offer, 0, header)); /* one left out */
    assert_false(chunks_unseal(&b, second, out));
    assert_true(chunks_unseal_begin(&b, &longer, CHUNKS_PLAIN, header)); /* at another place */
    assert_false(chunks_unseal(&b, first, out));
    assert_true(chunks_unseal_begin(&b, &longer, 0, header)); /* an end that is none */
    assert_true(chunks_unseal(&b, first, out));
    assert_false(chunks_unseal(&b, second, out));
    header[0] ^= 1;
    assert_true(chunks_unseal_begin(&b, &offer, 0, header));
    assert_false(chunks_unseal(&b, first, out));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_offer_comes_back_and_nothing_else_is_one),
    cmocka_unit_test(names_are_safe_to_write),
    cmocka_unit_test(long_names_keep_their_endings),
    cmocka_unit_test(sizes_are_for_people),
    cmocka_unit_test(files_of_every_size_pass),
    cmocka_unit_test(what_was_changed_on_its_way_is_found_out),
};
TERN_TEST_MAIN(tests)
