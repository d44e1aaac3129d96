/* Tries every course of so many faults through a scene and says how many there were.
 *
 * Courses are told apart by which datagrams suffer and how. The ones after a prefix are found by running
 * the prefix and counting the datagrams that it had: since nothing else in an execution varies, no course
 * is missed and none is tried twice.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/scenes.h"
#include "model/seals.h"

#define SHOWN_MAX 10

struct search {
    const struct scene *scene;
    unsigned faults;    /* of the courses that are tried now */
    uint64_t courses;   /* tried so far */
    uint64_t broken;    /* of them */
    uint64_t timed_out; /* handshakes that did not come about, where a scene allows it */
    uint64_t seals;     /* packets and messages sealed */
    unsigned numbers;   /* most datagrams of one course */
    tern_time duration; /* longest course, in virtual time */
};

static void print_course(const struct course *course)
{
    for (unsigned i = 0; i < course->count; i++) {
        (void)printf("%s%u:%s", i == 0 ? "" : ",", course->faults[i].number,
                     fate_names[course->faults[i].fate]);
    }
}

static void judge(struct search *search, const struct course *course, const struct outcome *out)
{
    search->courses++;
    search->seals += out->seals;
    search->timed_out += out->has_timed_out;
    search->numbers = out->numbers > search->numbers ? out->numbers : search->numbers;
    search->duration = out->duration > search->duration ? out->duration : search->duration;
    if (out->broken == NULL) {
        return;
    }
    search->broken++;
    if (search->broken <= SHOWN_MAX) {
        (void)printf("BROKEN: %s\n  explore %s --course '", out->broken, search->scene->name);
        print_course(course);
        (void)printf("'\n");
    }
}

/* All courses with `search->faults` faults that begin like this one. */
static void explore(struct search *search, struct course *course)
{
    struct outcome out;
    world_run(search->scene, course, false, &out);
    if (course->count == search->faults) {
        judge(search, course, &out);
        return;
    }
    if (out.broken != NULL) {
        return; /* was shown when its own number of faults was tried */
    }
    unsigned first = course->count == 0 ? 0 : course->faults[course->count - 1].number + 1;
    for (unsigned number = first; number < out.numbers; number++) {
        for (enum fate fate = 0; fate < FATES; fate++) {
            course->faults[course->count] = (struct fault){.number = number, .fate = fate};
            course->count++;
            explore(search, course);
            course->count--;
        }
    }
}

/* The ledger must be where the library's calls pass, and see what it is there for. */
static bool is_ledger_awake(const struct outcome *some)
{
    static const uint8_t key[crypto_aead_chacha20poly1305_ietf_KEYBYTES] = {1};
    static const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {2};
    uint8_t sealed[1 + crypto_aead_chacha20poly1305_ietf_ABYTES];
    seals_reset();
    for (uint8_t i = 0; i < 2; i++) {
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, &i, 1, NULL, 0, NULL, nonce,
                                                        key);
    }
    if (some->seals == 0 || seals_broken() == NULL) {
        (void)printf("BROKEN: the ledger of nonces sees nothing\n");
        return false;
    }
    return true;
}

/* One execution is one execution: the whole method rests on it. */
static bool is_sound(const struct scene *scene)
{
    struct course none = {.count = 0};
    struct outcome first, second;
    world_run(scene, &none, false, &first);
    world_run(scene, &none, false, &second);
    if (first.hash != second.hash || first.numbers != second.numbers) {
        (void)printf("BROKEN: two executions of one course differ\n");
        return false;
    }
    return is_ledger_awake(&first);
}

static int explore_scene(const struct scene *scene, unsigned faults)
{
    struct search search = {.scene = scene};
    clock_t since = clock();
    if (!is_sound(scene)) {
        return EXIT_FAILURE;
    }
    for (unsigned n = 0; n <= faults; n++) {
        struct course course = {.count = 0};
        search.faults = n;
        explore(&search, &course);
    }
    (void)printf("%-14s %8llu courses of 0..%u faults in up to %u datagrams, %llu seals, longest "
                 "%.1f s virtual, %.1f s of CPU: %llu timed out, %llu broken\n",
                 scene->name, (unsigned long long)search.courses, faults, search.numbers,
                 (unsigned long long)search.seals, (double)search.duration / 1e9,
                 (double)(clock() - since) / CLOCKS_PER_SEC, (unsigned long long)search.timed_out,
                 (unsigned long long)search.broken);
    return search.broken == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* "3:drop,7:late" */
static bool parse_course(const char *text, struct course *course)
{
    while (*text != '\0' && course->count < FAULTS_MAX) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);
        size_t len = *end == ':' ? strcspn(end + 1, ",") : 0;
        enum fate fate = 0;
        while (fate < FATES &&
               (strlen(fate_names[fate]) != len || memcmp(fate_names[fate], end + 1, len) != 0)) {
            fate++;
        }
        if (end == text || len == 0 || fate == FATES) {
            return false;
        }
        course->faults[course->count++] = (struct fault){.number = (unsigned)number, .fate = fate};
        text = end + 1 + len;
        text += *text == ',';
    }
    return *text == '\0';
}

static int replay(const struct scene *scene, const char *text)
{
    struct course course = {.count = 0};
    struct outcome out;
    if (!parse_course(text, &course)) {
        (void)fprintf(stderr, "explore: not a course: %s\n", text);
        return 2;
    }
    world_run(scene, &course, true, &out);
    (void)printf("%s: %.3f s virtual, %u datagrams, %llu seals: %s\n", scene->name,
                 (double)out.duration / 1e9, out.numbers, (unsigned long long)out.seals,
                 out.broken == NULL ? "as it should be" : out.broken);
    return out.broken == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage(void)
{
    (void)fprintf(stderr,
                  "usage: explore SCENE|all [--faults N]   try all courses of up to N faults\n"
                  "       explore SCENE --course LIST      one of them, with all packets\n"
                  "scenes (TERN_MODEL_FAULTS in the environment is another --faults):\n");
    for (size_t i = 0; i < scene_count; i++) {
        (void)fprintf(stderr, "  %-14s %s\n", scenes[i].name, scenes[i].about);
    }
    return 2;
}

int main(int argc, char **argv)
{
    const char *wish = getenv("TERN_MODEL_FAULTS");
    const struct scene *scene = argc > 1 ? scene_find(argv[1]) : NULL;
    bool is_all = argc > 1 && strcmp(argv[1], "all") == 0;
    if (argc == 4 && strcmp(argv[2], "--course") == 0 && scene != NULL) {
        return replay(scene, argv[3]);
    }
    if (argc == 4 && strcmp(argv[2], "--faults") == 0) {
        wish = argv[3];
    } else if (argc != 2) {
        return usage();
    }
    unsigned long faults = wish == NULL ? FAULTS_MAX : strtoul(wish, NULL, 10);
    if ((scene == NULL && !is_all) || (wish != NULL && faults > FAULTS_MAX)) {
        return usage();
    }
    int rc = EXIT_SUCCESS;
    for (size_t i = 0; i < scene_count; i++) {
        if (is_all || scene == &scenes[i]) {
            int each = explore_scene(&scenes[i], wish == NULL ? scenes[i].quick : (unsigned)faults);
            rc = each == EXIT_SUCCESS ? rc : each;
        }
    }
    return rc;
}
