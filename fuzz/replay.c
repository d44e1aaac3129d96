/* Stands in for libFuzzer where there is none: gives a target each file of its corpus, and each file cut and
 * changed in a few ways that are the same in every run.
 *
 *     replay_header fuzz/corpus/fuzz_header [FILE...]
 *
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fuzz.h"

#define SIZE_MAX_OF_FILE (1u << 20)
#define CHANGES          24

static uint64_t random_state = 1;
static unsigned long runs;

static size_t below(size_t bound)
{
    uint8_t bytes[4];
    fuzz_fill(&random_state, bytes, sizeof bytes);
    uint32_t value =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return value % bound;
}

/* What a target's own mutator builds on: one octet becomes another. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    if (size == 0 && max_size > 0) {
        size = 1;
        data[0] = 0;
    }
    if (size > 0) {
        data[below(size)] ^= (uint8_t)(1 + below(255));
    }
    return size;
}

/* In a block of its exact size, so that a sanitizer sees a read beyond its end. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = calloc(1, size == 0 ? 1 : size); /* nobody reads what is not there */
    FUZZ_CHECK(exact != NULL);
    if (size > 0) {
        memcpy(exact, data, size);
    }
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    runs++;
}

static void run_changed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);
    FUZZ_CHECK(copy != NULL);
    for (int i = 0; i < CHANGES; i++) {
        memcpy(copy, data, size);
        size_t len = i % 3 == 0 ? below(size) : size;
        for (size_t changes = 1 + below(4); i % 3 > 0 && changes > 0; changes--) {
            len = LLVMFuzzerMutate(copy, len, len);
        }
        run(copy, len);
    }
    free(copy);
}

static void run_file(const char *path)
{
    static uint8_t buf[SIZE_MAX_OF_FILE];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size_t size = fread(buf, 1, sizeof buf, file);
    (void)fclose(file);
    run(buf, size);
    if (size > 0) {
        run_changed(buf, size);
    }
}

static void run_folder(const char *path)
{
    struct dirent **names;
    char below_it[4096];
    int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') {
            (void)snprintf(below_it, sizeof below_it, "%s/%s", path, names[i]->d_name);
            run_file(below_it);
        }
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    }
}

int main(int argc, char **argv)
{
    struct stat st;
    run(NULL, 0);
    for (int i = 1; i < argc; i++) {
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            run_folder(argv[i]);
        } else {
            run_file(argv[i]);
        }
    }
    (void)printf("%lu inputs\n", runs);
    return runs > 1 ? 0 : 1; /* a folder that is empty or not there tests nothing */
}
