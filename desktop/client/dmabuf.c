/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dmabuf.c - frames of the virtio-gpu's DMA-BUFs. */
#include "client.h"
#include "dmabuf-imports.h"

HelixClientFrame *helix_client_frame_new_dmabuf(HelixClient *client, int fd, const HelixClientImage *image,
                                                GError **error)
{
    HelixClientFrame *frame;
    gboolean imported;
    guint32 id;

    if (!client->gpu) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_GPU,
                    "No virtio-gpu was opened, which DMA-BUFs are imported into.");
        return NULL;
    }
    id = client_imports_lookup(client->gpu->imports, fd, &imported, error);
    if (id == 0) {
        return NULL;
    }
    client_stats_count(client->stats, CLIENT_COUNT_IMPORTS, imported ? 1 : 0);
    if (client_format_planes(image->format) != 1 || client_wire_format(image->format) != image->format ||
        image->offset[0] > G_MAXUINT32) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_IMAGE,
                    "The host cannot be sent a virtio-gpu DMA-BUF of several planes, of this format, or whose "
                    "picture begins beyond 4 GiB.");
        return NULL;
    }
    frame = helix_client_frame_new_resource(id, image);
    frame->fence_fd = fd;
    return frame;
}
