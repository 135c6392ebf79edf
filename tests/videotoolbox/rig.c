/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig.c - what the encoder's tests have in common. */
#include <string.h>

#include "protocol/error.h"
#include "h264/h264.h"
#include "rig.h"
#ifndef __APPLE__
#include "doubles.h"
#endif

#define GOOD_DB 28.0

static gint live_surfaces;

static void surface_destroy(HelixSurface *surface)
{
    if (surface->kind == HELIX_SURFACE_IOSURFACE) {
        CFRelease(surface->native);
    }
    g_free(surface->data);
    g_free(surface);
    g_atomic_int_add(&live_surfaces, -1);
}

static HelixSurface *surface_new(HelixSurfaceKind kind, guint width, guint height, guint32 fourcc)
{
    HelixSurface *surface = g_new0(HelixSurface, 1);

    g_atomic_ref_count_init(&surface->refs);
    g_atomic_int_inc(&live_surfaces);
    surface->kind = kind;
    surface->width = width;
    surface->height = height;
    surface->fourcc = fourcc;
    surface->n_planes = fourcc == HELIX_FORMAT_NV12 ? 2 : 1;
    surface->fd = -1;
    surface->destroy = surface_destroy;
    return surface;
}

HelixSurface *rig_memory_surface(guint width, guint height, guint index)
{
    HelixSurface *surface = surface_new(HELIX_SURFACE_MEMORY, width, height, HELIX_FORMAT_AR24);

    surface->stride[0] = width * 4 + 32;
    surface->size = (gsize)surface->stride[0] * height;
    surface->data = g_malloc(surface->size);
    stream_draw_bgra(surface->data, surface->stride[0], width, height, index);
    return surface;
}

HelixSurface *rig_nv12_surface(guint width, guint height)
{
    HelixSurface *surface = surface_new(HELIX_SURFACE_MEMORY, width, height, HELIX_FORMAT_NV12);
    guint rows = (height + 1) & ~1u;

    surface->stride[0] = surface->stride[1] = (width + 1) & ~1u;
    surface->offset[1] = (gsize)surface->stride[0] * rows;
    surface->size = surface->offset[1] + (gsize)surface->stride[0] * rows / 2;
    surface->data = g_malloc(surface->size);
    for (guint y = 0; y < rows; y++) {
        memset(surface->data + (gsize)y * surface->stride[0], (int)(30 + y * 180 / rows), surface->stride[0]);
    }
    memset(surface->data + surface->offset[1], 128, surface->size - surface->offset[1]);
    return surface;
}

static CFNumberRef number(gint32 value)
{
    return CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &value);
}

static IOSurfaceRef iosurface_new(guint width, guint height)
{
    const void *keys[] = { kIOSurfaceWidth, kIOSurfaceHeight, kIOSurfaceBytesPerElement, kIOSurfacePixelFormat };
    const void *values[] = { number((gint32)width), number((gint32)height), number(4),
                             number(kCVPixelFormatType_32BGRA) };
    CFDictionaryRef properties = CFDictionaryCreate(kCFAllocatorDefault, keys, values, 4,
                                                    &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
    IOSurfaceRef surface = IOSurfaceCreate(properties);

    for (guint i = 0; i < 4; i++) {
        CFRelease(values[i]);
    }
    CFRelease(properties);
    g_assert_nonnull(surface);
    return surface;
}

HelixSurface *rig_io_surface(guint width, guint height, guint index)
{
    HelixSurface *surface = surface_new(HELIX_SURFACE_IOSURFACE, width, height, HELIX_FORMAT_AR24);
    IOSurfaceRef io = iosurface_new(width, height);

    IOSurfaceLock(io, 0, NULL);
    stream_draw_bgra(IOSurfaceGetBaseAddress(io), IOSurfaceGetBytesPerRow(io), width, height, index);
    IOSurfaceUnlock(io, 0, NULL);
    surface->native = io;
    surface->path = HELIX_HOST_PATH_IOSURFACE;
    return surface;
}

HelixEncoderConfig rig_config(guint width, guint height)
{
    return (HelixEncoderConfig){ .width = width,
                                 .height = height,
                                 .bitrate = 4000000,
                                 .fps_num = 60,
                                 .fps_den = 1,
                                 .profile = 100,
                                 .realtime = TRUE };
}

HelixEncoder *rig_open(HelixEncoderConfig config)
{
    GError *error = NULL;
    HelixEncoder *encoder = helix_encoder_videotoolbox.open(&config, FALSE, &error);

    g_assert_no_error(error);
    g_assert_nonnull(encoder);
    return encoder;
}

/* Encode and give the surface back. */
gboolean rig_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force, HelixAccessUnit *unit, GError **error)
{
    gboolean ok;

    *unit = (HelixAccessUnit){ 0 };
    ok = helix_encoder_videotoolbox.encode(encoder, surface, force, unit, error);
    helix_surface_unref(surface);
    g_assert_true(!ok || unit->dropped == !unit->data);
    return ok;
}

