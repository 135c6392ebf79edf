/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virgl-world.c - see virgl-world.h. */
#include "virgl-world.h"

#include <epoxy/egl.h>
#include <epoxy/gl.h>
#include <virglrenderer.h>

static EGLDisplay display;
static EGLConfig config;
static EGLContext root;

VirglReads virgl_world_reads;
uint32_t virgl_world_rows;

/* The public header leaves struct virgl_box open. */
struct virgl_box {
    uint32_t x, y, z, w, h, d;
};

int __real_virgl_renderer_transfer_read_iov(uint32_t handle, uint32_t ctx, uint32_t level, uint32_t stride,
                                            uint32_t layer_stride, struct virgl_box *box, uint64_t offset,
                                            struct iovec *iov, int iov_cnt);
int __wrap_virgl_renderer_transfer_read_iov(uint32_t handle, uint32_t ctx, uint32_t level, uint32_t stride,
                                            uint32_t layer_stride, struct virgl_box *box, uint64_t offset,
                                            struct iovec *iov, int iov_cnt);

/* ---- what virglrenderer asks of QEMU ---- */

static void write_fence(void *cookie, uint32_t fence)
{
}

static virgl_renderer_gl_context create_context(void *cookie, int scanout, struct virgl_renderer_gl_ctx_param *wanted)
{
    const EGLint version[] = {
        EGL_CONTEXT_MAJOR_VERSION_KHR, wanted->major_ver, EGL_CONTEXT_MINOR_VERSION_KHR, wanted->minor_ver, EGL_NONE,
    };

    return eglCreateContext(display, config, wanted->shared ? eglGetCurrentContext() : root, version);
}

static void destroy_context(void *cookie, virgl_renderer_gl_context context)
{
    eglDestroyContext(display, context);
}

static int make_current(void *cookie, int scanout, virgl_renderer_gl_context context)
{
    return eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context) ? 0 : -1;
}

static struct virgl_renderer_callbacks callbacks = {
    .version = 1,
    .write_fence = write_fence,
    .create_gl_context = create_context,
    .destroy_gl_context = destroy_context,
    .make_current = make_current,
};

bool virgl_world_start(void)
{
    static const EGLint wanted[] = { EGL_SURFACE_TYPE, 0, EGL_RENDERABLE_TYPE, EGL_OPENGL_BIT, EGL_NONE };
    static const EGLint core[] = { EGL_CONTEXT_OPENGL_PROFILE_MASK_KHR, EGL_CONTEXT_OPENGL_CORE_PROFILE_BIT_KHR,
                                   EGL_NONE };
    EGLint n = 0;

    if (!epoxy_has_egl_extension(EGL_NO_DISPLAY, "EGL_MESA_platform_surfaceless")) {
        return false;
    }
    display = eglGetPlatformDisplayEXT(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
    if (!eglInitialize(display, NULL, NULL) || !eglBindAPI(EGL_OPENGL_API) ||
        !eglChooseConfig(display, wanted, &config, 1, &n) || n < 1) {
        return false;
    }
    root = eglCreateContext(display, config, EGL_NO_CONTEXT, core);
    return root != EGL_NO_CONTEXT && eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, root) &&
        virgl_renderer_init(&callbacks, 0, &callbacks) == 0;
}

/* ---- resources ---- */

#define CONTEXT 1u

/* virgl's command by which a guest's driver makes what a blob will hold: its code, and the words behind its header. */
#define PIPE_RESOURCE_CREATE 48u
#define PIPE_RESOURCE_CREATE_WORDS 11u

static uint32_t bind_of(const VirglWanted *wanted)
{
    if (wanted->bind) {
        return wanted->bind;
    }
    return wanted->target == BUFFER ? VIRGL_RES_BIND_VERTEX_BUFFER
                                    : VIRGL_RES_BIND_RENDER_TARGET | VIRGL_RES_BIND_SAMPLER_VIEW;
}

