/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virgl-texture.h - virglrenderer's description of a resource's texture, with its native handle where it has one.
 *
 * Works with virgl_renderer_resource_get_info_ext() of version 0 (virglrenderer 1.0 and later) and of version 1 (UTM
 * 5), whichever the header at compile time has.
 */
#ifndef HELIX_APPLE_VIRGL_TEXTURE_H
#define HELIX_APPLE_VIRGL_TEXTURE_H

#include "gpu-copy.h"

/*
 * Fill in @texture. FALSE: no such resource, or it has no texture. Main loop; the Metal texture is borrowed for the
 * current callback.
 */
gboolean helix_virgl_texture(guint32 resource_id, HelixTexture *texture);

#endif
