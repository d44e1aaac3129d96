/* TLS 1.3 over TCP by OpenSSL: as many bytes as go over one connection on the loopback, from memory, one core a
 * side. What it counts are bytes.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

#define RECORD   16384 /* the largest of TLS: what a bulk sender fills */
#define PATIENCE 10    /* seconds for the other process */

static uint8_t buffer[RECORD];

/* A certificate of our own for this run: P-256, which weighs nothing beside what follows. */
static bool use_new_certificate(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    bool is_made = key != NULL && cert != NULL &&
                   ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
                   X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL &&
                   X509_gmtime_adj(X509_getm_notAfter(cert), 86400) != NULL &&
                   X509_set_pubkey(cert, key) && X509_sign(cert, key, EVP_sha256()) > 0;
    bool is_used =
        is_made && SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;
    X509_free(cert);
    EVP_PKEY_free(key);
    return is_used;
}

static SSL_CTX *context(const struct rate_run *run, const SSL_METHOD *method)
{
    bool is_aes = run->mode[0] == 'a';
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, is_aes ? "TLS_AES_256_GCM_SHA384"
                                             : "TLS_CHACHA20_POLY1305_SHA256") != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL); /* it is the process beside this one */
    return ctx;
}

static int listen_here(struct sockaddr_in *address)
{
    socklen_t len = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = PATIENCE};
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
                    bind(fd, (struct sockaddr *)address, sizeof *address) != 0 ||
                    listen(fd, 1) != 0 || getsockname(fd, (struct sockaddr *)address, &len) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* What has come until the sender said that it was all, and that it has; -1: it was cut off. */
static int64_t read_all(SSL *ssl)
{
    int64_t bytes = 0;
    int n = 0;
    while ((n = SSL_read(ssl, buffer, sizeof buffer)) > 0) {
        bytes += n;
    }
    bool is_all = SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN;
    return is_all && SSL_write(ssl, buffer, 1) == 1 ? bytes : -1;
}

static int64_t receive_tls(struct rate_run *run)
{
    struct sockaddr_in address;
    int64_t bytes = -1;
    int door = listen_here(&address), fd = -1;
    SSL_CTX *ctx = context(run, TLS_server_method());
    SSL *ssl = NULL;
    if (door >= 0 && ctx != NULL && use_new_certificate(ctx) &&
        rate_tell(run, ntohs(address.sin_port)) && (fd = accept(door, NULL, NULL)) >= 0) {
        ssl = SSL_new(ctx);
        if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1) {
            bytes = read_all(ssl);
        }
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    (void)close(door);
    return bytes;
}

static bool send_all(struct rate_run *run, SSL *ssl)
{
    double start = rate_now();
    while (rate_now() < start + run->seconds) {
        int n = SSL_write(ssl, buffer, sizeof buffer);
        if (n <= 0) {
            return false;
        }
        run->sent += (uint64_t)n;
    }
    /* Over when the last has been read, not when it was written. */
    bool is_read = SSL_shutdown(ssl) >= 0 && SSL_read(ssl, buffer, 1) == 1;
    run->took = rate_now() - start;
    return is_read;
}

static bool send_tls(struct rate_run *run)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(run->port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    bool is_sent = false;
    SSL_CTX *ctx = context(run, TLS_client_method());
    SSL *ssl = ctx == NULL ? NULL : SSL_new(ctx);
    if (ssl != NULL && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 && SSL_set_fd(ssl, fd) == 1 &&
        SSL_connect(ssl) == 1) {
        is_sent = send_all(run, ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    return is_sent;
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"aes-256-gcm", "chacha20-poly1305", NULL};
    static const struct rate_peer peer = {
        .name = "tls", .modes = modes, .receive = receive_tls, .send = send_tls};
    return rate_main(argc, argv, &peer);
}
