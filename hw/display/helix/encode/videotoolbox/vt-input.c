/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-input.c - a surface as a pixel buffer that VideoToolbox reads.
 *
 * An IOSurface of the coded size is passed as it is. Host memory is wrapped without a copy, but VideoToolbox then
 * copies it to the encoder, which is counted. Memory that ends before its last row's stride does is copied first. Other
 * sizes are scaled by VideoToolbox's pixel transfer; if one column or row is missing to the coded size, the edge is
 * repeated.
 */
#include <string.h>

#include "encoder-videotoolbox.h"
#include "../../protocol/error.h"

struct HelixVtInput {
    guint32 width, height; /* coded */
    HelixVui vui;
    CVPixelBufferPoolRef pool; /* for pictures brought to the coded size; NULL until needed */
    OSType pool_format;
    VTPixelTransferSessionRef transfer;
};

HelixVtInput *helix_vt_input_new(const HelixEncoderConfig *config)
{
    HelixVtInput *input = g_new0(HelixVtInput, 1);

    input->width = config->width;
    input->height = config->height;
    input->vui = config->vui;
    return input;
}

void helix_vt_input_free(HelixVtInput *input)
{
    if (input->pool) {
        CFRelease(input->pool);
    }
    if (input->transfer) {
        VTPixelTransferSessionInvalidate(input->transfer);
        CFRelease(input->transfer);
    }
    g_free(input);
}

static OSType pixel_format(guint32 fourcc)
{
    switch (fourcc) {
    case HELIX_FORMAT_AB24:
    case HELIX_FORMAT_XB24:
        return kCVPixelFormatType_32RGBA;
    case HELIX_FORMAT_NV12:
        return kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange;
    default:
        return kCVPixelFormatType_32BGRA;
    }
}

static void release_surface(void *surface, const void *address)
{
    helix_surface_unref(surface);
}

static void release_planar_surface(void *surface, const void *data, size_t size, size_t n_planes, const void **planes)
{
    helix_surface_unref(surface);
}

static guint64 rows_of(const HelixSurface *surface, guint plane)
{
    return plane ? ((guint64)surface->height + 1) / 2 : surface->height;
}

/* Bytes of a row of pixels, of either plane. */
static guint64 row_of(const HelixSurface *surface)
{
    return surface->fourcc == HELIX_FORMAT_NV12 ? ((guint64)surface->width + 1) & ~1ull : (guint64)surface->width * 4;
}

static gboolean planes_fit(const HelixSurface *surface)
{
    for (guint i = 0; i < surface->n_planes; i++) {
        guint64 rows = rows_of(surface, i), row = row_of(surface);

        if (surface->stride[i] < row || surface->offset[i] > surface->size ||
            (rows - 1) * surface->stride[i] + row > surface->size - surface->offset[i]) {
            return FALSE;
        }
    }
    return surface->width > 0 && surface->height > 0 &&
        surface->n_planes == (surface->fourcc == HELIX_FORMAT_NV12 ? 2 : 1);
}

/*
 * CoreVideo is told a stride and a height, and may read as many bytes as both make. A part of a larger picture that
 * reaches its last row ends earlier.
 */
static gboolean strides_fit(const HelixSurface *surface)
{
    for (guint i = 0; i < surface->n_planes; i++) {
        if (rows_of(surface, i) * surface->stride[i] > surface->size - surface->offset[i]) {
            return FALSE;
        }
    }
    return TRUE;
}

static void free_copy(HelixSurface *copy)
{
    g_free(copy->data);
    g_free(copy);
}

/* @surface with rows that lie one behind the other. NULL with HELIX_ERROR if memory is short. */
static HelixSurface *copy_tightly(const HelixSurface *surface, guint64 *cpu_bytes, GError **error)
{
    HelixSurface *copy = g_new(HelixSurface, 1);
    gsize row = (gsize)row_of(surface), size = 0;

    *copy = *surface;
    g_atomic_ref_count_init(&copy->refs);
    copy->destroy = free_copy;
    for (guint i = 0; i < surface->n_planes; i++) {
        copy->offset[i] = size;
        copy->stride[i] = (guint32)row;
        size += row * (gsize)rows_of(surface, i);
    }
    copy->size = size;
    copy->data = g_try_malloc(size);
    if (!copy->data) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "no memory for %" G_GSIZE_FORMAT " bytes of a picture",
                    size);
        g_free(copy);
        return NULL;
    }
    for (guint i = 0; i < surface->n_planes; i++) {
        for (gsize y = 0; y < rows_of(surface, i); y++) {
            memcpy(copy->data + copy->offset[i] + y * row, surface->data + surface->offset[i] + y * surface->stride[i],
                   row);
        }
    }
    *cpu_bytes += 2 * (guint64)size;
    return copy;
}

