/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * egl-angle.c - ANGLE's EGL extensions as a layer over Mesa's libEGL.
 *
 * epoxy calls EGL through variables, which this file points at itself. A pbuffer on an IOSurface is a texture that gets
 * its storage when it is bound; its pixels are read back when it is released and reach the IOSurface when the next
 * fence is seen as signalled. from: google/angle extensions/EGL_ANGLE_iosurface_client_buffer.txt,
 * EGL_ANGLE_metal_shared_event_sync.txt
 */
#include <dlfcn.h>
#include <string.h>

#include <epoxy/gl.h>

#include "gpu.h"

#define IOSURFACE_ANGLE 0x3454
#define IOSURFACE_PLANE_ANGLE 0x345A
#define TEXTURE_RECTANGLE_ANGLE 0x345B
#define TEXTURE_TYPE_ANGLE 0x345C
#define TEXTURE_INTERNAL_FORMAT_ANGLE 0x345D
#define BIND_TO_TEXTURE_TARGET_ANGLE 0x348D
#define SYNC_METAL_SHARED_EVENT_ANGLE 0x34D8

DoubleEglOrders double_egl;
DoubleEglSeen double_egl_seen;
id double_egl_event;

typedef struct Pbuffer {
    DoubleSurface *surface;
    gboolean bound;
    GLuint texture;
    guint8 *staged; /* BGRA, as the GPU has drawn it; NULL: nothing new */
} Pbuffer;

typedef struct Fence {
    EGLSyncKHR real; /* of EGL's */
    GLsync gl;       /* of OpenGL's */
    guint polls;
    gboolean published;
    GPtrArray *surfaces; /* DoubleSurface, retained */
    GPtrArray *pixels;
} Fence;

typedef struct EventSync {
    id event;
} EventSync;

static struct {
    void *(*get_proc)(const char *name);
    const char *(*query_string)(EGLDisplay display, EGLint name);
    EGLBoolean (*choose_config)(EGLDisplay display, const EGLint *attributes, EGLConfig *configs, EGLint size,
                                EGLint *n);
    EGLBoolean (*get_config)(EGLDisplay display, EGLConfig config, EGLint attribute, EGLint *value);
    EGLContext (*get_current_context)(void);
    EGLDisplay (*get_current_display)(void);
    EGLSurface (*get_current_surface)(EGLint which);
    EGLenum (*query_api)(void);
    EGLBoolean (*make_current)(EGLDisplay display, EGLSurface draw, EGLSurface read, EGLContext context);
    EGLSyncKHR (*create_sync)(EGLDisplay display, EGLenum type, const EGLint *attributes);
    EGLBoolean (*destroy_sync)(EGLDisplay display, EGLSyncKHR sync);
    EGLBoolean (*get_sync)(EGLDisplay display, EGLSyncKHR sync, EGLint attribute, EGLint *value);
} real;

static GPtrArray *pbuffers; /* Pbuffer, those alive */
static GPtrArray *events;   /* EventSync, those alive */

bool epoxy_has_egl(void)
{
    return !double_egl.no_egl;
}

static EGLContext get_current_context(void)
{
    g_assert_false(double_egl.no_egl);
    return real.get_current_context();
}

static EGLDisplay get_current_display(void)
{
    g_assert_false(double_egl.no_egl);
    return real.get_current_display();
}

static EGLSurface get_current_surface(EGLint which)
{
    g_assert_false(double_egl.no_egl);
    return real.get_current_surface(which);
}

static EGLenum query_api(void)
{
    g_assert_false(double_egl.no_egl);
    return real.query_api();
}

static const char *query_string(EGLDisplay display, EGLint name)
{
    static char *text;
    g_auto(GStrv) parts = NULL;
    GString *all;

    g_assert_false(double_egl.no_egl);
    if (name != EGL_EXTENSIONS || display == EGL_NO_DISPLAY) {
        return real.query_string(display, name);
    }
    parts = g_strsplit(real.query_string(display, name), " ", -1);
    all = g_string_new("EGL_ANGLE_iosurface_client_buffer EGL_ANGLE_metal_shared_event_sync");
    for (guint i = 0; parts[i]; i++) {
        g_string_append_printf(all, " %s", parts[i]);
    }
    if (double_egl.core_opengl) {
        g_string_replace(all, "EGL_KHR_fence_sync", "EGL_HIDDEN", 0);
        g_string_replace(all, "EGL_ANGLE_metal_shared_event_sync", "EGL_HIDDEN", 0);
    }
    if (double_egl.hide_extension) {
        g_string_replace(all, double_egl.hide_extension, "EGL_HIDDEN", 0);
    }
    g_free(text);
    text = g_string_free(all, FALSE);
    return text;
}

