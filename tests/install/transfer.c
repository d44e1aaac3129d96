/* libtern alone: no socket and no clock; the program itself carries the datagrams and says what time it is.
 * SPDX-License-Identifier: MIT */
#include "ends.h"

/* All that one end has to say goes to the other. */
static bool carry(struct end *from, struct end *to, tern_addr source, tern_time now)
{
    static uint8_t room[65536];
    tern_train train = {0};
    int n;
    train.data = room;
    train.capacity = sizeof room;
    while ((n = tern_endpoint_transmit(from->endpoint, &train, now)) > 0) {
        tern_datagram in = {0};
        in.local = train.remote;
        in.remote = source;
        in.data = room;
        in.len = train.len;
        in.segment = train.segment;
        if (tern_endpoint_receive(to->endpoint, &in, 1, now) != 0) {
            return false;
        }
    }
    return n == 0;
}

static tern_time earliest(tern_time a, tern_time b)
{
    return a < b ? a : b;
}

int main(void)
{
    tern_time now = TERN_SEC;
    tern_addr here, there;
    bool works = tern_addr_parse(&here, "192.0.2.1:1000") == 0 &&
                 tern_addr_parse(&there, "192.0.2.2:2000") == 0 && ends_open(now) &&
                 ends_connect(&there, now);
    while (works && !ends_are_done() && now < 60 * TERN_SEC) {
        works = carry(&client, &server, here, now) && carry(&server, &client, there, now);
        ends_poll();
        tern_time next = earliest(tern_endpoint_deadline(client.endpoint),
                                  tern_endpoint_deadline(server.endpoint));
        now = earliest(next > now ? next : now, now + TERN_MSEC);
        tern_endpoint_tick(client.endpoint, now);
        tern_endpoint_tick(server.endpoint, now);
    }
    return ends_report("transfer");
}
