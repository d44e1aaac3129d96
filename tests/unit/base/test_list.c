/* The intrusive list: order, membership, and dropping while walking.
 * SPDX-License-Identifier: MIT */
#include "base/list.h"

#include "tern_test.h"

struct item {
    int value;
    struct tern_list link;
};

static int value_of(struct tern_list *node)
{
    return TERN_CONTAINER_OF(node, struct item, link)->value;
}

static void fill(struct tern_list *head, struct item *items, int n)
{
    tern_list_init(head);
    for (int i = 0; i < n; i++) {
        items[i].value = i;
        tern_list_push_back(head, &items[i].link);
    }
}

static void starts_empty(void **state)
{
    (void)state;
    struct tern_list head, *node, *following;
    tern_list_init(&head);
    assert_true(tern_list_is_empty(&head));
    TERN_LIST_EACH(node, following, &head)
    {
        fail();
    }
}

static void keeps_the_order(void **state)
{
    (void)state;
    struct tern_list head, *node, *following;
    struct item items[5], first = {.value = -1};
    int expected = -1;
    fill(&head, items, 5);
    tern_list_push_front(&head, &first.link);
    TERN_LIST_EACH(node, following, &head)
    {
        assert_int_equal(value_of(node), expected++);
    }
    assert_int_equal(expected, 5);
}

static void dropping_unlinks(void **state)
{
    (void)state;
    struct tern_list head;
    struct item items[3];
    fill(&head, items, 3);
    assert_true(tern_list_is_linked(&items[1].link));
    tern_list_drop(&items[1].link);
    assert_false(tern_list_is_linked(&items[1].link));
    assert_ptr_equal(items[0].link.next, &items[2].link);
    assert_ptr_equal(items[2].link.prev, &items[0].link);
    tern_list_drop(&items[1].link); /* once more does nothing */
    tern_list_drop(&items[0].link);
    tern_list_drop(&items[2].link);
    assert_true(tern_list_is_empty(&head));
}

static void walk_may_drop_its_node(void **state)
{
    (void)state;
    struct tern_list head, *node, *following;
    struct item items[6];
    int seen = 0, left = 0;
    fill(&head, items, 6);
    TERN_LIST_EACH(node, following, &head)
    {
        seen++;
        if (value_of(node) % 2 == 0) {
            tern_list_drop(node);
        }
    }
    assert_int_equal(seen, 6);
    TERN_LIST_EACH(node, following, &head)
    {
        assert_int_equal(value_of(node) % 2, 1);
        left++;
    }
    assert_int_equal(left, 3);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(starts_empty),
    cmocka_unit_test(keeps_the_order),
    cmocka_unit_test(dropping_unlinks),
    cmocka_unit_test(walk_may_drop_its_node),
};

TERN_TEST_MAIN(tests)
