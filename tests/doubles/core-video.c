/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core-video.c - IOSurfaces, and pixel buffers on them or on memory.
 *
 * A pixel buffer counts as a use of its IOSurface as long as it lives, and a pool hands out only what nobody uses.
 */
#include <stdlib.h>
#include <string.h>

#include "core-video.h"

DOUBLE_CONSTANT(kIOSurfaceWidth);
DOUBLE_CONSTANT(kIOSurfaceHeight);
DOUBLE_CONSTANT(kIOSurfaceBytesPerElement);
DOUBLE_CONSTANT(kIOSurfacePixelFormat);
DOUBLE_CONSTANT(kCVImageBufferColorPrimariesKey);
DOUBLE_CONSTANT(kCVImageBufferColorPrimaries_ITU_R_709_2);
DOUBLE_CONSTANT(kCVImageBufferTransferFunctionKey);
DOUBLE_CONSTANT(kCVImageBufferTransferFunction_ITU_R_709_2);
DOUBLE_CONSTANT(kCVImageBufferYCbCrMatrixKey);
DOUBLE_CONSTANT(kCVImageBufferYCbCrMatrix_ITU_R_709_2);
DOUBLE_CONSTANT(kCVImageBufferColorPrimaries_EBU_3213);
DOUBLE_CONSTANT(kCVImageBufferColorPrimaries_SMPTE_C);
DOUBLE_CONSTANT(kCVImageBufferColorPrimaries_ITU_R_2020);
DOUBLE_CONSTANT(kCVImageBufferTransferFunction_ITU_R_2020);
DOUBLE_CONSTANT(kCVImageBufferYCbCrMatrix_ITU_R_601_4);
DOUBLE_CONSTANT(kCVImageBufferYCbCrMatrix_ITU_R_2020);
DOUBLE_CONSTANT(kCVPixelBufferPixelFormatTypeKey);
DOUBLE_CONSTANT(kCVPixelBufferWidthKey);
DOUBLE_CONSTANT(kCVPixelBufferHeightKey);
DOUBLE_CONSTANT(kCVPixelBufferIOSurfacePropertiesKey);

DoubleCvOrders double_cv;

/* ---- IOSurface ---- */

static void surface_finalize(gpointer object)
{
    DoubleSurface *surface = object;

    g_assert_cmpint(surface->locked, ==, 0);
    free(surface->data);
}

const DoubleClass double_surface = { "IOSurface", surface_finalize };

static DoubleSurface *surface_new(guint width, guint height, OSType format)
{
    DoubleSurface *surface = double_object_new(&double_surface, sizeof(*surface));
    gboolean nv12 = format == kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange;

    surface->width = width;
    surface->height = height;
    surface->format = format;
    surface->stride = ((gsize)width * (nv12 ? 1 : 4) + 63) & ~(gsize)63;
    surface->size = surface->stride * height * (nv12 ? 3 : 2) / 2 + (nv12 ? surface->stride : 0);
    surface->data = aligned_alloc(64, (surface->size + 63) & ~(gsize)63);
    memset(surface->data, double_cv.fill ? double_cv.fill : 0xa5, surface->size);
    return surface;
}

IOSurfaceRef IOSurfaceCreate(CFDictionaryRef properties)
{
    gint64 width = double_number_as_int(CFDictionaryGetValue(properties, kIOSurfaceWidth));
    gint64 height = double_number_as_int(CFDictionaryGetValue(properties, kIOSurfaceHeight));
    gint64 element = double_number_as_int(CFDictionaryGetValue(properties, kIOSurfaceBytesPerElement));
    gint64 format = double_number_as_int(CFDictionaryGetValue(properties, kIOSurfacePixelFormat));

    if (double_cv.no_iosurface || width <= 0 || height <= 0 || element != 4) {
        return NULL;
    }
    return (IOSurfaceRef)surface_new((guint)width, (guint)height, (OSType)format);
}

static DoubleSurface *surface_of(IOSurfaceRef surface)
{
    return double_check(surface, &double_surface);
}

