/* Who may have which file through the hub, and what ends it.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "unit/apps/chat_kit.h"

#include "ternchat/hub_parts.h"
#include "unit/apps/folder.h"

/* ann and bob are in the den, eve is not. */
struct den {
    struct kit kit;
    struct kit_client *ann, *bob, *eve;
    uint16_t of_ann, of_bob;
    uint64_t seq; /* of ann's offer */
};

#define OFFER KIT_ID(5, 1)

static void say_offer(struct kit_client *c, uint16_t channel, uint64_t id)
{
    struct chat_packet p = {
        .type = CHAT_SAY, .id = id, .kind = CHAT_KIND_FILE, .body = chat_text("an offer")};
    kit_put(c, channel, &p);
}

static void begin_at(struct den *d, const char *path)
{
    struct chat_packet p;
    kit_open(&d->kit, path);
    d->ann = kit_come(&d->kit, 1, "ann");
    d->bob = kit_come(&d->kit, 2, "bob");
    d->eve = kit_come(&d->kit, 3, "eve");
    d->of_ann = kit_join(d->ann, "den", 0, CHAT_SINCE_NONE);
    d->of_bob = kit_join(d->bob, "den", 0, CHAT_SINCE_NONE);
    say_offer(d->ann, d->of_ann, OFFER);
    do {
        kit_expect(d->bob, CHAT_EVENT, &p);
    } while (p.kind != CHAT_KIND_FILE);
    d->seq = p.seq;
    kit_skip(d->ann);
}

static void begin(struct den *d)
{
    begin_at(d, NULL);
}

static void end(struct den *d)
{
    kit_go(d->ann, true);
    kit_go(d->bob, true);
    kit_go(d->eve, true);
    hub_free(d->kit.hub);
}

static void fetch(struct kit_client *c, uint16_t channel, uint64_t id, uint64_t seq)
{
    struct chat_packet p = {
        .type = CHAT_FETCH, .channel = channel, .id = id, .seq = seq, .offset = 65536};
    kit_put(c, CHAT_CONTROL, &p);
}

static void deny(struct kit_client *c, uint64_t id, enum chat_stop why)
{
    struct chat_packet p = {.type = CHAT_DENY, .code = (uint8_t)why, .id = id};
    kit_put(c, CHAT_CONTROL, &p);
}

/* The number of what is wanted of them. */
static uint64_t wanted_of(struct kit_client *c)
{
    struct chat_packet p;
    kit_expect(c, CHAT_WANTED, &p);
    assert_int_equal(p.offer, OFFER);
    assert_int_equal(p.offset, 65536);
    assert_int_equal(p.key[0], 2);
    return p.id;
}

static void refused_with(struct kit_client *c, uint64_t id, enum chat_refusal code)
{
    struct chat_packet p;
    kit_expect(c, CHAT_REFUSED, &p);
    assert_int_equal(p.id, id);
    assert_int_equal(p.code, code);
}

static size_t count_relays(const struct den *d)
{
    struct hub_counts counts;
    hub_count(d->kit.hub, &counts);
    return counts.relays;
}

static void a_member_gets_what_is_offered(void **state)
{
    struct den d;
    void *to = NULL;
    int pump;
    uint64_t number = 0;
    (void)state;
    begin(&d);
    fetch(d.bob, d.of_bob, 2000, d.seq);
    uint64_t id = wanted_of(d.ann);
    assert_null(hub_relay_begin(d.eve->session, id, &pump, d.kit.now, &to, &number));
    assert_null(hub_relay_begin(d.ann->session, id + 1, &pump, d.kit.now, &to, &number));
    struct hub_relay *relay = hub_relay_begin(d.ann->session, id, &pump, d.kit.now, &to, &number);
    assert_non_null(relay);
    assert_ptr_equal(to, d.bob);
    assert_int_equal(number, 2000);
    assert_null(hub_relay_begin(d.ann->session, id, &pump, d.kit.now, &to, &number)); /* once */
    assert_int_equal(count_relays(&d), 1);
    hub_relay_over(relay);
    assert_int_equal(count_relays(&d), 0);
    assert_null(d.kit.ended);
    end(&d);
}

static void nobody_else_gets_it(void **state)
{
    struct den d;
    (void)state;
    begin(&d);
    uint16_t of_eve = kit_join(d.eve, "elsewhere", 0, CHAT_SINCE_NONE);
    fetch(d.eve, of_eve, 2000, d.seq); /* her room has no such event */
    refused_with(d.eve, 2000, CHAT_REFUSED_ROOM);
    fetch(d.eve, 200, 2001, d.seq); /* no seat */
    refused_with(d.eve, 2001, CHAT_REFUSED_ROOM);
    fetch(d.bob, d.of_bob, 2002, d.seq - 1); /* that was no offer */
    refused_with(d.bob, 2002, CHAT_REFUSED_ROOM);
    fetch(d.bob, d.of_bob, 2003, d.seq + 1); /* not said yet */
    refused_with(d.bob, 2003, CHAT_REFUSED_ROOM);
    fetch(d.bob, d.of_bob, 2004, UINT64_MAX);
    refused_with(d.bob, 2004, CHAT_REFUSED_ROOM);
    assert_int_equal(count_relays(&d), 0);
    end(&d);
}

