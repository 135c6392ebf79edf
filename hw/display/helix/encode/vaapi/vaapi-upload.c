/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vaapi-upload.c - see vaapi-upload.h. */
#include <string.h>

#include <libavutil/hwcontext.h>

#include "vaapi-upload.h"

/* A plane of @rows rows of @samples samples, each @size bytes, up to the next multiple of @unit samples and rows. */
static guint64 copy_plane(const AVFrame *to, guint plane, const HelixNv12 *from, guint32 samples, guint32 rows,
                          guint size, guint unit)
{
    const guint32 columns = (samples + unit - 1) / unit * unit, all_rows = (rows + unit - 1) / unit * unit;
    const gsize bytes = (gsize)samples * size;

    for (guint32 y = 0; y < all_rows; y++) {
        const guint8 *in = from->plane[plane] + (gsize)MIN(y, rows - 1) * from->stride[plane];
        guint8 *out = to->data[plane] + (gssize)y * to->linesize[plane];

        memcpy(out, in, bytes);
        for (guint32 x = samples; x < columns; x++) {
            memcpy(out + (gsize)x * size, in + bytes - size, size);
        }
    }
    return 2 * (guint64)columns * all_rows * size;
}

int helix_vaapi_upload(AVFrame *frame, const HelixNv12 *nv12, guint32 width, guint32 height, guint64 *cpu_bytes)
{
    AVFrame *mapped = av_frame_alloc();
    int result;

    if (!mapped) {
        return AVERROR(ENOMEM);
    }
    mapped->format = AV_PIX_FMT_NV12;
    result = av_hwframe_map(mapped, frame, AV_HWFRAME_MAP_WRITE | AV_HWFRAME_MAP_OVERWRITE);
    if (result >= 0) {
        *cpu_bytes += copy_plane(mapped, 0, nv12, width, height, 1, 16);
        *cpu_bytes += copy_plane(mapped, 1, nv12, width / 2, height / 2, 2, 8);
    }
    av_frame_free(&mapped); /* unmaps */
    return result;
}
