/* The estimate that an encoder follows is near the truth two seconds after the link's rate has changed.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/duo.h"

#define MBIT     ((uint64_t)1000000) /* bits a second */
#define PAYLOAD  0.97                /* of a link's rate, without IP and UDP headers */
#define STEP     (6 * TERN_SEC)
#define PATIENCE (2 * TERN_SEC)

#define FRAME (TERN_SEC / 30)

/* An encoder: thirty frames a second, each as large as the estimate says. */
struct encoder {
    bool is_on;
    tern_time next;
};

static void look(struct duo *duo, tern_time now)
{
    struct encoder *encoder = duo->arg;
    struct duo_side *side = &duo->side[DUO_CLIENT];
    if (encoder->is_on && side->conn != NULL && now >= encoder->next) {
        uint64_t rate = side->bandwidth_events > 0 ? side->bandwidth.estimate : MBIT / 8;
        encoder->next = now + FRAME;
        duo_write(duo, DUO_CLIENT, rate / 30);
    }
}

/* Lets time pass in steps of a frame, so that the encoder is asked often enough. */
static void pass(struct duo *duo, tern_time length)
{
    for (tern_time t = 0; t < length; t += FRAME / 4) {
        duo_run(duo, FRAME / 4);
    }
}

static void set_rate(struct duo *duo, uint64_t rate)
{
    tern_link_config link = duo->link[DUO_CLIENT];
    link.rate = rate;
    link.queue = 250000;
    tern_link_set(tern_sim_link(duo->sim, duo->side[DUO_CLIENT].host, duo->side[DUO_SERVER].host),
                  &link);
}

/* Each rate for six seconds; how far off the estimate is after two of them, and at the end. */
static void steps(const uint64_t *rates, size_t count, bool is_encoder, uint64_t seed)
{
    /* Who sends no more than the estimate shows it only bit by bit that there is more. */
    double margin = is_encoder ? 0.25 : 0.15;
    struct duo duo;
    struct encoder encoder = {.is_on = is_encoder};
    duo_init(&duo, "media");
    duo.arg = &encoder;
    duo.look = look;
    duo.link[DUO_CLIENT].rate = rates[0];
    duo.link[DUO_CLIENT].queue = 250000;
    duo_open(&duo, seed);
    duo_write(&duo, DUO_CLIENT, is_encoder ? 1 : UINT64_C(1) << 40);
    for (size_t i = 0; i < count; i++) {
        set_rate(&duo, rates[i]);
        pass(&duo, i == 0 ? STEP : PATIENCE);
        double estimate = (double)duo.side[DUO_CLIENT].bandwidth.estimate * 8;
        double off = estimate / ((double)rates[i] * PAYLOAD) - 1;
        print_message("%2u Mbit/s: estimate %.2f, %+.1f %%\n", (unsigned)(rates[i] / MBIT),
                      estimate / MBIT, 100 * off);
        assert_true(off > -margin && off < margin);
        pass(&duo, STEP - PATIENCE);
    }
    duo_close(&duo);
}

static void of_a_sender_that_never_runs_out(void **state)
{
    (void)state;
    static const uint64_t rates[] = {10 * MBIT, 3 * MBIT, 10 * MBIT, 20 * MBIT, 5 * MBIT, 8 * MBIT};
    for (uint64_t seed = 0; seed < 10; seed++) {
        steps(rates, TERN_COUNT_OF(rates), false, seed);
    }
}

static void of_an_encoder_that_follows_it(void **state)
{
    (void)state;
    static const uint64_t rates[] = {10 * MBIT, 3 * MBIT, 6 * MBIT, 10 * MBIT, 5 * MBIT};
    for (uint64_t seed = 0; seed < 10; seed++) {
        steps(rates, TERN_COUNT_OF(rates), true, seed);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(of_a_sender_that_never_runs_out),
    cmocka_unit_test(of_an_encoder_that_follows_it),
};

TERN_TEST_MAIN(tests)
