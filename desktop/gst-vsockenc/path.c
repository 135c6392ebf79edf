/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path.c - the virtio-gpu, the pool for upstream, and the properties "path" and "path-reason"; see path.h. The choice
 * of the path is in path-selection.c.
 */
#include "image.h"
#include "path.h"
#include "upstream-pool.h"
#include "client-handle.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* As many as the library has frames under way at most, and what upstream's queues hold. */
#define UPSTREAM_BUFFERS 8u

/* ---- what is told ---- */

static const char *path_name(HelixClientPath path)
{
    return path < HELIX_CLIENT_N_PATHS ? helix_client_path_name(path) : "none";
}

void vsockenc_path_tell(GstVsockEnc *self, HelixClientPath latest, const char *reason)
{
    VsockEncPath *path = self->path;
    gboolean path_changed, reason_changed;

    GST_OBJECT_LOCK(self);
    path_changed = path->latest != latest;
    reason_changed = g_strcmp0(path->reason, reason) != 0;
    path->latest = latest;
    if (reason_changed) {
        g_free(path->reason);
        path->reason = g_strdup(reason);
    }
    GST_OBJECT_UNLOCK(self);
    if (path_changed || reason_changed) {
        GST_INFO_OBJECT(self, "path %s: %s", path_name(latest),
                        reason                              ? reason
                            : latest < HELIX_CLIENT_N_PATHS ? "there is no better one"
                                                            : "no picture yet");
    }
    if (path_changed) {
        g_object_notify(G_OBJECT(self), "path");
    }
    if (reason_changed) {
        g_object_notify(G_OBJECT(self), "path-reason");
    }
}

void vsockenc_tell_no_path(GstVsockEnc *self, const char *why)
{
    gboolean none;

    GST_OBJECT_LOCK(self);
    none = self->path->latest == HELIX_CLIENT_N_PATHS;
    GST_OBJECT_UNLOCK(self);
    if (none) {
        vsockenc_path_tell(self, HELIX_CLIENT_N_PATHS, why);
    }
}

const char *vsockenc_path_get_name(GstVsockEnc *self)
{
    HelixClientPath latest;

    GST_OBJECT_LOCK(self);
    latest = self->path->latest;
    GST_OBJECT_UNLOCK(self);
    return path_name(latest);
}

char *vsockenc_path_dup_reason(GstVsockEnc *self)
{
    char *reason;

    GST_OBJECT_LOCK(self);
    reason = g_strdup(self->path->reason);
    GST_OBJECT_UNLOCK(self);
    return reason;
}

char *vsockenc_path_dup_no_gpu(GstVsockEnc *self)
{
    char *no_gpu;

    GST_OBJECT_LOCK(self);
    no_gpu = g_strdup(self->path->no_gpu);
    GST_OBJECT_UNLOCK(self);
    return no_gpu;
}

/* ---- the virtio-gpu ---- */

static void set_no_gpu(GstVsockEnc *self, const char *why)
{
    GST_OBJECT_LOCK(self);
    g_free(self->path->no_gpu);
    self->path->no_gpu = g_strdup(why);
    GST_OBJECT_UNLOCK(self);
}

void vsockenc_path_init(GstVsockEnc *self)
{
    self->path = g_new0(VsockEncPath, 1);
    self->path->latest = HELIX_CLIENT_N_PATHS;
}

void vsockenc_path_finalize(GstVsockEnc *self)
{
    g_free(self->path->reason);
    g_free(self->path->no_gpu);
    g_free(self->path);
}

void vsockenc_path_open(GstVsockEnc *self, HelixClient *client)
{
    VsockEncPath *path = self->path;

    path->gpu = helix_client_gpu_open(NULL, &path->gpu_error);
    if (path->gpu) {
        helix_client_avoid(client, g_getenv("VSOCKENC_AVOID")); /* to see or measure one copy mode on its own */
        helix_client_set_gpu(client, path->gpu);
    } else {
        GST_INFO_OBJECT(self, "no pictures by resource id: %s", path->gpu_error->message);
    }
    path->buffer_serial = helix_client_buffer_serial(client);
    set_no_gpu(self, path->gpu_error ? path->gpu_error->message : NULL);
    vsockenc_path_tell(self, HELIX_CLIENT_N_PATHS, NULL);
}

void vsockenc_path_close(GstVsockEnc *self)
{
    g_clear_pointer(&self->path->gpu, helix_client_gpu_unref);
    g_clear_error(&self->path->gpu_error);
    set_no_gpu(self, NULL);
}

/* ---- buffers for upstream ---- */

GstBufferPool *vsockenc_path_new_pool(GstVsockEnc *self, const GstVideoInfo *info)
{
    g_autoptr(HelixClient) client = vsockenc_ref_client(self);
    GstBufferPool *pool = NULL;
    HelixClientBufferKind kind;

    if (client && self->path->gpu &&
        helix_client_buffer_kind(client, vsockenc_image_format(GST_VIDEO_INFO_FORMAT(info)), &kind)) {
        pool = vsockenc_pool_new(self->path->gpu, kind, UPSTREAM_BUFFERS);
    }
    return pool;
}

void vsockenc_path_update_buffers(GstVsockEnc *self)
{
    guint serial = helix_client_buffer_serial(vsockenc_client(self));

    if (serial != self->path->buffer_serial) {
        /* Upstream may draw in buffers of another kind. */
        self->path->buffer_serial = serial;
        gst_pad_push_event(GST_VIDEO_ENCODER_SINK_PAD(self), gst_event_new_reconfigure());
    }
}
