/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-metal-copy.c - a Metal texture copied by the GPU into an IOSurface, and encoded from there: every pixel, and
 * what a decoder makes of it. Runs on the doubles, and on the frameworks themselves on a Mac that has a GPU.
 */
#include <string.h>

#include <objc/runtime.h>

#include "capture/apple/metal-copy.h"
#include "loop/autorelease.h"
#include "protocol/error.h"
#include "rig.h"
#ifndef __APPLE__
#include "gpu.h"
#endif

enum { MTLPixelFormatBGRA8Unorm = 80 };

typedef struct MTLOrigin {
    unsigned long x, y, z;
} MTLOrigin;

typedef struct MTLSize {
    unsigned long width, height, depth;
} MTLSize;

typedef struct MTLRegion {
    MTLOrigin origin;
    MTLSize size;
} MTLRegion;

/* Metal's headers can't be included in C. */
extern id MTLCreateSystemDefaultDevice(void);

static id device;

static id descriptor(void)
{
    id (*describe)(id, SEL, unsigned long, unsigned long, unsigned long, signed char) = (id(*)(
        id, SEL, unsigned long, unsigned long, unsigned long, signed char))objc_msgSend;

    return describe((id)objc_getClass("MTLTextureDescriptor"),
                    sel_registerName("texture2DDescriptorWithPixelFormat:width:height:mipmapped:"),
                    MTLPixelFormatBGRA8Unorm, WIDTH, HEIGHT, FALSE);
}

/* Test picture @index in the GPU's memory. */
static id texture_new(guint index)
{
    id (*new_texture)(id, SEL, id) = (id(*)(id, SEL, id))objc_msgSend;
    void (*replace)(id, SEL, MTLRegion, unsigned long, const void *, unsigned long) = (void (*)(
        id, SEL, MTLRegion, unsigned long, const void *, unsigned long))objc_msgSend;
    g_autofree guint8 *pixels = g_malloc((gsize)WIDTH * HEIGHT * 4);
    id texture = new_texture(device, sel_registerName("newTextureWithDescriptor:"), descriptor());

    g_assert_nonnull(texture);
    stream_draw_bgra(pixels, (gsize)WIDTH * 4, WIDTH, HEIGHT, index);
    replace(texture, sel_registerName("replaceRegion:mipmapLevel:withBytes:bytesPerRow:"),
            (MTLRegion){ { 0, 0, 0 }, { WIDTH, HEIGHT, 1 } }, 0, pixels, (unsigned long)WIDTH * 4);
    return texture;
}

static id event_new(void)
{
    id (*new_event)(id, SEL) = (id(*)(id, SEL))objc_msgSend;
    id event = new_event(device, sel_registerName("newSharedEvent"));

    g_assert_nonnull(event);
    return event;
}

static void event_signal(id event)
{
    void (*set_value)(id, SEL, guint64) = (void (*)(id, SEL, guint64))objc_msgSend;

    set_value(event, sel_registerName("setSignaledValue:"), 1);
}

static void wait_done(id commands)
{
    gint64 end = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;

    while (helix_metal_copy_status(commands) == HELIX_GPU_PENDING && g_get_monotonic_time() < end) {
        g_usleep(1000);
    }
    g_assert_cmpint(helix_metal_copy_status(commands), ==, HELIX_GPU_DONE);
    helix_metal_copy_end(commands);
}

/* Every pixel of @entry is picture @index's from @source on. */
static void check_exact(const HelixPooledIOSurface *entry, guint index, HelixRect source)
{
    gsize stride = (gsize)WIDTH * 4;
    g_autofree guint8 *pixels = g_malloc(stride * HEIGHT);
    guint wrong = 0;

    stream_draw_bgra(pixels, stride, WIDTH, HEIGHT, index);
    IOSurfaceLock(entry->surface, 0, NULL);
    for (guint y = 0; y < source.height; y++) {
        const guint8 *row = (const guint8 *)IOSurfaceGetBaseAddress(entry->surface) +
            y * IOSurfaceGetBytesPerRow(entry->surface);

        wrong += memcmp(row, pixels + (source.y + y) * stride + (gsize)source.x * 4, (gsize)source.width * 4) != 0;
    }
    IOSurfaceUnlock(entry->surface, 0, NULL);
    g_assert_cmpuint(wrong, ==, 0);
}