static EGLint attribute_of(const EGLint *attributes, EGLint name)
{
    for (; *attributes != EGL_NONE; attributes += 2) {
        if (*attributes == name) {
            return attributes[1];
        }
    }
    return -1;
}

static EGLBoolean choose_config(EGLDisplay display, const EGLint *attributes, EGLConfig *configs, EGLint size,
                                EGLint *n)
{
    g_assert_false(double_egl.no_egl);
    if (double_egl.core_opengl && attribute_of(attributes, EGL_BIND_TO_TEXTURE_RGBA) == EGL_TRUE) {
        *n = 0; /* none of that back end's configurations has it */
        return EGL_TRUE;
    }
    return !double_egl.no_config && real.choose_config(display, attributes, configs, size, n);
}

static EGLBoolean get_config(EGLDisplay display, EGLConfig config, EGLint attribute, EGLint *value)
{
    g_assert_false(double_egl.no_egl);
    if (attribute != BIND_TO_TEXTURE_TARGET_ANGLE) {
        return real.get_config(display, config, attribute, value);
    }
    *value = double_egl.rectangle ? TEXTURE_RECTANGLE_ANGLE : EGL_TEXTURE_2D;
    return !double_egl.no_target;
}

static EGLBoolean make_current(EGLDisplay display, EGLSurface draw, EGLSurface read, EGLContext context)
{
    g_assert_false(double_egl.no_egl);
    if (double_egl.no_current) {
        double_egl.no_current = FALSE; /* once */
        return EGL_FALSE;
    }
    double_egl_seen.waits += context != real.get_current_context();
    return real.make_current(display, draw, read, context);
}

/* ---- pbuffers ---- */

static Pbuffer *pbuffer_of(EGLSurface surface)
{
    g_assert_true(g_ptr_array_find(pbuffers, surface, NULL));
    return surface;
}

static EGLSurface create_pbuffer(EGLDisplay display, EGLenum type, EGLClientBuffer client, EGLConfig config,
                                 const EGLint *attributes)
{
    DoubleSurface *surface = double_check(client, &double_surface);
    Pbuffer *pbuffer;

    g_assert_false(double_egl.no_egl);
    /* All of these must be there, or it is EGL_BAD_PARAMETER. */
    g_assert_cmpuint(type, ==, IOSURFACE_ANGLE);
    g_assert_cmpint(attribute_of(attributes, EGL_WIDTH), ==, surface->width);
    g_assert_cmpint(attribute_of(attributes, EGL_HEIGHT), ==, surface->height);
    g_assert_cmpint(attribute_of(attributes, IOSURFACE_PLANE_ANGLE), ==, 0);
    g_assert_cmpint(attribute_of(attributes, EGL_TEXTURE_TARGET), ==,
                    double_egl.rectangle ? TEXTURE_RECTANGLE_ANGLE : EGL_TEXTURE_2D);
    g_assert_cmpint(attribute_of(attributes, EGL_TEXTURE_FORMAT), ==, EGL_TEXTURE_RGBA);
    g_assert_cmpint(attribute_of(attributes, TEXTURE_TYPE_ANGLE), ==, GL_UNSIGNED_BYTE);
    g_assert_cmpint(attribute_of(attributes, TEXTURE_INTERNAL_FORMAT_ANGLE), ==, GL_BGRA_EXT);
    if (double_egl.no_pbuffer) {
        return EGL_NO_SURFACE;
    }
    pbuffer = g_new0(Pbuffer, 1);
    pbuffer->surface = (DoubleSurface *)CFRetain(surface);
    g_atomic_int_inc(&surface->textures);
    g_ptr_array_add(pbuffers, pbuffer);
    double_egl_seen.pbuffers++;
    return pbuffer;
}