kern_return_t IOSurfaceLock(IOSurfaceRef surface, IOSurfaceLockOptions options, uint32_t *seed)
{
    g_atomic_int_inc(&surface_of(surface)->locked);
    return 0;
}

kern_return_t IOSurfaceUnlock(IOSurfaceRef surface, IOSurfaceLockOptions options, uint32_t *seed)
{
    g_assert_cmpint(g_atomic_int_add(&surface_of(surface)->locked, -1), >, 0);
    return 0;
}

void *IOSurfaceGetBaseAddress(IOSurfaceRef surface)
{
    return surface_of(surface)->data;
}

size_t IOSurfaceGetBytesPerRow(IOSurfaceRef surface)
{
    return surface_of(surface)->stride;
}

size_t IOSurfaceGetWidth(IOSurfaceRef surface)
{
    return surface_of(surface)->width;
}

size_t IOSurfaceGetHeight(IOSurfaceRef surface)
{
    return surface_of(surface)->height;
}

OSType IOSurfaceGetPixelFormat(IOSurfaceRef surface)
{
    return surface_of(surface)->format;
}

Boolean IOSurfaceIsInUse(IOSurfaceRef surface)
{
    return double_cv.always_in_use || g_atomic_int_get(&surface_of(surface)->uses) > 0 ||
        (double_cv.texture_is_use && g_atomic_int_get(&surface_of(surface)->textures) > 0);
}

/* ---- pixel buffers ---- */

static void buffer_finalize(gpointer object)
{
    DoubleBuffer *buffer = object;

    g_assert_cmpint(buffer->locked, ==, 0);
    if (buffer->surface) {
        g_atomic_int_add(&buffer->surface->uses, -1);
        CFRelease(buffer->surface);
    }
    if (buffer->release_bytes) {
        buffer->release_bytes(buffer->release_data, buffer->plane[0]);
    }
    if (buffer->release_planes) {
        buffer->release_planes(buffer->release_data, NULL, 0, 2, NULL);
    }
}

const DoubleClass double_buffer = { "CVPixelBuffer", buffer_finalize };

static DoubleBuffer *buffer_of(CVPixelBufferRef buffer)
{
    return double_check(buffer, &double_buffer);
}

static DoubleBuffer *buffer_on_surface(DoubleSurface *surface)
{
    DoubleBuffer *buffer = double_object_new(&double_buffer, sizeof(*buffer));

    buffer->surface = (DoubleSurface *)CFRetain(surface);
    g_atomic_int_inc(&surface->uses);
    buffer->width = surface->width;
    buffer->height = surface->height;
    buffer->format = surface->format;
    buffer->plane[0] = surface->data;
    buffer->stride[0] = surface->stride;
    buffer->plane[1] = surface->data + surface->stride * surface->height;
    buffer->stride[1] = surface->stride;
    return buffer;
}

CVReturn CVPixelBufferCreateWithIOSurface(CFAllocatorRef allocator, IOSurfaceRef surface, CFDictionaryRef attributes,
                                          CVPixelBufferRef *out)
{
    if (double_vt.wrap_iosurface) {
        return double_vt.wrap_iosurface;
    }
    *out = (CVPixelBufferRef)buffer_on_surface(surface_of(surface));
    return kCVReturnSuccess;
}

/* What CoreVideo may take for a plane's memory, as nothing says where its last row ends: all of it is looked at. */
static void look_at(const guint8 *base, gsize bytes)
{
    volatile guint8 sum = 0;

    for (gsize at = 0; at < bytes; at += 64) {
        sum ^= base[at];
    }
    sum ^= base[bytes - 1];
}