bool virgl_world_create(VirtIOGPU *g, struct virtio_gpu_simple_resource *entry, uint32_t id, const VirglWanted *wanted)
{
    struct virgl_renderer_resource_create_args args = {
        .handle = id,
        .target = wanted->target,
        .format = wanted->format,
        .bind = bind_of(wanted),
        .width = wanted->width,
        .height = wanted->height,
        .depth = MAX(wanted->depth, 1),
        .array_size = MAX(wanted->array, 1),
        .last_level = wanted->level,
        .nr_samples = wanted->samples,
        .flags = wanted->flags,
    };

    virgl_renderer_force_ctx_0();
    if (virgl_renderer_resource_create(&args, NULL, 0)) {
        return false;
    }
    qemu_rig_add(g, entry, id);
    entry->format = wanted->format;
    return true;
}

/* What @wanted says, waiting in the context under this number. */
static bool make_content(uint32_t blob_id, const VirglWanted *wanted)
{
    static const char name[] = "test";
    static bool made;
    uint32_t command[] = {
        PIPE_RESOURCE_CREATE | PIPE_RESOURCE_CREATE_WORDS << 16,
        wanted->target,
        wanted->format,
        bind_of(wanted),
        wanted->width,
        wanted->height,
        MAX(wanted->depth, 1),
        MAX(wanted->array, 1),
        wanted->level,
        wanted->samples,
        wanted->flags,
        blob_id,
    };

    virgl_renderer_force_ctx_0();
    made = made || virgl_renderer_context_create(CONTEXT, sizeof(name), name) == 0;
    return made && virgl_renderer_submit_cmd(command, CONTEXT, G_N_ELEMENTS(command)) == 0;
}

bool virgl_world_create_blob(VirtIOGPU *g, struct virtio_gpu_simple_resource *entry, uint32_t id, uint32_t mem,
                             const VirglWanted *wanted, const struct iovec *iov, uint32_t iov_cnt)
{
    static uint32_t blob_id;
    struct virgl_renderer_resource_create_blob_args args = {
        .res_handle = id,
        .ctx_id = wanted ? CONTEXT : 0,
        .blob_mem = mem,
        .blob_flags = VIRGL_RENDERER_BLOB_FLAG_USE_MAPPABLE,
        .blob_id = wanted ? ++blob_id : 0,
        .size = iov_cnt ? 0 : (uint64_t)wanted->width * wanted->height * 4,
        .iovecs = iov,
        .num_iovs = iov_cnt,
    };

    for (uint32_t i = 0; i < iov_cnt; i++) {
        args.size += iov[i].iov_len;
    }
    virgl_renderer_force_ctx_0();
    if ((wanted && !make_content(blob_id, wanted)) || virgl_renderer_resource_create_blob(&args)) {
        return false;
    }
    qemu_rig_add(g, entry, id);
    entry->blob_size = args.size;
    return true;
}

void virgl_world_destroy(VirtIOGPU *g, struct virtio_gpu_simple_resource *entry)
{
    QTAILQ_REMOVE(&g->reslist, entry, next);
    virgl_renderer_force_ctx_0();
    virgl_renderer_resource_unref(entry->resource_id);
}

void virgl_world_write(uint32_t id, uint32_t width, uint32_t height, uint8_t *pixels)
{
    struct virgl_box box = { .w = width, .h = height, .d = 1 };
    struct iovec iov = { pixels, (size_t)width * height * 4 };

    virgl_renderer_force_ctx_0();
    g_assert_cmpint(virgl_renderer_transfer_write_iov(id, 0, 0, (int)width * 4, 0, &box, 0, &iov, 1), ==, 0);
}

/* ---- readings that go wrong ---- */

int __wrap_virgl_renderer_transfer_read_iov(uint32_t handle, uint32_t ctx, uint32_t level, uint32_t stride,
                                            uint32_t layer_stride, struct virgl_box *box, uint64_t offset,
                                            struct iovec *iov, int iov_cnt)
{
    if (virgl_world_reads == READS_LESS) {
        box->h = MIN(box->h, virgl_world_rows);
        if (box->h == 0) {
            return 0;
        }
    } else if (virgl_world_reads == READS_WITH_ERROR) {
        glEnable(0xffff);
    }
    return __real_virgl_renderer_transfer_read_iov(handle, ctx, level, stride, layer_stride, box, offset, iov, iov_cnt);
}
