/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy.c - frames of guest-copy: in a buffer that the caller drew into, or copied into one of the copier's. */
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "client.h"

/* A frame of @buffer, the texture made equal to what it holds before the host is told. NULL: that cannot be done. */
static HelixClientFrame *frame_in(HelixClientBuffer *buffer, ClientCopyMode mode, guint32 fourcc, GError **error)
{
    HelixClientFrame *frame = client_frame_new(HELIX_CLIENT_PATH_GUEST_COPY);

    frame->fourcc = fourcc;
    frame->mode = mode;
    frame->resource_id = buffer->resource_id;
    frame->source = mode == CLIENT_COPY_TEXTURE ? HELIX_SOURCE_TEXTURE : HELIX_SOURCE_PAGES;
    frame->needs = mode == CLIENT_COPY_TEXTURE ? 0 : HELIX_CAP_EXT;
    if (mode == CLIENT_COPY_PAGES && fourcc == HELIX_FORMAT_NV12) {
        frame->needs |= HELIX_CAP_NV12_PAGES;
    }
    if (mode == CLIENT_COPY_TEXTURE) {
        frame->fence_fd = client_buffer_upload(buffer, error);
        if (frame->fence_fd < 0) {
            helix_client_frame_unref(frame);
            return NULL;
        }
    }
    frame->buffer = helix_client_buffer_ref(buffer);
    return frame;
}

static gboolean no_buffer(HelixClient *client, guint32 format, const char *more, GError **error)
{
    g_autofree char *why = client_copier_why_not(client->copier, format, helix_client_get_capabilities(client));

    g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_BUFFER, "%s%s%s", why, *why && *more ? " " : "", more);
    return FALSE;
}

static gboolean has_copier(HelixClient *client, GError **error)
{
    if (!client->copier) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_GPU, "No virtio-gpu was opened.");
    }
    return client->copier != NULL;
}

/* ---- drawn into a buffer of the library's ---- */

/* Where @image lies in @buffer. FALSE: not as the host could read it. */
static gboolean layout_in(const HelixClientBuffer *buffer, const HelixClientImage *image, ClientLayout *layout)
{
    *layout = (ClientLayout){ .n_planes = client_format_planes(image->format) };
    for (guint i = 0; i < layout->n_planes; i++) {
        gsize bytes = client_plane_row_bytes(image->format, i, image->width);
        guint rows = client_plane_rows(i, image->height);
        gsize stride = (gsize)MAX(image->stride[i], 0), offset = image->offset[i];

        if (stride < bytes || offset > buffer->map_size || offset > G_MAXUINT32 ||
            stride * (rows - 1) + bytes > buffer->map_size - offset) {
            return FALSE;
        }
        layout->stride[i] = stride;
        layout->offset[i] = offset;
    }
    return TRUE;
}

static gboolean fits_mode(const HelixClient *client, const HelixClientBuffer *buffer, ClientCopyMode mode,
                          const ClientLayout *layout, const ClientRect *rect, guint32 capabilities)
{
    gboolean whole = rect->x == 0 && rect->y == 0;

    if (buffer->gpu->device != client->gpu->device || buffer->kind != client_copy_mode_kind(mode)) {
        return FALSE;
    }
    return mode != CLIENT_COPY_TEXTURE ||
        (layout->offset[0] == 0 && layout->stride[0] == (gsize)buffer->res_width * 4 &&
         (whole || (capabilities & HELIX_CAP_EXT)));
}

HelixClientFrame *helix_client_frame_new_buffer(HelixClient *client, HelixClientBuffer *buffer,
                                                const HelixClientImage *image, GError **error)
{
    guint32 capabilities = helix_client_get_capabilities(client);
    ClientRect rect = client_image_rect(image);
    HelixClientFrame *frame;
    ClientCopyMode mode;
    ClientLayout layout;

    if (!has_copier(client, error) || !client_image_check(image, error)) {
        return NULL;
    }
    if (image->format != buffer->format || !layout_in(buffer, image, &layout) ||
        (layout.n_planes > 1 && (rect.x | rect.y) % 2)) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_IMAGE,
                    "The picture does not lie in the buffer as a host could read it.");
        return NULL;
    }
    mode = client_copier_choose(client->copier, image->format, capabilities);
    if (mode == CLIENT_N_COPY_MODES || !fits_mode(client, buffer, mode, &layout, &rect, capabilities)) {
        no_buffer(client, image->format, "The host reads no buffer of this kind.", error);
        return NULL;
    }
    frame = frame_in(buffer, mode, image->format, error);
    if (frame) {
        client_frame_describe(frame, &rect, &layout, image->width, image->height);
        frame->drawn = TRUE;
        frame->unverified = !client_copier_is_verified(client->copier, mode);
    }
    return frame;
}

/* ---- copied ---- */

/* NULL with @why: the mode cannot be used; without: all its buffers are in use. */
static HelixClientFrame *copied_frame(HelixClient *client, ClientCopyMode mode, const HelixClientImage *image,
                                      GError **why)
{
    ClientRect rect = client_image_rect(image), all = { 0, 0, rect.width, rect.height };
    guint32 fourcc = client_wire_format(image->format);
    ClientLayout layout = client_layout_default(fourcc, rect.width, rect.height);
    g_autoptr(HelixClientBuffer)
        buffer = client_copier_take_buffer(client->copier, mode, fourcc, rect.width, rect.height, why);
    HelixClientFrame *frame;
    guint64 copied;

    if (!buffer) {
        return NULL;
    }
    copied = client_copy_rect(image, &rect, buffer->map, &layout);
    frame = frame_in(buffer, mode, fourcc, why);
    if (frame) {
        client_frame_describe(frame, &all, &layout, rect.width, rect.height);
        frame->cpu_bytes = copied;
        frame->unverified = !client_copier_is_verified(client->copier, mode);
    }
    return frame;
}

HelixClientFrame *helix_client_frame_new_copy(HelixClient *client, const HelixClientImage *image, GError **error)
{
    guint32 capabilities = helix_client_get_capabilities(client);
    ClientCopyMode mode;

    if (!has_copier(client, error) || !client_image_check(image, error)) {
        return NULL;
    }
    while ((mode = client_copier_choose(client->copier, image->format, capabilities)) < CLIENT_N_COPY_MODES) {
        g_autoptr(GError) why = NULL;
        HelixClientFrame *frame = copied_frame(client, mode, image, &why);

        if (frame) {
            return frame;
        }
        if (!why) {
            no_buffer(client, image->format, "All buffers of the virtio-gpu are in use.", error);
            return NULL;
        }
        client_copier_failed(client->copier, mode, why->message);
    }
    no_buffer(client, image->format, "", error);
    return NULL;
}

/* ---- buffers for callers to draw into ---- */

gboolean helix_client_buffer_kind(HelixClient *client, guint32 format, HelixClientBufferKind *kind)
{
    ClientCopyMode mode = client->copier
        ? client_copier_choose(client->copier, format, helix_client_get_capabilities(client))
        : CLIENT_N_COPY_MODES;

    if (mode == CLIENT_N_COPY_MODES || client_wire_format(format) != format) {
        return FALSE;
    }
    *kind = client_copy_mode_kind(mode);
    return TRUE;
}

guint helix_client_buffer_serial(HelixClient *client)
{
    return client->copier ? client_copier_serial(client->copier) : 0;
}