static void forget(gpointer data, HelixPooledIOSurface *entry)
{
    helix_metal_copy_forget(entry);
}

/* Nothing happens before the renderer's event; then each part asked for is copied, and the texture may be let go
 * meanwhile. */
static void test_copy(void)
{
    static const HelixRect parts[] = { { 0, 0, WIDTH, HEIGHT }, { 31, 10, 120, 80 } };
    HelixIOSurfacePool *pool = helix_iosurface_pool_new(forget, NULL);
    HelixMetalCopy *copy = helix_metal_copy_new();
    void *messages = objc_autoreleasePoolPush();

    for (guint i = 0; i < 2 * G_N_ELEMENTS(parts); i++) {
        HelixRect part = parts[i / 2];
        HelixPooledIOSurface *entry = helix_iosurface_pool_take(pool, part.width, part.height, NULL);
        id texture = texture_new(i), event = event_new(), commands;
        GError *error = NULL;

        g_assert_true(helix_metal_is_bgra(texture));
        g_assert_cmpuint(helix_metal_width(texture), ==, WIDTH);
        g_assert_cmpuint(helix_metal_height(texture), ==, HEIGHT);
        g_assert_null(helix_metal_iosurface(texture));
        commands = helix_metal_copy_begin(copy, texture, part, event, entry, &error);
        g_assert_no_error(error);
        g_assert_nonnull(commands);
        g_assert_true(helix_metal_iosurface(entry->metal) == entry->surface);
        helix_metal_release(texture);
        g_usleep(20000);
        g_assert_cmpint(helix_metal_copy_status(commands), ==, HELIX_GPU_PENDING);
        event_signal(event);
        wait_done(commands);
        check_exact(entry, i, part);
        helix_metal_release(event);
        helix_surface_unref(helix_pooled_iosurface_surface(entry, HELIX_HOST_PATH_METAL_COPY));
    }
    helix_iosurface_pool_free(pool);
    helix_metal_copy_free(copy);
    objc_autoreleasePoolPop(messages);
#ifndef __APPLE__
    double_metal_idle();
#endif
    rig_check_clear();
}

/* The whole way of the pixels: texture, IOSurface, VideoToolbox, decoder. */
static void test_film(void)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    AVCodecContext *decoder = stream_decoder_new();
    HelixIOSurfacePool *pool = helix_iosurface_pool_new(forget, NULL);
    HelixMetalCopy *copy = helix_metal_copy_new();

    for (guint i = 0; i < 6; i++) {
        void *messages = objc_autoreleasePoolPush();
        HelixPooledIOSurface *entry = helix_iosurface_pool_take(pool, WIDTH, HEIGHT, NULL);
        id texture = texture_new(i), event = event_new();
        id commands = helix_metal_copy_begin(copy, texture, (HelixRect){ 0, 0, WIDTH, HEIGHT }, event, entry, NULL);
        HelixAccessUnit unit;

        g_assert_nonnull(commands);
        event_signal(event);
        wait_done(commands);
        helix_metal_release(texture);
        helix_metal_release(event);
        unit = rig_must_encode(encoder, helix_pooled_iosurface_surface(entry, HELIX_HOST_PATH_METAL_COPY), FALSE);
        g_assert_true(unit.keyframe == (i == 0));
        g_assert_cmpuint(unit.cpu_bytes, ==, 0);
        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
        g_bytes_unref(unit.data);
        objc_autoreleasePoolPop(messages);
    }
    avcodec_free_context(&decoder);
    helix_iosurface_pool_free(pool);
    helix_metal_copy_free(copy);
#ifndef __APPLE__
    double_metal_idle();
#endif
}

static void test_none(void)
{
    g_test_skip("this Mac has no GPU");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    device = MTLCreateSystemDefaultDevice();
    g_test_add_func("/metal-copy/pixels", device ? test_copy : test_none);
    g_test_add_func("/metal-copy/film", device ? test_film : test_none);
    return g_test_run();
}
