/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gpu.h - the virtio-gpu's render node, opened by the library for itself.
 *
 * GEM handles are shared by all users of one open DRM file: in the caller's file, closing a handle here would free
 * the caller's buffer. So the library opens its own. Any thread.
 */
#ifndef HELIX_CLIENT_GPU_H
#define HELIX_CLIENT_GPU_H

#include <sys/types.h>
#include "dmabuf-imports.h"

struct HelixClientGpu {
    gatomicrefcount refs;
    int fd;
    dev_t device;      /* tells whether two opens are of the same GPU, whose resource ids they then share */
    gboolean has_blob; /* takes blobs: guest memory that the host reads where it lies */
    ClientImports *imports;
};

/* A render node that is open already; takes @fd over. */
HelixClientGpu *client_gpu_new(int fd, gboolean has_blob);

#endif
