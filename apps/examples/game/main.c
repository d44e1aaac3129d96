/* A game over tern: an authoritative server, players that move, a view in the terminal. The three ways to run
 * it; game.h says what goes over the network, and why so. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/game/game.h"

#define PORT 7440
#define BOTS 4

struct game_options {
    struct options all;
    bool is_headless;
};

static const char help[] =
    "Usage: tern-game serve [--port N]\n"
    "       tern-game join ADDRESS:PORT [--headless]   w a s d to move, q to leave\n"
    "       tern-game demo [--headless]                a server and four players that steer "
    "themselves\n"
    "\n"
    "  --seconds N    end after so long (demo: 10)\n"
    "  --port N       serve: where (7440)\n"
    "  --loss PCT     join, demo: so much of what each player sends and receives gets lost\n"
    "  --delay MS     join, demo: and it takes so much longer, each way\n"
    "  --rate MBIT    join, demo: and no more than this gets through, each way\n"
    "  --headless     no picture; join: it steers itself\n"
    "\n"
    "Exit status: 0 done, 1 the network failed or the connection was lost, 2 usage.\n";

/* True while the game goes on; moves on to the next frame. */
static bool next_frame(const struct options *o, tern_time start, tern_time *next)
{
    *next += FRAME;
    return !kit_is_over() &&
           (o->seconds <= 0 || *next - start < (tern_time)(o->seconds * (double)TERN_SEC));
}

static int serve(const struct options *o)
{
    static struct server server;
    char text[TERN_ADDR_TEXT_SIZE];
    server_open(&server, (uint16_t)o->port);
    struct node *nodes[] = {&server.node};
    tern_addr local = tern_udp_local(server.node.udp);
    (void)fprintf(stderr, "tern-game: serving on %s\n",
                  tern_addr_format(&local, text, sizeof text));
    tern_time start = tern_udp_now(), next = start;
    do {
        nodes_wait(nodes, 1, next);
        server_frame(&server);
    } while (next_frame(o, start, &next));
    server_summary(&server);
    node_close(&server.node, "the game is over");
    return 0;
}

static int join(const struct game_options *o)
{
    static struct client client;
    tern_addr to = take_address(&o->all);
    client_open(&client, &to);
    node_worsen(&client.node, &o->all, 1);
    struct node *nodes[] = {&client.node};
    bool has_view = !o->is_headless && view_open();
    tern_time start = tern_udp_now(), next = start;
    do {
        nodes_wait(nodes, 1, next);
        client_frame(&client);
        if (has_view) {
            view_draw(&client);
        } else {
            client_steer(&client, 0);
        }
    } while (client.conn != NULL && view_keys(&client) && next_frame(&o->all, start, &next));
    view_close();
    client_summary(&client, "you");
    bool is_lost = client.conn == NULL && client.is_lost;
    node_close(&client.node, "bye");
    return is_lost ? 1 : 0;
}

static bool demo_frame(struct server *server, struct client *bots, bool has_view)
{
    bool goes_on = true;
    server_frame(server);
    for (unsigned i = 0; i < BOTS; i++) {
        client_frame(&bots[i]);
        goes_on = goes_on && bots[i].conn != NULL;
    }
    if (has_view) {
        struct client *seen = &bots[0];
        view_draw(seen);
        goes_on = goes_on && view_keys(seen);
    }
    for (unsigned i = 0; i < BOTS; i++) {
        client_steer(&bots[i], i);
    }
    return goes_on;
}

static int demo(const struct game_options *o)
{
    static struct server server;
    static struct client bots[BOTS];
    struct node *nodes[BOTS + 1] = {&server.node};
    server_open(&server, 0);
    tern_addr to = node_address(&server.node);
    for (unsigned i = 0; i < BOTS; i++) {
        client_open(&bots[i], &to);
        node_worsen(&bots[i].node, &o->all, i + 1);
        nodes[i + 1] = &bots[i].node;
    }
    bool has_view = !o->is_headless && view_open();
    bool goes_on = true;
    tern_time start = tern_udp_now(), next = start;
    do {
        nodes_wait(nodes, BOTS + 1, next);
        goes_on = demo_frame(&server, bots, has_view);
    } while (goes_on && next_frame(&o->all, start, &next));
    view_close();
    server_summary(&server);
    bool is_lost = false;
    for (unsigned i = 0; i < BOTS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "player %c", (int)('A' + i));
        client_summary(&bots[i], name);
        is_lost = is_lost || bots[i].is_lost;
        node_close(&bots[i].node, "bye");
    }
    node_close(&server.node, "the game is over");
    return is_lost ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct game_options o = {.all = {.port = PORT}};
    const char *mode = argc > 1 ? argv[1] : "";
    kit_init("tern-game");
    if (strcmp(mode, "--help") == 0 || strcmp(mode, "-h") == 0) {
        (void)fputs(help, stdout);
        return 0;
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--headless") == 0) {
            o.is_headless = true;
        } else if (!take_option(&o.all, argv, &i)) {
            misuse(argv[i], NULL, "unknown; try --help");
        }
    }
    if (o.all.where != NULL && strcmp(mode, "join") != 0) {
        misuse(o.all.where, NULL, "only join takes an address; try --help");
    }
    if (strcmp(mode, "serve") == 0) {
        return serve(&o.all);
    }
    if (strcmp(mode, "join") == 0) {
        return join(&o);
    }
    if (strcmp(mode, "demo") == 0) {
        o.all.seconds = o.all.seconds > 0 ? o.all.seconds : 10;
        return demo(&o);
    }
    misuse(mode[0] == 0 ? "nothing to do" : mode, NULL, "give serve, join or demo; try --help");
}
