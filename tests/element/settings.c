/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings.c - properties and downstream's caps: what the host is told, what the properties read, what it may refuse.
 */
#include <string.h>
#include "../../desktop/client/bytes.h"
#include "fixture.h"

static guint32 config_u32(Fixture *f, guint index, guint offset)
{
    gsize size;
    const guint8 *config = script_host_config(f->host, index, &size);

    g_assert_cmpuint(offset + 4, <=, size);
    return get_u32(config + offset);
}

static guint8 config_u8(Fixture *f, guint index, guint offset)
{
    gsize size;
    const guint8 *config = script_host_config(f->host, index, &size);

    g_assert_cmpuint(offset, <, size);
    return config[offset];
}

static guint read_uint(Fixture *f, const char *name)
{
    guint value;

    g_object_get(f->h->element, name, &value, NULL);
    return value;
}

static void push_and_pull(Fixture *f, guint index)
{
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    fixture_pull(f, index, index == 0);
}

/* ---- telling the host ---- */

ELEMENT_TEST("/settings/told", test_told)
{
    gsize size;

    fixture_set_up_with(f, script, -1, TRUE, "bitrate", "3000", "max-bitrate", "4000", "rate-control", "vbr",
                        "key-int-max", "60", "min-qp", "12", "max-qp", "40", "num-slices", "3", "aud", "true", NULL);
    push_and_pull(f, 0);
    /* The short form first: nothing is agreed then. */
    g_assert_cmpuint(script_host_configs(f->host), ==, 2);
    script_host_config(f->host, 0, &size);
    g_assert_cmpuint(size, ==, HELIX_CONFIG_SIZE);
    g_assert_cmpuint(config_u32(f, 0, HELIX_CONFIG_BITRATE), ==, 3000000);
    script_host_config(f->host, 1, &size);
    g_assert_cmpuint(size, ==, HELIX_CONFIG_VUI_SIZE);
    g_assert_cmpuint(config_u32(f, 1, HELIX_CONFIG_BITRATE), ==, 3000000);
    g_assert_cmpuint(config_u32(f, 1, HELIX_CONFIG_MAX_BITRATE), ==, 4000000);
    g_assert_cmpuint(config_u32(f, 1, HELIX_CONFIG_KEY_INT_MAX), ==, 60);
    g_assert_cmpuint(config_u8(f, 1, HELIX_CONFIG_RATE_CONTROL), ==, HELIX_RATE_VBR);
    g_assert_cmpuint(config_u8(f, 1, HELIX_CONFIG_MIN_QP), ==, 12);
    g_assert_cmpuint(config_u8(f, 1, HELIX_CONFIG_MAX_QP), ==, 40);
    g_assert_cmpuint(config_u8(f, 1, HELIX_CONFIG_SLICES), ==, 3);
    g_assert_cmpuint(config_u8(f, 1, HELIX_CONFIG_AUD), ==, 1);
}

ELEMENT_TEST("/settings/live", test_live)
{
    fixture_set_up_with(f, script, -1, TRUE, "bitrate", "3000", NULL);
    push_and_pull(f, 0);
    g_assert_cmpuint(script_host_configs(f->host), ==, 1);
    g_object_set(f->h->element, "bitrate", 500, "key-int-max", 30, NULL);
    push_and_pull(f, 1);
    /* One message for both. */
    g_assert_cmpuint(script_host_configs(f->host), ==, 2);
    g_assert_cmpuint(config_u32(f, 1, HELIX_CONFIG_BITRATE), ==, 500000);
    g_assert_cmpuint(config_u32(f, 1, HELIX_CONFIG_KEY_INT_MAX), ==, 30);
}

/* A desktop's caps: no fixed rate, but a highest. */
ELEMENT_TEST("/settings/max-framerate", test_max_framerate)
{
    fixture_set_up(f, script, -1);
    gst_harness_set_src_caps_str(f->h,
                                 "video/x-raw, format=BGRx, width=64, height=64, framerate=0/1, max-framerate=48/1");
    push_and_pull(f, 0);
    g_assert_cmpuint(config_u32(f, 0, HELIX_CONFIG_FPS_NUM), ==, 48);
    g_assert_cmpuint(config_u32(f, 0, HELIX_CONFIG_FPS_DEN), ==, 1);
}

/* ---- what is in force ---- */

static void on_notify(GObject *object, GParamSpec *spec, gpointer data)
{
    g_atomic_int_inc((gint *)data);
}

ELEMENT_TEST("/settings/reads-in-force", test_reads_in_force)
{
    gint notified = 0;

    script->bitrate_in_force = 1234567;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    g_signal_connect(f->h->element, "notify::bitrate", G_CALLBACK(on_notify), &notified);
    push_and_pull(f, 0);
    g_assert_cmpuint(read_uint(f, "bitrate"), ==, 1234);
    g_assert_cmpint(g_atomic_int_get(&notified), ==, 1);
    /* Not answered yet: as asked. */
    g_object_set(f->h->element, "bitrate", 900, NULL);
    g_assert_cmpuint(read_uint(f, "bitrate"), ==, 900);
    push_and_pull(f, 1);
    g_assert_cmpuint(read_uint(f, "bitrate"), ==, 1234);
    /* Stopped there is no host: as asked. */
    fixture_stop_in_time(f);
    g_assert_cmpuint(read_uint(f, "bitrate"), ==, 900);
}

