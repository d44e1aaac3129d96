/* libtern-sim: both ends in a world in virtual time, over a link that loses packets.
 * SPDX-License-Identifier: MIT */
#include <tern/sim.h>

#include "ends.h"

int main(void)
{
    tern_sim *sim = NULL;
    tern_sim_host *hosts[2];
    tern_link_config link;
    tern_config config;
    tern_addr addr[2];
    tern_link_config_init(&link);
    link.delay = 20 * TERN_MSEC;
    link.loss = 0.02;
    bool works = tern_sim_new(&sim, 1) == 0;
    for (int i = 0; i < 2 && works; i++) {
        tern_config_init(&config);
        config.accept = i == 1;
        works = tern_addr_parse(&addr[i], i == 0 ? "192.0.2.1:1000" : "192.0.2.2:2000") == 0 &&
                tern_sim_add_host(sim, &addr[i], &config, &hosts[i]) == 0;
    }
    if (works && tern_sim_connect(sim, hosts[0], hosts[1], &link, NULL) == 0) {
        tern_time until = tern_sim_now(sim) + 60 * TERN_SEC;
        client.endpoint = tern_sim_host_endpoint(hosts[0]);
        server.endpoint = tern_sim_host_endpoint(hosts[1]);
        works = ends_connect(&addr[1], tern_sim_now(sim));
        while (works && !ends_are_done() && tern_sim_flush(sim) == 0 &&
               tern_sim_step(sim, until) > 0) {
            ends_poll();
        }
    }
    client.endpoint = server.endpoint = NULL; /* the world's */
    tern_sim_free(sim);
    return ends_report("world");
}
