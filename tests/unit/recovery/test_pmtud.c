/* The search for the datagram size: RFC 8899 over paths of every size, with loss.
 * SPDX-License-Identifier: MIT */
#include "recovery/pmtud.h"

#include "tern_test.h"

#define NOW (3600 * TERN_SEC)

static struct tern_pmtud pmtud;
static uint64_t pn;
static unsigned probes;

/* Runs one search over a path that carries `mtu`. Every drop-th probe that would fit is lost, too. */
static void search(size_t mtu, unsigned drop, tern_time now)
{
    size_t size;
    probes = 0;
    while ((size = tern_pmtud_wants(&pmtud, now)) > 0) {
        assert_true(size > pmtud.current && size <= pmtud.ceiling);
        tern_pmtud_on_sent(&pmtud, ++pn);
        assert_int_equal(tern_pmtud_wants(&pmtud, now), 0); /* one at a time */
        bool is_lost = size > mtu || (drop > 0 && ++probes % drop == 0);
        if (is_lost) {
            assert_false(tern_pmtud_on_lost(&pmtud, pn, size, now)); /* no black hole */
        } else {
            tern_pmtud_on_acked(&pmtud, pn, size, now);
        }
        probes += drop > 0 ? 0 : 1;
        assert_true(probes < 100);
    }
}

static void begin(size_t ceiling)
{
    pn = 0;
    tern_pmtud_init(&pmtud, ceiling);
    pmtud.is_useful = true;
    assert_int_equal(pmtud.current, TERN_PMTUD_BASE);
}

static void little_to_say_needs_no_probe(void **state)
{
    (void)state;
    tern_pmtud_init(&pmtud, 1452);
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 0);
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW + 3600 * TERN_SEC), 0);
    pmtud.is_useful = true;
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 1452);
}

static void usual_path_takes_one_probe(void **state)
{
    (void)state;
    begin(1452);
    search(1500, 0, NOW);
    assert_int_equal(pmtud.current, 1452);
    assert_int_equal(probes, 1);
    assert_int_equal(pmtud.again_at, TERN_TIME_NEVER); /* there is nothing more to find */
}

static void jumbo_path_takes_two(void **state)
{
    (void)state;
    begin(8900);
    search(9000, 0, NOW);
    assert_int_equal(pmtud.current, 8900);
    assert_int_equal(probes, 2);
    begin(65507);
    search(65535, 0, NOW);
    assert_int_equal(pmtud.current, 65507);
    assert_int_equal(probes, 2);
}

/* Never more than passes; below Ethernet within 20 bytes of it, above at the next usual size. */
static void every_path_is_found(void **state)
{
    (void)state;
    static const size_t usual[] = {1452, 1472, 2000, 4048, 8100, 8900, 16000, 32000, 65507};
    const size_t ceilings[] = {1200, 1300, 1452, 1472, 8900, 65507};
    for (size_t c = 0; c < TERN_COUNT_OF(ceilings); c++) {
        for (size_t mtu = 1200; mtu <= 66000; mtu += mtu < 1600 ? 1 : 97) {
            begin(ceilings[c]);
            search(mtu, 0, NOW);
            size_t most = TERN_MIN(mtu, ceilings[c]);
            size_t wanted = most < 1452 ? most - 20 : 1452;
            for (size_t i = 0; i < TERN_COUNT_OF(usual); i++) {
                wanted = usual[i] <= most ? TERN_MAX(wanted, usual[i]) : wanted;
            }
            wanted = mtu >= ceilings[c] ? ceilings[c] : wanted;
            assert_in_range(pmtud.current, wanted, most);
            assert_true(probes <= 30);
        }
    }
}

/* RFC 8899 §5.1.2: a lost probe never ends a search. */
static void loss_does_not_mislead(void **state)
{
    (void)state;
    for (unsigned drop = 2; drop < 40; drop++) {
        begin(1452);
        search(1500, drop, NOW);
        assert_int_equal(pmtud.current, 1452);
    }
}

static void searches_again_after_ten_minutes(void **state)
{
    (void)state;
    begin(8900);
    search(1500, 0, NOW);
    assert_int_equal(pmtud.current, 1472);
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW + 600 * TERN_SEC - 1), 0);
    search(9000, 0, NOW + 600 * TERN_SEC);
    assert_int_equal(pmtud.current, 8900);
}

static void six_in_a_row_are_a_black_hole(void **state)
{
    (void)state;
    begin(1452);
    search(1500, 0, NOW);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_false(tern_pmtud_on_lost(&pmtud, pn + i, 1452, NOW));
        assert_false(tern_pmtud_on_lost(&pmtud, pn + i, 200, NOW)); /* small ones tell nothing */
    }
    assert_true(tern_pmtud_on_lost(&pmtud, pn + 6, 1452, NOW));
    assert_int_equal(pmtud.current, TERN_PMTUD_BASE);
    search(1320, 0, NOW);
    assert_in_range(pmtud.current, 1300, 1320);
}

static void an_arrival_between_is_no_black_hole(void **state)
{
    (void)state;
    begin(1452);
    search(1500, 0, NOW);
    for (uint64_t i = 1; i <= 100; i++) {
        assert_false(tern_pmtud_on_lost(&pmtud, pn + i, 1452, NOW));
        if (i % 5 == 0) {
            tern_pmtud_on_acked(&pmtud, pn + i, 1452, NOW);
        }
    }
    assert_int_equal(pmtud.current, 1452);
}

/* RFC 8899 §4.3: a queue drops a hundred in a row, and the ACK that tells so is
 * for full-sized packets sent after them. */
