/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cases.h - test cases that register themselves with GLib's test framework, where they are written:
 *
 *     TEST("/vsock/counters-wrap", test_counters_wrap)
 *     {
 *         g_assert_cmpuint(...);
 *     }
 *
 * A program without a main() gets the one of main.c. One with a main() calls test_cases_add() between g_test_init() and
 * g_test_run(). The cases of a program run in the order of its files, and within a file from top to bottom.
 */
#ifndef HELIX_TEST_CASES_H
#define HELIX_TEST_CASES_H

#include <glib.h>

typedef struct TestCase {
    const char *path;
    gsize fixture_size;
    GTestFixtureFunc set_up, run, tear_down; /* set_up, tear_down: NULL: nothing */
    struct TestCase *next;
} TestCase;

/* From a constructor; @test stays. */
void test_case_register(TestCase *test);
/* Add what was registered to the framework's root suite. */
void test_cases_add(void);

/* A case without a fixture. */
#define TEST(path, function) \
    static void function(void); \
    TEST_CASE_REGISTER(function, path, 0, NULL, NULL) \
    static void function(void)

/* A case whose argument is a zeroed @Fixture, between set_up(Fixture *, gconstpointer) and tear_down() of the same
 * type. */
#define TEST_WITH(Fixture, set_up, tear_down, path, function) \
    static void function(Fixture *f, gconstpointer data); \
    TEST_CASE_REGISTER(function, path, sizeof(Fixture), (GTestFixtureFunc)(gpointer)set_up, \
                       (GTestFixtureFunc)(gpointer)tear_down) \
    static void function(Fixture *f, gconstpointer data)

#define TEST_CASE_REGISTER(function, path, size, up, down) \
    __attribute__((constructor)) static void function##_register(void) \
    { \
        static TestCase test = { path, size, up, (GTestFixtureFunc)(gpointer)function, down, NULL }; \
        test_case_register(&test); \
    }

#endif
