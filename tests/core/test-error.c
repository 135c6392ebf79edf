/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-error.c - the domain of errors, made by whichever thread needs it first: for the thread sanitizer to see. */
#include "protocol/error.h"

static gpointer domain(gpointer data)
{
    return GUINT_TO_POINTER(HELIX_ERROR);
}

static void test_two_threads(void)
{
    GThread *thread = g_thread_new("domain", domain, NULL);
    GQuark ours = HELIX_ERROR;

    g_assert_cmpuint(ours, !=, 0);
    g_assert_cmpuint(GPOINTER_TO_UINT(g_thread_join(thread)), ==, ours);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/two-threads", test_two_threads);
    return g_test_run();
}