static EGLBoolean destroy_surface(EGLDisplay display, EGLSurface surface)
{
    Pbuffer *pbuffer = pbuffer_of(surface);

    g_assert_false(double_egl.no_egl);
    g_assert_false(pbuffer->bound);
    g_ptr_array_remove_fast(pbuffers, pbuffer);
    g_atomic_int_add(&pbuffer->surface->textures, -1);
    CFRelease(pbuffer->surface);
    g_free(pbuffer->staged);
    g_free(pbuffer);
    double_egl_seen.pbuffers--;
    return EGL_TRUE;
}

static EGLBoolean bind_tex_image(EGLDisplay display, EGLSurface surface, EGLint buffer)
{
    Pbuffer *pbuffer = pbuffer_of(surface);
    GLint texture = 0;

    g_assert_false(double_egl.no_egl);
    g_assert_cmpint(buffer, ==, EGL_BACK_BUFFER);
    g_assert_false(pbuffer->bound);
    if (double_egl.no_bind) {
        return EGL_FALSE;
    }
    glGetIntegerv(GL_TEXTURE_BINDING_2D, &texture);
    g_assert_cmpint(texture, !=, 0);
    if (pbuffer->texture != (GLuint)texture) {
        glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, (GLsizei)pbuffer->surface->width, (GLsizei)pbuffer->surface->height, 0,
                     GL_RGBA, GL_UNSIGNED_BYTE, NULL);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
        pbuffer->texture = (GLuint)texture;
    }
    pbuffer->bound = TRUE;
    return EGL_TRUE;
}

static void stage(Pbuffer *pbuffer)
{
    guint width = pbuffer->surface->width, height = pbuffer->surface->height;
    GLint read_before = 0;
    GLuint framebuffer;

    g_free(pbuffer->staged);
    pbuffer->staged = g_malloc((gsize)width * height * 4);
    glGetIntegerv(GL_READ_FRAMEBUFFER_BINDING, &read_before);
    glGenFramebuffers(1, &framebuffer);
    glBindFramebuffer(GL_READ_FRAMEBUFFER, framebuffer);
    glFramebufferTexture2D(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, pbuffer->texture, 0);
    glReadPixels(0, 0, (GLsizei)width, (GLsizei)height, GL_RGBA, GL_UNSIGNED_BYTE, pbuffer->staged);
    glBindFramebuffer(GL_READ_FRAMEBUFFER, (GLuint)read_before);
    glDeleteFramebuffers(1, &framebuffer);
    for (gsize i = 0; i < (gsize)width * height; i++) {
        guint8 red = pbuffer->staged[4 * i];

        pbuffer->staged[4 * i] = pbuffer->staged[4 * i + 2];
        pbuffer->staged[4 * i + 2] = red;
    }
}

static EGLBoolean release_tex_image(EGLDisplay display, EGLSurface surface, EGLint buffer)
{
    Pbuffer *pbuffer = pbuffer_of(surface);

    g_assert_false(double_egl.no_egl);
    g_assert_true(pbuffer->bound);
    pbuffer->bound = FALSE;
    stage(pbuffer);
    double_egl_seen.blits++;
    return !double_egl.no_release;
}

/* ---- fences ---- */

/* Behind what was drawn on IOSurfaces so far. */
static Fence *fence_new(void)
{
    Fence *fence = g_new0(Fence, 1);

    fence->polls = double_egl.pending_polls;
    fence->surfaces = g_ptr_array_new_with_free_func((GDestroyNotify)CFRelease);
    fence->pixels = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < pbuffers->len; i++) {
        Pbuffer *pbuffer = pbuffers->pdata[i];

        if (pbuffer->staged && !pbuffer->bound) {
            g_ptr_array_add(fence->surfaces, (gpointer)CFRetain(pbuffer->surface));
            g_ptr_array_add(fence->pixels, g_steal_pointer(&pbuffer->staged));
        }
    }
    double_egl_seen.fences++;
    return fence;
}

static void fence_free(Fence *fence)
{
    g_ptr_array_unref(fence->surfaces);
    g_ptr_array_unref(fence->pixels);
    g_free(fence);
    double_egl_seen.fences--;
}

static EGLSyncKHR create_sync(EGLDisplay display, EGLenum type, const EGLint *attributes)
{
    Fence *fence;

    g_assert_false(double_egl.no_egl || double_egl.core_opengl);
    g_assert_cmpuint(type, ==, EGL_SYNC_FENCE_KHR);
    if (double_egl.no_fence) {
        return EGL_NO_SYNC_KHR;
    }
    fence = fence_new();
    fence->real = real.create_sync(display, type, attributes);
    return fence;
}

