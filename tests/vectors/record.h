/* Reads the JSON files in which Noise test vectors are published.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_VECTORS_RECORD_H
#define TESTS_VECTORS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_MESSAGES_MAX 64
#define RECORD_PSKS_MAX     8
#define RECORD_NAME_SIZE    128

/* Bytes that stood in the file as hexadecimal; data is NULL when the field was not there. */
struct blob {
    uint8_t *data;
    size_t len;
};

struct record_side {
    struct blob prologue, secret, ephemeral, remote_static;
    struct blob psks[RECORD_PSKS_MAX];
    size_t psk_count;
};

struct record {
    char name[RECORD_NAME_SIZE];
    struct record_side init, resp;
    struct blob hash; /* the final h, where given */
    struct {
        struct blob payload, ciphertext;
    } messages[RECORD_MESSAGES_MAX];
    size_t message_count;
    bool is_fallback; /* begins in the middle of another handshake */
};

struct record_file {
    char *text;
    const char *at;
    const char *error; /* why the text could not be read, or NULL */
};

/* Loads a file and stands before its first record. False: cannot be read, or holds no array of
 * records; error says which. */
bool record_file_open(struct record_file *file, const char *path);
void record_file_close(struct record_file *file);

/* The next record. False at the end, or when error says what is wrong. */
bool record_next(struct record_file *file, struct record *record);
void record_clear(struct record *record);

#endif
