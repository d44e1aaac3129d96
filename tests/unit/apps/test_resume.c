/* What one connection leaves for the next: kept whole, taken once, under the right key only.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/resume.h"

#include "shared/keyring.h"
#include "unit/apps/folder.h"

static const uint8_t server[TERN_KEY_SIZE] = {1, 2, 3};

static void keep(const uint8_t *secret)
{
    struct resume r;
    const uint8_t ticket[] = "a ticket";
    tern_event event = {
        .ticket = ticket, .ticket_len = sizeof ticket, .ticket_life = 60 * TERN_SEC};
    resume_make(&r, secret);
    memcpy(r.server, server, sizeof server);
    r.has_server = true;
    resume_on_ticket(&r, &event);
    memset(r.token, 9, 40);
    r.token_len = 40;
    resume_put(&r);
}

static void kept_and_taken_once(void **state)
{
    struct resume r;
    tern_time age;
    uint8_t made[TERN_KEY_SIZE];
    (void)state;
    keep(NULL);
    resume_take(&r, server, NULL);
    assert_true(resume_age(&r, &age));
    assert_true(age < 10 * TERN_SEC);
    assert_int_equal(r.ticket_len, sizeof "a ticket");
    assert_memory_equal(r.ticket, "a ticket", r.ticket_len);
    assert_int_equal(r.token_len, 40);
    memcpy(made, r.secret, sizeof made);
    resume_take(&r, server, NULL);
    assert_false(resume_age(&r, &age));
    assert_int_equal(r.token_len, 0);
    assert_memory_not_equal(made, r.secret, sizeof made); /* another key with every ticket lost */
}

static void of_another_identity_of_no_use(void **state)
{
    struct resume r;
    tern_time age;
    uint8_t one[TERN_KEY_SIZE] = {8, 1}, other[TERN_KEY_SIZE] = {8, 2};
    (void)state;
    keep(one);
    resume_take(&r, server, one);
    assert_true(resume_age(&r, &age));
    assert_memory_equal(r.secret, one, sizeof one);
    keep(one);
    resume_take(&r, server, other);
    assert_false(resume_age(&r, &age));
    keep(one);
    resume_take(&r, server, NULL);
    assert_false(resume_age(&r, &age));
    keep(NULL);
    resume_take(&r, server, one);
    assert_false(resume_age(&r, &age));
}

static void too_old_or_from_the_future(void **state)
{
    struct resume r;
    tern_time age;
    (void)state;
    keep(NULL);
    resume_take(&r, server, NULL);
    r.at -= 61 * 1000;
    assert_false(resume_age(&r, &age));
    r.at += 3600 * 1000; /* the clock was set back since */
    assert_false(resume_age(&r, &age));
}

static void a_path_belongs_to_both_of_its_ends(void **state)
{
    const tern_addr remote = {.family = 4, .ip = {127, 0, 0, 1}, .port = 7437};
    const tern_addr moved = {.family = 4, .ip = {127, 0, 0, 2}, .port = 7437};
    tern_path_memory path = {.size = sizeof path, .volume = 5000000, .min_rtt = 50 * TERN_MSEC};
    tern_path_memory known;
    struct resume r;
    (void)state;
    resume_make(&r, NULL);
    memcpy(r.server, server, sizeof server);
    r.has_server = true;
    resume_on_path(&r, &remote, &path);
    resume_put(&r);
    resume_take(&r, server, NULL);
    assert_true(resume_path(&r, &remote, &known));
    assert_int_equal(known.volume, path.volume);
    assert_int_equal(known.min_rtt, path.min_rtt);
    assert_true(known.age < 10 * TERN_SEC);
    assert_false(resume_path(&r, &moved, &known));
    r.path_at -= 3600 * 1000;
    assert_false(resume_path(&r, &remote, &known)); /* an hour ago */
    r.path_at += 7200 * 1000;
    assert_false(resume_path(&r, &remote, &known)); /* the clock was set back since */
}

static void damaged_files_are_dropped(void **state)
{
    struct resume r;
    tern_time age;
    char path[KEYRING_PATH_SIZE], name[100], text[KEYRING_TEXT_SIZE];
    struct stat st;
    (void)state;
    keyring_format(server, text);
    (void)snprintf(name, sizeof name, "resume/%s", text + 5);
    assert_true(keyring_state_path(name, path));
    keep(NULL);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (off_t len = st.st_size - 1; len >= 0; len -= 7) {
        keep(NULL);
        assert_int_equal(truncate(path, len), 0);
        resume_take(&r, server, NULL);
        assert_false(resume_age(&r, &age));
        assert_int_equal(r.token_len, 0);
    }
    keep(NULL);
    assert_int_equal(chmod(path, 0644), 0); /* others may have read it */
    resume_take(&r, server, NULL);
    assert_false(resume_age(&r, &age));
}

static int set_state(void **state)
{
    (void)folder_make(state);
    return setenv("XDG_STATE_HOME", ((struct folder *)*state)->path, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_and_taken_once),
        cmocka_unit_test(of_another_identity_of_no_use),
        cmocka_unit_test(too_old_or_from_the_future),
        cmocka_unit_test(a_path_belongs_to_both_of_its_ends),
        cmocka_unit_test(damaged_files_are_dropped),
    };
    return cmocka_run_group_tests(tests, set_state, folder_remove);
}
