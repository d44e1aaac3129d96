/* The core of tern in one include: encrypted, reliable transport over UDP without I/O of its own.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TERN_H
#define TERN_TERN_H

#include <tern/config.h>
#include <tern/conn.h>
#include <tern/endpoint.h>
#include <tern/event.h>
#include <tern/message.h>
#include <tern/stream.h>
#include <tern/token.h>
#include <tern/trace.h>
#include <tern/types.h>

#endif
