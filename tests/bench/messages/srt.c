/* libsrt: live mode, delivered as soon as it can be ("reliable"; without a playout delay it hands out only
 * what it has acknowledged, which it does every 10 ms), or at a fixed moment ("playout").
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <srt/srt.h>

enum { PLAYOUT_MS = 120 }; /* the library's default */

static SRTSOCKET door, stream;
static pthread_t reader;
static atomic_bool is_stopped;

static int set_int(int name, int value)
{
    return srt_setsockflag(door, (SRT_SOCKOPT)name, &value, sizeof value);
}

static int set_bool(int name, bool value)
{
    return srt_setsockflag(door, (SRT_SOCKOPT)name, &value, sizeof value);
}

static int prepare(const struct end *end)
{
    bool is_playout = mode_is(end, "playout");
    return set_int(SRTO_TRANSTYPE, SRTT_LIVE) | set_bool(SRTO_TSBPDMODE, is_playout) |
           set_bool(SRTO_TLPKTDROP, is_playout) | set_int(SRTO_LATENCY, PLAYOUT_MS) |
           set_bool(SRTO_SNDSYN, false) | set_bool(SRTO_RCVSYN, true) |
           set_int(SRTO_RCVTIMEO, 100) | set_int(SRTO_CONNTIMEO, 10000);
}

/* The library has threads of its own and no descriptor to wait for: a third thread reads. */
static void *read_messages(void *arg)
{
    struct end *end = arg;
    char data[2048];
    while (!atomic_load(&is_stopped)) {
        int len = srt_recvmsg(stream, data, sizeof data);
        if (len > 0) {
            end_received(end, (const uint8_t *)data, (size_t)len);
        } else if (srt_getsockstate(stream) != SRTS_CONNECTED) {
            break;
        }
    }
    return NULL;
}

static int srt_fail(void)
{
    fprintf(stderr, "messages: srt: %s\n", srt_getlasterror_str());
    errno = EIO;
    return -1;
}

static int open_srt(struct end *end, const struct sockaddr_in *address)
{
    const struct sockaddr *at = (const struct sockaddr *)address;
    srt_setloglevel(0);
    if (srt_startup() < 0 || (door = srt_create_socket()) == SRT_INVALID_SOCK ||
        prepare(end) != 0) {
        return srt_fail();
    }
    if (end->side == SERVER) {
        return srt_bind(door, at, sizeof *address) != 0 || srt_listen(door, 1) != 0 ? srt_fail()
                                                                                    : 0;
    }
    stream = door;
    return srt_connect(door, at, sizeof *address) != 0 ? srt_fail() : 0; /* waits */
}

static uint64_t work_srt(struct end *end, uint64_t now)
{
    if (!end->is_ready) {
        if (end->side == SERVER) {
            stream = srt_accept(door, NULL, NULL); /* waits */
        }
        if (stream == SRT_INVALID_SOCK || pthread_create(&reader, NULL, read_messages, end) != 0) {
            (void)srt_fail();
            exit(EXIT_FAILURE);
        }
        end->is_ready = true;
    }
    end->is_over = srt_getsockstate(stream) != SRTS_CONNECTED;
    return now + 5 * NS_PER_MS;
}

static bool send_srt(struct end *end, unsigned channel, const uint8_t *data, size_t len)
{
    (void)end;
    (void)channel;
    return srt_sendmsg(stream, (const char *)data, (int)len, -1, 1) == (int)len;
}

static void close_srt(struct end *end)
{
    (void)end;
    atomic_store(&is_stopped, true);
    (void)pthread_join(reader, NULL);
    (void)srt_close(stream);
    (void)srt_cleanup();
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"reliable", "playout", NULL};
    static const struct transport transport = {.name = "srt",
                                               .modes = modes,
                                               .channels = 1,
                                               .open = open_srt,
                                               .work = work_srt,
                                               .send = send_srt,
                                               .close = close_srt};
    return messages_main(argc, argv, &transport);
}