CVReturn CVPixelBufferCreateWithBytes(CFAllocatorRef allocator, size_t width, size_t height, OSType format, void *base,
                                      size_t stride, CVPixelBufferReleaseBytesCallback release, void *data,
                                      CFDictionaryRef attributes, CVPixelBufferRef *out)
{
    DoubleBuffer *buffer;

    if (double_vt.wrap_bytes) {
        return double_vt.wrap_bytes;
    }
    g_assert_true(format == kCVPixelFormatType_32BGRA || format == kCVPixelFormatType_32RGBA);
    buffer = double_object_new(&double_buffer, sizeof(*buffer));
    buffer->width = width;
    buffer->height = height;
    buffer->format = format;
    look_at(base, stride * height);
    buffer->plane[0] = base;
    buffer->stride[0] = stride;
    buffer->release_bytes = release;
    buffer->release_data = data;
    *out = (CVPixelBufferRef)buffer;
    return kCVReturnSuccess;
}

CVReturn CVPixelBufferCreateWithPlanarBytes(CFAllocatorRef allocator, size_t width, size_t height, OSType format,
                                            void *data, size_t size, size_t n_planes, void **plane, size_t *plane_width,
                                            size_t *plane_height, size_t *stride,
                                            CVPixelBufferReleasePlanarBytesCallback release, void *release_data,
                                            CFDictionaryRef attributes, CVPixelBufferRef *out)
{
    DoubleBuffer *buffer;

    if (double_vt.wrap_bytes) {
        return double_vt.wrap_bytes;
    }
    g_assert_cmpuint(n_planes, ==, 2);
    g_assert_true(format == kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange);
    g_assert_true(plane_width[0] == width && plane_height[0] == height);
    g_assert_true(plane_width[1] == (width + 1) / 2 && plane_height[1] == (height + 1) / 2);
    buffer = double_object_new(&double_buffer, sizeof(*buffer));
    buffer->width = width;
    buffer->height = height;
    buffer->format = format;
    for (guint i = 0; i < 2; i++) {
        look_at(plane[i], stride[i] * plane_height[i]);
        buffer->plane[i] = plane[i];
        buffer->stride[i] = stride[i];
    }
    buffer->release_planes = release;
    buffer->release_data = release_data;
    *out = (CVPixelBufferRef)buffer;
    return kCVReturnSuccess;
}

CVReturn CVPixelBufferLockBaseAddress(CVPixelBufferRef ref, CVPixelBufferLockFlags flags)
{
    if (double_vt.lock) {
        return double_vt.lock;
    }
    buffer_of(ref)->locked++;
    return kCVReturnSuccess;
}

CVReturn CVPixelBufferUnlockBaseAddress(CVPixelBufferRef ref, CVPixelBufferLockFlags flags)
{
    g_assert_cmpint(buffer_of(ref)->locked--, >, 0);
    return kCVReturnSuccess;
}

/* Addresses are only good while it is locked; a buffer without planes has none of plane 0. */
static gboolean is_planar(const DoubleBuffer *buffer)
{
    return buffer->format == kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange;
}

void *CVPixelBufferGetBaseAddress(CVPixelBufferRef ref)
{
    DoubleBuffer *buffer = buffer_of(ref);

    g_assert_cmpint(buffer->locked, >, 0);
    return is_planar(buffer) ? NULL : buffer->plane[0];
}

size_t CVPixelBufferGetBytesPerRow(CVPixelBufferRef ref)
{
    return buffer_of(ref)->stride[0];
}

void *CVPixelBufferGetBaseAddressOfPlane(CVPixelBufferRef ref, size_t plane)
{
    DoubleBuffer *buffer = buffer_of(ref);

    g_assert_cmpint(buffer->locked, >, 0);
    return is_planar(buffer) ? buffer->plane[plane] : NULL;
}

size_t CVPixelBufferGetBytesPerRowOfPlane(CVPixelBufferRef ref, size_t plane)
{
    return is_planar(buffer_of(ref)) ? buffer_of(ref)->stride[plane] : 0;
}

size_t CVPixelBufferGetWidth(CVPixelBufferRef ref)
{
    return buffer_of(ref)->width;
}

size_t CVPixelBufferGetHeight(CVPixelBufferRef ref)
{
    return buffer_of(ref)->height;
}

