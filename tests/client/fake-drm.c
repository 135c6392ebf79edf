/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake-drm.c - see fake-drm.h. */
#include <errno.h>
#include <unistd.h>
#include <sys/mman.h>
#include <xf86drm.h>
#include <drm/virtgpu_drm.h>
#include "fake-drm.h"

static guint32 last_handle; /* handles are numbers from 1, resource ids 100 more */
static gint open_handles;
static gboolean refuses;
static int imported[16]; /* fds, and their handles */
static guint32 imported_handle[16];
static guint n_imported;

int drmIoctl(int fd, unsigned long request, void *arg)
{
    if (request == DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB && !refuses) {
        struct drm_virtgpu_resource_create_blob *create = arg;

        create->bo_handle = ++last_handle;
        create->res_handle = last_handle + 100;
        open_handles++;
    } else if (request == DRM_IOCTL_VIRTGPU_MAP) {
        ((struct drm_virtgpu_map *)arg)->offset = 0;
    } else if (request == DRM_IOCTL_VIRTGPU_RESOURCE_INFO) {
        struct drm_virtgpu_resource_info *info = arg;

        info->res_handle = info->bo_handle + 100;
    } else if (request == DRM_IOCTL_GEM_CLOSE) {
        open_handles--;
    } else {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

/* A buffer that is imported already keeps its handle, as in the kernel. Here an fd is a buffer. */
int drmPrimeFDToHandle(int fd, int prime_fd, uint32_t *handle)
{
    for (guint i = 0; i < n_imported; i++) {
        if (imported[i] == prime_fd) {
            *handle = imported_handle[i];
            return 0;
        }
    }
    g_assert_cmpuint(n_imported, <, G_N_ELEMENTS(imported));
    *handle = imported_handle[n_imported] = ++last_handle;
    imported[n_imported++] = prime_fd;
    open_handles++;
    return 0;
}

HelixClientGpu *fake_drm_gpu(void)
{
    int fd = memfd_create("virtio-gpu", MFD_CLOEXEC);

    g_assert_cmpint(ftruncate(fd, 1 << 20), ==, 0);
    n_imported = 0;
    return client_gpu_new(fd, TRUE);
}

gint fake_drm_handles(void)
{
    return open_handles;
}

void fake_drm_refuse(gboolean refuse)
{
    refuses = refuse;
}
