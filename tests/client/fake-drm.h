/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake-drm.h - a virtio-gpu whose kernel the test plays: it makes what it is asked for and counts it. */
#ifndef FAKE_DRM_H
#define FAKE_DRM_H

#include "../../desktop/client/gpu.h"

/* A GPU whose driver is in front of libdrm in this program. Handles are numbers from 1, resource ids 100 more. */
HelixClientGpu *fake_drm_gpu(void);
/* Handles that are open. */
gint fake_drm_handles(void);
/* From here on no buffer can be made. */
void fake_drm_refuse(gboolean refuse);

#endif
