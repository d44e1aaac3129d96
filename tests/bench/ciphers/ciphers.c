/* What a packet costs: every cipher by every engine of this build that this processor can run.
 * SPDX-License-Identifier: MIT
 *
 *     ciphers           a table, in ns: to seal and to open packets of four sizes, the best of several rounds
 *     ciphers --json    the same, one object a line
 */
#define _POSIX_C_SOURCE 200809L
#include "crypto/aead.h"

#include <stdio.h>
#include <time.h>

#define ROUNDS   25
#define ROUND_NS 2000000.0
#define AD_LEN   20 /* a short header */

static const size_t sizes[] = {64, 1200, 1452, 8900};
#define SIZES TERN_COUNT_OF(sizes)

static uint8_t buf[16384], ad[AD_LEN], nonce[TERN_AEAD_NONCE_MAX];
static uint8_t mask[TERN_MASK_SIZE];
static struct tern_aead aead;
static struct tern_mask_key mask_key;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void seal_one(size_t len)
{
    nonce[0]++;
    tern_aead_seal(&aead, nonce, ad, sizeof ad, buf, len);
}

/* What is opened must have been sealed: the cost of that is taken off again. */
static void seal_and_open_one(size_t len)
{
    seal_one(len);
    if (tern_aead_open(&aead, nonce, ad, sizeof ad, buf, len + aead.suite->tag_size) != 0) {
        fprintf(stderr, "ciphers: %s does not open what it has sealed\n", aead.suite->name);
    }
}

static void mask_one(size_t len)
{
    (void)len;
    tern_aead_mask(&mask_key, buf, mask);
    buf[0] = mask[0];
}

static double best_of(void (*work)(size_t len), size_t len)
{
    double best = 1e12;
    unsigned count = 64;
    for (int round = 0; round < ROUNDS; round++) {
        double since = now_ns();
        for (unsigned i = 0; i < count; i++) {
            work(len);
        }
        double each = (now_ns() - since) / count;
        best = TERN_MIN(best, each);
        count = 1 + (unsigned)(ROUND_NS / best);
    }
    return best;
}

static void print_row(const char *engine, bool is_json)
{
    double seals[SIZES], opens[SIZES];
    for (size_t i = 0; i < SIZES; i++) {
        seals[i] = best_of(seal_one, sizes[i]);
        opens[i] = best_of(seal_and_open_one, sizes[i]) - seals[i];
    }
    double masked = best_of(mask_one, 0);
    if (is_json) {
        printf("{\"cipher\": \"%s\", \"engine\": \"%s\", \"mask_ns\": %.1f", aead.suite->name,
               engine, masked);
        for (size_t i = 0; i < SIZES; i++) {
            printf(", \"seal_%zu_ns\": %.1f, \"open_%zu_ns\": %.1f", sizes[i], seals[i], sizes[i],
                   opens[i]);
        }
        puts("}");
        return;
    }
    printf("%-18s %-18s", aead.suite->name, engine);
    for (size_t i = 0; i < SIZES; i++) {
        printf(" %7.0f", seals[i]);
    }
    for (size_t i = 0; i < SIZES; i++) {
        printf(" %7.0f", opens[i]);
    }
    printf(" %5.0f\n", masked);
}

static void measure(unsigned suite, bool is_json)
{
    static const enum tern_engine engines[] = {TERN_ENGINE_IPSEC_MB, TERN_ENGINE_SODIUM};
    uint8_t key[TERN_AEAD_KEY_MAX];
    char names[2][40] = {"intel-ipsec-mb", ""};
    snprintf(names[1], sizeof names[1], "libsodium %s", sodium_version_string());
    randombytes_buf(key, sizeof key);
    for (size_t i = 0; i < TERN_COUNT_OF(engines); i++) {
        if (tern_aead_init_by(&aead, engines[i], suite, key) == 0) {
            tern_mask_key_init(&mask_key, aead.suite, key);
            print_row(names[i], is_json);
            fflush(stdout);
        }
        tern_aead_clear(&aead);
    }
}

int main(int argc, char **argv)
{
    unsigned ranked[4];
    bool is_json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !is_json) {
        fprintf(stderr, "usage: ciphers [--json]\n");
        return 2;
    }
    (void)tern_suites_available(ranked);
    if (!is_json) {
        printf("ns a packet, in the order in which the suites are preferred here\n"
               "%-37s %-31s %-31s\n%-37s",
               "", "    seal", "    open", "");
        for (size_t i = 0; i < 2 * SIZES; i++) {
            printf(" %7zu", sizes[i % SIZES]);
        }
        printf("  mask\n");
    }
    for (size_t i = 0; i < TERN_COUNT_OF(ranked) && ranked[i] != 0; i++) {
        measure(ranked[i], is_json);
    }
    return 0;
}
