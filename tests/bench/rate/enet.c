/* ENet: as many messages as go over one channel of one connection.
 * SPDX-License-Identifier: MIT */
#include <enet/enet.h>

#include "common.h"

#define AHEAD 4096u /* messages that it holds: those more would only wait in its lists */
#define BATCH 64u

static uint64_t gone; /* acknowledged, or sent where that is all */

static void on_free(ENetPacket *packet)
{
    (void)packet;
    gone++;
}

static uint64_t held(const struct rate_run *run)
{
    return run->sent - gone;
}

static int64_t receive_enet(struct rate_run *run)
{
    ENetAddress address = {.host = ENET_HOST_ANY, .port = 0};
    ENetEvent event;
    int64_t count = 0;
    if (enet_initialize() != 0) {
        return -1;
    }
    ENetHost *host = enet_host_create(&address, 1, 1, 0, 0);
    if (host == NULL || enet_socket_get_address(host->socket, &address) != 0 ||
        !rate_tell(run, address.port)) {
        return -1;
    }
    double until = rate_now() + run->seconds + 20;
    bool is_over = false;
    while (!is_over && rate_now() < until) {
        for (int rc = enet_host_service(host, &event, 10); rc > 0;
             rc = enet_host_check_events(host, &event)) {
            if (event.type == ENET_EVENT_TYPE_RECEIVE) {
                count++;
                enet_packet_destroy(event.packet);
            }
            is_over = is_over || event.type == ENET_EVENT_TYPE_DISCONNECT;
        }
    }
    enet_host_destroy(host);
    return is_over ? count : -1;
}

static bool turn(ENetHost *host, enet_uint32 timeout, ENetEventType wanted)
{
    ENetEvent event;
    bool has_come = false;
    for (int rc = enet_host_service(host, &event, timeout); rc > 0;
         rc = enet_host_check_events(host, &event)) {
        has_come = has_come || event.type == wanted;
    }
    return has_come;
}

static bool send_batch(struct rate_run *run, ENetPeer *peer, const uint8_t *data)
{
    bool is_reliable = run->mode[0] == 'r';
    for (unsigned i = 0; i < BATCH; i++) {
        ENetPacket *packet =
            enet_packet_create(data, run->size, is_reliable ? ENET_PACKET_FLAG_RELIABLE : 0);
        if (packet == NULL) {
            return false;
        }
        packet->freeCallback = on_free;
        if (enet_peer_send(peer, 0, packet) != 0) {
            enet_packet_destroy(packet);
            return false;
        }
        run->sent++;
    }
    return true;
}

static bool send_all(struct rate_run *run, ENetHost *host, ENetPeer *peer)
{
    static const uint8_t data[1024];
    double start = rate_now();
    bool is_fine = true;
    /* It would drop unreliable ones by chance when the round trip varies: not what is measured here. */
    enet_peer_throttle_configure(peer, 5000, ENET_PEER_PACKET_THROTTLE_SCALE, 0);
    while (is_fine && rate_now() < start + run->seconds) {
        while (is_fine && held(run) < AHEAD) {
            is_fine = send_batch(run, peer, data);
        }
        (void)turn(host, held(run) < AHEAD ? 0 : 1, ENET_EVENT_TYPE_NONE);
    }
    while (is_fine && held(run) > 0 && rate_now() < start + run->seconds + 5) {
        (void)turn(host, 1, ENET_EVENT_TYPE_NONE);
    }
    run->took = rate_now() - start;
    return is_fine;
}

static bool send_enet(struct rate_run *run)
{
    ENetAddress address = {.port = run->port};
    if (enet_initialize() != 0 || enet_address_set_host_ip(&address, "127.0.0.1") != 0) {
        return false;
    }
    ENetHost *host = enet_host_create(NULL, 1, 1, 0, 0);
    ENetPeer *peer = host == NULL ? NULL : enet_host_connect(host, &address, 1, 0);
    bool is_sent = peer != NULL && turn(host, 5000, ENET_EVENT_TYPE_CONNECT);
    if (is_sent) {
        is_sent = send_all(run, host, peer);
        enet_peer_disconnect_later(peer, 0);
        is_sent = turn(host, 5000, ENET_EVENT_TYPE_DISCONNECT) && is_sent;
    }
    if (host != NULL) {
        enet_host_destroy(host);
    }
    return is_sent;
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"unreliable", "reliable", NULL};
    static const struct rate_peer peer = {
        .name = "enet", .modes = modes, .receive = receive_enet, .send = send_enet};
    return rate_main(argc, argv, &peer);
}
