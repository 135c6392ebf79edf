/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pixel-transfer.c - VideoToolbox's sessions that scale a picture. */
#include <string.h>

#include "video-toolbox.h"

typedef struct Transfer {
    DoubleObject object;
    gboolean invalid;
} Transfer;

static const DoubleClass transfer_class = { "VTPixelTransferSession", NULL };

OSStatus VTPixelTransferSessionCreate(CFAllocatorRef allocator, VTPixelTransferSessionRef *out)
{
    if (double_vt.transfer_create) {
        return double_vt.transfer_create;
    }
    *out = double_object_new(&transfer_class, sizeof(Transfer));
    return 0;
}

void VTPixelTransferSessionInvalidate(VTPixelTransferSessionRef session)
{
    ((Transfer *)double_check(session, &transfer_class))->invalid = TRUE;
}

/* Scales by the nearest sample. */
static void transfer_plane(const DoubleBuffer *from, const DoubleBuffer *to, guint plane, guint unit)
{
    guint sub = plane ? 2 : 1;

    for (guint y = 0; y < to->height / sub; y++) {
        for (guint x = 0; x < to->width / sub; x++) {
            guint from_x = (2 * x + 1) * (from->width / sub) / (2 * (to->width / sub));
            guint from_y = (2 * y + 1) * (from->height / sub) / (2 * (to->height / sub));

            memcpy(to->plane[plane] + y * to->stride[plane] + x * unit,
                   from->plane[plane] + from_y * from->stride[plane] + from_x * unit, unit);
        }
    }
}

OSStatus VTPixelTransferSessionTransferImage(VTPixelTransferSessionRef ref, CVPixelBufferRef source,
                                             CVPixelBufferRef destination)
{
    Transfer *transfer = double_check(ref, &transfer_class);
    DoubleBuffer *from = double_check(source, &double_buffer), *to = double_check(destination, &double_buffer);

    if (transfer->invalid || double_vt.transfer) {
        return transfer->invalid ? kVTInvalidSessionErr : double_vt.transfer;
    }
    g_assert_true(from->format == to->format);
    double_vt_seen.transfers++;
    if (from->format == kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange) {
        transfer_plane(from, to, 0, 1);
        transfer_plane(from, to, 1, 2);
    } else {
        transfer_plane(from, to, 0, 4);
    }
    return 0;
}