/* All programs of a person are asked, and the last that says no speaks for them. */
static void who_does_not_have_it_leaves_the_word_to_the_others(void **state)
{
    struct den d;
    (void)state;
    begin(&d);
    struct kit_client *other = kit_come(&d.kit, 1, "ann");
    fetch(d.bob, d.of_bob, 2000, d.seq);
    uint64_t id = wanted_of(d.ann);
    assert_int_equal(wanted_of(other), id);
    kit_skip(d.bob);
    deny(other, id, CHAT_STOP_GONE);
    assert_int_equal(count_relays(&d), 1);
    deny(d.eve, id, CHAT_STOP_CHANGED); /* it is not hers to say */
    assert_int_equal(count_relays(&d), 1);
    deny(d.ann, id, CHAT_STOP_CHANGED);
    refused_with(d.bob, 2000, CHAT_REFUSED_GONE);
    assert_int_equal(count_relays(&d), 0);
    deny(d.ann, id, CHAT_STOP_CHANGED); /* nothing is there any more */
    kit_go(other, true);
    end(&d);
}

static void who_is_away_cannot_be_asked(void **state)
{
    struct den d;
    (void)state;
    begin(&d);
    kit_go(d.ann, false);
    fetch(d.bob, d.of_bob, 2000, d.seq);
    refused_with(d.bob, 2000, CHAT_REFUSED_AWAY);
    d.ann = kit_come(&d.kit, 1, "ann");
    fetch(d.bob, d.of_bob, 2001, d.seq);
    (void)wanted_of(d.ann);
    d.kit.now += 31 * TERN_SEC; /* no answer */
    hub_tick(d.kit.hub, d.kit.now);
    refused_with(d.bob, 2001, CHAT_REFUSED_AWAY);
    (void)kit_join(d.ann, "den", 0, d.seq);
    kit_go(d.ann, true); /* and leaves for good */
    fetch(d.bob, d.of_bob, 2002, d.seq);
    refused_with(d.bob, 2002, CHAT_REFUSED_AWAY);
    d.ann = kit_come(&d.kit, 1, "ann");
    end(&d);
}

static struct hub_relay *run_relay(struct den *d, uint64_t number, void *pump)
{
    void *to;
    fetch(d->bob, d->of_bob, number, d->seq);
    struct hub_relay *relay =
        hub_relay_begin(d->ann->session, wanted_of(d->ann), pump, d->kit.now, &to, &number);
    assert_non_null(relay);
    kit_skip(d->bob);
    return relay;
}

static void it_ends_with_either_side(void **state)
{
    struct den d;
    int pump;
    (void)state;
    begin(&d);
    (void)run_relay(&d, 2000, &pump);
    kit_go(d.bob, false);
    assert_ptr_equal(d.kit.ended, &pump);
    assert_int_equal(d.kit.why, CHAT_STOP_AWAY);
    d.kit.ended = NULL;
    d.bob = kit_come(&d.kit, 2, "bob");
    d.of_bob = kit_join(d.bob, "den", 0, d.seq);
    (void)run_relay(&d, 2000, &pump);
    kit_go(d.ann, false);
    assert_ptr_equal(d.kit.ended, &pump);
    refused_with(d.bob, 2000, CHAT_REFUSED_AWAY);
    d.ann = kit_come(&d.kit, 1, "ann");
    assert_int_equal(count_relays(&d), 0);
    end(&d);
}

static void it_ends_when_one_is_put_out_of_the_room(void **state)
{
    struct den d;
    int pump;
    struct chat_packet p = {.type = CHAT_KICK};
    (void)state;
    begin(&d);
    (void)run_relay(&d, 2000, &pump);
    p.channel = d.of_ann;
    memset(p.key, 2, sizeof p.key);
    kit_put(d.ann, CHAT_CONTROL, &p);
    assert_ptr_equal(d.kit.ended, &pump);
    assert_int_equal(d.kit.why, CHAT_STOP_OUT);
    refused_with(d.bob, 2000, CHAT_REFUSED_ROOM);
    fetch(d.bob, d.of_bob, 2001, d.seq);
    refused_with(d.bob, 2001, CHAT_REFUSED_ROOM);
    end(&d);
}

/* With a broker a session outlives its connection, until the words that came with the goodbye are taken. */
static void who_has_said_goodbye_gets_nothing(void **state)
{
    struct den d;
    int pump;
    void *to = NULL;
    uint64_t number;
    (void)state;
    begin(&d);
    fetch(d.bob, d.of_bob, 2000, d.seq);
    uint64_t id = wanted_of(d.ann);
    d.bob->session->conn = NULL;
    assert_null(hub_relay_begin(d.ann->session, id, &pump, d.kit.now, &to, &number));
    end(&d);
}

