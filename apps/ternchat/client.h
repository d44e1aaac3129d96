/* A connection to a chat server that is made again whenever it is lost, under a model.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_CLIENT_H
#define TERNCHAT_CLIENT_H

#include <ev.h>

#include "ternchat/command.h"
#include "ternchat/files.h"
#include "ternchat/memory.h"
#include "ternchat/model.h"
#include "ternchat/options.h"

struct client;

enum client_state { CLIENT_CONNECTING, CLIENT_ONLINE, CLIENT_LOST, CLIENT_OVER };

struct client_front {
    void *user;
    struct model_front model; /* `send` and `user` are filled in by the client */
    void (*on_state)(void *user, enum client_state state);
    void (*on_file)(void *user, const struct files_news *news);
};

/* NULL: an error was printed; *code is the exit code then. */
struct client *client_new(const struct options *options, struct ev_loop *loop,
                          const struct client_front *front, const char *nick, int *code);
void client_free(struct client *client);

struct model *client_model(struct client *client);
/* The model goes on where it was at the last start, unless we have no key that stays, or --no-memory says
 * otherwise. lines: so many a room begins with. about: "", or what the person must be told. */
void client_remember(struct client *client, size_t lines, char about[MEMORY_WHY_SIZE]);
struct files *client_files(struct client *client);
/* After acting on the model from outside its own calls: sends what that brought. */
void client_wake(struct client *client);
void client_close(
    struct client *client); /* says goodbye; the loop may end once it is CLIENT_OVER */
int client_exit_code(const struct client *client);

const char *client_host(struct client *client); /* the server that we are at, or try */
/* Of the connection: round trip in ms and the share of lost bytes; false: there is none. */
bool client_health(const struct client *client, double *rtt_ms, double *loss);

#endif
