/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases.c - see cases.h. */
#include "cases.h"

static TestCase *first, **last = &first;

void test_case_register(TestCase *test)
{
    *last = test;
    last = &test->next;
}

void test_cases_add(void)
{
    for (const TestCase *test = first; test; test = test->next) {
        g_test_add_vtable(test->path, test->fixture_size, NULL, test->set_up, test->run, test->tear_down);
    }
}
