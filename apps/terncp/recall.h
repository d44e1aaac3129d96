/* What a server remembers of the paths to its clients, to send faster when they come back.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_RECALL_H
#define TERNCP_RECALL_H

#include <tern/tern.h>

#define RECALL_PATHS 512 /* then the oldest gives way */

struct recall_path {
    tern_addr client; /* family 0: free */
    tern_path_memory memory;
    tern_time at;
};

struct recall {
    struct recall_path paths[RECALL_PATHS];
};

/* What is known of the path to this host (its address, or the /64 of IPv6), which is then forgotten here,
 * so that no second connection starts from it at the same time. False: nothing of use. */
bool recall_take(struct recall *recall, const tern_addr *client, tern_path_memory *out,
                 tern_time now);
void recall_put(struct recall *recall, const tern_addr *client, const tern_path_memory *memory,
                tern_time now);

#endif
