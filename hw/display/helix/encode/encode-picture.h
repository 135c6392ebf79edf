/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encode-picture.h - one picture through the encoder. All functions: on the encode thread. */
#ifndef HELIX_ENCODE_PICTURE_H
#define HELIX_ENCODE_PICTURE_H

#include "encode-shared.h"

/* Encode @job's surface; the result goes into @job. */
void helix_encode_picture(HelixEncodeThread *thread, HelixJob *job);
/* A picture that was converted ahead of time and then not encoded is thrown away. */
void helix_encode_picture_discard(HelixEncodeThread *thread, HelixJob *job);

#endif
