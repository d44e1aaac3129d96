/* The outbox cuts trains as the kernel wants them and forgets nothing.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "driver/outbox.h"

static tern_train *add(struct tern_outbox *box, size_t len, size_t segment)
{
    tern_train *train = tern_outbox_room(box);
    assert_non_null(train);
    assert_true(train->capacity >= len);
    train->len = len;
    train->segment = segment;
    train->remote.family = train->local.family = 4;
    tern_outbox_push(box);
    return train;
}

static void long_trains_fill_the_arena(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN4), 0);
    add(&box, 65507, 1200);
    add(&box, 65507, 1200);
    assert_null(tern_outbox_room(&box));
    struct tern_chunk chunk;
    while (tern_outbox_peek(&box, true, &chunk, 1) > 0) {
        tern_outbox_pop(&box, &chunk);
    }
    assert_true(tern_outbox_is_empty(&box));
    assert_non_null(tern_outbox_room(&box));
    tern_outbox_clear(&box);
}

static void short_trains_fill_the_table(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN6), 0);
    for (int i = 0; i < TERN_OUTBOX_TRAINS; i++) {
        add(&box, 30, 30)->remote.port = (uint16_t)i; /* each to somebody else */
    }
    assert_null(tern_outbox_room(&box));
    struct tern_chunk chunks[64];
    assert_int_equal(tern_outbox_peek(&box, true, chunks, 64), TERN_OUTBOX_TRAINS);
    assert_int_equal(tern_outbox_peek(&box, true, chunks, 5), 5);
    tern_outbox_clear(&box);
}

static void gso_chunks_have_at_most_64_segments(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN6), 0);
    add(&box, 150 * 40 + 3, 40);
    struct tern_chunk chunks[8];
    assert_int_equal(tern_outbox_peek(&box, true, chunks, 8), 3);
    assert_int_equal(chunks[0].len, 64 * 40);
    assert_int_equal(chunks[1].len, 64 * 40);
    assert_int_equal(chunks[2].len, 22 * 40 + 3);
    assert_int_equal(chunks[2].segment, 40);
    assert_int_equal(tern_chunk_datagrams(&chunks[2]), 23);
    assert_ptr_equal(chunks[1].data, chunks[0].data + 64 * 40);
    tern_outbox_clear(&box);
}

static void without_gso_each_chunk_is_a_datagram(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN6), 0);
    add(&box, 2500, 1200);
    add(&box, 100, 0);
    struct tern_chunk chunks[8];
    assert_int_equal(tern_outbox_peek(&box, false, chunks, 8), 4);
    assert_int_equal(chunks[2].len, 100);
    assert_int_equal(chunks[3].len, 100);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(chunks[i].segment, 0);
        assert_int_equal(tern_chunk_datagrams(&chunks[i]), 1);
    }
    tern_outbox_clear(&box);
}

static void popping_goes_on_where_it_was(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN6), 0);
    add(&box, 3000, 1000);
    add(&box, 500, 500);
    struct tern_chunk chunk;
    assert_int_equal(tern_outbox_peek(&box, false, &chunk, 1), 1);
    tern_outbox_pop(&box, &chunk);
    const uint8_t *next = chunk.data + 1000;
    box.trains[1].ecn = 2; /* does not go along */
    assert_int_equal(tern_outbox_peek(&box, true, &chunk, 1), 1);
    assert_ptr_equal(chunk.data, next);
    assert_int_equal(chunk.len, 2000);
    tern_outbox_pop(&box, &chunk);
    assert_int_equal(tern_outbox_peek(&box, true, &chunk, 1), 1);
    assert_int_equal(chunk.len, 500);
    tern_outbox_clear(&box);
}

static void suspected_train_goes_alone(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN6), 0);
    add(&box, 3000, 1000);
    add(&box, 500, 500);
    box.single = box.suspect = true;
    struct tern_chunk chunks[8];
    assert_int_equal(tern_outbox_peek(&box, true, chunks, 8), 1);
    assert_int_equal(chunks[0].len, 1000);
    box.suspect = false;
    assert_int_equal(tern_outbox_peek(&box, true, chunks, 8), 3);
    for (int i = 0; i < 3; i++) {
        tern_outbox_pop(&box, &chunks[i]);
    }
    assert_false(box.single);
    tern_outbox_clear(&box);
}

