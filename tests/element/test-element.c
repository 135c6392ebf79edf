/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-element.c - the element in front of scripted hosts, without a GPU. */
#include "fixture.h"

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    /* Errors and warnings of GStreamer are what some tests are about. */
    gst_debug_set_default_threshold(GST_LEVEL_NONE);
    add_behaviour_tests();
    add_hosts_tests();
    add_flow_tests();
    add_order_tests();
    add_reconnect_tests();
    add_away_tests();
    add_repeat_tests();
    add_settings_tests();
    add_buffers_tests();
    add_caps_tests();
    add_keepalive_tests();
    add_paths_tests();
    return g_test_run();
}
