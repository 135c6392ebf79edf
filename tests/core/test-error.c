/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-error.c - the domain of errors, made by whichever thread needs it first: for the thread sanitizer to see. */
#include "cases.h"
#include "protocol/error.h"

static gpointer domain(gpointer data)
{
    return GUINT_TO_POINTER(HELIX_ERROR);
}

TEST("/error/two-threads", test_two_threads)
{
    GThread *thread = g_thread_new("domain", domain, NULL);
    GQuark ours = HELIX_ERROR;

    g_assert_cmpuint(ours, !=, 0);
    g_assert_cmpuint(GPOINTER_TO_UINT(g_thread_join(thread)), ==, ours);
}
