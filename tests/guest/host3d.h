/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host3d.h - the case of picture-client with blobs that lie on the host (HOST3D). */
#ifndef HELIX_TEST_HOST3D_H
#define HELIX_TEST_HOST3D_H

#include "picture-cases.h"

/* A HOST3D blob's texture is served within its bounds and refused beyond, whatever size the blob was said to have. */
int play_host3d(Context *context, Player *player);

#endif
