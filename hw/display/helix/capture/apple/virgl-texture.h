/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virgl-texture.h - what virglrenderer says of a resource's texture, its native handle included where it has one.
 *
 * Works with virgl_renderer_resource_get_info_ext() of version 0 (virglrenderer 1.0 and later) and of version 1 (UTM
 * 5), whichever of them the header it was compiled against knows.
 */
#ifndef HELIX_APPLE_VIRGL_TEXTURE_H
#define HELIX_APPLE_VIRGL_TEXTURE_H

#include "gpu-copy.h"

/*
 * Fill in @texture. FALSE: no such resource, or it has no texture. Main loop; the Metal texture is borrowed until it
 * goes on.
 */
gboolean helix_virgl_texture(guint32 resource_id, HelixTexture *texture);

#endif
