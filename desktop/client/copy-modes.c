/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy-modes.c - copy modes: which of them work, as far as is known; see copy-modes.h. copy.c makes frames in them. */
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "copy-modes.h"

/* Frames under way and the one that is held (requests.c), one being written, those whose events are being handled. */
#define MAX_BUFFERS 8u

static const char *const mode_name[CLIENT_N_COPY_MODES] = {
    [CLIENT_COPY_BLOB] = "blob",
    [CLIENT_COPY_PAGES] = "pages",
    [CLIENT_COPY_TEXTURE] = "texture",
};

struct ClientCopier {
    HelixClientGpu *gpu;
    GMutex lock; /* all below */
    struct {
        gboolean verified; /* the host has read a frame in this mode */
        char *refusal;     /* why it is not used; NULL: it may be */
        gboolean by_host;  /* the refusal is the host's */
    } mode[CLIENT_N_COPY_MODES];
    guint serial;
    ClientBufferPool *pool; /* NULL: none yet */
};

const char *client_copy_mode_name(ClientCopyMode mode)
{
    return mode_name[mode];
}

HelixClientBufferKind client_copy_mode_kind(ClientCopyMode mode)
{
    return mode == CLIENT_COPY_BLOB ? HELIX_CLIENT_BUFFER_BLOB : HELIX_CLIENT_BUFFER_RESOURCE;
}

ClientCopier *client_copier_new(HelixClientGpu *gpu, const char *avoid)
{
    g_auto(GStrv) names = g_strsplit(avoid ? avoid : "", ",", -1);
    ClientCopier *copier = g_new0(ClientCopier, 1);

    g_mutex_init(&copier->lock);
    copier->gpu = helix_client_gpu_ref(gpu);
    for (guint i = 0; i < CLIENT_N_COPY_MODES; i++) {
        if (g_strv_contains((const char *const *)names, mode_name[i]) ||
            g_strv_contains((const char *const *)names, "guest-copy")) {
            copier->mode[i].refusal = g_strdup("Disabled by the program (helix_client_avoid).");
        }
    }
    return copier;
}

void client_copier_free(ClientCopier *copier)
{
    g_clear_pointer(&copier->pool, client_buffer_pool_free);
    for (guint i = 0; i < CLIENT_N_COPY_MODES; i++) {
        g_free(copier->mode[i].refusal);
    }
    helix_client_gpu_unref(copier->gpu);
    g_mutex_clear(&copier->lock);
    g_free(copier);
}

/* ---- which mode ---- */

/* With the lock. Why pictures of @format cannot go in @mode; NULL if they can. */
static const char *obstacle(const ClientCopier *copier, ClientCopyMode mode, guint32 format, guint32 capabilities)
{
    gboolean yuv = client_wire_format(format) == HELIX_FORMAT_NV12;

    if (copier->mode[mode].refusal) {
        return copier->mode[mode].refusal;
    }
    if (mode != CLIENT_COPY_TEXTURE && !(capabilities & HELIX_CAP_EXT)) {
        return "This host is too old to read the pages of a buffer.";
    }
    switch (mode) {
    case CLIENT_COPY_BLOB:
        return copier->gpu->has_blob ? NULL : "The virtio-gpu has no blobs: start QEMU with blob=on.";
    case CLIENT_COPY_PAGES:
        return yuv && !(capabilities & HELIX_CAP_NV12_PAGES)
            ? "This host reads no NV12 from such buffers: convert to BGRx."
            : NULL;
    default:
        return yuv ? "Textures cannot hold NV12: convert to BGRx." : NULL;
    }
}

ClientCopyMode client_copier_choose(ClientCopier *copier, guint32 format, guint32 capabilities)
{
    ClientCopyMode mode = CLIENT_COPY_BLOB;

    g_mutex_lock(&copier->lock);
    while (mode < CLIENT_N_COPY_MODES && obstacle(copier, mode, format, capabilities)) {
        mode++;
    }
    g_mutex_unlock(&copier->lock);
    return mode;
}

