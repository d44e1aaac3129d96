/* What terncp asks of the transport, on either side.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_TRANSPORT_H
#define TERNCP_TRANSPORT_H

#include "shared/transport.h"
#include "terncp/options.h"

#define TERNCP_IDLE      (10 * TERN_SEC)
#define TERNCP_KEEPALIVE (3 * TERN_SEC)
#define TERNCP_PACKS     8    /* packs that a peer may have under way at once */
#define TERNCP_FILES     17   /* and files with a stream of their own, and the control stream */
#define TERNCP_DATAGRAM  8900 /* jumbo frames, where the path carries them */

/* The configuration that both sides share. */
void transport_config(tern_config *config, const struct options *options);

#endif
