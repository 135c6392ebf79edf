/* SPDX-License-Identifier: GPL-2.0-or-later */
/* foreign.c - see foreign.h. */
#include "foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm_mode.h>
#include <xf86drm.h>
#include <drm/vgem_drm.h>

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return -1;
}

static int new_udmabuf(uint32_t size)
{
    struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
    int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd;

    if (device < 0) {
        return fail("/dev/udmabuf");
    }
    create.memfd = (uint32_t)memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (ftruncate((int)create.memfd, size) < 0 || fcntl((int)create.memfd, F_ADD_SEALS, F_SEAL_SHRINK) < 0) {
        fail("memfd");
    }
    fd = ioctl(device, UDMABUF_CREATE, &create);
    close((int)create.memfd);
    close(device);
    return fd < 0 ? fail("UDMABUF_CREATE") : fd;
}

static int open_vgem(void)
{
    for (int i = 0; i < 16; i++) {
        char path[32];
        drmVersionPtr version;
        int fd;

        snprintf(path, sizeof(path), "/dev/dri/card%d", i);
        fd = open(path, O_RDWR | O_CLOEXEC);
        version = fd >= 0 ? drmGetVersion(fd) : NULL;
        if (version && strcmp(version->name, "vgem") == 0) {
            drmFreeVersion(version);
            return fd;
        }
        drmFreeVersion(version);
        if (fd >= 0) {
            close(fd);
        }
    }
    return -1;
}

/* @handle: of the buffer on @device, which stays open. */
static int new_vgem(uint32_t size, int *device, uint32_t *handle)
{
    struct drm_mode_create_dumb create = { .width = 1024, .bpp = 32, .height = (size + 4095) / 4096 };
    int fd = -1;

    *device = open_vgem();
    if (*device < 0) {
        fprintf(stderr, "there is no vgem: modprobe vgem\n");
        return -1;
    }
    if (drmIoctl(*device, DRM_IOCTL_MODE_CREATE_DUMB, &create) < 0 ||
        drmPrimeHandleToFD(*device, create.handle, DRM_CLOEXEC | DRM_RDWR, &fd) < 0) {
        fail("a buffer of vgem");
    }
    *handle = create.handle;
    return fd;
}

int foreign_unfinished(uint32_t size, int *device)
{
    struct drm_vgem_fence_attach attach = { .flags = VGEM_FENCE_WRITE };
    int fd = new_vgem(size, device, &attach.handle);

    return fd >= 0 && drmIoctl(*device, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach) < 0 ? fail("VGEM_FENCE_ATTACH") : fd;
}

int foreign_new(ForeignKind kind, uint32_t size)
{
    uint32_t handle;
    int device, fd;

    size = (size + 4095) & ~4095u;
    if (kind == FOREIGN_UDMABUF) {
        return new_udmabuf(size);
    }
    fd = new_vgem(size, &device, &handle);
    if (device >= 0) {
        close(device);
    }
    return fd;
}
