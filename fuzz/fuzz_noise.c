/* Noise messages that a forger sends, at each step of each pattern: they must be refused without any
 * effect, so that the true message still goes through afterwards.
 *
 * Input: one byte (bits 0, 4 and 5 the pattern, bits 1-2 which message, bit 3 raw or a mask over the true
 * message), then the bytes of the message.
 * SPDX-License-Identifier: MIT */
#include "base/random.h"
#include "crypto/noise.h"
#include "fuzz.h"
#include "unit/mock_kem.h"

#define MESSAGE_MAX 2048

enum { XK = 1, PSK = 16, HFS = 32 }; /* bits of the input's first byte */

static const uint8_t secrets[2][TERN_KEY_SIZE] = {"a client's secret key, 32 bytes",
                                                  "a server's secret key, 32 bytes"};
static const char payload[] = "what they have to say";

struct pair {
    struct tern_noise ends[2]; /* the initiator, the responder */
    struct tern_random random;
    uint64_t state;
    uint8_t room[2][TERN_KEM_PUBLIC_SIZE];
};

static const char *name_of(uint8_t mode)
{
#define REST "_ChaChaPoly_SHA256"
    switch (mode & (XK | PSK | HFS)) {
    case 0:
        return "Noise_XX_25519" REST;
    case XK:
        return "Noise_XK_25519" REST;
    case PSK:
        return "Noise_XXpsk3_25519" REST;
    case XK | PSK:
        return "Noise_XKpsk3_25519" REST;
    case HFS:
        return "Noise_XXhfs_25519+MLKEM768" REST;
    case XK | HFS:
        return "Noise_XKhfs_25519+MLKEM768" REST;
    case PSK | HFS:
        return "Noise_XXhfs+psk3_25519+MLKEM768" REST;
    default:
        return "Noise_XKhfs+psk3_25519+MLKEM768" REST;
    }
}

static void begin(struct pair *pair, uint8_t mode)
{
    static const uint8_t psks[1][TERN_NOISE_SECRET_SIZE] = {"what both ends know besides"};
    uint8_t server_public[TERN_KEY_SIZE];
    tern_random_source source = {.fill = fuzz_fill, .user = &pair->state};
    pair->state = 1;
    tern_random_init(&pair->random, &source);
    tern_key_public(server_public, secrets[1]);
    for (size_t i = 0; i < 2; i++) {
        struct tern_noise_setup setup = {
            .protocol_name = name_of(mode),
            .is_initiator = i == 0,
            .prologue = (const uint8_t *)"prologue",
            .prologue_len = 8,
            .static_secret = secrets[i],
            .remote_static = (mode & XK) != 0 && i == 0 ? server_public : NULL,
            .psks = (mode & PSK) != 0 ? psks : NULL,
            .psk_count = (mode & PSK) != 0 ? 1 : 0,
            .kem = (mode & HFS) != 0 ? mock_kem_or_builtin() : NULL,
            .kem_room = (mode & HFS) != 0 ? pair->room[i] : NULL,
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
    begin(&pair, mode);
    for (size_t step = 0; step < 3; step++) {
        size_t len = write_next(&pair, step, truth);
        if (step == target && forge(&in, (mode & 8) != 0, truth, len, forged, &forged_len)) {
            int rc = read_next(&pair, step, forged, forged_len);
            /* XX carries its first message in the clear: another e is another honest client. */
            if (rc == 0 && (mode & XK) == 0 && step == 0) {
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