static void publish(Fence *fence)
{
    for (guint i = 0; i < fence->surfaces->len && !fence->published; i++) {
        DoubleSurface *surface = fence->surfaces->pdata[i];

        for (guint y = 0; y < surface->height; y++) {
            memcpy(surface->data + y * surface->stride,
                   (guint8 *)fence->pixels->pdata[i] + (gsize)y * surface->width * 4, (gsize)surface->width * 4);
        }
    }
    fence->published = TRUE;
}

static EGLBoolean get_sync(EGLDisplay display, EGLSyncKHR sync, EGLint attribute, EGLint *value)
{
    Fence *fence = sync;

    g_assert_false(double_egl.no_egl);
    if (double_egl.no_status) {
        return EGL_FALSE;
    }
    *value = EGL_UNSIGNALED_KHR;
    if (fence->polls > 0) {
        fence->polls -= fence->polls != G_MAXUINT;
        return EGL_TRUE;
    }
    if (real.get_sync(display, fence->real, attribute, value) && *value == EGL_SIGNALED_KHR) {
        publish(fence);
    }
    return EGL_TRUE;
}

static EGLBoolean destroy_sync(EGLDisplay display, EGLSyncKHR sync)
{
    Fence *fence = sync;

    g_assert_false(double_egl.no_egl);
    real.destroy_sync(display, fence->real);
    fence_free(fence);
    return EGL_TRUE;
}

/* OpenGL's fences belong to the contexts that share objects: one of them must be current. */
static GLsync (*real_fence_sync)(GLenum condition, GLbitfield flags);
static void (*real_get_sync)(GLsync sync, GLenum name, GLsizei size, GLsizei *length, GLint *values);
static void (*real_delete_sync)(GLsync sync);

static GLsync gl_fence_sync(GLenum condition, GLbitfield flags)
{
    Fence *fence;

    g_assert_cmpuint(condition, ==, GL_SYNC_GPU_COMMANDS_COMPLETE);
    g_assert_true(real.get_current_context() != EGL_NO_CONTEXT);
    if (double_egl.no_fence) {
        return NULL;
    }
    fence = fence_new();
    fence->gl = real_fence_sync(condition, flags);
    return (GLsync)fence;
}

static void gl_get_sync(GLsync sync, GLenum name, GLsizei size, GLsizei *length, GLint *values)
{
    Fence *fence = (Fence *)sync;

    g_assert_true(real.get_current_context() != EGL_NO_CONTEXT);
    if (double_egl.no_status) {
        return;
    }
    if (fence->polls > 0) {
        fence->polls -= fence->polls != G_MAXUINT;
        *values = GL_UNSIGNALED;
        *length = 1;
        return;
    }
    real_get_sync(fence->gl, name, size, length, values);
    if (*length == 1 && *values == GL_SIGNALED) {
        publish(fence);
    }
}

static void gl_delete_sync(GLsync sync)
{
    Fence *fence = (Fence *)sync;

    g_assert_true(real.get_current_context() != EGL_NO_CONTEXT);
    real_delete_sync(fence->gl);
    fence_free(fence);
}

/* ---- shared events ---- */

static EGLSync create_event_sync(EGLDisplay display, EGLenum type, const EGLAttrib *attributes)
{
    EventSync *sync;

    g_assert_false(double_egl.no_egl);
    g_assert_cmpuint(type, ==, SYNC_METAL_SHARED_EVENT_ANGLE);
    if (double_egl.no_event) {
        return EGL_NO_SYNC;
    }
    sync = g_new0(EventSync, 1);
    sync->event = double_metal_event_new();
    g_ptr_array_add(events, sync);
    glFinish(); /* Mesa's GPU is done; Metal's commands still wait for the event */
    return sync;
}

static EGLBoolean destroy_event_sync(EGLDisplay display, EGLSync ref)
{
    EventSync *sync = ref;

    g_assert_false(double_egl.no_egl);
    g_assert_true(g_ptr_array_remove_fast(events, sync));
    double_egl_event = sync->event;
    if (!double_egl.hold_event) {
        double_metal_event_signal(sync->event, 1);
    }
    CFRelease(sync->event);
    g_free(sync);
    return EGL_TRUE;
}

