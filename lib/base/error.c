/* Names of errors and events in plain English.
 * SPDX-License-Identifier: MIT */
#include <tern/event.h>

#include "base/def.h"

static const struct {
    int error;
    const char *text;
} error_texts[] = {
    {TERN_OK, "success"},
    {TERN_ERR_AGAIN, "nothing now, try again later"},
    {TERN_ERR_NOMEM, "out of memory"},
    {TERN_ERR_INVALID, "invalid argument"},
    {TERN_ERR_STATE, "not possible in the present state"},
    {TERN_ERR_LIMIT, "limit reached"},
    {TERN_ERR_RESET, "the peer reset the stream"},
    {TERN_ERR_STOPPED, "the peer stopped reading the stream"},
    {TERN_ERR_BUFFER, "buffer too small"},
    {TERN_ERR_SYSTEM, "system error"},
    {TERN_ERR_UNSUPPORTED, "not supported here"},
    {TERN_ERR_REFUSED, "identity refused"},
    {TERN_ERR_TIMEOUT, "timed out"},
    {TERN_ERR_CRYPTO, "cryptographic check failed"},
    {TERN_ERR_VERSION, "no common protocol version"},
    {TERN_ERR_CLOSED, "the connection is closed"},
    {TERN_ERR_FORGOTTEN, "the peer has lost the connection"},
    {TERN_ERR_SECRET, "wrong secret or code"},
    {TERN_ERR_MODE, "the server wants another kind of handshake"},
    {TERN_ERR_INTERNAL, "internal error"},
    {TERN_ERR_FLOW_CONTROL, "flow control violated"},
    {TERN_ERR_STREAM_LIMIT, "too many streams opened"},
    {TERN_ERR_STREAM_STATE, "frame does not fit the stream's state"},
    {TERN_ERR_FINAL_SIZE, "final size of a stream changed"},
    {TERN_ERR_FRAME_ENCODING, "malformed frame"},
    {TERN_ERR_TRANSPORT_PARAMETER, "bad transport parameter"},
    {TERN_ERR_CONNECTION_ID_LIMIT, "too many connection identifiers"},
    {TERN_ERR_PROTOCOL, "protocol violated"},
    {TERN_ERR_INVALID_TOKEN, "invalid token"},
    {TERN_ERR_CRYPTO_BUFFER, "too many handshake bytes"},
    {TERN_ERR_KEY_UPDATE, "bad key update"},
    {TERN_ERR_AEAD_LIMIT, "cipher limit reached"},
};

static const char *const event_names[] = {
    [TERN_EVENT_NONE] = "none",
    [TERN_EVENT_CONNECTED] = "connected",
    [TERN_EVENT_CLOSED] = "closed",
    [TERN_EVENT_OPENABLE] = "openable",
    [TERN_EVENT_STREAM_OPENED] = "stream-opened",
    [TERN_EVENT_STREAM_READABLE] = "stream-readable",
    [TERN_EVENT_STREAM_WRITABLE] = "stream-writable",
    [TERN_EVENT_STREAM_STOPPED] = "stream-stopped",
    [TERN_EVENT_STREAM_CLOSED] = "stream-closed",
    [TERN_EVENT_BANDWIDTH] = "bandwidth",
    [TERN_EVENT_EARLY] = "early",
    [TERN_EVENT_TICKET] = "ticket",
    [TERN_EVENT_MESSAGES] = "messages",
    [TERN_EVENT_MESSAGES_WRITABLE] = "messages-writable",
    [TERN_EVENT_MESSAGE_OUTCOME] = "message-outcome",
};

const char *tern_strerror(int error)
{
    for (size_t i = 0; i < TERN_COUNT_OF(error_texts); i++) {
        if (error_texts[i].error == error) {
            return error_texts[i].text;
        }
    }
    return "unknown error";
}

const char *tern_event_name(tern_event_type type)
{
    size_t i = (size_t)type;
    return i < TERN_COUNT_OF(event_names) ? event_names[i] : "unknown";
}