static CVReturn wrap_planes(HelixSurface *surface, CVPixelBufferRef *buffer)
{
    void *planes[2];
    size_t width[2], height[2], stride[2];

    for (guint i = 0; i < 2; i++) {
        planes[i] = surface->data + surface->offset[i];
        width[i] = i ? ((size_t)surface->width + 1) / 2 : surface->width;
        height[i] = i ? ((size_t)surface->height + 1) / 2 : surface->height;
        stride[i] = surface->stride[i];
    }
    return CVPixelBufferCreateWithPlanarBytes(kCFAllocatorDefault, surface->width, surface->height,
                                              kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange, NULL, 0, 2, planes,
                                              width, height, stride, release_planar_surface, surface, NULL, buffer);
}

/* Takes @surface over: the buffer keeps it. */
static CVPixelBufferRef lend(HelixSurface *surface, GError **error)
{
    CVPixelBufferRef buffer = NULL;
    CVReturn result;

    if (surface->fourcc == HELIX_FORMAT_NV12) {
        result = wrap_planes(surface, &buffer);
    } else {
        result = CVPixelBufferCreateWithBytes(kCFAllocatorDefault, surface->width, surface->height,
                                              pixel_format(surface->fourcc), surface->data + surface->offset[0],
                                              surface->stride[0], release_surface, surface, NULL, &buffer);
    }
    if (result != kCVReturnSuccess) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "CoreVideo can't create a pixel buffer of %u x %u (%d)",
                    surface->width, surface->height, (int)result);
        helix_surface_unref(surface);
        return NULL;
    }
    return buffer;
}

static CVPixelBufferRef wrap_memory(HelixSurface *surface, guint64 *cpu_bytes, GError **error)
{
    HelixSurface *lent;

    if (!planes_fit(surface)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "a picture of %u x %u does not lie within its "
                    "%" G_GSIZE_FORMAT " bytes",
                    surface->width, surface->height, surface->size);
        return NULL;
    }
    lent = strides_fit(surface) ? helix_surface_ref(surface) : copy_tightly(surface, cpu_bytes, error);
    if (!lent) {
        return NULL;
    }
    for (guint i = 0; i < lent->n_planes; i++) {
        *cpu_bytes += lent->stride[i] * rows_of(lent, i); /* VideoToolbox copies it */
    }
    return lend(lent, error);
}

static CVPixelBufferRef wrap_iosurface(HelixSurface *surface, GError **error)
{
    CVPixelBufferRef buffer = NULL;
    CVReturn result = CVPixelBufferCreateWithIOSurface(kCFAllocatorDefault, surface->native, NULL, &buffer);

    if (result != kCVReturnSuccess) {
        /* Out of memory is temporary; other errors mean that CoreVideo does not support the IOSurface. */
        gint code = result == kCVReturnAllocationFailed ? HELIX_CODE_ENCODE : HELIX_CODE_NO_IOSURFACE;

        g_set_error(error, HELIX_ERROR, code,
                    "CoreVideo can't create a pixel buffer from the IOSurface of %u x %u (%d)", surface->width,
                    surface->height, (int)result);
        return NULL;
    }
    return buffer;
}

static CFDictionaryRef pool_attributes(const HelixVtInput *input)
{
    gint32 format = (gint32)input->pool_format, width = (gint32)input->width, height = (gint32)input->height;
    CFDictionaryRef empty = CFDictionaryCreate(kCFAllocatorDefault, NULL, NULL, 0, &kCFTypeDictionaryKeyCallBacks,
                                               &kCFTypeDictionaryValueCallBacks),
                    attributes;
    const void *keys[] = { kCVPixelBufferPixelFormatTypeKey, kCVPixelBufferWidthKey, kCVPixelBufferHeightKey,
                           kCVPixelBufferIOSurfacePropertiesKey };
    const void *values[] = { CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &format),
                             CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &width),
                             CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &height), empty };

    attributes = CFDictionaryCreate(kCFAllocatorDefault, keys, values, G_N_ELEMENTS(keys),
                                    &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        CFRelease(values[i]);
    }
    return attributes;
}

/* An IOSurface-backed buffer of the coded size. */
static CVPixelBufferRef take_fitting(HelixVtInput *input, OSType format, GError **error)
{
    CVPixelBufferRef buffer = NULL;
    CVReturn result = kCVReturnSuccess;

    if (input->pool && input->pool_format != format) {
        CFRelease(input->pool);
        input->pool = NULL;
    }
    if (!input->pool) {
        CFDictionaryRef attributes;

        input->pool_format = format;
        attributes = pool_attributes(input);
        result = CVPixelBufferPoolCreate(kCFAllocatorDefault, NULL, attributes, &input->pool);
        CFRelease(attributes);
    }
    if (result == kCVReturnSuccess) {
        result = CVPixelBufferPoolCreatePixelBuffer(kCFAllocatorDefault, input->pool, &buffer);
    }
    if (result != kCVReturnSuccess) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "CoreVideo can't allocate a pixel buffer of %u x %u (%d)",
                    input->width, input->height, (int)result);
        return NULL;
    }
    return buffer;
}

