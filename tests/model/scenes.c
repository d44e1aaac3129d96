/* The scenes, one row each, and what they do besides talking.
 * SPDX-License-Identifier: MIT */
#include "model/scenes.h"

#include <string.h>

#include "sim/invariants.h"

static const uint8_t shared_secret[TERN_SECRET_SIZE] = "thirty-two bytes for everybody.";

static tern_stats stats_of(const struct world *world, int i)
{
    tern_stats stats = {.size = sizeof stats};
    if (world->ends[i].conn != NULL) {
        tern_conn_stats(world->ends[i].conn, &stats);
    }
    return stats;
}

/* --- keys --- */

/* From now on an end changes keys as often as it may, or no more. */
static void wear(struct world *world, int i, bool is_worn)
{
    tern_conn *conn = world->ends[i].conn;
    if (conn != NULL) {
        invariants_wear_keys(conn, is_worn ? 1 : UINT64_MAX, world->now);
    }
}

static void wish_rekey(struct world *world)
{
    tern_conn *conn = world->ends[CLIENT].conn;
    if (conn != NULL && tern_conn_rekey(conn) != 0) {
        world->broken = "the client may not wish for fresh keys";
    }
}

/* An update takes three PTO to settle (RFC 9001 §6.5), so that there is one in this time at most. */
static void act_update(struct world *world, unsigned round)
{
    wear(world, CLIENT, round == 1);
    wear(world, SERVER, round == 1);
}

static void act_worn(struct world *world, unsigned round)
{
    (void)round;
    wear(world, CLIENT, true);
    wear(world, SERVER, true);
}

static void act_rekey(struct world *world, unsigned round)
{
    if (round == 1) {
        wish_rekey(world);
    }
}

/* The server's update is on its way when the client asks, or the other way round. */
static void act_rekey_update(struct world *world, unsigned round)
{
    act_rekey(world, round);
    wear(world, SERVER, round == 1);
}

/* Both become due while the question or the answer is on its way. */
static void act_rekey_due(struct world *world, unsigned round)
{
    act_rekey(world, round);
    wear(world, CLIENT, round >= 2);
    wear(world, SERVER, round >= 2);
}

static void act_rekey_worn(struct world *world, unsigned round)
{
    act_worn(world, round);
    if (round == 0) {
        wish_rekey(world);
    }
}

/* Nobody is more than one phase ahead when all is quiet, and something did happen. */
static const char *judge_phases(const struct world *world)
{
    uint32_t client = stats_of(world, CLIENT).key_phase, server = stats_of(world, SERVER).key_phase;
    if (client == 0 || server == 0) {
        return "no key update took place";
    }
    return client > server + 1 || server > client + 1 ? "one end is two phases ahead" : NULL;
}

static const char *judge_rekey(const struct world *world)
{
    if (stats_of(world, CLIENT).rekeys == 0 ||
        stats_of(world, CLIENT).rekeys != stats_of(world, SERVER).rekeys) {
        return "the ends count different exchanges";
    }
    return judge_phases(world);
}

/* --- addresses --- */

static void act_rebind_port(struct world *world, unsigned round)
{
    if (round == 1) {
        world->outer = world->home;
        world->outer.port++;
    }
}

static void act_rebind_host(struct world *world, unsigned round)
{
    if (round == 1) {
        world->outer = (tern_addr){.family = 4, .ip = {10, 0, 7, 7}, .port = 7000};
    }
}

static void act_migrate(struct world *world, unsigned round)
{
    tern_conn *conn = world->ends[CLIENT].conn;
    if (round == 1 && conn != NULL && tern_conn_migrate(conn, &world->away) != 0) {
        world->broken = "the client may not move";
    }
}

static void act_handover(struct world *world, unsigned round)
{
    act_migrate(world, round);
    world->is_home_dead = world->is_home_dead || round == 1;
}

/* Whose address is gone tries again: three lost challenges are a failed move, [P §11.2]. */
static void watch_handover(struct world *world)
{
    tern_conn *conn = world->ends[CLIENT].conn;
    uint64_t failed = stats_of(world, CLIENT).migrations_failed;
    if (conn != NULL && failed > world->given_up) {
        world->given_up = failed;
        if (tern_conn_migrate(conn, &world->away) != 0) {
            world->broken = "the client may not try again";
        }
    }
}

static void act_migrate_update(struct world *world, unsigned round)
{
    act_migrate(world, round);
    act_update(world, round);
}

static void act_migrate_rekey(struct world *world, unsigned round)
{
    act_migrate(world, round);
    act_rekey(world, round);
}

static void act_rebind_rekey(struct world *world, unsigned round)
{
    act_rebind_host(world, round);
    act_rekey(world, round);
}

static bool is_at(const struct world *world, const tern_addr *addr)
{
    tern_addr remote = tern_conn_remote(world->ends[SERVER].conn);
    return tern_addr_equal(&remote, addr);
}

/* A server that got no answer there may be back at the old address for now; the last word will show
 * whether it is found again. */