/* A change that cannot be is a warning, and the stream goes on with what it had. */
ELEMENT_TEST("/settings/refused-change", test_refused_change)
{
    script->refuse_config_at = 1;
    script->refuse_config_code = HELIX_CODE_INVALID;
    fixture_set_up_with(f, script, -1, TRUE, "max-qp", "0", "bitrate", "700", NULL);
    push_and_pull(f, 0);
    g_object_set(f->h->element, "min-qp", 40, "bitrate", 800, NULL);
    push_and_pull(f, 1);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    g_assert_cmpuint(read_uint(f, "min-qp"), ==, 0);
    g_assert_cmpuint(read_uint(f, "bitrate"), ==, 700);
    /* The next change says nothing of what was refused. */
    g_object_set(f->h->element, "max-qp", 45, NULL);
    push_and_pull(f, 2);
    g_assert_cmpuint(config_u8(f, 2, HELIX_CONFIG_MIN_QP), ==, 0);
    g_assert_cmpuint(config_u32(f, 2, HELIX_CONFIG_BITRATE), ==, 700000);
    g_assert_cmpuint(read_uint(f, "max-qp"), ==, 45);
}

/* At the start there is nothing to go on with. */
ELEMENT_TEST("/settings/refused-start", test_refused_start)
{
    script->refuse_config_at = 1; /* the longer form */
    script->refuse_config_code = HELIX_CODE_INVALID;
    fixture_set_up_with(f, script, -1, TRUE, "min-qp", "40", "max-qp", "30", NULL);
    fixture_push(f);
    fixture_error(f, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "The host refuses the stream's settings");
}

/* A host of the first days does not say what is in force. */
ELEMENT_TEST("/settings/old-host", test_old_host)
{
    script->frozen_only = TRUE;
    fixture_set_up_with(f, script, -1, TRUE, "bitrate", "700", NULL);
    push_and_pull(f, 0);
    g_assert_cmpuint(read_uint(f, "bitrate"), ==, 700);
}

/* ---- units ---- */

static void check_unit(const char *bitrate, const char *right)
{
    Script script = SCRIPT_DEFAULT;
    GstMessage *message;
    GError *error = NULL;
    Fixture f;

    fixture_set_up_with(&f, &script, -1, TRUE, "bitrate", bitrate, NULL);
    push_and_pull(&f, 0);
    push_and_pull(&f, 1);
    message = gst_bus_pop_filtered(f.bus, GST_MESSAGE_WARNING);
    g_assert_cmpint(message != NULL, ==, right != NULL);
    if (message) {
        gst_message_parse_warning(message, &error, NULL);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, "can only be meant in bit/s"));
        g_assert_nonnull(strstr(error->message, right));
        g_error_free(error);
        gst_message_unref(message);
        /* Said once. */
        g_assert_null(gst_bus_pop_filtered(f.bus, GST_MESSAGE_WARNING));
    }
    fixture_tear_down(&f);
}

TEST("/settings/unit", test_unit)
{
    check_unit("4000000", "set bitrate=4000.");
    /* More than the wire can say in bit/s. */
    check_unit("8000000", "set bitrate=8000.");
    check_unit("4294967295", "set bitrate=4294967.");
    /* 64 x 64 pixels of 12 bits, 30 a second, are 1474 kbit/s; but what is set for large pictures may stand. */
    check_unit("30000", "set bitrate=30.");
    check_unit("8000", NULL);
}

/* ---- downstream's caps ---- */

static void check_downstream(const char *caps, guint8 profile, guint8 level)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    fixture_set_up(&f, &script, -1);
    gst_harness_set_sink_caps_str(f.h, caps);
    gst_harness_set_src_caps_str(f.h, CAPS("BGRx", 64, 64));
    fixture_push(&f);
    g_assert_true(script_host_wait_frames(f.host, 1));
    g_assert_cmpuint(config_u8(&f, 0, HELIX_CONFIG_PROFILE), ==, profile);
    g_assert_cmpuint(config_u8(&f, 0, HELIX_CONFIG_LEVEL), ==, level);
    fixture_tear_down(&f);
}

TEST("/settings/profile-and-level", test_profile_and_level)
{
    check_downstream("video/x-h264", 0, 0);
    check_downstream("video/x-h264, profile=main", 77, 0);
    check_downstream("video/x-h264, profile={ baseline, constrained-baseline, main }", 77, 0);
    check_downstream("video/x-h264, profile=constrained-baseline, level=(string){ 1, 1b, 1.3, 2 }", 66, 20);
    check_downstream("video/x-h264, profile=high, level=(string)5.1", 100, 51);
    check_downstream("video/x-h264, level=(string){ 5, 4, 4.1 }", 0, 40);
    check_downstream("video/x-h264, level=(string){ 3.1, 4 }", 0, 0);
}

/* The scripted host codes Main, whatever it is asked: that is High too. */
ELEMENT_TEST("/settings/profile-fits", test_profile_fits)
{
    g_autoptr(GstCaps) caps = NULL;

    fixture_set_up(f, script, -1);
    gst_harness_set_sink_caps_str(f->h, "video/x-h264, profile=high");
    gst_harness_set_src_caps_str(f->h, CAPS("BGRx", 64, 64));
    push_and_pull(f, 0);
    caps = gst_pad_get_current_caps(f->h->sinkpad);
    g_assert_cmpstr(gst_structure_get_string(gst_caps_get_structure(caps, 0), "profile"), ==, "high");
}
