/* Copies between two people without set-up: a one-time code instead of names, keys and accounts.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SEND_H
#define TERNCP_SEND_H

#include "terncp/options.h"

/* Offers files and folders under a new code, to one receiver. Returns the exit code. */
int send_run(const struct options *options);

/* Takes what is offered: receive CODE[@HOST[:PORT]] [FOLDER]. */
int receive_run(const struct options *options);

#endif
