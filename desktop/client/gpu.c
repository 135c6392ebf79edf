/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gpu.c - see gpu.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <xf86drm.h>
#include <drm/virtgpu_drm.h>
#include "gpu.h"

#define DRI "/dev/dri"

static gboolean is_virtio_gpu(int fd)
{
    drmVersionPtr version = drmGetVersion(fd);
    gboolean yes = version && version->name && strcmp(version->name, "virtio_gpu") == 0;

    if (version) {
        drmFreeVersion(version);
    }
    return yes;
}

static gboolean has_parameter(int fd, guint64 parameter)
{
    int value = 0;
    struct drm_virtgpu_getparam get = { .param = parameter, .value = (guintptr)&value };

    return drmIoctl(fd, DRM_IOCTL_VIRTGPU_GETPARAM, &get) == 0 && value != 0;
}

HelixClientGpu *client_gpu_new(int fd, gboolean has_blob)
{
    HelixClientGpu *gpu = g_new0(HelixClientGpu, 1);
    struct stat st;

    g_atomic_ref_count_init(&gpu->refs);
    gpu->fd = fd;
    gpu->device = fstat(fd, &st) == 0 ? st.st_rdev : 0;
    gpu->has_blob = has_blob;
    gpu->imports = client_imports_new(fd);
    return gpu;
}

HelixClientGpu *helix_client_gpu_open(const char *folder, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(folder ? folder : DRI, 0, NULL);
    g_autofree char *denied = NULL;
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder ? folder : DRI, name, NULL);
        int fd;

        if (!g_str_has_prefix(name, "renderD")) {
            continue;
        }
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && is_virtio_gpu(fd)) {
            return client_gpu_new(fd, has_parameter(fd, VIRTGPU_PARAM_RESOURCE_BLOB));
        }
        if (fd >= 0) {
            close(fd);
        } else if (errno == EACCES || errno == EPERM) {
            g_free(denied);
            denied = g_steal_pointer(&path);
        }
    }
    if (denied) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_PERMISSION,
                    "No permission to open %s. Add the user to its group (usually \"render\") and log in again.",
                    denied);
    } else {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_GPU,
                    "There is no render node of a virtio-gpu in %s. The VM needs a virtio-gpu device and its driver; a "
                    "container needs /dev/dri passed in.",
                    folder ? folder : DRI);
    }
    return NULL;
}

HelixClientGpu *helix_client_gpu_ref(HelixClientGpu *gpu)
{
    g_atomic_ref_count_inc(&gpu->refs);
    return gpu;
}

void helix_client_gpu_unref(HelixClientGpu *gpu)
{
    if (g_atomic_ref_count_dec(&gpu->refs)) {
        client_imports_free(gpu->imports);
        close(gpu->fd);
        g_free(gpu);
    }
}

void helix_client_gpu_forget(HelixClientGpu *gpu)
{
    client_imports_forget(gpu->imports);
}
