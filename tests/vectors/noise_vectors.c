/* Runs files of published Noise test vectors: both sides, byte for byte.
 *
 *     noise_vectors FILE.json...
 *
 * The last line reads "N passed, M failed", and ", K skipped" when protocols were named that have
 * parts we do not implement. The exit code is 0 when something passed and nothing failed.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "crypto/noise.h"
#include "record.h"

#define BUFFER_SIZE (TERN_NOISE_MESSAGE_MAX + TERN_NOISE_TAG_SIZE)

enum outcome { PASSED, FAILED, SKIPPED };

struct run {
    struct tern_noise init, resp;
    uint8_t keys[2][TERN_NOISE_KEY_SIZE]; /* of the initiator and the responder as senders */
    uint64_t nonces[2];
    uint8_t sent[BUFFER_SIZE], got[BUFFER_SIZE];
};

static int begin_side(struct tern_noise *noise, const struct record *record,
                      const struct record_side *side, bool is_initiator)
{
    uint8_t psks[RECORD_PSKS_MAX][TERN_NOISE_SECRET_SIZE];
    struct tern_noise_setup setup = {
        .protocol_name = record->name,
        .is_initiator = is_initiator,
        .prologue = side->prologue.data,
        .prologue_len = side->prologue.len,
        .static_secret = side->secret.data,
        .remote_static = side->remote_static.data,
        .psks = (const uint8_t(*)[TERN_NOISE_SECRET_SIZE])psks,
        .psk_count = side->psk_count,
    };
    const struct blob *keys[] = {&side->secret, &side->ephemeral, &side->remote_static};
    for (size_t i = 0; i < TERN_COUNT_OF(keys); i++) {
        if (keys[i]->data != NULL && keys[i]->len != TERN_KEY_SIZE) {
            return TERN_ERR_UNSUPPORTED; /* of another curve */
        }
    }
    for (size_t i = 0; i < side->psk_count; i++) {
        if (side->psks[i].len != TERN_NOISE_SECRET_SIZE) {
            return TERN_ERR_INVALID;
        }
        memcpy(psks[i], side->psks[i].data, TERN_NOISE_SECRET_SIZE);
    }
    int rc = tern_noise_init(noise, &setup);
    if (rc == 0 && side->ephemeral.data != NULL) {
        tern_noise_set_ephemeral(noise, side->ephemeral.data);
    }
    return rc;
}

static bool equals(const struct blob *blob, const uint8_t *data, size_t len)
{
    return blob->len == len && (len == 0 || memcmp(blob->data, data, len) == 0);
}

static const char *handshake_message(struct run *run, const struct record *record, size_t i,
                                     struct tern_random *random)
{
    const struct blob *payload = &record->messages[i].payload;
    struct tern_noise *writer = i % 2 == 0 ? &run->init : &run->resp;
    struct tern_noise *reader = i % 2 == 0 ? &run->resp : &run->init;
    size_t len = 0, got = 0;
    if (tern_noise_write(writer, random, payload->data, payload->len, run->sent, sizeof run->sent,
                         &len) != 0) {
        return "cannot be written";
    }
    if (!equals(&record->messages[i].ciphertext, run->sent, len)) {
        return "is another one";
    }
    if (tern_noise_read(reader, run->sent, len, run->got, sizeof run->got, &got) != 0) {
        return "cannot be read";
    }
    return equals(payload, run->got, got) ? NULL : "has another payload";
}

static const char *transport_message(struct run *run, const struct record *record, size_t i,
                                     size_t sender)
{
    const struct blob *payload = &record->messages[i].payload;
    const uint8_t *key = run->keys[sender];
    enum tern_noise_cipher cipher = run->init.symmetric.cipher;
    uint64_t n = run->nonces[sender]++;
    size_t len = payload->len + TERN_NOISE_TAG_SIZE;
    if (len > sizeof run->sent || tern_noise_cipher_seal(cipher, key, n, NULL, 0, payload->data,
                                                         payload->len, run->sent) != 0) {
        return "cannot be sealed";
    }
    if (!equals(&record->messages[i].ciphertext, run->sent, len)) {
        return "is another one";
    }
    if (tern_noise_cipher_open(cipher, key, n, NULL, 0, run->sent, len, run->got) != 0) {
        return "cannot be opened";
    }
    return equals(payload, run->got, payload->len) ? NULL : "has another payload";
}

