/* What both examples need besides the library: an endpoint with its socket, a bad network for it, numbers from
 * the command line, and an end when somebody asks for it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_EXAMPLES_KIT_H
#define TERN_EXAMPLES_KIT_H

#include <tern/tern.h>
#include <tern/udp.h>

/* An endpoint, its driver, and the bad network that it is on, if any. */
struct node {
    tern_endpoint *endpoint;
    tern_udp *udp;
    tern_conditioner *conditioner; /* NULL: the network is as it is */
};

/* What the command line can ask of every example. */
struct options {
    const char *where; /* the one argument that is no option; NULL: none */
    double seconds;    /* 0: for ever */
    double port;
    double loss;  /* per cent, each way */
    double delay; /* ms, each way */
    double rate;  /* Mbit/s, each way; 0: any */
};

/* Names the program in messages, and has signals that end a program end it in order. */
void kit_init(const char *program);

/* Somebody has sent such a signal. */
bool kit_is_over(void);

/* Ends the program: the network or the memory failed (1), or the command line is wrong (2). */
_Noreturn void die(const char *what, int error);
_Noreturn void misuse(const char *what, const char *value, const char *advice);

/* The number that follows argv[*i], from least to most; moves *i on. */
double take_number(char **argv, int *i, double least, double most);

/* An option that every example has; false: argv[*i] is none of them. */
bool take_option(struct options *o, char **argv, int *i);

/* The address of o->where, without which the program ends. */
tern_addr take_address(const struct options *o);

/* Opens the endpoint on an address (NULL: any), which must work. */
void node_open(struct node *node, const tern_config *config, const tern_addr *local);
/* The same of a server that tells its clock, on a port of any address. */
void node_listen(struct node *node, uint16_t port);

/* Puts it on a network with the loss, the delay and the rate of the options. The seed tells nodes apart. */
void node_worsen(struct node *node, const struct options *o, uint64_t seed);

/* Where another node of this machine finds it. */
tern_addr node_address(const struct node *node);

/* Says goodbye to all peers, and frees. */
void node_close(struct node *node, const char *reason);

/* Serves the sockets until something has come, a millisecond has passed, or it is time. */
void nodes_serve(struct node *const *nodes, size_t count, tern_time until);

/* The same until it is time. */
void nodes_wait(struct node *const *nodes, size_t count, tern_time until);

#endif
