/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* node.c - see node.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <xf86drm.h>
#include <drm/virtgpu_drm.h>
#include "node.h"

GQuark vsock_gpu_error_quark(void)
{
    return g_quark_from_static_string("vsock-gpu-error");
}

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

/* Takes @fd over. */
static VsockNode *node_new(int fd)
{
    VsockNode *node = g_new0(VsockNode, 1);
    struct stat st;

    g_atomic_ref_count_init(&node->refs);
    node->fd = fd;
    node->device = fstat(fd, &st) == 0 ? st.st_rdev : 0;
    node->has_3d = has_parameter(fd, VIRTGPU_PARAM_3D_FEATURES);
    node->has_blob = has_parameter(fd, VIRTGPU_PARAM_RESOURCE_BLOB);
    return node;
}

VsockNode *vsock_node_open(const char *dri, GError **error)
{
    const char *folder = dri ? dri : "/dev/dri";
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autofree char *denied = NULL;
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        int fd;

        if (!g_str_has_prefix(name, "renderD")) {
            continue;
        }
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && is_virtio_gpu(fd)) {
            return node_new(fd);
        }
        if (fd >= 0) {
            close(fd);
        } else if (errno == EACCES || errno == EPERM) {
            g_free(denied);
            denied = g_steal_pointer(&path);
        }
    }
    if (denied) {
        g_set_error(error, VSOCK_GPU_ERROR, VSOCK_GPU_ERROR_ACCESS,
                    "No permission to open %s. Add the user to its group (usually \"render\") and log in again.",
                    denied);
    } else {
        g_set_error(error, VSOCK_GPU_ERROR, VSOCK_GPU_ERROR_NO_DEVICE,
                    "There is no render node of a virtio-gpu in %s. The VM needs a virtio-gpu device and its driver; a "
                    "container needs /dev/dri passed in.",
                    folder);
    }
    return NULL;
}

VsockNode *vsock_node_ref(VsockNode *node)
{
    g_atomic_ref_count_inc(&node->refs);
    return node;
}

void vsock_node_unref(VsockNode *node)
{
    if (g_atomic_ref_count_dec(&node->refs)) {
        close(node->fd);
        g_free(node);
    }
}

void vsock_node_close_handle(VsockNode *node, guint32 handle)
{
    struct drm_gem_close close_arg = { .handle = handle };

    drmIoctl(node->fd, DRM_IOCTL_GEM_CLOSE, &close_arg);
}
