/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy-modes.h - guest-copy: pictures in plain memory come into virtio-gpu buffers by one copy, or none if the caller
 * drew into one, and the host reads them there by resource id.
 *
 * How the host reads such a buffer depends on the GPU and on the host; the modes that can work are tried in order, best
 * first, and a host's answer to the first frame of a mode says whether it does. Any thread.
 */
#ifndef HELIX_CLIENT_COPY_MODES_H
#define HELIX_CLIENT_COPY_MODES_H

#include "buffer-pool.h"
#include "frame.h"

typedef struct ClientCopier ClientCopier;

const char *client_copy_mode_name(ClientCopyMode mode);

/* @avoid: names of modes, or "guest-copy", with commas between. */
ClientCopier *client_copier_new(HelixClientGpu *gpu, const char *avoid);
void client_copier_free(ClientCopier *copier);

/* The best mode for pictures of @format with a host of @capabilities; CLIENT_N_COPY_MODES: none. */
ClientCopyMode client_copier_choose(ClientCopier *copier, guint32 format, guint32 capabilities);
HelixClientBufferKind client_copy_mode_kind(ClientCopyMode mode);
/* Why each unused mode is unused. To be freed. */
char *client_copier_why_not(ClientCopier *copier, guint32 format, guint32 capabilities);
gboolean client_copier_is_verified(ClientCopier *copier, ClientCopyMode mode);

/* The host has read a frame in @mode, or cannot. */
void client_copier_accepted(ClientCopier *copier, ClientCopyMode mode);
void client_copier_refused(ClientCopier *copier, ClientCopyMode mode, const char *message);
/* The GPU makes no buffer for @mode. */
void client_copier_failed(ClientCopier *copier, ClientCopyMode mode, const char *message);
/* Forget the host's answers: the next host may differ. */
void client_copier_forget_host(ClientCopier *copier);
/* Counts the times that a mode was ruled out by a host, or is open again. */
guint client_copier_serial(ClientCopier *copier);

/* A buffer of @width x @height from the pool; NULL with HELIX_CLIENT_ERROR_GPU, or without: all are in
 * use. */
HelixClientBuffer *client_copier_take_buffer(ClientCopier *copier, ClientCopyMode mode, guint32 format, guint width,
                                             guint height, GError **error);

#endif
