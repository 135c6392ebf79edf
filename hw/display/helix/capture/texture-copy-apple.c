/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * texture-copy-apple.c - a GL device's texture copied to an IOSurface by the GPU, on macOS.
 *
 * The renderer's context is made current first, as QEMU does before each command: textures are copied in it.
 */
#include "qemu/osdep.h"
#include "texture-hooks.h"

#include <virglrenderer.h>

#include "apple/virgl-texture.h"

static HelixGpuCopier *copier;

static bool copy(uint32_t id, const HelixPicture *picture, const HelixCaptureTarget *target, HelixResolved done,
                 gpointer data, GError **error)
{
    HelixTexture texture;

    virgl_renderer_force_ctx_0();
    if (!helix_virgl_texture(id, &texture)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "resource %u has no texture", id);
        return false;
    }
    if (!copier) {
        copier = helix_gpu_copier_new(NULL);
    }
    return helix_gpu_copier_copy(copier, &texture, picture, target, done, data, error);
}

static void reset(void)
{
    g_clear_pointer(&copier, helix_gpu_copier_free);
}

static const HelixTextureCopier texture_copier = { .copy = copy, .reset = reset };

static void register_copier(void)
{
    helix_texture_copier = &texture_copier;
}

type_init(register_copier)
