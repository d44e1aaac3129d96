/* ENet: its reliable, its unreliable (in sequence) and its unsequenced packets.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <enet/enet.h>
#include <errno.h>

enum { CHANNELS = 255 };

static ENetHost *host;
static ENetPeer *peer;

static int open_enet(struct end *end, const struct sockaddr_in *address)
{
    ENetAddress at = {.host = address->sin_addr.s_addr, .port = ntohs(address->sin_port)};
    errno = ENOMEM;
    if (enet_initialize() != 0 ||
        (host = enet_host_create(end->side == SERVER ? &at : NULL, 1, CHANNELS, 0, 0)) == NULL) {
        return -1;
    }
    end->fd = host->socket;
    if (end->side == CLIENT) {
        peer = enet_host_connect(host, &at, CHANNELS, 0);
        return peer == NULL ? -1 : 0;
    }
    return 0;
}

/* Its clock counts milliseconds, and its timers run when it is called. */
static uint64_t work_enet(struct end *end, uint64_t now)
{
    ENetEvent event;
    while (enet_host_service(host, &event, 0) > 0) {
        switch (event.type) {
        case ENET_EVENT_TYPE_CONNECT:
            peer = event.peer;
            /* As it comes, a few losses in a row make it drop unreliable packets before they are sent. */
            enet_peer_throttle_configure(peer, ENET_PEER_PACKET_THROTTLE_INTERVAL,
                                         ENET_PEER_PACKET_THROTTLE_SCALE, 0);
            end->is_ready = true;
            break;
        case ENET_EVENT_TYPE_RECEIVE:
            end_received(end, event.packet->data, event.packet->dataLength);
            enet_packet_destroy(event.packet);
            break;
        case ENET_EVENT_TYPE_DISCONNECT:
            end->is_over = true;
            peer = NULL;
            break;
        case ENET_EVENT_TYPE_NONE:
            break;
        }
    }
    return now + NS_PER_MS;
}

static bool send_enet(struct end *end, unsigned channel, const uint8_t *data, size_t len)
{
    enet_uint32 flags = mode_is(end, "reliable")      ? ENET_PACKET_FLAG_RELIABLE
                        : mode_is(end, "unsequenced") ? ENET_PACKET_FLAG_UNSEQUENCED
                                                      : 0;
    ENetPacket *packet = peer == NULL ? NULL : enet_packet_create(data, len, flags);
    if (packet == NULL) {
        return false;
    }
    if (enet_peer_send(peer, (enet_uint8)channel, packet) != 0) {
        enet_packet_destroy(packet);
        return false;
    }
    enet_host_flush(host);
    return true;
}

static void close_enet(struct end *end)
{
    (void)end;
    enet_host_destroy(host);
    enet_deinitialize();
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"reliable", "unreliable", "unsequenced", NULL};
    static const struct transport transport = {.name = "enet",
                                               .modes = modes,
                                               .channels = CHANNELS,
                                               .open = open_enet,
                                               .work = work_enet,
                                               .send = send_enet,
                                               .close = close_enet};
    return messages_main(argc, argv, &transport);
}
