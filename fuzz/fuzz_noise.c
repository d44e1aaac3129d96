/* Noise messages that a forger sends, at each step of XK and XX: they must be refused without any
 * effect, so that the true message still goes through afterwards.
 *
 * Input: one byte (bit 0 pattern, bits 1-2 which message, bit 3 raw or a mask over the true message),
 * then the bytes of the message.
 * SPDX-License-Identifier: MIT */
#include "base/random.h"
#include "crypto/noise.h"
#include "fuzz.h"

#define MESSAGE_MAX 2048

static const uint8_t secrets[2][TERN_KEY_SIZE] = {"a client's secret key, 32 bytes",
                                                  "a server's secret key, 32 bytes"};
static const char payload[] = "what they have to say";

struct pair {
    struct tern_noise ends[2]; /* the initiator, the responder */
    struct tern_random random;
    uint64_t state;
};

static void begin(struct pair *pair, bool is_xk)
{
    uint8_t server_public[TERN_KEY_SIZE];
    tern_random_source source = {.fill = fuzz_fill, .user = &pair->state};
    pair->state = 1;
    tern_random_init(&pair->random, &source);
    tern_key_public(server_public, secrets[1]);
    for (size_t i = 0; i < 2; i++) {
        struct tern_noise_setup setup = {
            .protocol_name =
                is_xk ? "Noise_XK_25519_ChaChaPoly_SHA256" : "Noise_XX_25519_ChaChaPoly_SHA256",
            .is_initiator = i == 0,
            .prologue = (const uint8_t *)"prologue",
            .prologue_len = 8,
            .static_secret = secrets[i],
            .remote_static = is_xk && i == 0 ? server_public : NULL,
        };
        FUZZ_CHECK(tern_noise_init(&pair->ends[i], &setup) == 0);
    }
}

static size_t write_next(struct pair *pair, size_t step, uint8_t out[MESSAGE_MAX])
{
    size_t len = 0;
    FUZZ_CHECK(tern_noise_write(&pair->ends[step % 2], &pair->random, (const uint8_t *)payload,
                                sizeof payload, out, MESSAGE_MAX, &len) == 0);
    return len;
}

static int read_next(struct pair *pair, size_t step, const uint8_t *message, size_t len)
{
    uint8_t out[MESSAGE_MAX];
    size_t out_len = 0;
    int rc = tern_noise_read(&pair->ends[(step + 1) % 2], message, len, out, sizeof out, &out_len);
    FUZZ_CHECK(rc != 0 || out_len <= len);
    return rc;
}

/* The forged message; false when it is the true one. */
static bool forge(struct fuzz_input *in, bool is_mask, const uint8_t *truth, size_t truth_len,
                  uint8_t out[MESSAGE_MAX], size_t *len)
{
    size_t given;
    const uint8_t *bytes = fuzz_bytes(in, MESSAGE_MAX, &given);
    if (!is_mask) {
        memcpy(out, bytes, given);
        *len = given;
    } else {
        memcpy(out, truth, truth_len);
        for (size_t i = 0; i < TERN_MIN(given, truth_len); i++) {
            out[i] ^= bytes[i];
        }
        *len = truth_len;
    }
    return *len != truth_len || memcmp(out, truth, truth_len) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct pair pair;
    uint8_t truth[MESSAGE_MAX], forged[MESSAGE_MAX];
    size_t forged_len;
    uint8_t mode = fuzz_u8(&in);
    size_t target = (mode >> 1) % 3;
    begin(&pair, (mode & 1) != 0);
    for (size_t step = 0; step < 3; step++) {
        size_t len = write_next(&pair, step, truth);
        if (step == target && forge(&in, (mode & 8) != 0, truth, len, forged, &forged_len)) {
            int rc = read_next(&pair, step, forged, forged_len);
            /* XX carries its first message in the clear: another e is another honest client. */
            if (rc == 0 && (mode & 1) == 0 && step == 0) {
                break;
            }
            FUZZ_CHECK(rc != 0);
        }
        FUZZ_CHECK(read_next(&pair, step, truth, len) == 0);
        FUZZ_CHECK(step < 2 || tern_noise_is_finished(&pair.ends[1]));
    }
    tern_noise_clear(&pair.ends[0]);
    tern_noise_clear(&pair.ends[1]);
    return 0;
}