char *client_copier_why_not(ClientCopier *copier, guint32 format, guint32 capabilities)
{
    GString *text = g_string_new(NULL);

    g_mutex_lock(&copier->lock);
    for (guint mode = 0; mode < CLIENT_N_COPY_MODES; mode++) {
        const char *why = obstacle(copier, mode, format, capabilities);

        if (why) {
            g_string_append_printf(text, "%s%s: %s", text->len ? " " : "", mode_name[mode], why);
        }
    }
    g_mutex_unlock(&copier->lock);
    return g_string_free(text, FALSE);
}

/* ---- what is known of them ---- */

gboolean client_copier_is_verified(ClientCopier *copier, ClientCopyMode mode)
{
    gboolean verified;

    g_mutex_lock(&copier->lock);
    verified = copier->mode[mode].verified;
    g_mutex_unlock(&copier->lock);
    return verified;
}

/* With the lock. What a host refused may be tried again. */
static gboolean reopen(ClientCopier *copier, ClientCopyMode mode)
{
    gboolean by_host = copier->mode[mode].by_host;

    if (by_host) {
        g_clear_pointer(&copier->mode[mode].refusal, g_free);
        copier->mode[mode].by_host = FALSE;
    }
    return by_host;
}

void client_copier_accepted(ClientCopier *copier, ClientCopyMode mode)
{
    g_mutex_lock(&copier->lock);
    copier->mode[mode].verified = TRUE;
    reopen(copier, mode); /* so the refusal concerned one frame, not the mode */
    g_mutex_unlock(&copier->lock);
}

static void refuse(ClientCopier *copier, ClientCopyMode mode, const char *message, gboolean by_host)
{
    g_mutex_lock(&copier->lock);
    g_free(copier->mode[mode].refusal);
    copier->mode[mode].refusal = g_strdup(message);
    copier->mode[mode].by_host = by_host;
    copier->serial += by_host ? 1 : 0;
    g_mutex_unlock(&copier->lock);
}

void client_copier_refused(ClientCopier *copier, ClientCopyMode mode, const char *message)
{
    refuse(copier, mode, message, TRUE);
}

void client_copier_failed(ClientCopier *copier, ClientCopyMode mode, const char *message)
{
    refuse(copier, mode, message, FALSE);
}

void client_copier_forget_host(ClientCopier *copier)
{
    gboolean more = FALSE;

    g_mutex_lock(&copier->lock);
    for (guint i = 0; i < CLIENT_N_COPY_MODES; i++) {
        copier->mode[i].verified = FALSE;
        more |= reopen(copier, i);
    }
    copier->serial += more ? 1 : 0;
    g_mutex_unlock(&copier->lock);
}

guint client_copier_serial(ClientCopier *copier)
{
    guint serial;

    g_mutex_lock(&copier->lock);
    serial = copier->serial;
    g_mutex_unlock(&copier->lock);
    return serial;
}

/* ---- buffers ---- */

HelixClientBuffer *client_copier_take_buffer(ClientCopier *copier, ClientCopyMode mode, guint32 format, guint width,
                                             guint height, GError **error)
{
    HelixClientBufferKind kind = client_copy_mode_kind(mode);
    HelixClientBuffer *buffer = NULL;

    g_mutex_lock(&copier->lock);
    if (copier->pool && !client_buffer_pool_is_for(copier->pool, kind, format, width, height)) {
        g_clear_pointer(&copier->pool, client_buffer_pool_free);
    }
    if (!copier->pool) {
        copier->pool = client_buffer_pool_new(copier->gpu, kind, format, width, height, MAX_BUFFERS, error);
    }
    if (copier->pool) {
        buffer = client_buffer_pool_take(copier->pool);
    }
    g_mutex_unlock(&copier->lock);
    return buffer;
}
