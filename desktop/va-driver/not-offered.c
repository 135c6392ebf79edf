/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* not-offered.c - entries that libva calls without looking whether they are there. */
#include "vtable.h"

static VAStatus put_surface(VADriverContextP va, VASurfaceID surface, void *draw, short srcx, short srcy,
                            unsigned short srcw, unsigned short srch, short destx, short desty, unsigned short destw,
                            unsigned short desth, VARectangle *cliprects, unsigned int n_cliprects, unsigned int flags)
{
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus set_image_palette(VADriverContextP va, VAImageID image, unsigned char *palette)
{
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus query_subpicture_formats(VADriverContextP va, VAImageFormat *list, unsigned int *flags, unsigned int *n)
{
    *n = 0;
    return VA_STATUS_SUCCESS;
}

static VAStatus create_subpicture(VADriverContextP va, VAImageID image, VASubpictureID *subpicture)
{
    *subpicture = VA_INVALID_ID;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus destroy_subpicture(VADriverContextP va, VASubpictureID subpicture)
{
    return VA_STATUS_ERROR_INVALID_SUBPICTURE;
}

static VAStatus set_subpicture_image(VADriverContextP va, VASubpictureID subpicture, VAImageID image)
{
    return VA_STATUS_ERROR_INVALID_SUBPICTURE;
}

static VAStatus set_subpicture_chromakey(VADriverContextP va, VASubpictureID subpicture, unsigned int min,
                                         unsigned int max, unsigned int mask)
{
    return VA_STATUS_ERROR_INVALID_SUBPICTURE;
}

static VAStatus set_subpicture_global_alpha(VADriverContextP va, VASubpictureID subpicture, float alpha)
{
    return VA_STATUS_ERROR_INVALID_SUBPICTURE;
}

static VAStatus associate_subpicture(VADriverContextP va, VASubpictureID subpicture, VASurfaceID *surfaces, int n,
                                     short src_x, short src_y, unsigned short src_width, unsigned short src_height,
                                     short dest_x, short dest_y, unsigned short dest_width, unsigned short dest_height,
                                     unsigned int flags)
{
    return VA_STATUS_ERROR_INVALID_SUBPICTURE;
}

static VAStatus deassociate_subpicture(VADriverContextP va, VASubpictureID subpicture, VASurfaceID *surfaces, int n)
{
    return VA_STATUS_ERROR_INVALID_SUBPICTURE;
}

static VAStatus query_display_attributes(VADriverContextP va, VADisplayAttribute *list, int *n)
{
    *n = 0;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus get_display_attributes(VADriverContextP va, VADisplayAttribute *list, int n)
{
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus set_display_attributes(VADriverContextP va, VADisplayAttribute *list, int n)
{
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus lock_surface(VADriverContextP va, VASurfaceID surface, unsigned int *fourcc, unsigned int *luma_stride,
                             unsigned int *chroma_u_stride, unsigned int *chroma_v_stride, unsigned int *luma_offset,
                             unsigned int *chroma_u_offset, unsigned int *chroma_v_offset, unsigned int *buffer_name,
                             void **buffer)
{
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus unlock_surface(VADriverContextP va, VASurfaceID surface)
{
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

void hva_fill_not_offered(struct VADriverVTable *vtable)
{
    vtable->vaPutSurface = put_surface;
    vtable->vaSetImagePalette = set_image_palette;
    vtable->vaQuerySubpictureFormats = query_subpicture_formats;
    vtable->vaCreateSubpicture = create_subpicture;
    vtable->vaDestroySubpicture = destroy_subpicture;
    vtable->vaSetSubpictureImage = set_subpicture_image;
    vtable->vaSetSubpictureChromakey = set_subpicture_chromakey;
    vtable->vaSetSubpictureGlobalAlpha = set_subpicture_global_alpha;
    vtable->vaAssociateSubpicture = associate_subpicture;
    vtable->vaDeassociateSubpicture = deassociate_subpicture;
    vtable->vaQueryDisplayAttributes = query_display_attributes;
    vtable->vaGetDisplayAttributes = get_display_attributes;
    vtable->vaSetDisplayAttributes = set_display_attributes;
    vtable->vaLockSurface = lock_surface;
    vtable->vaUnlockSurface = unlock_surface;
}
