/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helix-client-gpu.h - libhelix-client: memory of the virtio-gpu for frames. Included by helix-client.h, whose first
 * comment holds for it too.
 */
#ifndef HELIX_CLIENT_GPU_MEMORY_H
#define HELIX_CLIENT_GPU_MEMORY_H

#ifndef HELIX_CLIENT_H
#error "include helix-client.h"
#endif

G_BEGIN_DECLS

/* The render node of the first virtio-gpu in @folder (NULL: /dev/dri). NULL with HELIX_CLIENT_ERROR_NO_GPU or
 * _PERMISSION. */
HelixClientGpu *helix_client_gpu_open(const char *folder, GError **error);
HelixClientGpu *helix_client_gpu_ref(HelixClientGpu *gpu);
void helix_client_gpu_unref(HelixClientGpu *gpu);
/* Let go of all imported DMA-BUFs. helix_client_close() does so, too. */
void helix_client_gpu_forget(HelixClientGpu *gpu);
/* The driver that exported DMA-BUF @fd, as "virtio_gpu"; "drm" for some others. NULL: the kernel does not say. Before
 * Linux 5.8 "drm" may be the virtio-gpu too, and is NULL. To be freed. */
char *helix_client_dmabuf_exporter(int fd);

typedef enum HelixClientBufferKind {
    HELIX_CLIENT_BUFFER_BLOB,     /* guest memory; needs blob=on of the virtio-gpu */
    HELIX_CLIENT_BUFFER_RESOURCE, /* pages with a texture beside them */
} HelixClientBufferKind;

/* Memory for one picture of @format (one that is not only copied: YU12 and those behind it), zeroed, mapped for the
 * CPU, of @size bytes at least. NULL with HELIX_CLIENT_ERROR_GPU or _IMAGE. Whether the host can read it shows with the
 * first frame. */
HelixClientBuffer *helix_client_buffer_new(HelixClientGpu *gpu, HelixClientBufferKind kind, guint32 format, guint width,
                                           guint height, gsize size, GError **error);
HelixClientBuffer *helix_client_buffer_ref(HelixClientBuffer *buffer);
void helix_client_buffer_unref(HelixClientBuffer *buffer);
/* The mapped bytes; write them only while no frame of this buffer is under way. */
guint8 *helix_client_buffer_get_data(HelixClientBuffer *buffer, gsize *size);
guint32 helix_client_buffer_get_resource_id(HelixClientBuffer *buffer);
/* A DMA-BUF of its memory, for a GPU to draw into: a new descriptor, the caller's. What a GPU drew is named by frames
 * of that DMA-BUF, not by helix_client_frame_new_buffer(), which has the host read the pages. -1 with
 * HELIX_CLIENT_ERROR_GPU. */
int helix_client_buffer_export(HelixClientBuffer *buffer, GError **error);
/* The layout in which a picture of its size lies there best; fill in what the caller drew. */
void helix_client_buffer_get_image(HelixClientBuffer *buffer, HelixClientImage *image);
/* The kind of buffer from which the client's host can read frames of @format, as far as is known. FALSE: none, or no
 * virtio-gpu. */
gboolean helix_client_buffer_kind(HelixClient *client, guint32 format, HelixClientBufferKind *kind);
/* Changes whenever the answer of helix_client_buffer_kind() may have: other buffers may do now. */
guint helix_client_buffer_serial(HelixClient *client);
/* Copy modes not to be used, of "blob", "pages", "texture", "guest-copy" with commas between. Before set_gpu(). */
void helix_client_avoid(HelixClient *client, const char *modes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HelixClientGpu, helix_client_gpu_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HelixClientBuffer, helix_client_buffer_unref)

G_END_DECLS
#endif