static void bulk_loss_is_no_black_hole(void **state)
{
    (void)state;
    begin(1452);
    search(1500, 0, NOW);
    tern_pmtud_on_acked(&pmtud, pn + 101, 1452, NOW);
    for (uint64_t i = 1; i <= 100; i++) {
        assert_false(tern_pmtud_on_lost(&pmtud, pn + i, 1452, NOW));
    }
    assert_int_equal(pmtud.current, 1452);
}

static void the_base_has_no_black_hole(void **state)
{
    (void)state;
    begin(1200);
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 0);
    for (uint64_t i = 0; i < 100; i++) {
        assert_false(tern_pmtud_on_lost(&pmtud, i, 1200, NOW));
    }
    begin(100); /* a peer's nonsense is lifted */
    assert_int_equal(pmtud.ceiling, TERN_PMTUD_BASE);
}

/* RFC 8899 §5.1.2: a size has failed after the third loss, not before. */
static void three_probes_a_size(void **state)
{
    (void)state;
    begin(1452);
    for (unsigned i = 0; i < TERN_PMTUD_PROBES; i++) {
        assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 1452);
        tern_pmtud_on_sent(&pmtud, ++pn);
        assert_false(tern_pmtud_on_lost(&pmtud, pn, 1452, NOW));
        assert_int_equal(pmtud.failed, i + 1 < TERN_PMTUD_PROBES ? 0 : 1452);
    }
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 1326); /* half the way */
    tern_pmtud_on_sent(&pmtud, ++pn);
    tern_pmtud_on_acked(&pmtud, pn, 1326, NOW);
    assert_int_equal(pmtud.current, 1326);
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 1389);
}

/* A queue without room for the probe says nothing about its size; but not for ever. */
static void congestion_excuses_a_few_losses(void **state)
{
    (void)state;
    begin(1452);
    unsigned sent = 0;
    while (pmtud.failed == 0 && sent < 100) {
        assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 1452);
        tern_pmtud_on_sent(&pmtud, ++pn);
        sent++;
        tern_pmtud_on_congestion(&pmtud, pn - 1); /* another packet's */
        tern_pmtud_on_congestion(&pmtud, pn);
        assert_false(tern_pmtud_on_lost(&pmtud, pn, 1452, NOW));
    }
    assert_int_equal(sent, 8 + TERN_PMTUD_PROBES);
}

/* What was sent before the fall tells nothing of the path after it. */
static void a_probe_from_before_the_black_hole_raises_nothing(void **state)
{
    (void)state;
    begin(8900);
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 1452);
    tern_pmtud_on_sent(&pmtud, 11);
    tern_pmtud_on_acked(&pmtud, 11, 1452, NOW);
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 8900);
    tern_pmtud_on_sent(&pmtud, 12);
    for (uint64_t i = 13; i < 18; i++) {
        assert_false(tern_pmtud_on_lost(&pmtud, i, 1452, NOW));
    }
    assert_true(tern_pmtud_on_lost(&pmtud, 18, 1452, NOW));
    tern_pmtud_on_acked(&pmtud, 12, 8900, NOW);
    assert_int_equal(pmtud.current, TERN_PMTUD_BASE);
    assert_int_equal(tern_pmtud_wants(&pmtud, NOW), 1326);
}

/* A jumbo path that shrinks to Ethernet falls to the base, and the search finds the rest again. */
static void a_jumbo_path_that_shrinks(void **state)
{
    (void)state;
    begin(8900);
    search(9000, 0, NOW);
    for (uint64_t i = 1; i <= 6; i++) {
        assert_int_equal(tern_pmtud_on_lost(&pmtud, pn + i, 8900, NOW), i == 6);
    }
    pn += 6;
    search(1472, 0, NOW);
    assert_int_equal(pmtud.current, 1472);
    assert_int_equal(pmtud.again_at, NOW + 600 * TERN_SEC);
}

/* Lost probes are not counted as evidence of a black hole, in whatever number. */
static void lost_probes_are_no_black_hole(void **state)
{
    (void)state;
    begin(65507);
    search(1500, 0, NOW); /* all above 1500 are lost: dozens */
    assert_int_equal(pmtud.current, 1472);
    assert_true(probes > 6);
    assert_int_equal(pmtud.black_hole, 0);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_false(tern_pmtud_on_lost(&pmtud, pn + i, 1472, NOW));
    }
    assert_true(tern_pmtud_on_lost(&pmtud, pn + 6, 1472, NOW));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(little_to_say_needs_no_probe),
    cmocka_unit_test(usual_path_takes_one_probe),
    cmocka_unit_test(jumbo_path_takes_two),
    cmocka_unit_test(every_path_is_found),
    cmocka_unit_test(loss_does_not_mislead),
    cmocka_unit_test(searches_again_after_ten_minutes),
    cmocka_unit_test(six_in_a_row_are_a_black_hole),
    cmocka_unit_test(an_arrival_between_is_no_black_hole),
    cmocka_unit_test(bulk_loss_is_no_black_hole),
    cmocka_unit_test(the_base_has_no_black_hole),
    cmocka_unit_test(three_probes_a_size),
    cmocka_unit_test(congestion_excuses_a_few_losses),
    cmocka_unit_test(a_probe_from_before_the_black_hole_raises_nothing),
    cmocka_unit_test(a_jumbo_path_that_shrinks),
    cmocka_unit_test(lost_probes_are_no_black_hole),
};

TERN_TEST_MAIN(tests)