static const char *judge_rebound(const struct world *world)
{
    return is_at(world, &world->outer) || stats_of(world, SERVER).migrations_failed > 0
               ? NULL
               : "the server did not follow";
}

/* A client that gave the new address up is as good, if the old one works. */
static const char *judge_migrated(const struct world *world)
{
    tern_addr local = tern_conn_local(world->ends[CLIENT].conn);
    bool has_moved = tern_addr_equal(&local, &world->away);
    if (!is_at(world, has_moved ? &world->away : &world->home)) {
        return "the ends see the client at different places";
    }
    return has_moved || stats_of(world, CLIENT).migrations_failed > 0
               ? NULL
               : "the move has neither succeeded nor failed";
}

static const char *judge_migrated_update(const struct world *world)
{
    const char *broken = judge_migrated(world);
    return broken == NULL ? judge_phases(world) : broken;
}

static const char *judge_migrated_rekey(const struct world *world)
{
    const char *broken = judge_migrated(world);
    return broken == NULL ? judge_rekey(world) : broken;
}

static const char *judge_rebound_rekey(const struct world *world)
{
    const char *broken = judge_rebound(world);
    return broken == NULL ? judge_rekey(world) : broken;
}

/* --- the table --- */

#define HANDSHAKE_AT(ms)                                                                           \
    .from_birth = true, .rounds = 5, .spurt = 100, .gap = (ms)*TERN_MSEC, .late = 1300 * TERN_MSEC
#define HANDSHAKE HANDSHAKE_AT(15)
#define TALK      .pinned = true, .spurt = 100, .gap = 20 * TERN_MSEC
#define BULK      .pinned = true, .rounds = 4, .spurt = 2600, .gap = 15 * TERN_MSEC
#define REST                                                                                       \
    .pinned = true, .rounds = 5, .spurt = 100, .gap = 1200 * TERN_MSEC, .late = 1100 * TERN_MSEC
#define SLOW_TALK .pinned = true, .spurt = 100, .gap = 60 * TERN_MSEC

