/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake-dri.c - a render node of a virtio-gpu that this program plays, preloaded into programs under test.
 *
 * /dev/dri is the folder $FAKE_DRI, which has a plain file "renderD128": libva, GStreamer and the library see a
 * character device whose driver is virtio_gpu. With $FAKE_DRI_BUFFERS it makes resources, whose ids count up
 * from that number. A DMA-BUF is a file whose first four bytes are the resource id: one of helix-host's.
 */
#undef _FILE_OFFSET_BITS /* which makes one name of open() and open64() */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <xf86drm.h>
#include <drm/virtgpu_drm.h>

#define DRI "/dev/dri"
#define DRM_MAJOR 226
#define RENDER_MINOR 128

/* The functions that are in front of libc's and libdrm's. */
int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
int fstat(int fd, struct stat *st);
int fstat64(int fd, struct stat64 *st);

static const char *mapped(const char *path, char *room, size_t size)
{
    const char *folder = getenv("FAKE_DRI");

    if (!folder || strncmp(path, DRI, strlen(DRI)) != 0 || (path[strlen(DRI)] != '/' && path[strlen(DRI)] != '\0')) {
        return path;
    }
    snprintf(room, size, "%s%s", folder, path + strlen(DRI));
    return room;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int open_mapped(const char *name, const char *path, int flags, mode_t mode)
{
    int (*real)(const char *, int, ...) = next(name);
    char room[4096];

    return real(mapped(path, room, sizeof(room)), flags, mode);
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = mode_of(flags, args);
    va_end(args);
    return open_mapped("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = mode_of(flags, args);
    va_end(args);
    return open_mapped("open64", path, flags, mode);
}

DIR *opendir(const char *path)
{
    DIR *(*real)(const char *) = next("opendir");
    char room[4096];

    return real(mapped(path, room, sizeof(room)));
}

static int is_node(dev_t dev, ino_t ino)
{
    int (*real)(const char *, struct stat *) = next("stat");
    char room[4096];
    struct stat st;

    return getenv("FAKE_DRI") && real(mapped(DRI "/renderD128", room, sizeof(room)), &st) == 0 && st.st_dev == dev &&
        st.st_ino == ino;
}

int fstat(int fd, struct stat *st)
{
    int (*real)(int, struct stat *) = next("fstat");
    int result = real(fd, st);

    if (result == 0 && is_node(st->st_dev, st->st_ino)) {
        st->st_mode = S_IFCHR | 0666;
        st->st_rdev = makedev(DRM_MAJOR, RENDER_MINOR);
    }
    return result;
}

int fstat64(int fd, struct stat64 *st)
{
    return fstat(fd, (struct stat *)st); /* the same on machines with 64 bits */
}

/* ---- libdrm ---- */

drmVersionPtr drmGetVersion(int fd)
{
    drmVersionPtr version = calloc(1, sizeof(*version));

    version->name = strdup("virtio_gpu");
    version->name_len = (int)strlen(version->name);
    version->date = strdup("");
    version->desc = strdup("virtio GPU");
    return version;
}

void drmFreeVersion(drmVersionPtr version)
{
    if (version) {
        free(version->name);
        free(version->date);
        free(version->desc);
        free(version);
    }
}

int drmGetNodeTypeFromFd(int fd)
{
    return DRM_NODE_RENDER;
}

char *drmGetRenderDeviceNameFromFd(int fd)
{
    return strdup(DRI "/renderD128");
}

/* The handle is the resource's id. */
int drmPrimeFDToHandle(int fd, int prime_fd, uint32_t *handle)
{
    if (pread(prime_fd, handle, sizeof(*handle), 0) != sizeof(*handle)) {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

int drmPrimeHandleToFD(int fd, uint32_t handle, uint32_t flags, int *prime_fd)
{
    *prime_fd = memfd_create("dmabuf", MFD_CLOEXEC);
    return *prime_fd >= 0 && pwrite(*prime_fd, &handle, sizeof(handle), 0) == sizeof(handle) ? 0 : -1;
}

/* Of the node's file, for each of its resources; so helix-host has it too (--pages). */
#define PAGES ((uint64_t)1 << 24)

static uint32_t first_resource(void)
{
    const char *first = getenv("FAKE_DRI_BUFFERS");

    return first ? (uint32_t)strtoul(first, NULL, 10) : 0;
}

static int create(int fd, struct drm_virtgpu_resource_create *resource)
{
    static uint32_t made;
    uint32_t number = first_resource() ? made++ : 0;

    if (!first_resource() || resource->size > PAGES || ftruncate(fd, (off_t)((number + 1) * PAGES)) != 0) {
        errno = EINVAL;
        return -1;
    }
    resource->bo_handle = resource->res_handle = first_resource() + number;
    return 0;
}

int drmIoctl(int fd, unsigned long request, void *arg)
{
    if (request == DRM_IOCTL_VIRTGPU_RESOURCE_INFO) {
        struct drm_virtgpu_resource_info *info = arg;

        info->res_handle = info->bo_handle;
        return 0;
    }
    if (request == DRM_IOCTL_VIRTGPU_RESOURCE_CREATE) {
        return create(fd, arg);
    }
    if (request == DRM_IOCTL_VIRTGPU_MAP) {
        struct drm_virtgpu_map *map = arg;

        map->offset = (map->handle - first_resource()) * PAGES;
        return 0;
    }
    if (request == DRM_IOCTL_GEM_CLOSE) {
        return 0;
    }
    errno = EINVAL;
    return -1;
}

/* ---- gudev, by which GStreamer looks for devices ---- */

typedef struct List { /* GList */
    void *data;
    struct List *next, *prev;
} List;

void *g_object_ref(void *object);
const char *g_udev_device_get_device_file(void *device);
const char *g_udev_device_get_name(void *device);
List *g_udev_client_query_by_subsystem(void *client, const char *subsystem);

List *g_udev_client_query_by_subsystem(void *client, const char *subsystem)
{
    List *(*append)(List *, void *) = dlsym(RTLD_DEFAULT, "g_list_append");
    void *(*ref)(void *) = dlsym(RTLD_DEFAULT, "g_object_ref");

    return append(NULL, ref(client)); /* any object does */
}

const char *g_udev_device_get_device_file(void *device)
{
    return DRI "/renderD128";
}

const char *g_udev_device_get_name(void *device)
{
    return "renderD128";
}