/* Both ends are done: they must agree with each other and with the record. */
static const char *finish(struct run *run, const struct record *record)
{
    uint8_t keys[2][TERN_NOISE_KEY_SIZE];
    size_t len = 0, resp_len = 0;
    const uint8_t *hash = tern_noise_hash(&run->init, &len);
    const uint8_t *resp_hash = tern_noise_hash(&run->resp, &resp_len);
    if (len != resp_len || memcmp(hash, resp_hash, len) != 0 ||
        (record->hash.data != NULL && !equals(&record->hash, hash, len))) {
        return "leaves another hash";
    }
    if (tern_noise_split(&run->init, run->keys[0], run->keys[1]) != 0 ||
        tern_noise_split(&run->resp, keys[0], keys[1]) != 0 ||
        memcmp(keys, run->keys, sizeof keys) != 0) {
        return "leaves other keys";
    }
    return NULL;
}

static enum outcome run_messages(struct run *run, const struct record *record)
{
    bool is_one_way = run->init.message_count == 1;
    struct tern_random random;
    const tern_random_source system = {0};
    tern_random_init(&random, &system);
    for (size_t i = 0; i < record->message_count; i++) {
        const char *why = NULL;
        if (i < run->init.message_count) {
            why = handshake_message(run, record, i, &random);
        } else {
            why = transport_message(run, record, i, is_one_way ? 0 : i % 2);
        }
        if (why == NULL && i + 1 == run->init.message_count) {
            why = finish(run, record);
        }
        if (why != NULL) {
            printf("failed   %s: message %zu %s\n", record->name, i + 1, why);
            return FAILED;
        }
    }
    if (!tern_noise_is_finished(&run->init)) {
        printf("failed   %s: the record ends before the handshake\n", record->name);
        return FAILED;
    }
    return PASSED;
}

static enum outcome run_record(const struct record *record)
{
    static struct run run;
    memset(&run, 0, sizeof run);
    int rc = begin_side(&run.init, record, &record->init, true);
    if (rc == 0) {
        rc = begin_side(&run.resp, record, &record->resp, false);
    }
    if (rc == TERN_ERR_UNSUPPORTED || record->is_fallback) {
        printf("skipped  %s: has a part that is not implemented\n", record->name);
        return SKIPPED;
    }
    if (rc != 0) {
        printf("failed   %s: keys are missing or too many\n", record->name);
        return FAILED;
    }
    return run_messages(&run, record);
}

static bool run_file(const char *path, size_t counts[3])
{
    struct record_file file;
    struct record record;
    if (record_file_open(&file, path)) {
        while (record_next(&file, &record)) {
            counts[run_record(&record)]++;
            record_clear(&record);
        }
    }
    if (file.error != NULL) {
        long at = file.text == NULL ? 0 : (long)(file.at - file.text);
        fprintf(stderr, "%s: byte %ld: %s\n", path, at, file.error);
    }
    bool is_whole = file.error == NULL;
    record_file_close(&file);
    return is_whole;
}

int main(int argc, char **argv)
{
    size_t counts[3] = {0};
    bool is_whole = true;
    if (argc < 2) {
        fprintf(stderr, "usage: noise_vectors FILE.json...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        is_whole = run_file(argv[i], counts) && is_whole;
    }
    printf("%zu passed, %zu failed", counts[PASSED], counts[FAILED]);
    if (counts[SKIPPED] > 0) {
        printf(", %zu skipped", counts[SKIPPED]);
    }
    printf("\n");
    return is_whole && counts[FAILED] == 0 && counts[PASSED] > 0 ? 0 : 1;
}
