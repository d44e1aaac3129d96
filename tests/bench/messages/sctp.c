/* usrsctp: SCTP packets in UDP datagrams, as WebRTC's data channels have them (without their DTLS).
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <usrsctp.h>

enum { PORT = 5000, STREAMS = CHANNELS_MOST, TICK_MS = 10, DEADLINE_MS = 100, RTO_LEAST_MS = 50 };

static struct end *self;        /* for callbacks without an argument of ours */
static struct sockaddr_in peer; /* where the latest packet came from: NATs are ICE's affair */
static struct socket *door, *association;
static uint64_t ticked_at;

static int send_packet(void *address, void *data, size_t len, uint8_t tos, uint8_t set_df)
{
    (void)address;
    (void)tos;
    (void)set_df;
    const struct sockaddr *to = self->side == SERVER ? (const struct sockaddr *)&peer : NULL;
    (void)sendto(self->fd, data, len, 0, to, to == NULL ? 0 : sizeof peer);
    return 0;
}

static int on_message(struct socket *socket, union sctp_sockstore from, void *data, size_t len,
                      struct sctp_rcvinfo info, int flags, void *end)
{
    (void)socket;
    (void)from;
    (void)info;
    if (data != NULL && (flags & MSG_NOTIFICATION) == 0) {
        end_received(end, data, len);
    }
    if (data == NULL) {
        self->is_over = true;
    }
    free(data); /* the library's rule */
    return 1;
}

static int set(struct socket *socket, int name, const void *value, size_t len)
{
    return usrsctp_setsockopt(socket, IPPROTO_SCTP, name, value, (socklen_t)len);
}

/* "tuned": SACKs at once and a short least timeout, which no default has. */
static int prepare(const struct end *end, struct socket *socket)
{
    static const uint32_t on = 1;
    struct sctp_initmsg streams = {.sinit_num_ostreams = STREAMS, .sinit_max_instreams = STREAMS};
    struct sctp_rtoinfo rto = {.srto_min = RTO_LEAST_MS};
    struct sctp_sack_info sack = {.sack_freq = 1};
    struct sctp_event event = {
        .se_assoc_id = SCTP_ALL_ASSOC, .se_type = SCTP_ASSOC_CHANGE, .se_on = 1};
    int failed = usrsctp_set_non_blocking(socket, 1) | set(socket, SCTP_NODELAY, &on, sizeof on) |
                 set(socket, SCTP_INITMSG, &streams, sizeof streams) |
                 set(socket, SCTP_EVENT, &event, sizeof event);
    if (mode_is(end, "reliable-tuned")) {
        failed |= set(socket, SCTP_RTOINFO, &rto, sizeof rto) |
                  set(socket, SCTP_DELAYED_SACK, &sack, sizeof sack);
    }
    return failed;
}

static int open_sctp(struct end *end, const struct sockaddr_in *address)
{
    self = end;
    end->fd = open_udp(address, end->side == SERVER);
    usrsctp_init_nothreads(0, send_packet, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_register_address(end);
    struct sockaddr_conn at = {
        .sconn_family = AF_CONN, .sconn_port = htons(PORT), .sconn_addr = end};
    door = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_message, NULL, 0, end);
    if (end->fd < 0 || door == NULL || prepare(end, door) != 0 ||
        usrsctp_bind(door, (struct sockaddr *)&at, sizeof at) != 0) {
        return -1;
    }
    if (end->side == SERVER) {
        return usrsctp_listen(door, 1);
    }
    association = door;
    int rc = usrsctp_connect(door, (struct sockaddr *)&at, sizeof at);
    return rc != 0 && errno != EINPROGRESS ? -1 : 0;
}

static void look_for_association(struct end *end)
{
    if (end->side == SERVER) {
        association = usrsctp_accept(door, NULL, NULL);
        end->is_ready = association != NULL;
        return;
    }
    struct sctp_status status;
    socklen_t len = sizeof status;
    memset(&status, 0, sizeof status);
    if (usrsctp_getsockopt(association, IPPROTO_SCTP, SCTP_STATUS, &status, &len) == 0) {
        end->is_ready = status.sstat_state == SCTP_ESTABLISHED;
    }
}

static uint64_t work_sctp(struct end *end, uint64_t now)
{
    uint8_t data[2048];
    socklen_t from_len = sizeof peer;
    ssize_t len = 0;
    while ((len = recvfrom(end->fd, data, sizeof data, 0, (struct sockaddr *)&peer, &from_len)) >=
           0) {
        usrsctp_conninput(end, data, (size_t)len, 0);
        from_len = sizeof peer;
    }
    if (!end->is_ready) {
        look_for_association(end);
    }
    ticked_at = ticked_at == 0 ? now : ticked_at;
    while (now - ticked_at >= TICK_MS * NS_PER_MS) {
        usrsctp_handle_timers(TICK_MS);
        ticked_at += TICK_MS * NS_PER_MS;
    }
    return ticked_at + TICK_MS * NS_PER_MS;
}

static bool send_sctp(struct end *end, unsigned channel, const uint8_t *data, size_t len)
{
    struct sctp_sendv_spa how = {.sendv_flags = SCTP_SEND_SNDINFO_VALID};
    how.sendv_sndinfo.snd_sid = (uint16_t)channel;
    if (mode_is(end, "unordered") || mode_is(end, "unreliable")) {
        how.sendv_sndinfo.snd_flags = SCTP_UNORDERED;
    }
    if (mode_is(end, "unreliable") || mode_is(end, "deadline")) {
        how.sendv_flags |= SCTP_SEND_PRINFO_VALID;
        how.sendv_prinfo.pr_policy = mode_is(end, "deadline") ? SCTP_PR_SCTP_TTL : SCTP_PR_SCTP_RTX;
        how.sendv_prinfo.pr_value = mode_is(end, "deadline") ? DEADLINE_MS : 0;
    }
    return usrsctp_sendv(association, data, len, NULL, 0, &how, sizeof how, SCTP_SENDV_SPA, 0) ==
           (ssize_t)len;
}

static void close_sctp(struct end *end)
{
    (void)close(end->fd);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"reliable",   "reliable-tuned", "unordered",
                                        "unreliable", "deadline",       NULL};
    static const struct transport transport = {.name = "sctp",
                                               .modes = modes,
                                               .channels = STREAMS,
                                               .open = open_sctp,
                                               .work = work_sctp,
                                               .send = send_sctp,
                                               .close = close_sctp};
    return messages_main(argc, argv, &transport);
}
