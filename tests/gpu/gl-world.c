/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gl-world.c - see gl-world.h. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gl-world.h"

static EGLDisplay display;

/* Mesa's without a device, or else the first device of the vendor's EGL. */
static EGLDisplay find_display(void)
{
    EGLDeviceEXT device;
    EGLint n = 0;

    if (epoxy_has_egl_extension(EGL_NO_DISPLAY, "EGL_MESA_platform_surfaceless")) {
        return eglGetPlatformDisplayEXT(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
    }
    if (epoxy_has_egl_extension(EGL_NO_DISPLAY, "EGL_EXT_platform_device") && eglQueryDevicesEXT(1, &device, &n) && n) {
        return eglGetPlatformDisplayEXT(EGL_PLATFORM_DEVICE_EXT, device, NULL);
    }
    return EGL_NO_DISPLAY;
}

gboolean gl_world_start(gboolean imports)
{
    static const EGLint wanted[] = { EGL_SURFACE_TYPE, 0, EGL_RENDERABLE_TYPE, EGL_OPENGL_BIT, EGL_NONE };
    EGLContext context;
    EGLConfig config;
    EGLint n = 0;

    display = find_display();
    if (display == EGL_NO_DISPLAY || !eglInitialize(display, NULL, NULL) || !eglBindAPI(EGL_OPENGL_API) ||
        !eglChooseConfig(display, wanted, &config, 1, &n) || n < 1 ||
        (imports && !epoxy_has_egl_extension(display, "EGL_EXT_image_dma_buf_import"))) {
        return FALSE;
    }
    context = eglCreateContext(display, config, EGL_NO_CONTEXT, NULL);
    if (context == EGL_NO_CONTEXT || !eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context)) {
        return FALSE;
    }
    g_test_message("%s", (const char *)glGetString(GL_RENDERER));
    return TRUE;
}

GlMemory gl_memory_new(guint32 fourcc, guint32 width, guint32 height, guint32 row, guint8 fill)
{
    GlMemory memory = { .stride = (row + 255) & ~255u };
    int fd = memfd_create("texture", MFD_CLOEXEC);
    const EGLint attributes[] = {
        EGL_WIDTH,
        (EGLint)width,
        EGL_HEIGHT,
        (EGLint)height,
        EGL_LINUX_DRM_FOURCC_EXT,
        (EGLint)fourcc,
        EGL_DMA_BUF_PLANE0_FD_EXT,
        fd,
        EGL_DMA_BUF_PLANE0_OFFSET_EXT,
        0,
        EGL_DMA_BUF_PLANE0_PITCH_EXT,
        (EGLint)memory.stride,
        EGL_NONE,
    };

    memory.size = (gsize)memory.stride * height;
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, (off_t)memory.size), ==, 0);
    memory.data = mmap(NULL, memory.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(memory.data != MAP_FAILED);
    memset(memory.data, fill, memory.size);
    memory.image = eglCreateImageKHR(display, EGL_NO_CONTEXT, EGL_LINUX_DMA_BUF_EXT, NULL, attributes);
    g_assert_true(memory.image != EGL_NO_IMAGE_KHR);
    close(fd);
    glGenTextures(1, &memory.texture);
    glBindTexture(GL_TEXTURE_2D, memory.texture);
    glEGLImageTargetTexture2DOES(GL_TEXTURE_2D, memory.image);
    g_assert_cmpuint(glGetError(), ==, GL_NO_ERROR);
    return memory;
}

void gl_memory_free(GlMemory *memory)
{
    glDeleteTextures(1, &memory->texture);
    eglDestroyImageKHR(display, memory->image);
    munmap(memory->data, memory->size);
}