static void with_a_broker_it_ends_when_nothing_moves(void **state)
{
    struct den d;
    static char broker;
    (void)state;
    begin(&d);
    fetch(d.bob, d.of_bob, 2000, d.seq);
    (void)wanted_of(d.ann);
    struct hub *hub = d.kit.hub;
    hub->spread = (struct spread *)&broker;
    hub_tick(hub, d.kit.now + 60 * TERN_SEC);
    hub->spread = NULL;
    assert_int_equal(count_relays(&d), 0);
    end(&d);
}

static void it_ends_when_nothing_moves(void **state)
{
    struct den d;
    int pump;
    (void)state;
    begin(&d);
    struct hub_relay *relay = run_relay(&d, 2000, &pump);
    d.kit.now += 100 * TERN_SEC;
    hub_relay_moved(relay, d.kit.now);
    d.kit.now += 100 * TERN_SEC;
    hub_tick(d.kit.hub, d.kit.now);
    assert_null(d.kit.ended);
    d.kit.now += 21 * TERN_SEC;
    hub_tick(d.kit.hub, d.kit.now);
    assert_ptr_equal(d.kit.ended, &pump);
    assert_int_equal(d.kit.why, CHAT_STOP_IDLE);
    refused_with(d.bob, 2000, CHAT_REFUSED_AWAY);
    end(&d);
}

static void so_many_at_a_time_and_no_more(void **state)
{
    struct den d;
    (void)state;
    begin(&d);
    for (uint64_t i = 0; i < HUB_FETCHES; i++) {
        fetch(d.bob, d.of_bob, 2000 + i, d.seq);
        (void)wanted_of(d.ann);
    }
    fetch(d.bob, d.of_bob, 2000, d.seq); /* that number is in use */
    refused_with(d.bob, 2000, CHAT_REFUSED_ROOM);
    fetch(d.bob, d.of_bob, 3000, d.seq);
    refused_with(d.bob, 3000, CHAT_REFUSED_FULL);
    assert_int_equal(count_relays(&d), HUB_FETCHES);
    end(&d);
}

/* An offer that is in the file alone. */
static void an_old_offer_is_found_in_the_history(void **state)
{
    const struct folder *folder = *state;
    struct den d;
    char path[100];
    if (!store_is_built_in()) {
        skip_because("built without SQLite");
    }
    (void)snprintf(path, sizeof path, "%s/talk.db", folder->path);
    begin_at(&d, path);
    for (uint64_t i = 0; i < LOG_EVENTS + 10; i++) {
        kit_say(d.ann, d.of_ann, KIT_ID(6, i + 1), "words");
    }
    kit_skip(d.bob);
    fetch(d.bob, d.of_bob, 2000, d.seq);
    (void)wanted_of(d.ann);
    fetch(d.bob, d.of_bob, 2001, d.seq + 1);
    refused_with(d.bob, 2001, CHAT_REFUSED_ROOM);
    end(&d);
}

static void a_server_may_pass_none(void **state)
{
    char why[HUB_WHY_SIZE] = "";
    struct kit kit = {.now = TERN_SEC, .wall = 1000};
    struct hub_port port = {
        .user = &kit, .send = kit_send, .close = kit_close, .wall = kit_wall, .note = kit_note};
    struct hub_config config = {.files = 0};
    (void)state;
    kit.hub = hub_new(&port, &config, why);
    struct kit_client *ann = kit_come(&kit, 1, "ann");
    uint16_t channel = kit_join(ann, "den", 0, CHAT_SINCE_NONE);
    fetch(ann, channel, 2000, 1);
    refused_with(ann, 2000, CHAT_REFUSED_RIGHT);
    kit_go(ann, true);
    hub_free(kit.hub);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_member_gets_what_is_offered),
    cmocka_unit_test(nobody_else_gets_it),
    cmocka_unit_test(who_does_not_have_it_leaves_the_word_to_the_others),
    cmocka_unit_test(who_is_away_cannot_be_asked),
    cmocka_unit_test(it_ends_with_either_side),
    cmocka_unit_test(it_ends_when_one_is_put_out_of_the_room),
    cmocka_unit_test(it_ends_when_nothing_moves),
    cmocka_unit_test(with_a_broker_it_ends_when_nothing_moves),
    cmocka_unit_test(who_has_said_goodbye_gets_nothing),
    cmocka_unit_test(so_many_at_a_time_and_no_more),
    cmocka_unit_test_setup_teardown(an_old_offer_is_found_in_the_history, folder_make,
                                    folder_remove),
    cmocka_unit_test(a_server_may_pass_none),
};
TERN_TEST_MAIN(tests)
