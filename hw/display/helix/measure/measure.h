/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.h - what the files of this folder share. Main loop, BQL held. */
#ifndef HELIX_MEASURE_H
#define HELIX_MEASURE_H

#include "../capture/texture-hooks.h"

/*
 * A helix_texture_filter: remembers @resource's id, and answers with a surface without pixels if the encoder takes
 * textures (null-texture). The guest must not draw into the texture before it has its answer.
 */
bool helix_measure_texture(const HelixResource *resource, const HelixPicture *picture, const HelixCaptureTarget *target,
                           HelixResolved done, gpointer data);

/* The resource id of the texture that was looked up last; 0: none yet. */
uint32_t helix_measure_last_texture(void);

#endif