void CVBufferSetAttachment(CVBufferRef ref, CFStringRef key, CFTypeRef value, CVAttachmentMode mode)
{
    DoubleBuffer *buffer = buffer_of(ref);

    g_assert_true(mode == kCVAttachmentMode_ShouldPropagate);
    if (key == kCVImageBufferColorPrimariesKey) {
        buffer->primaries = value;
    } else if (key == kCVImageBufferTransferFunctionKey) {
        buffer->transfer = value;
    } else {
        g_assert_true(key == kCVImageBufferYCbCrMatrixKey);
        buffer->matrix = value;
    }
}

/* ---- names of colours: some of those that the system knows ---- */

CFStringRef CVColorPrimariesGetStringForIntegerCodePoint(int code)
{
    return code == 1 ? kCVImageBufferColorPrimaries_ITU_R_709_2
        : code == 5  ? kCVImageBufferColorPrimaries_EBU_3213
        : code == 6  ? kCVImageBufferColorPrimaries_SMPTE_C
        : code == 9  ? kCVImageBufferColorPrimaries_ITU_R_2020
                     : NULL;
}

CFStringRef CVTransferFunctionGetStringForIntegerCodePoint(int code)
{
    return code == 1               ? kCVImageBufferTransferFunction_ITU_R_709_2
        : code == 14 || code == 15 ? kCVImageBufferTransferFunction_ITU_R_2020
                                   : NULL;
}

CFStringRef CVYCbCrMatrixGetStringForIntegerCodePoint(int code)
{
    return code == 1 ? kCVImageBufferYCbCrMatrix_ITU_R_709_2
        : code == 6  ? kCVImageBufferYCbCrMatrix_ITU_R_601_4
        : code == 9  ? kCVImageBufferYCbCrMatrix_ITU_R_2020
                     : NULL;
}

/* ---- pools ---- */

typedef struct Pool {
    DoubleObject object;
    guint width, height;
    OSType format;
    GPtrArray *surfaces;
} Pool;

static void pool_finalize(gpointer object)
{
    g_ptr_array_unref(((Pool *)object)->surfaces);
}

static const DoubleClass pool_class = { "CVPixelBufferPool", pool_finalize };

CVReturn CVPixelBufferPoolCreate(CFAllocatorRef allocator, CFDictionaryRef pool_attributes, CFDictionaryRef attributes,
                                 CVPixelBufferPoolRef *out)
{
    Pool *pool;

    if (double_vt.pool) {
        return double_vt.pool;
    }
    pool = double_object_new(&pool_class, sizeof(*pool));
    pool->width = (guint)double_number_as_int(CFDictionaryGetValue(attributes, kCVPixelBufferWidthKey));
    pool->height = (guint)double_number_as_int(CFDictionaryGetValue(attributes, kCVPixelBufferHeightKey));
    pool->format = (OSType)double_number_as_int(CFDictionaryGetValue(attributes, kCVPixelBufferPixelFormatTypeKey));
    /* Without this key the buffers are plain memory, and VideoToolbox copies each. */
    g_assert_nonnull(CFDictionaryGetValue(attributes, kCVPixelBufferIOSurfacePropertiesKey));
    pool->surfaces = g_ptr_array_new_with_free_func((GDestroyNotify)CFRelease);
    *out = (CVPixelBufferPoolRef)pool;
    return kCVReturnSuccess;
}

CVReturn CVPixelBufferPoolCreatePixelBuffer(CFAllocatorRef allocator, CVPixelBufferPoolRef ref, CVPixelBufferRef *out)
{
    Pool *pool = double_check(ref, &pool_class);

    if (double_vt.pool_buffer) {
        return double_vt.pool_buffer;
    }
    for (guint i = 0; i < pool->surfaces->len; i++) {
        if (!IOSurfaceIsInUse(pool->surfaces->pdata[i])) {
            *out = (CVPixelBufferRef)buffer_on_surface(pool->surfaces->pdata[i]);
            return kCVReturnSuccess;
        }
    }
    g_ptr_array_add(pool->surfaces, surface_new(pool->width, pool->height, pool->format));
    *out = (CVPixelBufferRef)buffer_on_surface(pool->surfaces->pdata[pool->surfaces->len - 1]);
    return kCVReturnSuccess;
}
