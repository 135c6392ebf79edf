/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x264.c - what the tests of the x264 encoder share. */
#include "common.h"
#include "x264.h"

HelixEncoder *x264_open(HelixEncoderConfig *config)
{
    g_autoptr(GError) error = NULL;
    HelixEncoder *encoder = helix_encoder_x264.open(config, FALSE, &error);

    g_assert_no_error(error);
    g_assert_nonnull(encoder);
    return encoder;
}

GBytes *encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, gboolean *keyframe)
{
    HelixAccessUnit unit = { 0 };
    gint64 before = g_get_monotonic_time() * 1000;
    g_autoptr(GError) error = NULL;

    g_assert_true(encoder->klass->encode(encoder, surface, force_idr, &unit, &error));
    g_assert_no_error(error);
    g_assert_nonnull(unit.data);
    g_assert_false(unit.dropped);
    g_assert_cmpint(unit.submitted_ns, >=, before);
    g_assert_cmpint(unit.submitted_ns, <=, g_get_monotonic_time() * 1000);
    if (force_idr) {
        g_assert_true(unit.keyframe);
    }
    if (keyframe) {
        *keyframe = unit.keyframe;
    }
    return unit.data;
}

GBytes *encode_painted(HelixEncoder *encoder, guint width, guint height, Painter painter, guint n, gboolean force_idr)
{
    g_autoptr(HelixSurface) surface = surface_paint(HELIX_FORMAT_XR24, width, height, 0, 0, painter, n);

    return encode(encoder, surface, force_idr, NULL);
}

char *nal_types(GBytes *unit)
{
    GString *types = g_string_new(NULL);
    gsize size, position = 0;
    const guint8 *data = g_bytes_get_data(unit, &size);
    HelixNal nal;

    while (helix_h264_next_nal(data, size, &position, &nal)) {
        if (nal.type != HELIX_NAL_SEI) {
            g_string_append_printf(types, "%u", nal.type);
        }
    }
    return g_string_free(types, FALSE);
}

HelixSps read_sps(GBytes *unit)
{
    gsize size, position = 0;
    const guint8 *data = g_bytes_get_data(unit, &size);
    HelixNal nal;
    HelixSps sps;

    while (helix_h264_next_nal(data, size, &position, &nal)) {
        if (nal.type == HELIX_NAL_SPS) {
            g_assert_true(helix_h264_parse_sps(nal.data, nal.size, &sps));
            return sps;
        }
    }
    g_assert_not_reached();
}

void assert_nal_types(GBytes *unit, const char *expected)
{
    g_autofree char *types = nal_types(unit);

    g_assert_cmpstr(types, ==, expected);
}
