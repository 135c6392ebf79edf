/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virgl-resource.c - resources of the GL device, which virglrenderer owns.
 *
 * virglrenderer has no locks and uses the current GL context: it is called on the main loop only, and every call that
 * touches GL follows virgl_renderer_force_ctx_0(), as QEMU does before each command.
 */
#include "qemu/osdep.h"
#include "pixel-layout.h"
#include "texture-hooks.h"

#include <epoxy/gl.h>
#include <virglrenderer.h>

/* A lost context reports an error each time it is asked. */
#define MAX_ERRORS 8

/*
 * The public header does not define struct virgl_box; it has the layout of virtio-gpu's box, which QEMU passes there.
 */
typedef struct VirglBox {
    uint32_t x, y, z, w, h, d;
} VirglBox;

/* Room for a newer library, which may write a longer structure than the header at compile time defines. */
typedef union VirglInfo {
#if VIRGL_VERSION_MAJOR >= 1
    struct virgl_renderer_resource_info_ext ext;
#else
    struct virgl_renderer_resource_info base;
#endif
    uint8_t room[256];
} VirglInfo;

static bool get_info(uint32_t id, VirglInfo *info, struct virgl_renderer_resource_info *base)
{
    int ret;

    /* virglrenderer leaves fields unset that do not apply to a resource */
    memset(info, 0, sizeof(*info));
#if VIRGL_VERSION_MAJOR >= 1
    ret = virgl_renderer_resource_get_info_ext((int)id, &info->ext);
    *base = info->ext.base;
#else
    ret = virgl_renderer_resource_get_info((int)id, &info->base);
    *base = info->base;
#endif
    return ret == 0;
}

static bool describe(VirtIOGPU *g, HelixResource *resource)
{
    struct virgl_renderer_resource_info base;
    VirglInfo info;

    if (VIRTIO_GPU_GL(g)->renderer_state != RS_INITED || !get_info(resource->id, &info, &base)) {
        return false;
    }
    /*
     * GL numbers buffers and textures separately, so a buffer's tex_id may also name a texture. Height 1 is taken as a
     * buffer or a 1D texture.
     */
    if (base.tex_id && base.height > 1) {
        resource->has_texture = true;
        resource->texture_id = base.tex_id;
        resource->bottom_up = base.flags & 1;
        resource->width = base.width;
        resource->height = base.height;
        resource->format = base.virgl_format;
    }
    return true;
}

/*
 * Whether detaching and attaching the pages again leaves them unchanged: true for textures and untyped blobs, false for
 * buffers.
 */
static bool reattach_is_safe(const HelixResource *resource)
{
    struct virgl_renderer_resource_info base;
    VirglInfo info;

    if (resource->has_texture) {
        return helix_pixel_layout(resource->format).fourcc;
    }
    return resource->blob_size && get_info(resource->id, &info, &base) && !base.width;
}

/*
 * QEMU passes the pages of a resource to virglrenderer, which has no getter for them: they are detached and attached
 * again, with no command in between, and so unchanged. The array lives until DETACH_BACKING or UNREF, which take it
 * from virglrenderer before they free it. (A reset frees a blob's array and leaves virglrenderer's pointer, but QEMU's
 * list of resources is empty until virglrenderer is reset too.)
 */
static void find_pages(VirtIOGPU *g, HelixResource *resource)
{
    struct iovec *iov = NULL;
    int count = 0;

    if (!reattach_is_safe(resource)) {
        return;
    }
    virgl_renderer_force_ctx_0();
    virgl_renderer_resource_detach_iov((int)resource->id, &iov, &count);
    if (!iov || count <= 0 || virgl_renderer_resource_attach_iov((int)resource->id, iov, count)) {
        return;
    }
    resource->iov = iov;
    resource->iov_cnt = count;
}

