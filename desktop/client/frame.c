/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frame.c - frames by resource id, and what all frames have in common; see frame.h. */
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "frame.h"

HelixClientFrame *client_frame_new(HelixClientPath path)
{
    HelixClientFrame *frame = g_new0(HelixClientFrame, 1);

    g_atomic_ref_count_init(&frame->refs);
    frame->path = path;
    frame->fence_fd = -1;
    return frame;
}

HelixClientFrame *helix_client_frame_ref(HelixClientFrame *frame)
{
    g_atomic_ref_count_inc(&frame->refs);
    return frame;
}

void helix_client_frame_unref(HelixClientFrame *frame)
{
    if (!g_atomic_ref_count_dec(&frame->refs)) {
        return;
    }
    if (frame->release) {
        frame->release(frame->release_data);
    }
    g_clear_pointer(&frame->buffer, helix_client_buffer_unref);
    g_clear_pointer(&frame->snapshot, helix_client_snapshot_unref);
    g_free(frame->repacked);
    g_free(frame);
}

void client_frame_describe(HelixClientFrame *frame, const ClientRect *rect, const ClientLayout *layout, guint32 width,
                           guint32 height)
{
    frame->width = rect->width;
    frame->height = rect->height;
    frame->crop_x = rect->x;
    frame->crop_y = rect->y;
    frame->res_width = width;
    frame->res_height = height;
    frame->planes = (guint8)layout->n_planes;
    frame->stride = (guint32)layout->stride[0];
    for (guint i = 0; i < layout->n_planes; i++) {
        frame->offset[i] = (guint32)layout->offset[i];
        frame->stride_of[i] = (guint32)layout->stride[i];
    }
}

/* ---- by resource id ---- */

HelixClientFrame *helix_client_frame_new_resource(guint32 id, const HelixClientImage *image)
{
    HelixClientFrame *frame = client_frame_new(HELIX_CLIENT_PATH_DMABUF);
    ClientRect rect = client_image_rect(image);
    ClientLayout layout = { .n_planes = MIN(client_format_planes(image->format), 2) };

    for (guint i = 0; i < layout.n_planes; i++) {
        layout.offset[i] = image->offset[i];
        layout.stride[i] = (gsize)image->stride[i];
    }
    client_frame_describe(frame, &rect, &layout, image->width, image->height);
    frame->resource_id = id;
    frame->source = HELIX_SOURCE_AUTO;
    frame->fourcc = image->format;
    frame->modifier = image->modifier;
    return frame;
}

void client_frame_to_wire(const HelixClientFrame *frame, ClientWireRequest *wire)
{
    *wire = (ClientWireRequest){
        .resource_id = frame->resource_id,
        .width = frame->width,
        .height = frame->height,
        .fourcc = frame->fourcc,
        .stride = frame->stride,
        .source = frame->source,
        .planes = frame->planes,
        .crop_x = frame->crop_x,
        .crop_y = frame->crop_y,
        .res_width = frame->res_width,
        .res_height = frame->res_height,
        .offset = { frame->offset[0], frame->offset[1] },
        .stride_of = { frame->stride_of[0], frame->stride_of[1] },
        .modifier = frame->modifier,
    };
}

/* ---- what callers say and ask ---- */

void helix_client_frame_set_release(HelixClientFrame *frame, GDestroyNotify release, gpointer data)
{
    g_return_if_fail(!frame->release);
    frame->release = release;
    frame->release_data = data;
}

void helix_client_frame_set_fence(HelixClientFrame *frame, int fd)
{
    frame->fence_fd = fd;
}

void helix_client_frame_require(HelixClientFrame *frame, guint32 capabilities)
{
    frame->needs |= capabilities;
}

guint32 helix_client_frame_get_required(const HelixClientFrame *frame)
{
    return frame->needs | (frame->crop_x || frame->crop_y || frame->offset[0] ? HELIX_CAP_EXT : 0);
}

HelixClientPath helix_client_frame_get_path(const HelixClientFrame *frame)
{
    return frame->path;
}

gboolean helix_client_frame_is_unverified(const HelixClientFrame *frame)
{
    return frame->unverified;
}

gboolean helix_client_frame_is_again(const HelixClientFrame *frame)
{
    return frame->again;
}