static void *copy_shared_event(EGLDisplay display, EGLSync ref)
{
    EventSync *sync = ref;

    g_assert_false(double_egl.no_egl);
    return (void *)CFRetain(sync->event);
}

static void (*get_proc_address(const char *name))(void)
{
    return strcmp(name, "eglCopyMetalSharedEventANGLE") == 0 ? (void (*)(void))copy_shared_event
                                                             : (void (*)(void))real.get_proc(name);
}

/* Rectangle textures are ordinary ones here. */
#define GL_RECTANGLE_ANGLE 0x84F5

static void (*real_bind_texture)(GLenum target, GLuint texture);
static void (*real_framebuffer_texture)(GLenum target, GLenum attachment, GLenum textarget, GLuint texture,
                                        GLint level);

static void bind_texture(GLenum target, GLuint texture)
{
    g_assert_true(double_egl.rectangle || target != GL_RECTANGLE_ANGLE);
    real_bind_texture(target == GL_RECTANGLE_ANGLE ? GL_TEXTURE_2D : target, texture);
}

static void framebuffer_texture(GLenum target, GLenum attachment, GLenum textarget, GLuint texture, GLint level)
{
    g_assert_true(double_egl.rectangle || textarget != GL_RECTANGLE_ANGLE);
    real_framebuffer_texture(target, attachment, textarget == GL_RECTANGLE_ANGLE ? GL_TEXTURE_2D : textarget, texture,
                             level);
}

#define REAL(member, name) \
    *(void **)&real.member = dlsym(library, name); \
    if (!real.member) { \
        *(void **)&real.member = real.get_proc(name); \
    } \
    g_assert_true(real.member != NULL)

void double_egl_install(void)
{
    void *library = dlopen("libEGL.so.1", RTLD_NOW);

    g_assert_nonnull(library);
    pbuffers = g_ptr_array_new();
    events = g_ptr_array_new();
    *(void **)&real.get_proc = dlsym(library, "eglGetProcAddress");
    REAL(query_string, "eglQueryString");
    REAL(choose_config, "eglChooseConfig");
    REAL(get_config, "eglGetConfigAttrib");
    REAL(make_current, "eglMakeCurrent");
    REAL(get_current_context, "eglGetCurrentContext");
    REAL(get_current_display, "eglGetCurrentDisplay");
    REAL(get_current_surface, "eglGetCurrentSurface");
    REAL(query_api, "eglQueryAPI");
    REAL(create_sync, "eglCreateSyncKHR");
    REAL(destroy_sync, "eglDestroySyncKHR");
    REAL(get_sync, "eglGetSyncAttribKHR");
    *(void **)&real_bind_texture = real.get_proc("glBindTexture");
    *(void **)&real_framebuffer_texture = real.get_proc("glFramebufferTexture2D");
    epoxy_eglQueryString = query_string;
    epoxy_eglChooseConfig = choose_config;
    epoxy_eglGetConfigAttrib = get_config;
    epoxy_eglMakeCurrent = make_current;
    epoxy_eglGetCurrentContext = get_current_context;
    epoxy_eglGetCurrentDisplay = get_current_display;
    epoxy_eglGetCurrentSurface = get_current_surface;
    epoxy_eglQueryAPI = query_api;
    epoxy_eglCreatePbufferFromClientBuffer = create_pbuffer;
    epoxy_eglDestroySurface = destroy_surface;
    epoxy_eglBindTexImage = bind_tex_image;
    epoxy_eglReleaseTexImage = release_tex_image;
    epoxy_eglCreateSyncKHR = create_sync;
    epoxy_eglDestroySyncKHR = destroy_sync;
    epoxy_eglGetSyncAttribKHR = get_sync;
    epoxy_eglCreateSync = create_event_sync;
    epoxy_eglDestroySync = destroy_event_sync;
    epoxy_eglGetProcAddress = get_proc_address;
    *(void **)&real_fence_sync = real.get_proc("glFenceSync");
    *(void **)&real_get_sync = real.get_proc("glGetSynciv");
    *(void **)&real_delete_sync = real.get_proc("glDeleteSync");
    epoxy_glFenceSync = gl_fence_sync;
    epoxy_glGetSynciv = gl_get_sync;
    epoxy_glDeleteSync = gl_delete_sync;
    epoxy_glBindTexture = bind_texture;
    epoxy_glFramebufferTexture2D = framebuffer_texture;
}
