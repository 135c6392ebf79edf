/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-element.c - the element in front of scripted hosts, without a GPU. */
#include "fixture.h"

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    /* Errors and warnings of GStreamer are what some tests are about. */
    gst_debug_set_default_threshold(GST_LEVEL_NONE);
    test_cases_add();
    return g_test_run();
}
