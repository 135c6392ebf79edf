/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gem.h - GEM handles of a DRM file. */
#ifndef HELIX_CLIENT_GEM_H
#define HELIX_CLIENT_GEM_H

#include <glib.h>
#include <xf86drm.h>

static inline void client_gem_close(int fd, guint32 handle)
{
    struct drm_gem_close arg = { .handle = handle };

    drmIoctl(fd, DRM_IOCTL_GEM_CLOSE, &arg);
}

#endif
