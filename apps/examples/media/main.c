/* Live video over tern: thirty frames a second with a deadline, a bit rate that follows the path, and forward
 * error correction. The three ways to run it; media.h says how it works. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/media/media.h"

#define PORT 7441
#define MBIT 1e6
#define TAIL (2 * DEADLINE) /* after the last frame: what is under way arrives */

static const char help[] =
    "Usage: tern-media receive [--port N]\n"
    "       tern-media send ADDRESS:PORT\n"
    "       tern-media demo               both, in one process\n"
    "\n"
    "  --seconds N    end after so long (demo: 10)\n"
    "  --port N       receive: where (7441)\n"
    "  --top MBIT     send, demo: the encoder's best, in Mbit/s (5)\n"
    "  --no-fec       send, demo: without repairs\n"
    "  --loss PCT     send, demo: so much of what the sender sends and receives gets lost\n"
    "  --delay MS     send, demo: and it takes so much longer, each way\n"
    "  --rate MBIT    send, demo: and no more than this gets through, each way\n"
    "\n"
    "Exit status: 0 done, 1 the network failed or the connection was lost, 2 usage.\n";

/* Once a second. */
static void say(const struct sender *s, const struct receiver *r, double second)
{
    printf("%3.0f s", second);
    if (s != NULL) {
        printf(
            "  rate %.2f Mbit/s  rtt %.1f ms  loss %.1f %%  frames %llu  keys %llu  expired %llu",
            (double)s->rate / MBIT, (double)s->stats.smoothed_rtt / 1e6,
            (double)s->stats.loss_rate / 100, (unsigned long long)s->next,
            (unsigned long long)s->keys, (unsigned long long)s->expired);
    }
    if (r != NULL && (s != NULL || r->conn != NULL)) {
        printf("  played %llu  late %llu  worst %.1f ms", (unsigned long long)r->in_time,
               (unsigned long long)r->late, (double)r->worst / 1e6);
    }
    printf("\n");
    (void)fflush(stdout);
}

static void summary(const struct sender *s, const struct receiver *r)
{
    if (s != NULL) {
        const tern_stats *t = &s->stats;
        printf("sender: %llu frames, %llu keys, %llu expired, %.2f Mbit/s at the end, "
               "%llu packets, %llu lost, %llu repairs\n",
               (unsigned long long)s->next, (unsigned long long)s->keys,
               (unsigned long long)s->expired, (double)s->rate / MBIT,
               (unsigned long long)t->packets_sent, (unsigned long long)t->packets_lost,
               (unsigned long long)t->repairs_sent);
    }
    if (r != NULL) {
        printf("receiver: %llu frames, %llu in time, %llu late, %llu broken, %llu repaired, %llu "
               "requests, "
               "worst %.1f ms\n",
               (unsigned long long)r->frames, (unsigned long long)r->in_time,
               (unsigned long long)r->late, (unsigned long long)r->broken,
               (unsigned long long)r->recovered, (unsigned long long)r->requests,
               (double)r->worst / 1e6);
    }
    if (s != NULL && r != NULL) {
        printf("in time: %.2f %%\n",
               s->next == 0 ? 0.0 : 100.0 * (double)r->in_time / (double)s->next);
    }
}

/* One of the two may be NULL: it is elsewhere. */
static int run(struct sender *s, struct receiver *r, double seconds)
{
    struct node *nodes[2];
    size_t count = 0;
    if (s != NULL) {
        nodes[count++] = &s->node;
    }
    if (r != NULL) {
        nodes[count++] = &r->node;
    }
    tern_time start = tern_udp_now(), now = start, next = start, told = start;
    tern_time end = seconds > 0 ? start + (tern_time)(seconds * (double)TERN_SEC) : TERN_TIME_NEVER;
    tern_time slip = 0;
    tern_time tail = end == TERN_TIME_NEVER || s == NULL ? 0 : TAIL;
    while (now < end + tail && !kit_is_over() && (s == NULL || s->conn != NULL)) {
        nodes_serve(nodes, count, next);
        if (r != NULL) {
            receiver_poll(r);
        }
        if (s != NULL) {
            sender_poll(s);
        }
        now = tern_udp_now();
        if (now >= next) {
            slip = now - next > slip ? now - next : slip;
            next += FRAME;
            if (s != NULL && now < end) {
                sender_frame(s);
            }
        }
        if (now - told >= TERN_SEC) {
            told += TERN_SEC;
            say(s, r, (double)(told - start) / 1e9);
        }
    }
    summary(s, r);
    printf("this machine: late by %.1f ms at most\n", (double)slip / 1e6);
    return s != NULL && s->is_lost ? 1 : 0;
}

struct media_options {
    struct options all;
    double top; /* Mbit/s */
    bool has_fec;
};

static void parse(struct media_options *o, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--top") == 0) {
            o->top = take_number(argv, &i, 0.1, 100);
        } else if (strcmp(argv[i], "--no-fec") == 0) {
            o->has_fec = false;
        } else if (!take_option(&o->all, argv, &i)) {
            misuse(argv[i], NULL, "unknown; try --help");
        }
    }
}

static void open_sender(struct sender *s, const struct media_options *o, const tern_addr *to)
{
    s->top = (uint64_t)(o->top * MBIT);
    s->has_fec = o->has_fec;
    sender_open(s, to);
    node_worsen(&s->node, &o->all, 1);
}

int main(int argc, char **argv)
{
    static struct sender sender;
    static struct receiver receiver;
    struct media_options o = {.all = {.port = PORT}, .top = 5, .has_fec = true};
    const char *mode = argc > 1 ? argv[1] : "";
    struct sender *s = NULL;
    struct receiver *r = NULL;
    char text[TERN_ADDR_TEXT_SIZE];
    kit_init("tern-media");
    if (strcmp(mode, "--help") == 0 || strcmp(mode, "-h") == 0) {
        (void)fputs(help, stdout);
        return 0;
    }
    parse(&o, argc, argv);
    if (o.all.where != NULL && strcmp(mode, "send") != 0) {
        misuse(o.all.where, NULL, "only send takes an address; try --help");
    }
    if (strcmp(mode, "receive") == 0) {
        r = &receiver;
        receiver_open(r, (uint16_t)o.all.port);
        tern_addr local = tern_udp_local(r->node.udp);
        (void)fprintf(stderr, "tern-media: receiving on %s\n",
                      tern_addr_format(&local, text, sizeof text));
    } else if (strcmp(mode, "send") == 0) {
        tern_addr to = take_address(&o.all);
        s = &sender;
        open_sender(s, &o, &to);
    } else if (strcmp(mode, "demo") == 0) {
        r = &receiver;
        receiver_open(r, 0);
        tern_addr to = node_address(&r->node);
        s = &sender;
        open_sender(s, &o, &to);
        o.all.seconds = o.all.seconds > 0 ? o.all.seconds : 10;
    } else {
        misuse(mode[0] == 0 ? "nothing to do" : mode, NULL,
               "give receive, send or demo; try --help");
    }
    int rc = run(s, r, o.all.seconds);
    if (s != NULL) {
        node_close(&s->node, "the end");
    }
    if (r != NULL) {
        node_close(&r->node, "the end");
    }
    return rc;
}
