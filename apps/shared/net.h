/* Names that people give on the command line: hosts with ports, cipher suites, controllers.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_NET_H
#define TERN_APPS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/udp.h>

/* "host", "host:port", "[v6]:port" into parts; *port stays when none is given. False when malformed. */
bool net_split(const char *text, char *host, size_t size, uint16_t *port);

/* "aes-256-gcm,chacha20-poly1305" into a bitmap of TERN_SUITE_*. False: an unknown name, or none. */
bool net_parse_suites(const char *list, unsigned *out);

/* One of the congestion controllers of tern_config.cc? And what to say to who named another. */
#define NET_CONTROLLERS_ADVICE "give bbr, cubic, newreno, ledbat, prague or media"
bool net_is_controller(const char *name);

/* Tells people of socket buffers below `least` bytes, which lose bursts, and what to do about it; once for each
 * process. */
void net_warn_buffers(const tern_udp_counters *counters, size_t least);
/* A few hundred packets: less than any Linux has by default. */
#define NET_BUFFER_TINY ((size_t)256 * 1024)
/* What a fast path fills while an application is busy. */
#define NET_BUFFER_FAIR ((size_t)2 * 1024 * 1024)

#endif
