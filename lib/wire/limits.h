/* Every constant of the protocol, each with its source.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_WIRE_LIMITS_H
#define TERN_WIRE_LIMITS_H

#include <stdint.h>

#define TERN_VERSION_1              0x54524e01u         /* "TRN" 1, [P §2] */
#define TERN_CID_MAX                20                  /* RFC 9000 §17.2 */
#define TERN_CID_SIZE               8                   /* of those that we issue, [P §11] */
#define TERN_INITIAL_DATAGRAM_MIN   1200u               /* RFC 9000 §14.1 */
#define TERN_INITIAL_DCID_MIN       8                   /* RFC 9000 §7.2 */
#define TERN_DATAGRAM_MAX           65507u              /* UDP payload over IPv4 */
#define TERN_STREAMS_MAX            (UINT64_C(1) << 60) /* RFC 9000 §4.6 */
#define TERN_ACK_DELAY_EXPONENT     3                   /* RFC 9000 §18.2 */
#define TERN_ACK_DELAY_EXPONENT_MAX 20                  /* RFC 9000 §18.2 */
#define TERN_MAX_ACK_DELAY_MAX      (1u << 14)          /* ms, RFC 9000 §18.2 */
#define TERN_MIN_ACK_DELAY          1000u      /* us, ours: what a timer keeps, [P §9.2] */
#define TERN_CID_LIMIT_MIN          2          /* RFC 9000 §18.2 */
#define TERN_RESET_TOKEN_BYTES      16         /* RFC 9000 §10.3 */
#define TERN_RETRY_TAG_SIZE         16         /* RFC 9000 §17.2.5 */
#define TERN_PN_MAX_SIZE            4          /* RFC 9000 §17.1 */
#define TERN_MESSAGE_SIZE_MAX       (1u << 24) /* [P §7] */
#define TERN_MESSAGE_CHANNELS_MAX   (1u << 16) /* [P §7] */
#define TERN_MIN_SEND_ALLOWANCE     64u /* less than this of the 3x limit left: wait, [P §12] */
#define TERN_CLOCK_MAX              (UINT64_C(1) << 50) /* us, 35 years: [P §17] */
#define TERN_HURRIED_PROBES         4000u /* a second, of all connections of an endpoint: [P §9.4] */
#define TERN_PLAN_ROOM_MIN          24u   /* less room than this holds no useful packet */
#define TERN_REPAIR_SYMBOLS_MAX     64u   /* [P §16.6] */
#define TERN_REPAIR_SIZE_MAX        16384u /* [P §16.6] */

#endif
