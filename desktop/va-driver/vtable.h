/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vtable.h - the entries that libva calls; va_backend.h and va.h describe each. Any thread. */
#ifndef HELIX_VA_VTABLE_H
#define HELIX_VA_VTABLE_H

#include <va/va_backend.h>
#include <va/va_backend_vpp.h>

/* attributes.c, config.c */
VAStatus hva_query_config_profiles(VADriverContextP va, VAProfile *list, int *n);
VAStatus hva_query_config_entrypoints(VADriverContextP va, VAProfile profile, VAEntrypoint *list, int *n);
VAStatus hva_get_config_attributes(VADriverContextP va, VAProfile profile, VAEntrypoint entrypoint,
                                   VAConfigAttrib *attributes, int n);
VAStatus hva_create_config(VADriverContextP va, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttrib *attributes,
                           int n, VAConfigID *id);
VAStatus hva_destroy_config(VADriverContextP va, VAConfigID id);
VAStatus hva_query_config_attributes(VADriverContextP va, VAConfigID id, VAProfile *profile, VAEntrypoint *entrypoint,
                                     VAConfigAttrib *attributes, int *n);

/* surfaces.c, surface-attributes.c, sync.c, export.c */
VAStatus hva_create_surfaces(VADriverContextP va, int width, int height, int format, int n, VASurfaceID *ids);
VAStatus hva_create_surfaces2(VADriverContextP va, unsigned int format, unsigned int width, unsigned int height,
                              VASurfaceID *ids, unsigned int n, VASurfaceAttrib *attributes, unsigned int n_attributes);
VAStatus hva_destroy_surfaces(VADriverContextP va, VASurfaceID *ids, int n);
VAStatus hva_query_surface_attributes(VADriverContextP va, VAConfigID id, VASurfaceAttrib *list, unsigned int *n);
VAStatus hva_sync_surface(VADriverContextP va, VASurfaceID id);
VAStatus hva_sync_surface2(VADriverContextP va, VASurfaceID id, uint64_t timeout_ns);
VAStatus hva_query_surface_status(VADriverContextP va, VASurfaceID id, VASurfaceStatus *status);
VAStatus hva_query_surface_error(VADriverContextP va, VASurfaceID id, VAStatus error, void **info);
VAStatus hva_export_surface_handle(VADriverContextP va, VASurfaceID id, uint32_t type, uint32_t flags,
                                   void *descriptor);

/* images.c, image-transfer.c */
VAStatus hva_query_image_formats(VADriverContextP va, VAImageFormat *list, int *n);
VAStatus hva_create_image(VADriverContextP va, VAImageFormat *format, int width, int height, VAImage *image);
VAStatus hva_derive_image(VADriverContextP va, VASurfaceID id, VAImage *image);
VAStatus hva_destroy_image(VADriverContextP va, VAImageID id);
VAStatus hva_get_image(VADriverContextP va, VASurfaceID surface, int x, int y, unsigned int width, unsigned int height,
                       VAImageID image);
VAStatus hva_put_image(VADriverContextP va, VASurfaceID surface, VAImageID image, int src_x, int src_y,
                       unsigned int src_width, unsigned int src_height, int dest_x, int dest_y, unsigned int dest_width,
                       unsigned int dest_height);

/* buffers.c */
VAStatus hva_create_buffer(VADriverContextP va, VAContextID context, VABufferType type, unsigned int size,
                           unsigned int n, void *data, VABufferID *id);
VAStatus hva_buffer_set_num_elements(VADriverContextP va, VABufferID id, unsigned int n);
VAStatus hva_map_buffer(VADriverContextP va, VABufferID id, void **data);
VAStatus hva_unmap_buffer(VADriverContextP va, VABufferID id);
VAStatus hva_destroy_buffer(VADriverContextP va, VABufferID id);
VAStatus hva_buffer_info(VADriverContextP va, VABufferID id, VABufferType *type, unsigned int *size, unsigned int *n);

/* context.c, picture.c */
VAStatus hva_create_context(VADriverContextP va, VAConfigID config, int width, int height, int flag,
                            VASurfaceID *targets, int n, VAContextID *id);
VAStatus hva_destroy_context(VADriverContextP va, VAContextID id);
VAStatus hva_begin_picture(VADriverContextP va, VAContextID context, VASurfaceID target);
VAStatus hva_render_picture(VADriverContextP va, VAContextID context, VABufferID *buffers, int n);
VAStatus hva_end_picture(VADriverContextP va, VAContextID context);

/* process.c */
VAStatus hva_query_filters(VADriverContextP va, VAContextID context, VAProcFilterType *filters, unsigned int *n);
VAStatus hva_query_filter_caps(VADriverContextP va, VAContextID context, VAProcFilterType type, void *caps,
                               unsigned int *n);
VAStatus hva_query_pipeline_caps(VADriverContextP va, VAContextID context, VABufferID *filters, unsigned int n,
                                 VAProcPipelineCaps *caps);

/* not-offered.c: what a driver must have an entry for, and this one has not. */
void hva_fill_not_offered(struct VADriverVTable *vtable);

#endif
