/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* film-size.h - the size that the host codes pictures in. All with the stream lock, unless said. */
#ifndef VSOCKENC_FILM_SIZE_H
#define VSOCKENC_FILM_SIZE_H

#include <gst/video/video.h>
#include "../client/helix-client.h"
#include "element.h"

typedef struct VsockEncFilmSize {
    guint32 width, height; /* as it was asked for; 0: not yet */
    gint relinks;          /* renegotiations when it was chosen */
    gint renegotiations;   /* atomic: how often downstream asked to negotiate again */
} VsockEncFilmSize;

void vsockenc_film_size_reset(GstVsockEnc *self);
/* Set the coded size in @config, which has the pictures' (of @info), the pixels' shape and whether to letterbox. */
void vsockenc_film_size_describe(GstVsockEnc *self, const GstVideoInfo *info, HelixClientConfig *config);
/* Downstream asks to negotiate again. Any thread. */
void vsockenc_film_size_renegotiate(GstVsockEnc *self);
/* Whether it asks for another size for pictures of @width x @height since. */
gboolean vsockenc_film_size_changed(GstVsockEnc *self, guint32 width, guint32 height);

#endif