/* Many connections with one peer, each allowed a datagram or two at a time. */
static void trains_of_one_way_share_a_send(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN6), 0);
    add(&box, 2000, 1000);
    add(&box, 1000, 1000);
    add(&box, 1700, 1000); /* its second is shorter: the end */
    add(&box, 1000, 1000);
    add(&box, 400, 400); /* a shorter one alone: the end as well */
    add(&box, 400, 400);
    struct tern_chunk chunks[8];
    assert_int_equal(tern_outbox_peek(&box, true, chunks, 8), 3);
    assert_int_equal(chunks[0].len, 4700);
    assert_int_equal(chunks[0].segment, 1000);
    assert_int_equal(tern_chunk_datagrams(&chunks[0]), 5);
    assert_int_equal(chunks[1].len, 1400);
    assert_int_equal(chunks[2].len, 400);
    assert_int_equal(chunks[2].segment, 0);
    tern_outbox_pop(&box, &chunks[0]);
    assert_int_equal(box.head, 3);
    assert_int_equal(tern_outbox_peek(&box, true, chunks, 8), 2);
    assert_int_equal(chunks[0].len, 1400);
    tern_outbox_pop(&box, &chunks[0]);
    tern_outbox_pop(&box, &chunks[1]);
    assert_true(tern_outbox_is_empty(&box));
    tern_outbox_clear(&box);
}

static void trains_of_other_ways_do_not(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN6), 0);
    (void)add(&box, 1000, 1000);
    add(&box, 1000, 1000)->remote.ip[0] = 1;
    add(&box, 1000, 1000)->local.ip[0] = 1;
    add(&box, 1000, 1000)->ecn = 1;
    (void)add(&box, 1001, 1001); /* longer */
    (void)add(&box, 800, 400);   /* two of another size */
    struct tern_chunk chunks[8];
    assert_int_equal(tern_outbox_peek(&box, true, chunks, 8), 6);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(chunks[i].segment, 0);
    }
    tern_outbox_clear(&box);
}

/* 64 segments are the most, also of several trains: the rest of the second leaves next. */
static void shared_sends_have_at_most_64_segments(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN6), 0);
    add(&box, 40 * 100, 100);
    add(&box, 40 * 100, 100);
    struct tern_chunk chunks[8];
    assert_int_equal(tern_outbox_peek(&box, true, chunks, 8), 2);
    assert_int_equal(chunks[0].len, 64 * 100);
    assert_int_equal(chunks[1].len, 16 * 100);
    tern_outbox_pop(&box, &chunks[0]);
    assert_int_equal(box.head, 1);
    assert_int_equal(box.offset, 24 * 100);
    tern_outbox_clear(&box);
}

static void empty_trains_vanish(void **state)
{
    (void)state;
    struct tern_outbox box;
    assert_int_equal(tern_outbox_init(&box, TERN_OUTBOX_LEN6), 0);
    add(&box, 0, 1200);
    assert_true(tern_outbox_is_empty(&box));
    tern_outbox_clear(&box);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(long_trains_fill_the_arena),
    cmocka_unit_test(short_trains_fill_the_table),
    cmocka_unit_test(gso_chunks_have_at_most_64_segments),
    cmocka_unit_test(without_gso_each_chunk_is_a_datagram),
    cmocka_unit_test(popping_goes_on_where_it_was),
    cmocka_unit_test(suspected_train_goes_alone),
    cmocka_unit_test(trains_of_one_way_share_a_send),
    cmocka_unit_test(trains_of_other_ways_do_not),
    cmocka_unit_test(shared_sends_have_at_most_64_segments),
    cmocka_unit_test(empty_trains_vanish),
};

TERN_TEST_MAIN(tests)