HelixAccessUnit rig_must_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force)
{
    HelixAccessUnit unit;
    GError *error = NULL;

    rig_encode(encoder, surface, force, &unit, &error);
    g_assert_no_error(error);
    return unit;
}

void rig_check_clear(void)
{
#ifndef __APPLE__
    char *kinds = NULL;
    guint live = double_live_objects(&kinds);

    if (live) {
        g_error("%u objects leaked:\n%s", live, kinds);
    }
    g_free(kinds);
    g_assert_cmpuint(double_vt_seen.not_invalidated, ==, 0);
    g_assert_cmpuint(double_vt_seen.sessions, ==, double_vt_seen.invalidated);
    g_assert_cmpuint(double_vt_seen.max_in_flight, <=, 1);
    g_assert_cmpuint(double_vt_seen.stamps_not_increasing, ==, 0);
    g_assert_cmpuint(double_vt_seen.colour_missing, ==, 0);
    g_assert_cmpuint(double_vt_seen.wrong_size, ==, 0);
    g_assert_cmpuint(double_vt_seen.without_qos, ==, 0);
    double_vt_reset();
#endif
    g_assert_cmpint(g_atomic_int_get(&live_surfaces), ==, 0);
}

void rig_close(HelixEncoder *encoder)
{
    helix_encoder_videotoolbox.close(encoder);
    rig_check_clear();
}

/* The picture comes out at once and looks like what went in. */
void rig_check_picture(AVCodecContext *decoder, GBytes *unit, guint width, guint height, guint index)
{
    g_autofree guint8 *pixels = g_malloc((gsize)width * height * 4);
    AVFrame *frame = stream_decode(decoder, unit);

    g_assert_nonnull(frame);
    g_assert_cmpint(frame->width, ==, width);
    g_assert_cmpint(frame->height, ==, height);
    g_assert_cmpint(frame->colorspace, ==, AVCOL_SPC_BT709);
    g_assert_cmpint(frame->color_primaries, ==, AVCOL_PRI_BT709);
    g_assert_cmpint(frame->color_trc, ==, AVCOL_TRC_BT709);
    stream_draw_bgra(pixels, (gsize)width * 4, width, height, index);
    g_assert_cmpfloat(stream_psnr(frame, pixels, (gsize)width * 4), >, GOOD_DB);
    av_frame_free(&frame);
}

void rig_check_idr(const HelixAccessUnit *unit, gboolean aud)
{
    gsize len;
    const guint8 *data = g_bytes_get_data(unit->data, &len);
    g_autoptr(GArray) nals = stream_nals(data, len);
    guint i = 0;
    HelixSps sps;

    g_assert_true(unit->keyframe);
    if (aud) {
        g_assert_cmpuint(g_array_index(nals, StreamNal, i++).data[0] & 31, ==, 9);
    }
    g_assert_cmpuint(g_array_index(nals, StreamNal, i).data[0] & 31, ==, 7);
    g_assert_true(
        helix_h264_parse_sps(g_array_index(nals, StreamNal, i).data, g_array_index(nals, StreamNal, i).len, &sps));
    g_assert_true(sps.bitstream_restriction);
    g_assert_cmpuint(sps.max_num_reorder_frames, ==, 0);
    g_assert_cmpuint(g_array_index(nals, StreamNal, i + 1).data[0] & 31, ==, 8);
    g_assert_cmpuint(g_array_index(nals, StreamNal, nals->len - 1).data[0] & 31, ==, 5);
}

gint rig_live_surfaces(void)
{
    return g_atomic_int_get(&live_surfaces);
}

void rig_encode_idr(HelixEncoder *encoder)
{
    HelixAccessUnit unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), FALSE);

    rig_check_idr(&unit, FALSE);
    g_bytes_unref(unit.data);
}
