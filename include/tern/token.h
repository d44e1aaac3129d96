/* Connect tokens: how a matchmaker lets clients in to servers that refuse everybody else.
 *
 *     matchmaker   knows who may play: tern_connect_token_seal with a key that it shares with the
 *                  servers, for the client's public key; gives the token to the client, together with
 *                  the servers' addresses and public key
 *     client       tern_peer.connect_token, with the secret key that belongs to that public key
 *     server       tern_config.connect_token_key; reads the matchmaker's words with
 *                  tern_conn_token_data
 *
 * A token is short-lived, opens one connection at a server, and is of no use to anybody but its client.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TOKEN_H
#define TERN_TOKEN_H

#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_CONNECT_KEY_SIZE    32
#define TERN_CONNECT_DATA_MAX    256 /* bytes of the matchmaker's words to the server */
#define TERN_CONNECT_SERVERS_MAX 8
#define TERN_CONNECT_LIFE_MAX    600 /* seconds */
#define TERN_CONNECT_TOKEN_MAX   512 /* bytes of a token */

/* What a token grants. Fill with tern_connect_grant_init. */
typedef struct tern_connect_grant {
    size_t size;
    uint8_t client_key[TERN_KEY_SIZE]; /* the public key of the one who may use it */
    /* Seconds since 1970, now. A server takes no token from before its own start, since it cannot know
     * whether that was used. */
    uint64_t issued;
    uint64_t expires;                            /* at most TERN_CONNECT_LIFE_MAX later */
    tern_addr servers[TERN_CONNECT_SERVERS_MAX]; /* where it is good, with ports ... */
    size_t server_count;                         /* ... or 0: at every server with the key */
    const uint8_t *data;                         /* words to the server, sealed; NULL: none */
    size_t data_len;
} tern_connect_grant;

/* Sets `size`, and all else to zero. Then set client_key, issued and expires. */
TERN_API void tern_connect_grant_init(tern_connect_grant *grant);

/* Makes a token of at most TERN_CONNECT_TOKEN_MAX bytes. No endpoint is needed.
 * 0 · TERN_ERR_INVALID (a length or a time is out of range) · TERN_ERR_BUFFER */
TERN_API TERN_MUST_CHECK int tern_connect_token_seal(uint8_t *out, size_t capacity, size_t *len,
                                                     const uint8_t key[TERN_CONNECT_KEY_SIZE],
                                                     const tern_connect_grant *grant);

/* On a server: the data of the token that admitted this client, valid as long as the connection.
 * 0 · TERN_ERR_STATE (there was no token) */
TERN_API TERN_MUST_CHECK int tern_conn_token_data(const tern_conn *conn, const uint8_t **data,
                                                  size_t *len);

#ifdef __cplusplus
}
#endif

#endif
