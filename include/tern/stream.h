/* Streams: ordered byte pipes inside a connection, one way or both ways.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_H
#define TERN_STREAM_H

#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Both ends write to a BIDI stream, only who opened it to a UNI one. */
typedef enum tern_stream_kind { TERN_STREAM_BIDI = 0, TERN_STREAM_UNI = 1 } tern_stream_kind;

#define TERN_FIN 1u /* flag of the write calls: these are the last bytes */

/* Copies up to len bytes into the stream's send buffer and returns how many were taken. A short
 * count (also 0) means the buffer is full: TERN_EVENT_STREAM_WRITABLE comes when there is room,
 * and FIN was not taken. len 0 with TERN_FIN only ends the stream.
 * Errors: TERN_ERR_STOPPED · TERN_ERR_STATE (after FIN or reset, or not our half) ·
 * TERN_ERR_CLOSED · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK ptrdiff_t tern_stream_write(tern_stream *stream, const void *data,
                                                     size_t len, unsigned flags);

/* Releases the bytes of a tern_stream_write_ref or tern_conn_send_ref. May run inside receive, tick, transmit,
 * close or free, and of messages inside send and cancel; must not call back into the endpoint. */
typedef void (*tern_release_fn)(void *arg, const void *data, size_t len);

/* The same without a copy: the bytes are lent until `release` is called, once, after all of them
 * were acknowledged or the stream died. All or nothing: returns len, or 0 when the buffer is full
 * (nothing was taken then, WRITABLE follows), or one of the errors of tern_stream_write (release is not called then). A len of 0 is
 * never too much, and released at once. */
TERN_API TERN_MUST_CHECK ptrdiff_t tern_stream_write_ref(tern_stream *stream, const void *data,
                                                         size_t len, tern_release_fn release,
                                                         void *arg, unsigned flags);

/* Bytes that tern_stream_write would take now. */
TERN_API size_t tern_stream_writable(const tern_stream *stream);

/* Reads up to len bytes (> 0). Returns the count, 0 at the end of the stream, TERN_ERR_AGAIN when
 * nothing is there yet, TERN_ERR_RESET after the peer's reset (tern_stream_reset_code says why),
 * TERN_ERR_STATE on a half that we cannot read, TERN_ERR_INVALID for a len of 0, TERN_ERR_CLOSED when the
 * connection is over and nothing is left to read. */
TERN_API TERN_MUST_CHECK ptrdiff_t tern_stream_read(tern_stream *stream, void *buf, size_t len);

/* Lends the next readable bytes without a copy; they stay valid until consume, read, or the next
 * endpoint call. 0 with *len > 0: bytes; 0 with *len == 0: end of stream (*data is not NULL
 * then either); else the errors of tern_stream_read. */
TERN_API TERN_MUST_CHECK int tern_stream_peek(tern_stream *stream, const uint8_t **data,
                                              size_t *len);

/* Takes n peeked bytes away, which grants the peer new credit. TERN_ERR_INVALID if n is more than
 * a peek would give. Call it with 0 at the end of the stream to acknowledge the end. */
TERN_API TERN_MUST_CHECK int tern_stream_consume(tern_stream *stream, size_t n);

/* Gives up our sending half: unsent bytes are dropped, the peer reads TERN_ERR_RESET.
 * 0 (also when that half is over) · TERN_ERR_STATE (we have none) · TERN_ERR_INVALID (a code above
 * 2^62 - 1) · TERN_ERR_CLOSED */
TERN_API TERN_MUST_CHECK int tern_stream_reset(tern_stream *stream, uint64_t code);

/* Before the handshake is over, bytes of this stream may leave. Later it changes nothing.
 * A client: as early data, if there is a ticket (tern_peer). They may reach the server's application more
 * than once, so they must do no harm then. TERN_ERR_STATE on a stream of the peer's.
 * A server, after TERN_EVENT_EARLY: to a client that has shown its ticket's secret, and not its key yet. Nobody
 * else can read them, but nobody may be there: see docs/protocol.md, section 4.10. Streams that were not named
 * wait for CONNECTED, so who calls it on none answers nobody before. */
TERN_API TERN_MUST_CHECK int tern_stream_set_early(tern_stream *stream);

/* The bytes that the next read or peek gives came as early data: they may be a replay, and their sender
 * is not proved. A read never mixes them with others, so it may be short where they end. */
TERN_API bool tern_stream_is_early(const tern_stream *stream);

/* Asks the peer to send no more; what arrives is discarded. 0 (also when all has come already)
 * · TERN_ERR_STATE (a half that we cannot read) · TERN_ERR_INVALID (a code above 2^62 - 1) · TERN_ERR_CLOSED */
TERN_API TERN_MUST_CHECK int tern_stream_stop(tern_stream *stream, uint64_t code);

/* RFC 9218 without HTTP: urgency 0 (first) to 7, default 3; streams of one urgency share by turns
 * when incremental, else run one after the other. TERN_ERR_INVALID for urgency above 7. */
TERN_API TERN_MUST_CHECK int tern_stream_set_priority(tern_stream *stream, unsigned urgency,
                                                      bool incremental);

/* The number that both ends know it by: as RFC 9000 section 2.1 has it, so those of one kind and opener go up by
 * four in the order of opening. */
TERN_API uint64_t tern_stream_id(const tern_stream *stream);
TERN_API tern_stream_kind tern_stream_kind_of(const tern_stream *stream);
/* We opened it (true) or the peer. */
TERN_API bool tern_stream_is_local(const tern_stream *stream);
/* The connection that it is in. */
TERN_API tern_conn *tern_stream_conn(const tern_stream *stream);
/* The code of the peer's reset; 0 if there was none. */
TERN_API uint64_t tern_stream_reset_code(const tern_stream *stream);

/* A pointer of yours that rides on the stream. */
TERN_API void tern_stream_set_user(tern_stream *stream, void *user);
TERN_API void *tern_stream_user(const tern_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
