/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output-format.c - byte-stream, avc and avc3, as downstream's caps ask; tags. */
#include <string.h>
#include "fixture.h"

static void set_up(Fixture *f, const Script *script, const char *downstream)
{
    fixture_set_up(f, script, -1);
    gst_harness_set_sink_caps_str(f->h, downstream);
    gst_harness_set_src_caps_str(f->h, CAPS("BGRx", 64, 64));
}

static void check_unit(Fixture *f, const guint8 *expected, gsize len)
{
    GstBuffer *buffer;

    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    buffer = gst_harness_pull(f->h);
    g_assert_nonnull(buffer);
    g_assert_cmpuint(gst_buffer_get_size(buffer), ==, len);
    g_assert_cmpint(gst_buffer_memcmp(buffer, 0, expected, len), ==, 0);
    gst_buffer_unref(buffer);
}

/* The scripted host's SPS and PPS, IDR, and slice. */
#define SETS 0x67, 77, 0, 31, 0xab, 0xcd
#define PPS 0x68, 0xee, 0x80
#define IDR 0x65, 0x88, 0x84
#define SLICE 0x41, 0x9a, 0x20

static const guint8 record[] = { 1, 77, 0, 31, 0xff, 0xe1, 0, 6, SETS, 1, 0, 3, PPS };
static const guint8 avc_slice[] = { 0, 0, 0, 3, SLICE };
static const guint8 avc_idr[] = { 0, 0, 0, 3, IDR };
static const guint8 avc3_idr[] = { 0, 0, 0, 6, SETS, 0, 0, 0, 3, PPS, 0, 0, 0, 3, IDR };
static const guint8 byte_idr[] = { 0, 0, 0, 1, SETS, 0, 0, 0, 1, PPS, 0, 0, 1, IDR };
static const guint8 byte_slice[] = { 0, 0, 0, 1, SLICE };

static void check_caps(Fixture *f, const char *format)
{
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(f->h->sinkpad);
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    const GValue *value = gst_structure_get_value(s, "codec_data");

    g_assert_cmpstr(gst_structure_get_string(s, "stream-format"), ==, format);
    g_assert_cmpstr(gst_structure_get_string(s, "alignment"), ==, "au");
    g_assert_cmpint(value != NULL, ==, strcmp(format, "byte-stream") != 0);
    if (value) {
        g_assert_cmpuint(gst_buffer_get_size(gst_value_get_buffer(value)), ==, sizeof(record));
        g_assert_cmpint(gst_buffer_memcmp(gst_value_get_buffer(value), 0, record, sizeof(record)), ==, 0);
    }
}

ELEMENT_TEST("/format/avc", test_avc)
{
    set_up(f, script, "video/x-h264, stream-format=avc, alignment=au");
    check_unit(f, avc_idr, sizeof(avc_idr));
    check_caps(f, "avc");
    check_unit(f, avc_slice, sizeof(avc_slice));
}

ELEMENT_TEST("/format/avc3", test_avc3)
{
    set_up(f, script, "video/x-h264, stream-format=avc3");
    check_unit(f, avc3_idr, sizeof(avc3_idr));
    check_caps(f, "avc3");
    check_unit(f, avc_slice, sizeof(avc_slice));
}

/* Whose access units need no caps is taken wherever it may be. */
TEST("/format/byte-stream", test_byte_stream)
{
    static const char *const downstream[] = {
        "ANY",
        "video/x-h264",
        "video/x-h264, stream-format=(string){ avc, byte-stream }",
        "video/x-h264, stream-format=avc; video/x-h264, stream-format=byte-stream",
    };

    for (guint i = 0; i < G_N_ELEMENTS(downstream); i++) {
        Script script = SCRIPT_DEFAULT;
        Fixture f;

        set_up(&f, &script, downstream[i]);
        check_unit(&f, byte_idr, sizeof(byte_idr));
        check_caps(&f, "byte-stream");
        check_unit(&f, byte_slice, sizeof(byte_slice));
        fixture_tear_down(&f);
    }
}

/* Downstream is exchanged for a muxer in mid-stream: it gets what it takes from the next access unit on. */
ELEMENT_TEST("/format/relinked", test_relinked)
{
    set_up(f, script, "video/x-h264, stream-format=byte-stream");
    check_unit(f, byte_idr, sizeof(byte_idr));
    gst_harness_set_sink_caps_str(f->h, "video/x-h264, stream-format=(string){ avc, avc3 }");
    check_unit(f, avc_slice, sizeof(avc_slice));
    check_caps(f, "avc");
    gst_harness_set_sink_caps_str(f->h, "video/x-h264");
    check_unit(f, byte_slice, sizeof(byte_slice));
    check_caps(f, "byte-stream");
}

/* ---- tags ---- */

static void check_tags(Fixture *f, guint nominal, guint most)
{
    g_autoptr(GstEvent) event = gst_pad_get_sticky_event(f->h->sinkpad, GST_EVENT_TAG, 0);
    g_autofree char *codec = NULL, *encoder = NULL;
    GstTagList *tags;
    guint rate;

    g_assert_nonnull(event);
    gst_event_parse_tag(event, &tags);
    g_assert_true(gst_tag_list_get_string(tags, GST_TAG_VIDEO_CODEC, &codec));
    g_assert_nonnull(strstr(codec, "H.264"));
    g_assert_true(gst_tag_list_get_string(tags, GST_TAG_ENCODER, &encoder));
    g_assert_cmpstr(encoder, ==, "scripted");
    g_assert_true(gst_tag_list_get_uint(tags, GST_TAG_NOMINAL_BITRATE, &rate));
    g_assert_cmpuint(rate, ==, nominal);
    g_assert_true(gst_tag_list_get_uint(tags, GST_TAG_MAXIMUM_BITRATE, &rate));
    g_assert_cmpuint(rate, ==, most);
}

ELEMENT_TEST("/format/tags", test_tags)
{
    fixture_set_up_with(f, script, -1, FALSE, "bitrate", "3000", "max-bitrate", "5000", "rate-control", "vbr", NULL);
    check_unit(f, byte_idr, sizeof(byte_idr));
    check_tags(f, 3000000, 5000000);
    g_object_set(f->h->element, "bitrate", 900, NULL);
    check_unit(f, byte_slice, sizeof(byte_slice));
    check_tags(f, 900000, 5000000);
}
