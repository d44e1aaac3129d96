/* Hosts, suites and controllers by name.
 * SPDX-License-Identifier: MIT */
#include "shared/net.h"

#include <stdlib.h>
#include <string.h>
#include <tern/config.h>

#include "shared/cli.h"

bool net_split(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *end;
    const char *start = text;
    if (*text == '[') {
        start = text + 1;
        end = strchr(start, ']');
        if (end == NULL) {
            return false;
        }
        text = end + 1;
    } else {
        end = text + strcspn(text, ":");
        text = end;
    }
    size_t len = (size_t)(end - start);
    if (len == 0 || len >= size) {
        return false;
    }
    memcpy(host, start, len);
    host[len] = '\0';
    if (*text == '\0') {
        return true;
    }
    char *rest;
    unsigned long value =
        *text == ':' && text[1] >= '0' && text[1] <= '9' ? strtoul(text + 1, &rest, 10) : 65536;
    if (value > 65535 || *rest != '\0') {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

bool net_parse_suites(const char *list, unsigned *out)
{
    unsigned suites = 0;
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        unsigned found = 0;
        for (unsigned bit = 1; bit <= TERN_SUITE_AEGIS_256; bit <<= 1) {
            const char *name = tern_suite_name(bit);
            if (name != NULL && strlen(name) == len && strncmp(name, list, len) == 0) {
                found = bit;
            }
        }
        if (found == 0) {
            return false;
        }
        suites |= found;
        list += len + (list[len] == ',' ? 1 : 0);
    }
    *out = suites;
    return suites != 0;
}

bool net_is_controller(const char *name)
{
    static const char *const names[] = {"bbr", "cubic", "newreno", "ledbat", "prague", "media"};
    size_t i = 0;
    while (i < sizeof names / sizeof names[0] && strcmp(names[i], name) != 0) {
        i++;
    }
    return i < sizeof names / sizeof names[0];
}

static void warn(const char *which, size_t size, const char *option)
{
    cli_verbose(CLI_WARNING,
                "warning: the socket's %s buffer has only %zu KiB, which costs speed; as root: "
                "sysctl -w net.core.%s=8388608",
                which, size / 1024, option);
}

void net_warn_buffers(const tern_udp_counters *counters, size_t least)
{
    static bool has_warned;
    if (has_warned) {
        return;
    }
    if (counters->receive_buffer < least) {
        has_warned = true;
        warn("receive", counters->receive_buffer, "rmem_max");
    }
    if (counters->send_buffer < least) {
        has_warned = true;
        warn("send", counters->send_buffer, "wmem_max");
    }
}
