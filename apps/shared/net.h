/* Names that people give on the command line: hosts with ports, cipher suites, controllers.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_NET_H
#define TERN_APPS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "host", "host:port", "[v6]:port" into parts; *port stays when none is given. False when malformed. */
bool net_split(const char *text, char *host, size_t size, uint16_t *port);

/* "aes-256-gcm,chacha20-poly1305" into a bitmap of TERN_SUITE_*. False: an unknown name, or none. */
bool net_parse_suites(const char *list, unsigned *out);

/* One of the congestion controllers of tern_config.cc? And what to say to who named another. */
#define NET_CONTROLLERS_ADVICE "give bbr, cubic, newreno, ledbat, prague or media"
bool net_is_controller(const char *name);

#endif