const struct scene scenes[] = {
    {.name = "xk",
     .about = "a handshake with a pinned key",
     HANDSHAKE,
     .pinned = true,
     .window = 24,
     .quick = 2},
    {.name = "xx", .about = "first contact", HANDSHAKE, .window = 24, .quick = 2},
    {.name = "secret",
     .about = "a pinned key and a secret",
     HANDSHAKE,
     .pinned = true,
     .secret = shared_secret,
     .window = 24,
     .quick = 2},
    {.name = "code",
     .about = "a one-time code",
     HANDSHAKE,
     .code = "7-orbit-salmon",
     .window = 24,
     .quick = 2},
    {.name = "retry",
     .about = "a server that sends Retry first",
     HANDSHAKE,
     .pinned = true,
     .has_retry = true,
     .window = 24,
     .quick = 2},
    {.name = "ticket",
     .about = "early data with a ticket",
     HANDSHAKE,
     .pinned = true,
     .has_ticket = true,
     .window = 24,
     .quick = 2},
    {.name = "update",
     .about = "both ends change keys at once",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 24,
     .quick = 2,
     .act = act_update,
     .judge = judge_phases},
    {.name = "worn",
     .about = "both ends change keys as often as they may",
     SLOW_TALK,
     .rounds = 7,
     .late = 150 * TERN_MSEC,
     .window = 24,
     .quick = 2,
     .act = act_worn,
     .judge = judge_phases},
    {.name = "rekey",
     .about = "a fresh Diffie-Hellman",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 24,
     .quick = 2,
     .act = act_rekey,
     .judge = judge_rekey},
    {.name = "rekey-update",
     .about = "the server changes keys while the client asks for a fresh Diffie-Hellman",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 24,
     .quick = 2,
     .act = act_rekey_update,
     .judge = judge_rekey},
    {.name = "rekey-due",
     .about = "both ends come to want other keys while the client asks for a fresh Diffie-Hellman",
     .pinned = true,
     .rounds = 6,
     .spurt = 100,
     .gap = 12 * TERN_MSEC,
     .late = 300 * TERN_MSEC,
     .window = 24,
     .quick = 2,
     .act = act_rekey_due,
     .judge = judge_rekey},
    {.name = "rekey-worn",
     .about = "a fresh Diffie-Hellman while both ends change keys as often as they may",
     SLOW_TALK,
     .rounds = 7,
     .late = 150 * TERN_MSEC,
     .window = 24,
     .quick = 2,
     .act = act_rekey_worn,
     .judge = judge_rekey},
    {.name = "rest",
     .about = "both ends fold between the rounds, and change keys in each",
     REST,
     .window = 24,
     .quick = 2,
     .act = act_worn,
     .judge = judge_phases},
    {.name = "rest-rekey",
     .about = "both ends fold between the rounds, with a fresh Diffie-Hellman in the second",
     REST,
     .window = 24,
     .quick = 2,
     .act = act_rekey,
     .judge = judge_rekey},
    {.name = "rest-rebind",
     .about = "both ends fold between the rounds, and a NAT gives the client another address",
     REST,
     .window = 20,
     .quick = 2,
     .act = act_rebind_host,
     .judge = judge_rebound},
    {.name = "rebind-port",
     .about = "a NAT gives the client another port",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 20,
     .quick = 2,
     .act = act_rebind_port,
     .judge = judge_rebound},
    {.name = "rebind-host",
     .about = "a NAT gives the client another address",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 20,
     .quick = 2,
     .act = act_rebind_host,
     .judge = judge_rebound},
    {.name = "migrate",
     .about = "the client moves",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 20,
     .quick = 2,
     .act = act_migrate,
     .judge = judge_migrated},
    {.name = "handover",
     .about = "the client moves because its address is gone",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 20,
     .quick = 2,
     .act = act_handover,
     .watch = watch_handover,
     .judge = judge_migrated},
    {.name = "migrate-update",
     .about = "the client moves while both ends change keys",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 20,
     .quick = 2,
     .act = act_migrate_update,
     .judge = judge_migrated_update},
    {.name = "migrate-rekey",
     .about = "the client moves during a fresh Diffie-Hellman",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 20,
     .quick = 2,
     .act = act_migrate_rekey,
     .judge = judge_migrated_rekey},
    {.name = "silent",
     .about = "a server that is silent to strangers",
     HANDSHAKE,
     .pinned = true,
     .is_silent = true,
     .window = 24,
     .quick = 2},
    {.name = "ticket-retry",
     .about = "early data with a ticket, after a Retry",
     HANDSHAKE,
     .pinned = true,
     .has_ticket = true,
     .has_retry = true,
     .window = 24,
     .quick = 2},
    {.name = "half",
     .about = "answers before message 3 is there",
     HANDSHAKE,
     .pinned = true,
     .has_ticket = true,
     .is_at_once = true,
     .window = 24,
     .quick = 2},
    {.name = "half-retry",
     .about = "answers before message 3 is there, after a Retry",
     HANDSHAKE,
     .pinned = true,
     .has_ticket = true,
     .is_at_once = true,
     .has_retry = true,
     .window = 24,
     .quick = 2},
    {.name = "half-bulk",
     .about = "several packets of answers before message 3 is there",
     BULK,
     .has_ticket = true,
     .is_at_once = true,
     .from_birth = true,
     .late = 1300 * TERN_MSEC,
     .window = 20,
     .quick = 2},
    {.name = "half-close",
     .about = "a client that has its answer closes while message 3 is on its way",
     HANDSHAKE_AT(5),
     .pinned = true,
     .has_ticket = true,
     .is_at_once = true,
     .closes_early = true,
     .window = 24,
     .quick = 2},
    {.name = "ticket-stale",
     .about = "early data that the server refuses",
     HANDSHAKE,
     .pinned = true,
     .has_ticket = true,
     .is_stale = true,
     .window = 24,
     .quick = 2},
    /* Nobody moves before message 2 is there (§11.1): if it is lost, its sender has lost the client. */
    {.name = "xk-rebind",
     .about = "a NAT gives the client another address during the handshake",
     HANDSHAKE_AT(25),
     .pinned = true,
     .may_time_out = true,
     .act = act_rebind_host,
     .judge = judge_rebound,
     .window = 20,
     .quick = 2},
    {.name = "close",
     .about = "a close right after the last byte",
     HANDSHAKE,
     .pinned = true,
     .closes_early = true,
     .window = 24,
     .quick = 2},
    {.name = "xk-bulk",
     .about = "a handshake, and several packets at once as soon as there are keys",
     BULK,
     .from_birth = true,
     .late = 1300 * TERN_MSEC,
     .window = 20,
     .quick = 2},
    {.name = "ticket-bulk",
     .about = "several packets of early data at once",
     BULK,
     .has_ticket = true,
     .from_birth = true,
     .late = 1300 * TERN_MSEC,
     .window = 20,
     .quick = 2},
    {.name = "rekey-bulk",
     .about = "a fresh Diffie-Hellman and an update of the server's among many packets",
     BULK,
     .late = 300 * TERN_MSEC,
     .window = 20,
     .quick = 2,
     .act = act_rekey_update,
     .judge = judge_rekey},
    {.name = "migrate-bulk",
     .about = "the client moves among many packets",
     BULK,
     .late = 300 * TERN_MSEC,
     .window = 20,
     .quick = 2,
     .act = act_migrate,
     .judge = judge_migrated},
    {.name = "rebind-rekey",
     .about = "a NAT gives the client another address during a fresh Diffie-Hellman",
     TALK,
     .rounds = 5,
     .late = 300 * TERN_MSEC,
     .window = 20,
     .quick = 2,
     .act = act_rebind_rekey,
     .judge = judge_rebound_rekey},
};

const size_t scene_count = sizeof scenes / sizeof scenes[0];

const struct scene *scene_find(const char *name)
{
    for (size_t i = 0; i < scene_count; i++) {
        if (strcmp(scenes[i].name, name) == 0) {
            return &scenes[i];
        }
    }
    return NULL;
}
