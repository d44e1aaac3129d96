/* ternchat: talk over tern. Finds out what is asked for and hands it on.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/identity.h"
#include "ternchat/options.h"
#include "ternchat/plain.h"
#include "ternchat/serve.h"
#include "ternchat/view.h"

/* Without them the first sockets would take their numbers, and be read for what is typed. */
static void open_standard_files(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", O_RDWR);
        }
    }
}

int main(int argc, char **argv)
{
    struct options options;
    open_standard_files();
    int code = options_parse(&options, argc, argv);
    if (code >= 0) {
        return code;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0) {
        cli_error("libsodium", "would not start", "reinstall it");
        return CLI_LOCAL;
    }
    switch (options.command) {
    case COMMAND_SERVE:
        return serve_run(&options);
    case COMMAND_KEYGEN:
        return identity_keygen(options.out_file != NULL ? options.out_file : options.key);
    case COMMAND_ID:
        return identity_show(options.key);
    case COMMAND_TALK:
        break;
    }
#ifdef TERN_HAVE_CURSES
    if (!options.plain && !options.batch && !options.json && view_is_possible()) {
        return view_run(&options);
    }
#endif
    return plain_run(&options);
}
