// C++17 over the public headers: both ends over the loopback, on a bad network inside the client's driver.
// SPDX-License-Identifier: MIT
#ifdef TERN_AMALGAM
#include "tern_sim.h"
#include "tern_udp.h"
#else
#ifndef _WIN32
#include <tern/ev.h>
#endif
#include <tern/sim.h>
#include <tern/tern.h>
#include <tern/udp.h>
#endif

#include <memory>
#include <string>

#include "ends.h"

namespace {

struct close_driver {
    void operator()(tern_udp *udp) const { tern_udp_close(udp); }
};
struct free_conditioner {
    void operator()(tern_conditioner *conditioner) const { tern_conditioner_free(conditioner); }
};
using driver = std::unique_ptr<tern_udp, close_driver>;
using conditioner = std::unique_ptr<tern_conditioner, free_conditioner>;

driver open_driver(tern_endpoint *endpoint)
{
    tern_addr any{};
    tern_udp *udp = nullptr;
    any.family = 4;
    any.ip[0] = 127;
    any.ip[3] = 1;
    return driver(tern_udp_open(&udp, endpoint, &any) == 0 ? udp : nullptr);
}

conditioner open_conditioner()
{
    tern_link_config link;
    tern_conditioner *made = nullptr;
    tern_link_config_init(&link);
    link.delay = TERN_MSEC;
    link.loss = 0.02;
    return conditioner(tern_conditioner_new(&made, &link, nullptr, 1) == 0 ? made : nullptr);
}

/* The drivers end with it, before their endpoints do. */
void serve()
{
    const tern_time until = tern_udp_now() + 60 * TERN_SEC;
    bool works = ends_open(tern_udp_now());
    const conditioner bad_network = open_conditioner();
    const driver near = open_driver(client.endpoint), far = open_driver(server.endpoint);
    works = works && near && far && bad_network &&
            tern_udp_set_conditioner(near.get(), bad_network.get()) == 0;
    if (works) {
        const tern_addr to = tern_udp_local(far.get());
        works = ends_connect(&to, tern_udp_now());
    }
    while (works && !ends_are_done() && tern_udp_now() < until) {
        works = tern_udp_service(near.get(), TERN_MSEC) == 0 && tern_udp_service(far.get(), TERN_MSEC) == 0;
        ends_poll();
    }
}

} // namespace

int main()
{
    serve();
    return ends_report(std::string("service").c_str());
}
