/* How many sessions a process may have at once.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <string.h>
#include <sys/resource.h>

#include "shared/cli.h"
#include "terncp/session.h"
#include "terncp/transport.h"

#define SESSIONS_MAX 64  /* unless --max-clients says otherwise */
#define SPARE_FILES  64  /* descriptors that are not a session's: sockets, logs, keys */
#define ASKED        256 /* files that a sender holds open while it asks about them */

/* Each session that receives may have TERNCP_FILES files open, with what there was of them and the folder
 * of each, and a folder a batch; one that sends, the files of its batches, also of those that it has asked about, and its queue: no more sessions
 * than there are descriptors for, so that one client cannot take them all. */
static unsigned sessions_for_files(void)
{
    struct rlimit limit = {.rlim_cur = 1024};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            (void)getrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    rlim_t each = 3 * TERNCP_FILES + TERNCP_PACKS + 130 + ASKED;
    return limit.rlim_cur > SPARE_FILES + each ? (unsigned)((limit.rlim_cur - SPARE_FILES) / each)
                                               : 1;
}

void house_init(struct house *house)
{
    unsigned most = sessions_for_files();
    memset(house, 0, sizeof *house);
    visits_init(&house->visits);
    house->sessions_max = most < SESSIONS_MAX ? most : SESSIONS_MAX;
}

void house_allow(struct house *house, unsigned clients)
{
    unsigned most = sessions_for_files();
    if (most < clients) {
        cli_verbose(CLI_WARNING, "file descriptors suffice for %u clients only", most);
    }
    house->sessions_max = most < clients ? most : clients;
}
