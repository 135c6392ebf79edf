/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virgl-texture.c - see virgl-texture.h. */
#include <string.h>

#include <virglrenderer.h>

#include "virgl-texture.h"

#define Y_0_TOP 1       /* info.flags: row 0 in GL is the picture's lowest row, as QEMU's displays interpret it */
#define METAL_TEXTURE 2 /* VIRGL_NATIVE_HANDLE_METAL_TEXTURE of version 1 */

/*
 * Layout of version 1: version 0's last pointer is the native handle, followed by its type. Declared here because the
 * header may be of version 0 and the library of version 1.
 */
typedef struct InfoV1 {
    int version;
    struct virgl_renderer_resource_info base;
    bool has_dmabuf_export;
    int planes;
    uint64_t modifiers;
    void *native_handle;
    int native_type;
} InfoV1;

typedef union Info {
    struct virgl_renderer_resource_info_ext ext;
    InfoV1 v1;
    uint8_t room[256]; /* room for a later version, which may write more */
} Info;

gboolean helix_virgl_texture(guint32 resource_id, HelixTexture *texture)
{
    Info info;

    memset(&info, 0, sizeof(info)); /* virglrenderer leaves fields unset that do not apply to a resource */
    if (virgl_renderer_resource_get_info_ext((int)resource_id, &info.ext) != 0 || info.v1.base.tex_id == 0) {
        return FALSE;
    }
    *texture = (HelixTexture){
        .id = resource_id,
        .width = info.v1.base.width,
        .height = info.v1.base.height,
        .tex_id = info.v1.base.tex_id,
        .metal = info.v1.version >= 1 && info.v1.native_type == METAL_TEXTURE ? info.v1.native_handle : NULL,
        .bottom_up = (info.v1.base.flags & Y_0_TOP) != 0,
    };
    return TRUE;
}