/* Drain the errors that guest commands left. FALSE: GL keeps reporting them, as after a lost context. */
static bool clear_gl_errors(void)
{
    for (int i = 0; i < MAX_ERRORS; i++) {
        if (glGetError() == GL_NO_ERROR) {
            return true;
        }
    }
    return false;
}

/* Whether glGetTexLevelParameteriv() exists; OpenGL ES has it from 3.1 on; 3.05 allows for rounding. */
static bool has_get_tex_level_parameter(void)
{
    static const char es[] = "OpenGL ES ";
    const char *version = (const char *)glGetString(GL_VERSION);

    return version && (!g_str_has_prefix(version, es) || g_ascii_strtod(version + strlen(es), NULL) > 3.05);
}

/*
 * Whether the texture is 2D, has one sample and is at least as large as the resource. In virglrenderer's context;
 * binding a texture of another target, or a multisampled one, fails.
 */
static bool is_plain_2d(const HelixResource *resource)
{
    GLint before = 0, width = (GLint)resource->width, height = (GLint)resource->height;
    bool good;

    glGetIntegerv(GL_TEXTURE_BINDING_2D, &before);
    glBindTexture(GL_TEXTURE_2D, resource->texture_id);
    good = glGetError() == GL_NO_ERROR;
    if (good && has_get_tex_level_parameter()) {
        glGetTexLevelParameteriv(GL_TEXTURE_2D, 0, GL_TEXTURE_WIDTH, &width);
        glGetTexLevelParameteriv(GL_TEXTURE_2D, 0, GL_TEXTURE_HEIGHT, &height);
        good = glGetError() == GL_NO_ERROR;
    }
    glBindTexture(GL_TEXTURE_2D, (GLuint)before);
    return good && width >= 0 && height >= 0 && (uint32_t)width >= resource->width &&
        (uint32_t)height >= resource->height;
}

static bool readable(const HelixResource *resource, GError **error)
{
    if (clear_gl_errors() && is_plain_2d(resource)) {
        return true;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                "resource %u is not a 2D texture with one sample and %u "
                "x %u pixels: copy it to one",
                resource->id, resource->width, resource->height);
    return false;
}

static bool read_texture(VirtIOGPU *g, const HelixResource *resource, uint32_t x, uint32_t y, uint32_t width,
                         uint32_t rows, uint8_t *to, uint32_t stride, GError **error)
{
    VirglBox box = { .x = x, .y = y, .w = width, .h = rows, .d = 1 };
    struct iovec iov = { .iov_base = to, .iov_len = (size_t)stride * rows };
    GLenum failed;
    int ret;

    virgl_renderer_force_ctx_0();
    if (!readable(resource, error)) {
        return false;
    }
    /* Rows are returned in the guest's order, flipped vertically if the texture is stored bottom up (Y_0_TOP). */
    ret = virgl_renderer_transfer_read_iov(resource->id, 0, 0, stride, 0, (struct virgl_box *)&box, 0, &iov, 1);
    if (ret) {
        g_set_error(error, HELIX_ERROR, ABS(ret) == ENOMEM ? HELIX_CODE_INTERNAL : HELIX_CODE_NOT_READABLE,
                    "the host's renderer can't read resource %u back (%s)", resource->id, g_strerror(ABS(ret)));
        return false;
    }
    /* virglrenderer does not check GL's errors, and may have copied out its staging buffer although GL never filled it.
     */
    failed = glGetError();
    if (failed != GL_NO_ERROR) {
        g_set_error(error, HELIX_ERROR, failed == GL_OUT_OF_MEMORY ? HELIX_CODE_INTERNAL : HELIX_CODE_NOT_READABLE,
                    "the host's GL can't read resource %u back (0x%x)", resource->id, failed);
        return false;
    }
    return true;
}

static const HelixTextureReader reader = {
    .describe = describe,
    .find_pages = find_pages,
    .read = read_texture,
};

static void register_reader(void)
{
    helix_texture_reader = &reader;
}

type_init(register_reader)