static gboolean scale(HelixVtInput *input, CVPixelBufferRef from, CVPixelBufferRef to, GError **error)
{
    OSStatus status = 0;

    if (!input->transfer) {
        status = VTPixelTransferSessionCreate(kCFAllocatorDefault, &input->transfer);
    }
    if (status == 0) {
        status = VTPixelTransferSessionTransferImage(input->transfer, from, to);
    }
    if (status != 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "VideoToolbox can't scale %zu x %zu to %u x %u (%d)",
                    CVPixelBufferGetWidth(from), CVPixelBufferGetHeight(from), input->width, input->height,
                    (int)status);
        return FALSE;
    }
    return TRUE;
}

/* Copy rows of @unit-byte samples; the last sample and the last row are repeated up to @columns x @rows. */
static void copy_repeating(guint8 *to, gsize to_stride, gsize columns, gsize rows, const guint8 *from,
                           gsize from_stride, gsize from_columns, gsize from_rows, gsize unit)
{
    for (gsize y = 0; y < rows; y++) {
        const guint8 *source = from + MIN(y, from_rows - 1) * from_stride;
        guint8 *row = to + y * to_stride;

        memcpy(row, source, from_columns * unit);
        for (gsize x = from_columns; x < columns; x++) {
            memcpy(row + x * unit, source + (from_columns - 1) * unit, unit);
        }
    }
}

static gboolean repeat_edges(HelixVtInput *input, const HelixSurface *surface, CVPixelBufferRef to, guint64 *cpu_bytes,
                             GError **error)
{
    CVReturn result = CVPixelBufferLockBaseAddress(to, 0);

    if (result != kCVReturnSuccess) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "CoreVideo's pixel buffer can't be written (%d)",
                    (int)result);
        return FALSE;
    }
    for (guint i = 0; i < surface->n_planes; i++) {
        gboolean nv12 = surface->n_planes == 2;
        gsize sub = i ? 2 : 1;
        guint8 *data = nv12 ? CVPixelBufferGetBaseAddressOfPlane(to, i) : CVPixelBufferGetBaseAddress(to);
        gsize stride = nv12 ? CVPixelBufferGetBytesPerRowOfPlane(to, i) : CVPixelBufferGetBytesPerRow(to);

        copy_repeating(data, stride, input->width / sub, input->height / sub, surface->data + surface->offset[i],
                       surface->stride[i], (surface->width + sub - 1) / sub, (surface->height + sub - 1) / sub,
                       nv12 ? (i ? 2 : 1) : 4);
        *cpu_bytes += (guint64)surface->stride[i] * ((surface->height + sub - 1) / sub) * 2;
    }
    CVPixelBufferUnlockBaseAddress(to, 0);
    return TRUE;
}

/* A buffer of the coded size with @from's picture. Takes @from over. */
static CVPixelBufferRef fit(HelixVtInput *input, const HelixSurface *surface, CVPixelBufferRef from, guint64 *cpu_bytes,
                            GError **error)
{
    gboolean rounding = surface->kind == HELIX_SURFACE_MEMORY && input->width == ((surface->width + 1) & ~1u) &&
        input->height == ((surface->height + 1) & ~1u);
    CVPixelBufferRef to = take_fitting(input, pixel_format(surface->fourcc), error);

    if (to && !(rounding ? repeat_edges(input, surface, to, cpu_bytes, error) : scale(input, from, to, error))) {
        CFRelease(to);
        to = NULL;
    }
    CFRelease(from);
    return to;
}

static void attach(CVPixelBufferRef buffer, CFStringRef key, CFStringRef value)
{
    if (value) {
        CVBufferSetAttachment(buffer, key, value, kCVAttachmentMode_ShouldPropagate);
    }
}

/*
 * RGB of the guest's screen is taken to be BT.709, NV12 is what the request says; the session has the same properties,
 * so VideoToolbox converts nothing. NV12 in full range is passed as limited range for the same reason: its samples are
 * coded as they are, and the SPS has the range.
 */
static void set_colour(const HelixVtInput *input, CVPixelBufferRef buffer)
{
    const HelixVtColour colour = helix_vt_colour(&input->vui);

    attach(buffer, kCVImageBufferColorPrimariesKey, colour.primaries);
    attach(buffer, kCVImageBufferTransferFunctionKey, colour.transfer);
    attach(buffer, kCVImageBufferYCbCrMatrixKey, colour.matrix);
}

CVPixelBufferRef helix_vt_input_wrap(HelixVtInput *input, HelixSurface *surface, guint64 *cpu_bytes, GError **error)
{
    CVPixelBufferRef buffer;

    if (surface->kind == HELIX_SURFACE_IOSURFACE) {
        buffer = wrap_iosurface(surface, error);
    } else {
        buffer = wrap_memory(surface, cpu_bytes, error);
    }
    if (!buffer) {
        return NULL;
    }
    set_colour(input, buffer);
    if (CVPixelBufferGetWidth(buffer) == input->width && CVPixelBufferGetHeight(buffer) == input->height) {
        return buffer;
    }
    buffer = fit(input, surface, buffer, cpu_bytes, error);
    if (buffer) {
        set_colour(input, buffer);
    }
    return buffer;
}
