/* Proportional rate reduction against the worked examples of RFC 9937 and its corner cases.
 * SPDX-License-Identifier: MIT */
#include "recovery/prr.h"

#include "tern_test.h"

#define MDS 1000

static struct tern_prr prr;
static uint64_t flight;

/* Sends what is allowed, in whole datagrams. */
static unsigned send(void)
{
    unsigned count = 0;
    while (prr.room >= MDS) {
        tern_prr_on_sent(&prr, MDS);
        flight += MDS;
        count++;
    }
    return count;
}

static unsigned ack(unsigned datagrams, bool is_safe)
{
    flight -= (uint64_t)datagrams * MDS;
    tern_prr_on_ack(&prr, (uint64_t)datagrams * MDS, flight, is_safe, MDS);
    return send();
}

/* One of 100 lost, the window falls to 70: one packet leaves for each 1.4 that arrive, all through the
 * round trip. */
static void flight_comes_down_evenly(void **state)
{
    (void)state;
    flight = 99 * MDS;
    tern_prr_begin(&prr, 100 * MDS, 70 * MDS, MDS);
    unsigned sent = send(), longest = 0, silent = 0;
    assert_int_equal(sent, 1); /* the retransmission goes at once */
    for (int i = 0; i < 99; i++) {
        unsigned n = ack(1, true);
        silent = n == 0 ? silent + 1 : 0;
        longest = TERN_MAX(longest, silent);
        sent += n;
        assert_true(n <= 2);
    }
    assert_in_range(sent, 69, 72);
    assert_in_range(flight, 69 * MDS, 71 * MDS);
    assert_true(longest <= 2);
}

/* Half of the flight is gone at once, below the target: no burst, but back by slow start. */
static void a_heavy_loss_makes_no_burst(void **state)
{
    (void)state;
    flight = 40 * MDS;
    tern_prr_begin(&prr, 100 * MDS, 70 * MDS, MDS);
    unsigned sent = send();
    for (int i = 0; i < 35; i++) {
        unsigned n = ack(1, true);
        assert_true(n <= 2);
        sent += n;
    }
    assert_in_range(flight, 70 * MDS, 71 * MDS);
    (void)ack(1, true);
    assert_true(flight <= 71 * MDS);
    assert_true(sent >= 60);
}

/* While losses go on, what arrives is replaced and no more. */
static void further_losses_conserve_packets(void **state)
{
    (void)state;
    flight = 40 * MDS;
    tern_prr_begin(&prr, 100 * MDS, 70 * MDS, MDS);
    (void)send();
    uint64_t before = flight;
    for (int i = 0; i < 20; i++) {
        assert_true(ack(1, false) <= 1);
    }
    assert_true(flight <= before);
}

/* RFC 9937: the smallest windows do not stall. */
static void small_windows_keep_moving(void **state)
{
    (void)state;
    for (uint64_t window = 2; window <= 6; window++) {
        flight = (window - 1) * MDS;
        tern_prr_begin(&prr, window * MDS, 2 * MDS, MDS);
        unsigned sent = send();
        assert_int_equal(sent, 1);
        while (flight > 0 && sent < 20) {
            sent += ack(1, true);
        }
        assert_int_equal(sent, 20); /* it never ran dry */
    }
}

/* An ACK for many datagrams is worth as much as many ACKs. */
static void aggregated_acks_bring_the_same(void **state)
{
    (void)state;
    flight = 99 * MDS;
    tern_prr_begin(&prr, 100 * MDS, 70 * MDS, MDS);
    unsigned sent = send();
    for (int i = 0; i < 9; i++) {
        sent += ack(11, true);
    }
    assert_in_range(sent, 69, 72);
}

static void absurd_figures_do_not_overflow(void **state)
{
    (void)state;
    tern_prr_begin(&prr, 0, UINT64_MAX, MDS);
    tern_prr_on_ack(&prr, UINT64_MAX, UINT64_MAX, true, MDS);
    tern_prr_on_ack(&prr, 1, 0, false, MDS);
    tern_prr_on_sent(&prr, UINT64_MAX);
    assert_int_equal(prr.room, 0);
    tern_prr_end(&prr);
    assert_false(prr.is_on);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(flight_comes_down_evenly),
    cmocka_unit_test(a_heavy_loss_makes_no_burst),
    cmocka_unit_test(further_losses_conserve_packets),
    cmocka_unit_test(small_windows_keep_moving),
    cmocka_unit_test(aggregated_acks_bring_the_same),
    cmocka_unit_test(absurd_figures_do_not_overflow),
};

TERN_TEST_MAIN(tests)
