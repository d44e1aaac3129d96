/* Frames into a packet. Each encoder sets w->failed when its frame does not fit; the caller then
 * goes back to the w->at that it had saved.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_WIRE_ENCODE_H
#define TERN_WIRE_ENCODE_H

#include "base/cursor.h"
#include "base/ranges.h"
#include "wire/frame.h"

#define TERN_FRAME_CRYPTO_HEADER_MAX 17

void tern_frame_encode_ping(struct tern_writer *w);
void tern_frame_encode_handshake_done(struct tern_writer *w);
void tern_frame_encode_immediate_ack(struct tern_writer *w);
void tern_frame_encode_rekey(struct tern_writer *w, uint64_t number, const uint8_t public_key[32]);
void tern_frame_encode_clock(struct tern_writer *w, uint64_t micros);
void tern_frame_encode_ack_frequency(struct tern_writer *w,
                                     const struct tern_frame_ack_frequency *f);

/* `ranges` ascending, the last of them holding `largest`. The lowest are left out when they do not
 * fit. delay: already divided by the exponent. ecn may be NULL. */
void tern_frame_encode_ack(struct tern_writer *w, uint64_t largest, uint64_t delay,
                           const struct tern_range *ranges, size_t count,
                           const struct tern_frame_ecn *ecn);

void tern_frame_encode_crypto(struct tern_writer *w, uint64_t offset, const uint8_t *data,
                              size_t len);

/* Bytes of a STREAM frame's header with its length field. */
size_t tern_frame_stream_size(uint64_t id, uint64_t offset, size_t len);
/* The header alone; `len` bytes of data must follow. */
void tern_frame_encode_stream(struct tern_writer *w, uint64_t id, uint64_t offset, size_t len,
                              bool fin);

void tern_frame_encode_reset_stream(struct tern_writer *w, uint64_t id, uint64_t code,
                                    uint64_t final_size);
/* With its data. Not a fragment: offset and total are not looked at. */
void tern_frame_encode_message(struct tern_writer *w, const struct tern_frame_message *f);
void tern_frame_encode_message_skip(struct tern_writer *w, const struct tern_frame_message_skip *f);
void tern_frame_encode_max_message_data(struct tern_writer *w, uint64_t limit);
/* All but the data, f->len bytes, which the caller writes behind it. */
void tern_frame_encode_repair(struct tern_writer *w, const struct tern_frame_repair *f);
void tern_frame_encode_stop_sending(struct tern_writer *w, uint64_t id, uint64_t code);
void tern_frame_encode_max_data(struct tern_writer *w, uint64_t limit);
void tern_frame_encode_max_stream_data(struct tern_writer *w, uint64_t id, uint64_t limit);
void tern_frame_encode_max_streams(struct tern_writer *w, bool is_bidi, uint64_t limit);
void tern_frame_encode_data_blocked(struct tern_writer *w, uint64_t limit);
void tern_frame_encode_stream_data_blocked(struct tern_writer *w, uint64_t id, uint64_t limit);
void tern_frame_encode_streams_blocked(struct tern_writer *w, bool is_bidi, uint64_t limit);
void tern_frame_encode_new_token(struct tern_writer *w, const uint8_t *token, size_t len);
void tern_frame_encode_new_connection_id(struct tern_writer *w, uint64_t sequence,
                                         uint64_t retire_prior_to, const struct tern_cid *cid,
                                         const uint8_t token[TERN_RESET_TOKEN_BYTES]);
void tern_frame_encode_retire_connection_id(struct tern_writer *w, uint64_t sequence);
void tern_frame_encode_path_challenge(struct tern_writer *w, const uint8_t data[8]);
void tern_frame_encode_path_response(struct tern_writer *w, const uint8_t data[8]);
/* The reason is cut to what fits. frame_type: transport closes only. */
void tern_frame_encode_connection_close(struct tern_writer *w, bool is_application, uint64_t code,
                                        uint64_t frame_type, const uint8_t *reason, size_t len);

#endif
