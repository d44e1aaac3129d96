/* In place of the spread's files, where hiredis is not there: a server is alone.
 * SPDX-License-Identifier: MIT */
#include "ternchat/spread.h"

#include <stdio.h>

struct spread *spread_new(struct hub *hub, struct ev_loop *loop, const char *url, uint64_t age,
                          char why[HUB_WHY_SIZE])
{
    (void)hub;
    (void)loop;
    (void)url;
    (void)age;
    (void)snprintf(why, HUB_WHY_SIZE,
                   "this ternchat was built without hiredis; install libhiredis-dev and build it "
                   "again");
    return NULL;
}

void spread_free(struct spread *spread)
{
    (void)spread;
}

/* Nobody has a spread to call these with. */

void spread_end(struct spread *spread, struct ev_loop *loop)
{
    (void)spread;
    (void)loop;
}

bool spread_receive(struct hub_session *s, uint16_t channel, const struct chat_packet *p,
                    const uint8_t *data, size_t len)
{
    (void)s;
    (void)channel;
    (void)p;
    (void)data;
    (void)len;
    return false;
}

bool spread_is_busy(const struct hub_session *s)
{
    (void)s;
    return false;
}

bool spread_lingers(struct hub_session *s, bool is_bye)
{
    (void)s;
    (void)is_bye;
    return false;
}

void spread_on_rise(struct member *m, const char *why)
{
    (void)m;
    (void)why;
}

void spread_on_gone(struct hub *hub, struct person *person)
{
    (void)hub;
    (void)person;
}

void spread_fetch(struct seat *seat)
{
    (void)seat;
}

void spread_forget_fetch(struct fetch *fetch)
{
    (void)fetch;
}

void spread_tick(struct spread *spread, tern_time now)
{
    (void)spread;
    (void)now;
}

bool spread_is_guest(const struct spread *spread, const uint8_t key[TERN_KEY_SIZE])
{
    (void)spread;
    (void)key;
    return false;
}

void spread_add_guest(struct spread *spread, const uint8_t key[TERN_KEY_SIZE])
{
    (void)spread;
    (void)key;
}

unsigned spread_files_ask(const struct hub_relay *relay, const struct member *by, uint64_t offer,
                          uint64_t offset)
{
    (void)relay;
    (void)by;
    (void)offer;
    (void)offset;
    return 0;
}

void spread_files_stop(struct hub_relay *relay, enum chat_stop why)
{
    (void)relay;
    (void)why;
}

size_t spread_files_give(struct hub_relay *relay, const uint8_t *data, size_t len)
{
    (void)relay;
    (void)data;
    (void)len;
    return 0;
}

void spread_files_took(struct hub_relay *relay, size_t len)
{
    (void)relay;
    (void)len;
}

bool spread_files_is_gone(const struct hub_relay *relay)
{
    (void)relay;
    return false;
}
