/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpu.h - what tests tell the doubles of Metal, ANGLE's EGL extensions and virglrenderer's look-up, and ask them.
 *
 * EGL and GL are Mesa's, so pixels are really drawn; ANGLE's extensions lie over it as a thin layer. What the GPU draws
 * reaches an IOSurface's memory only when the fence behind it is seen as signalled: an earlier read gets old
 * pixels.
 */
#ifndef DOUBLE_GPU_H
#define DOUBLE_GPU_H

#include <sys/uio.h>

#include <epoxy/egl.h>
#include <objc/message.h>

#include "core-video.h"

/* ---- EGL ---- */

typedef struct DoubleEglOrders {
    const char *hide_extension; /* it is not there */
    gboolean no_egl; /* no libEGL: calls into it (those in double_egl_install()) end the test, as epoxy would */
    gboolean no_config, no_target, no_current, no_pbuffer, no_bind, no_release, no_fence, no_event, no_status;
    gboolean core_opengl; /* ANGLE's Core OpenGL back end: neither fences, nor events, nor EGL_BIND_TO_TEXTURE_RGBA */
    gboolean hold_event;  /* a shared event is not signalled until the test does it */
    gboolean rectangle;   /* IOSurfaces are bound to rectangle textures, as ANGLE over OpenGL does */
    guint pending_polls;  /* so many times a fence says that it is not signalled; G_MAXUINT: it never is */
} DoubleEglOrders;

typedef struct DoubleEglSeen {
    guint pbuffers, fences; /* alive */
    guint blits;            /* textures released */
    guint waits;            /* changes of contexts: ANGLE's Metal back end waits in each until commands are scheduled */
} DoubleEglSeen;

extern DoubleEglOrders double_egl;
extern DoubleEglSeen double_egl_seen;

extern id double_egl_event; /* the last one made; borrowed */

/* Put the layer over libEGL, once. */
void double_egl_install(void);

/* ---- Metal ---- */

typedef struct DoubleMetalOrders {
    gboolean no_queue, no_texture, no_commands, fail;
    guint delay_us; /* between the event and the copy */
} DoubleMetalOrders;

typedef struct DoubleMetalSeen {
    guint copies, queues;
    guint unordered; /* copies that began before the renderer's event was signalled */
} DoubleMetalSeen;

extern DoubleMetalOrders double_metal;
extern DoubleMetalSeen double_metal_seen;

/* A texture as virglrenderer hands it out: shared memory, BGRA unless @format says otherwise; or on @surface. */
id double_metal_texture_new(guint width, guint height, guint format, IOSurfaceRef surface);
guint8 *double_metal_texture_data(id texture, gsize *stride);
/* A shared event that reaches @value when double_metal_event_signal() says so. */
id double_metal_event_new(void);
void double_metal_event_signal(id event, guint64 value);
/* Wait until the GPU's threads are gone. */
void double_metal_idle(void);

/* ---- virglrenderer ---- */

typedef struct DoubleVirglOrders {
    int version; /* of the structure it fills in */
    int native_type;
    gpointer native;
    guint32 tex_id, width, height, flags, format;
    gboolean missing;
    guint missing_after; /* that many times it is there first, then it is missing; 0: see above */
    gboolean no_read;    /* the texture can't be read back */
    struct iovec *iov;   /* guest pages; NULL: none */
    int iov_cnt;
} DoubleVirglOrders;

extern DoubleVirglOrders double_virgl;

/* Its own context, which virgl_renderer_force_ctx_0() makes current. */
typedef struct DoubleVirglRenderer {
    EGLDisplay display;
    EGLContext context;
    guint forced;   /* so often it was */
    guint detached; /* times that pages were asked for */
} DoubleVirglRenderer;

extern DoubleVirglRenderer double_virgl_renderer;

#endif
