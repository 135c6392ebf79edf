/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of virglrenderer that the look-up uses, with resource information of version 1, as UTM 5's has it
 * (utmapp/virglrenderer, merge request 1583 of virglrenderer): version 0's last pointer became a union, and its type
 * follows. The installed header is of version 0.
 */
#ifndef DOUBLE_VIRGLRENDERER_1_H
#define DOUBLE_VIRGLRENDERER_1_H

#include <stdbool.h>
#include <stdint.h>

#define VIRGL_RENDERER_RESOURCE_INFO_EXT_VERSION 1

enum virgl_renderer_native_handle_type {
    VIRGL_NATIVE_HANDLE_NONE,
    VIRGL_NATIVE_HANDLE_D3D_TEX2D,
    VIRGL_NATIVE_HANDLE_METAL_TEXTURE,
};

struct virgl_renderer_resource_info {
    uint32_t handle, virgl_format, width, height, depth, flags, tex_id, stride;
    int drm_fourcc;
    int fd;
};

struct virgl_renderer_resource_info_ext {
    int version;
    struct virgl_renderer_resource_info base;
    bool has_dmabuf_export;
    int planes;
    uint64_t modifiers;
    union {
        void *d3d_tex2d;
        void *native_handle;
    };
    enum virgl_renderer_native_handle_type native_type;
};

int virgl_renderer_resource_get_info_ext(int res_handle, struct virgl_renderer_resource_info_ext *info);

#endif
